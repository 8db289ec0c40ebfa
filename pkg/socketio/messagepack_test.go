package socketio

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/pona-realtime/pona/pkg/msgpack"
)

// packed are packets as socket.io-msgpack-parser 3.0.2 (notepack.io 2.2.0) writes them.
var packed = map[string]struct{ hex, nsp, data string }{
	"connect":              {"82a47479706500a36e7370a12f", "/", ""},
	"connect without auth": {"84a47479706500a36e7370a82f6775696c642f31a464617461d40000a76f7074696f6e7381a8636f6d7072657373c3", "/guild/1", ""},
	"connect with auth":    {"83a47479706500a36e7370a82f6775696c642f31a46461746182a474797065a6426561726572a36b6579a16b", "/guild/1", `{"type":"Bearer","key":"k"}`},
	"event":                {"85a47479706502a36e7370a12fa46461746194a16101c081a17892cb3ff8000000000000a2c3a9a76f7074696f6e7381a8636f6d7072657373c3a26964d40000", "/", `["a",1,null,{"x":[1.5,"é"]}]`},
	"event with a number":  {"83a47479706502a36e7370a12fa46461746192a16ecf8000000000000000", "/", `["n",9223372036854775808]`},
	"binary with id":       {"85a47479706502a36e7370a22f6ea46461746193a46563686fc402010281a162c40103a76f7074696f6e7381a8636f6d7072657373c3a2696407", "/n", `["echo",{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]`},
	"ack":                  {"84a47479706503a36e7370a12fa46461746190a2696400", "/", "[]"},
	"disconnect":           {"82a47479706501a36e7370a12f", "/", ""},
}

func TestDecodeMessagePack(t *testing.T) {
	for name, test := range packed {
		t.Run(name, func(t *testing.T) {
			message, err := hex.DecodeString(test.hex)
			if err != nil {
				t.Fatal(err)
			}
			p, err := decodeMessagePack(message)
			if err != nil {
				t.Fatal(err)
			}
			clear(message)
			if p.nsp != test.nsp || string(p.data) != test.data {
				t.Errorf("nsp %q, data %s", p.nsp, p.data)
			}
			if name == "binary with id" {
				args, err := p.list(nil)
				if err != nil || p.id != 7 || !p.hasID || string(args[1].JSON()) != `"AQI="` || string(args[2].JSON()) != `{"b":"Aw=="}` {
					t.Errorf("%+v, %v", args, err)
				}
			}
		})
	}
}

// pack makes a message of JSON, with attachments of one byte.
func pack(t *testing.T, text string, attachments int) []byte {
	t.Helper()
	message, err := msgpack.Append(nil, msgpack.Value{JSON: []byte(text), Attachments: make([][]byte, attachments)})
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func TestDecodeMessagePackRefuses(t *testing.T) {
	for _, text := range []string{
		`null`, `[]`, `{}`, `{"type":0}`, `{"nsp":"/"}`, `{"type":5,"nsp":"/","data":["a"]}`, `{"type":-1,"nsp":"/"}`, `{"type":"2","nsp":"/","data":["a"]}`,
		`{"type":2.5,"nsp":"/","data":["a"]}`, `{"type":2,"nsp":7,"data":["a"]}`, `{"type":2,"nsp":null,"data":["a"]}`,
		`{"type":0,"nsp":"/","data":null}`, `{"type":0,"nsp":"/","data":[]}`, `{"type":1,"nsp":"/","data":{}}`,
		`{"type":2,"nsp":"/"}`, `{"type":2,"nsp":"/","data":{}}`, `{"type":3,"nsp":"/","data":"a"}`, `{"type":3,"nsp":"/","id":1}`,
		`{"type":2,"nsp":"/","data":["a"],"id":null}`, `{"type":2,"nsp":"/","data":["a"],"id":-1}`, `{"type":2,"nsp":"/","data":["a"],"id":1.5}`,
		`{"type":2,"nsp":"/","data":["a"],"id":"1"}`, `{"type":2,"nsp":"/","data":["a"],"id":9007199254740992}`,
	} {
		if p, err := decodeMessagePack(pack(t, text, 0)); err == nil {
			t.Errorf("%s was accepted: %+v", text, p)
		}
	}
	placeholders := strings.Repeat(`,{"_placeholder":true,"num":0}`, maxAttachments+1)
	for name, message := range map[string][]byte{
		"too many attachments": pack(t, `{"type":2,"nsp":"/","data":["a"`+placeholders+`]}`, 1),
		"binary auth":          pack(t, `{"type":0,"nsp":"/","data":{"b":{"_placeholder":true,"num":0}}}`, 1),
		"two packets":          append(pack(t, `{"type":1,"nsp":"/"}`, 0), pack(t, `{"type":1,"nsp":"/"}`, 0)...),
		"depth":                append(pack(t, `{"type":2,"nsp":"/"}`, 0)[:12], strings.Repeat("\x91", 1000)...),
		"nothing":              nil,
	} {
		if p, err := decodeMessagePack(message); err == nil {
			t.Errorf("%s: accepted: %+v", name, p)
		}
	}
}

// What is accepted can be encoded again to a packet of the same meaning, in both formats.
func FuzzDecodeMessagePack(f *testing.F) {
	for _, seed := range packed {
		b, _ := hex.DecodeString(seed.hex)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		p, err := decodeMessagePack(message)
		if err != nil {
			return
		}
		if len(p.attachments) > maxAttachments || p.kind > typeConnectError {
			t.Fatalf("%x: %+v", message, p)
		}
		var id *uint64
		if p.hasID {
			id = &p.id
		}
		again, err := appendMessagePack(nil, p.kind, p.nsp, id, body{p.data, p.attachments})
		if err != nil {
			t.Fatalf("%x: %+v: %v", message, p, err)
		}
		q, err := decodeMessagePack(again)
		if err != nil || q.kind != p.kind || q.nsp != p.nsp || q.hasID != p.hasID || q.id != p.id || string(q.data) != string(p.data) {
			t.Fatalf("%x: %+v became %+v, %v", message, p, q, err)
		}
		if p.kind == typeEvent || p.kind == typeAck {
			if _, err := p.list(nil); err != nil && len(p.attachments) == 0 {
				t.Fatalf("%x: %v", message, err)
			}
		}
	})
}

