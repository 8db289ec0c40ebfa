package redisbus

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/msgpack"
)

// recorded is a message that the reference was seen to publish.
type recorded struct {
	section, channel string
	payload          []byte
}

// recordings reads a trace of the reference: every command it sent to Redis.
func recordings(t testing.TB, name string) (all []recorded) {
	text, err := os.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "##":
			r.section = rest
		case "PUBLISH", "SPUBLISH":
			r.channel = rest
		case "JSON":
			r.payload = []byte(rest)
			all = append(all, r)
		case "hex":
			if r.payload, err = hex.DecodeString(rest); err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
	}
	return all
}

var traces = map[string]wire{
	"classic":        classic{"pona:socket.io", false},
	"specific":       classic{"pona:socket.io", true},
	"sharded":        sharded{"pona:socket.io", true, false},
	"sharded-static": sharded{"pona:socket.io", false, false},
}

// TestReferenceTraces decodes each payload of the reference and encodes it again: channel and bytes are equal.
func TestReferenceTraces(t *testing.T) {
	for name, w := range traces {
		messages := recordings(t, name)
		if len(messages) < 25 {
			t.Fatalf("%s: %d messages", name, len(messages))
		}
		askers := map[string]string{} // uid by request
		for _, r := range messages {
			namespace := strings.Split(r.channel, "#")[1]
			m, err := w.decode(&line{namespace: namespace, uid: "receiver"}, r.channel, r.payload)
			if err != nil || m == nil {
				t.Errorf("%s, %s: %s %q: %v", name, r.section, r.channel, r.payload, err)
				continue
			}
			l := &line{namespace: namespace, uid: m.From}
			var channel string
			var payload []byte
			if isAnswer(m.Kind) {
				channel, payload, err = w.encodeAnswer(l, &adapter.Message{From: askers[m.RequestID]}, m)
			} else {
				askers[m.RequestID] = m.From
				channel, payload, err = w.encode(l, m)
			}
			if err != nil || channel != r.channel || !bytes.Equal(payload, r.payload) && !sameMeaning(t, r, payload) {
				t.Errorf("%s, %s:\n%s %q became\n%s %q, %v", name, r.section, r.channel, r.payload, channel, payload, err)
			}
		}
	}
}

func isAnswer(k adapter.Kind) bool {
	switch k {
	case adapter.ClientCount, adapter.ClientAnswer, adapter.FetchAnswer, adapter.AllRoomsAnswer, adapter.ServerSideAnswer:
		return true
	}
	return false
}

// sameMeaning allows two forms that we read and do not write: the emitter's order of fields, and rooms
// that are numbers.
func sameMeaning(t *testing.T, r recorded, payload []byte) bool {
	numeric := strings.Contains(r.section, "numeric room")
	if !numeric && !strings.Contains(r.section, "redis-emitter") {
		return false
	}
	var theirs, ours any
	for _, side := range []struct {
		payload []byte
		into    *any
	}{{r.payload, &theirs}, {payload, &ours}} {
		text := read(side.payload).JSON
		if numeric {
			text = bytes.Replace(text, []byte(`"rooms":[123]`), []byte(`"rooms":["123"]`), 1)
		}
		if err := json.Unmarshal(text, side.into); err != nil {
			t.Fatal(err)
		}
	}
	return reflect.DeepEqual(theirs, ours)
}