// sendPacked sends a packet as a client of the MessagePack parser does, receivePacked shows the next as JSON.
func (c *client) sendPacked(text string, attachments ...[]byte) {
	c.t.Helper()
	message, err := msgpack.Append(nil, msgpack.Value{JSON: []byte(text), Attachments: attachments})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.write(true, message); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) receivePacked() string {
	c.t.Helper()
	message, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	v, rest, err := msgpack.Read(message)
	if err != nil || len(rest) > 0 {
		c.t.Fatalf("%x: %v", message, err)
	}
	return string(v.JSON)
}

func TestMessagePackConnection(t *testing.T) {
	s, address := listen(t, Options{}, serveEcho)
	c := dial(t, address+"&parser=msgpack")
	c.sendPacked(`{"type":0,"nsp":"/custom","data":{"token":"t"}}`)
	if got := c.receivePacked(); !strings.HasPrefix(got, `{"type":0,"nsp":"/custom","data":{"sid":"`) {
		t.Fatal(got)
	}
	c.sendPacked(`{"type":0,"nsp":"/nope"}`)
	if got := c.receivePacked(); got != `{"type":4,"nsp":"/nope","data":{"message":"Invalid namespace"}}` {
		t.Error(got)
	}
	c.sendPacked(`{"type":2,"nsp":"/custom","id":3,"data":["echo",{"_placeholder":true,"num":0},"é"]}`, []byte{1})
	if got := c.receivePacked(); got != `{"type":3,"nsp":"/custom","id":3,"data":[{"_placeholder":true,"num":0},"é"]}` {
		t.Error(got)
	}

	// One broadcast, each client in its own format.
	plain := enter(t, address, "/custom,")
	if err := s.Of("/custom").Emit("both", 1, []byte{2}, Raw(`{"z":1.0,"a":9223372036854776000}`)); err != nil {
		t.Fatal(err)
	}
	plain.expect(`51-/custom,["both",1,{"_placeholder":true,"num":0},{"z":1.0,"a":9223372036854776000}]`, "\x02")
	if got := c.receivePacked(); got != `{"type":2,"nsp":"/custom","data":["both",1,{"_placeholder":true,"num":0},{"z":1,"a":9223372036854776000}]}` {
		t.Error(got)
	}
	s.Of("/custom").Local().DisconnectSockets(false)
	if got := c.receivePacked(); got != `{"type":1,"nsp":"/custom"}` {
		t.Error(got)
	}
}

func TestMessagePackRefusesTextAndRubbish(t *testing.T) {
	for name, send := range map[string]func(*client){
		"text":    func(c *client) { c.send(`2["a"]`) },
		"rubbish": func(c *client) { c.sendBinary(0xc1) },
		"event before connect": func(c *client) {
			c.sendPacked(`{"type":2,"nsp":"/other","data":["a"]}`)
		},
		"reserved name": func(c *client) { c.sendPacked(`{"type":2,"nsp":"/","data":["disconnect"]}`) },
	} {
		t.Run(name, func(t *testing.T) {
			_, address := listen(t, Options{}, serveEcho)
			c := dial(t, address+"&parser=msgpack")
			c.sendPacked(`{"type":0,"nsp":"/"}`)
			c.receivePacked()
			send(c)
			c.expectClosed()
		})
	}
}

// A room with both formats makes each frame once, and a third client no further one.
func TestBroadcastEncodesOnceForEachFormat(t *testing.T) {
	sockets := make(chan *Socket, 8)
	s, address := listen(t, Options{}, func(s *Server) { s.Of("/").OnConnection(func(s *Socket) { sockets <- s }) })
	var all []*Socket
	for i, query := range []string{"", "&parser=msgpack", "&parser=msgpack", "&parser=other"} {
		c := dial(t, address+query)
		if i == 1 || i == 2 {
			c.sendPacked(`{"type":0,"nsp":"/"}`)
		} else {
			c.send("0")
		}
		all = append(all, await(t, sockets))
	}
	p, err := NewPacket("x", fmt.Sprint(s.Len()))
	if err != nil {
		t.Fatal(err)
	}
	r := run{packets: []*Packet{p}}
	if r.frame(all[0]) == r.frame(all[1]) || r.frame(all[1]) != r.frame(all[2]) || r.frame(all[0]) != r.frame(all[3]) {
		t.Error("frames are shared wrongly")
	}
}

func TestRawThatIsNoJSONIsReported(t *testing.T) {
	reported := make(chan error, 1)
	s, address := listen(t, Options{OnError: func(err error) { reported <- err }}, serveEcho)
	c := dial(t, address+"&parser=msgpack")
	c.sendPacked(`{"type":0,"nsp":"/"}`)
	c.receivePacked()
	if err := s.Of("/").Emit("broken", Raw(`{`)); err != nil {
		t.Fatal(err)
	}
	await(t, reported)
	_ = s.Of("/").Emit("whole")
	if got := c.receivePacked(); got != `{"type":2,"nsp":"/","data":["whole"]}` {
		t.Error(got)
	}
}