// TestSubscribedChannels compares what we subscribe to with the reference: exact names, no patterns.
func TestSubscribedChannels(t *testing.T) {
	const uid = "mf-8p4"
	for name, want := range map[string][]string{
		"classic": {"pona:socket.io#/#", "pona:socket.io-request#/#", "pona:socket.io-response#/#", "pona:socket.io-response#/#mf-8p4#", "pona:socket.io#/#r#"},
		"sharded": {"pona:socket.io#/#", "pona:socket.io#/#mf-8p4#", "pona:socket.io#/#r#"},
	} {
		w := traces[name]
		room, _ := w.roomChannel("/", "r")
		got := append(append(w.memberChannels("/"), w.answerChannels("/", uid)...), room)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if _, ok := traces["sharded"].roomChannel("/", "9g7LAFz_q7mds8nMAAAA"); ok {
		t.Error("a channel for a socket's own room")
	}
	if _, ok := traces["sharded-static"].roomChannel("/", "r"); ok {
		t.Error("a channel for a room in static mode")
	}
}

// TestChannelOfABroadcast: a room's own is only for a broadcast to that room alone; the sharded wire has none for
// questions, and none for what looks like a socket's id.
func TestChannelOfABroadcast(t *testing.T) {
	const all, one, id = "pona:socket.io#/#", "pona:socket.io#/#r#", "9g7LAFz_q7mds8nMAAAA"
	l, visitor := &line{namespace: "/", uid: "sender"}, &line{namespace: "/", uid: "visitor", visitor: true}
	for _, test := range []struct {
		name    string
		rooms   []string
		request string
		want    map[string]string
	}{
		{"a room", []string{"r"}, "", map[string]string{"private": one, "classic": one, "specific": one, "sharded": one, "sharded-static": all}},
		{"a room, asked", []string{"r"}, "id", map[string]string{"private": all, "sharded": all, "sharded-static": all, "classic": "pona:socket.io-request#/#", "specific": "pona:socket.io-request#/#"}},
		{"two rooms", []string{"r", "s"}, "", map[string]string{"classic": all, "specific": all, "sharded": all, "sharded-static": all}},
		{"no room", nil, "", map[string]string{"classic": all, "specific": all, "sharded": all, "sharded-static": all}},
		{"a room of twenty bytes", []string{"лучшаямузы"}, "", map[string]string{"private": all + "лучшаямузы#", "sharded": all + "лучшаямузы#", "sharded-static": all}},
		{"a room of twenty letters", []string{"лучшаямузыкавмосквее"}, "", map[string]string{"private": all + "лучшаямузыкавмосквее#", "sharded": all}},
		{"a socket", []string{id}, "", map[string]string{"private": all + id + "#", "classic": all + id + "#", "specific": all + id + "#", "sharded": all, "sharded-static": all}},
	} {
		for name, want := range test.want {
			m := &adapter.Message{Kind: adapter.Broadcast, RequestID: test.request, Target: adapter.Target{Rooms: test.rooms}, Value: adapter.Value{JSON: []byte(`["ev"]`)}}
			w, recorded := traces[name]
			if !recorded {
				w = sharded{"pona:socket.io", true, true}
			}
			if got, _, err := w.encode(l, m); err != nil || got != want {
				t.Errorf("%s, %s: to %s, %v, want %s", name, test.name, got, err, want)
			}
			if got, _, _ := w.encode(visitor, m); test.request == "" && got != all {
				t.Errorf("%s, %s: a visitor's to %s", name, test.name, got)
			}
		}
	}
}

// TestOldRequests are what versions before ours send.
func TestOldRequests(t *testing.T) {
	w := traces["classic"]
	l := &line{namespace: "/", uid: "receiver"}
	for text, want := range map[string]adapter.Message{
		`{"requestId":"a","type":0}`:                               {Kind: adapter.SocketIDs, RequestID: "a"},
		`{"requestId":"a","type":0,"rooms":["r",7]}`:               {Kind: adapter.SocketIDs, RequestID: "a", Target: adapter.Target{Rooms: []string{"r", "7"}}},
		`{"requestId":"a","type":2,"sid":"s","room":"r"}`:          {Kind: adapter.Join, RequestID: "a", Target: adapter.Target{Rooms: []string{"s"}}, Rooms: []string{"r"}},
		`{"requestId":"a","type":3,"sid":"s","room":5}`:            {Kind: adapter.Leave, RequestID: "a", Target: adapter.Target{Rooms: []string{"s"}}, Rooms: []string{"5"}},
		`{"requestId":"a","type":4,"sid":"s","close":true}`:        {Kind: adapter.Disconnect, RequestID: "a", Target: adapter.Target{Rooms: []string{"s"}}, Close: true},
		`{"type":4,"opts":{"rooms":[],"except":[]},"close":false}`: {Kind: adapter.Disconnect, Target: adapter.Target{Rooms: []string{}, Except: []string{}}},
		`{"type":4,"opts":{"rooms":[],"except":[]},"close":true}`:  {Kind: adapter.Disconnect, Target: adapter.Target{Rooms: []string{}, Except: []string{}}, Close: true},
	} {
		m, err := w.decode(l, "pona:socket.io-request#/#", []byte(text))
		if err != nil || !reflect.DeepEqual(*m, want) {
			t.Errorf("%s: %+v, %v, want %+v", text, m, err, want)
		}
	}
	for kind, want := range map[adapter.Kind]string{
		adapter.SocketIDsAnswer: `{"requestId":"a","sockets":["s"]}`, adapter.Done: `{"requestId":"a"}`,
	} {
		_, payload, err := w.encodeAnswer(l, &adapter.Message{}, &adapter.Message{Kind: kind, RequestID: "a", Sockets: []adapter.Socket{{ID: "s"}}})
		if err != nil || string(payload) != want {
			t.Errorf("%s, %v, want %s", payload, err, want)
		}
		if channel, _, _ := traces["specific"].encodeAnswer(l, &adapter.Message{}, &adapter.Message{Kind: kind}); channel != "pona:socket.io-response#/#" { // who asks does not say who it is
			t.Errorf("answered on %s", channel)
		}
	}
}

// TestNothing has no rooms, no flags and no value: lists are empty and the value is null, as JavaScript expects them.
func TestNothing(t *testing.T) {
	l := &line{namespace: "/", uid: "sender"}
	for name, w := range traces {
		_, payload, err := w.encode(l, &adapter.Message{Kind: adapter.Join})
		if text := string(payload); err != nil || !strings.Contains(text, `"rooms":[],"except":[]`) || strings.Contains(text, "null") {
			t.Errorf("%s: %s, %v", name, text, err)
		}
		for _, kind := range []adapter.Kind{adapter.ServerSideAnswer, adapter.ClientAnswer} {
			_, payload, err := w.encodeAnswer(l, &adapter.Message{}, &adapter.Message{Kind: kind, RequestID: "q"})
			if text := string(read(payload).JSON); err != nil || strings.Count(text, "null") != 1 {
				t.Errorf("%s: %s, %v", name, text, err)
			}
		}
	}
}

// TestFlags are taken for what they say; what is out of bounds is none, or the bound.
func TestFlags(t *testing.T) {
	for text, want := range map[string]adapter.Flags{
		`{}`:                      {},
		`{"flags":{}}`:            {},
		`{"flags":{"timeout":0}}`: {}, `{"flags":{"timeout":-1}}`: {}, `{"flags":{"timeout":1.5}}`: {Timeout: 1500 * time.Microsecond},
		`{"flags":{"timeout":1e300}}`: {Timeout: 10 * time.Minute}, `{"flags":{"timeout":599999}}`: {Timeout: 10*time.Minute - time.Millisecond},
		`{"flags":{"compress":true,"volatile":false}}`: {}, `{"flags":{"compress":false,"volatile":true}}`: {Uncompressed: true, Volatile: true},
	} {
		var o options
		if err := json.Unmarshal([]byte(text), &o); err != nil || o.flags() != want {
			t.Errorf("%s: %+v, %v, want %+v", text, o.flags(), err, want)
		}
	}
}

// TestNamespaceOfAPacket: a packet without one is for "/", as of old.
func TestNamespaceOfAPacket(t *testing.T) {
	for _, test := range []struct {
		nsp, namespace string
		taken          bool
	}{{`,"nsp":"/"`, "/", true}, {"", "/", true}, {`,"nsp":"/x"`, "/x", true}, {"", "/x", false}, {`,"nsp":"/"`, "/x", false}, {`,"nsp":"/x"`, "/", false}} {
		for channel, payload := range map[string]string{
			"pona:socket.io#" + test.namespace + "#":         packed(`["a",{"type":2,"data":["ev"]` + test.nsp + `},{}]`),
			"pona:socket.io-request#" + test.namespace + "#": `{"type":7,"requestId":"q","opts":{},"packet":{"type":2,"data":["ev"]` + test.nsp + `}}`,
		} {
			m, err := traces["classic"].decode(&line{namespace: test.namespace}, channel, []byte(payload))
			if err != nil || (m != nil) != test.taken {
				t.Errorf("%s on %s: %v, %v", test.nsp, channel, m, err)
			}
		}
	}
}

// packed is JSON as MessagePack.
func packed(text string) string {
	b, err := msgpack.Append(nil, msgpack.Value{JSON: []byte(text)})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestForeignBytesAreRefused(t *testing.T) {
	l := &line{namespace: "/", uid: "receiver"}
	for _, payload := range []string{"", "{", "[]", "null", "\x93", "{}", `{"type":-1}`, `{"type":99}`, `{"type":4}`, `{"type":4,"close":true}`, `{"type":4,"OPTS":{"rooms":[],"except":[]}}`, `{"type":"6"}`,
		`{"type":5}`, `{"type":6,"data":{}}`, `{"type":7,"requestId":"a"}`, `{"requestId":""}`, `{"requestId":"a","sockets":[{}]}`,
		`{"type":3,"data":{},"uid":"a","nsp":"/"}`, `{"type":3,"data":null,"uid":"a","nsp":"/"}`, `{"type":7,"data":{"opts":{}},"uid":"a","nsp":"/"}`,
		`{"type":5,"opts":[]}`, `{"type":4,"opts":[],"close":true}`, `{"type":5,"opts":{"rooms":"r"}}`, `{"type":5,"opts":{"rooms":[null]}}`, `{"type":5,"opts":{"except":[true]}}`,
		`{"type":7,"requestId":"a","opts":{}}`, `{"type":7,"requestId":"a","packet":{"data":["ev"],"nsp":"/"}}`, `{"type":7,"opts":{},"packet":{"data":["ev"],"nsp":"/"}}`,
		`{"type":7,"requestId":"a","opts":{},"packet":{"data":{},"nsp":"/"}}`, `{"requestId":"a","type":8}`, `{"type":9,"packet":1}`, `{"requestId":"a","sockets":7}`,
		packed(`[]`), packed(`["a"]`), packed(`["a",{"type":2,"data":["ev"],"nsp":"/"}]`), packed(`["a",{"type":2,"nsp":"/"},{}]`), packed(`["a",{"type":2,"data":{},"nsp":"/"},{}]`),
		packed(`[1,{"type":2,"data":["ev"],"nsp":"/"},{}]`), packed(`["a",{"type":2,"data":["ev"],"nsp":"/"},[]]`), packed(`["a",[],{}]`),
		packed(`["a",{"type":2,"data":["ev"],"nsp":"/"},{}]`) + "\x00", packed(`{"type":1,"uid":"a","requestId":"b"}`) + "\x00",
		`{"data":{},"uid":"a","nsp":"/"}`, `{"type":3,"uid":"a","nsp":"/"}`, `{"type":3,"data":{"packet":{"data":["ev"]},"opts":{}},"nsp":"/"}`, `{"type":3,"data":{"packet":{"data":["ev"]}},"uid":"a","nsp":"/"}`,
		`{"type":3,"data":{"packet":{"data":{}},"opts":{}},"uid":"a","nsp":"/"}`, `{"type":4,"data":{"rooms":["r"]},"uid":"a","nsp":"/"}`, `{"type":7,"data":{"opts":{},"requestId":""},"uid":"a","nsp":"/"}`,
		`{"type":9,"data":{"packet":{}},"uid":"a","nsp":"/"}`, `{"type":10,"data":{"packet":1},"uid":"a","nsp":"/"}`, `{"type":11,"data":{"requestId":"a"},"uid":"a","nsp":"/"}`,
		`{"type":8,"data":{"requestId":"a"},"uid":"a","nsp":"/"}`, `{"type":13,"data":{},"uid":"a","nsp":"/"}`, "\x93\xa1a\x81\xa4type\x02\x80"} {
		for _, channel := range []string{"pona:socket.io#/#", "pona:socket.io-request#/#", "pona:socket.io-response#/#"} {
			for name, w := range traces {
				if m, err := w.decode(l, channel, []byte(payload)); err == nil && m != nil {
					t.Errorf("%s, %s: %q was taken for %+v", name, channel, payload, m)
				}
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for name := range traces {
		for _, r := range recordings(f, name) {
			f.Add(r.payload)
		}
	}
	l := &line{namespace: "/", uid: "receiver"}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, channel := range []string{"pona:socket.io#/#", "pona:socket.io-request#/#", "pona:socket.io-response#/#"} {
			for name, w := range traces {
				m, err := w.decode(l, channel, payload)
				if m == nil || err != nil {
					continue
				}
				if !json.Valid(m.Value.JSON) && m.Value.JSON != nil {
					t.Fatalf("%s: %q is no JSON", name, m.Value.JSON)
				}
				if m.Kind == adapter.Disconnect && len(m.Target.Rooms) == 0 && !bytes.Contains(payload, []byte("opts")) {
					t.Fatalf("%s: %q disconnects everybody", name, payload)
				}
				sender := &line{namespace: "/", uid: m.From}
				if !isAnswer(m.Kind) && m.Kind != adapter.SocketIDs && m.Kind != adapter.Done && m.Kind != adapter.SocketIDsAnswer && m.RequestID != "" {
					if _, _, err := w.encode(sender, m); err != nil {
						t.Fatalf("%s: %q cannot be encoded: %v", name, payload, err)
					}
				}
			}
		}
	})
}

// TestWhatIsNotForUsIsDropped replays the traces to those who sent them, and to another namespace.
func TestWhatIsNotForUsIsDropped(t *testing.T) {
	for name, w := range traces {
		worker := &worker{bus: &Bus{wire: w}}
		delivered := func(namespace, uid, channel string, payload []byte) (m *adapter.Message) {
			l := &line{namespace: namespace, uid: uid, deliver: func(d *adapter.Message) { m = d }}
			worker.handle(parcel{l, channel, string(payload)})
			return m
		}
		own, foreign := 0, 0
		for _, r := range recordings(t, name) {
			namespace := strings.Split(r.channel, "#")[1]
			m := delivered(namespace, "receiver", r.channel, r.payload)
			if m == nil || m.From == "" {
				continue // who answered is not said
			}
			own++
			if delivered(namespace, m.From, r.channel, r.payload) != nil {
				t.Errorf("%s, %s: its sender got %q back", name, r.section, r.payload)
			}
			if !w.sharded() && m.Kind != adapter.Broadcast {
				continue // says its namespace by its channel only
			}
			foreign++
			elsewhere := strings.Replace(r.channel, "#"+namespace+"#", "#/elsewhere#", 1)
			if delivered("/elsewhere", "receiver", elsewhere, r.payload) != nil {
				t.Errorf("%s, %s: %q was delivered in another namespace", name, r.section, r.payload)
			}
		}
		if malformed := worker.bus.counters.malformed.Load(); own < 15 || foreign < 8 || malformed != 0 {
			t.Errorf("%s: tried %d and %d, %d malformed", name, own, foreign, malformed)
		}
	}
}

// TestRoomOnTheBareChannel: a sender that does not know of rooms' channels publishes to the namespace's.
func TestRoomOnTheBareChannel(t *testing.T) {
	for name, w := range traces {
		sender, receiver := &line{namespace: "/", uid: "sender"}, &line{namespace: "/", uid: "receiver"}
		want := adapter.Message{Kind: adapter.Broadcast, From: "sender", Target: adapter.Target{Rooms: []string{"r"}, Except: []string{}},
			Value: adapter.Value{JSON: json.RawMessage(`["ev",1]`)}}
		_, payload, err := w.encode(sender, &want)
		if err != nil {
			t.Fatal(err)
		}
		m, err := w.decode(receiver, "pona:socket.io#/#", payload)
		if err != nil || !reflect.DeepEqual(*m, want) {
			t.Errorf("%s: %+v, %v, want %+v", name, m, err, want)
		}
	}
}

// TestIDs have the reference's form, of uids and requests alike.
func TestIDs(t *testing.T) {
	for name, form := range map[string]string{"classic": `^[A-Za-z0-9_-]{6}$`, "specific": `^[A-Za-z0-9_-]{6}$`, "sharded": `^[0-9a-f]{16}$`, "sharded-static": `^[0-9a-f]{16}$`} {
		seen := map[string]bool{}
		for range 1000 {
			id := traces[name].newID()
			if !regexp.MustCompile(form).MatchString(id) || seen[id] {
				t.Fatalf("%s: %q", name, id)
			}
			seen[id] = true
		}
	}
}
