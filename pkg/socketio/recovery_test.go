package socketio

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// answer is what CONNECT is answered with.
type answer struct{ SID, PID string }

// join sends CONNECT with a payload and returns the packets before its answer, and the answer.
func (c *client) join(payload string) (before []string, a answer) {
	c.t.Helper()
	c.send("0" + payload)
	for {
		text := c.receive()
		if data, ok := strings.CutPrefix(text, "0"); ok {
			if err := json.Unmarshal([]byte(data), &a); err != nil {
				c.t.Fatal(err)
			}
			return before, a
		}
		before = append(before, text)
	}
}

// returns joins again with pid and offset.
func returns(t *testing.T, address string, pid, offset string) (before []string, a answer, c *client) {
	t.Helper()
	return returnsBy(t, dial, address, pid, offset)
}

func returnsBy(t *testing.T, dial func(*testing.T, string) *client, address string, pid, offset string) (before []string, a answer, c *client) {
	t.Helper()
	c = dial(t, address)
	payload, _ := json.Marshal(map[string]string{"pid": pid, "offset": offset})
	before, a = c.join(string(payload))
	return before, a, c
}

// offsetOf is the last argument of an event.
func offsetOf(t *testing.T, packet string) string {
	t.Helper()
	var args []any
	if err := json.Unmarshal([]byte(packet[1:]), &args); err != nil {
		t.Fatal(packet, err)
	}
	offset, ok := args[len(args)-1].(string)
	if !ok {
		t.Fatalf("%s carries no offset", packet)
	}
	return offset
}

// recoverable serves "/" with a history; gone hears of each socket's end.
func recoverable(t *testing.T, opts MemoryRecoveryOptions) (s *Server, address string, sockets chan *Socket, gone chan string) {
	t.Helper()
	sockets, gone = make(chan *Socket, 8), make(chan string, 8)
	s, address = listen(t, Options{Recovery: NewMemoryRecovery(opts)}, func(s *Server) {
		s.Of("/").OnConnection(func(s *Socket) {
			s.OnDisconnect(func(reason string) { gone <- reason })
			sockets <- s
		})
	})
	return s, address, sockets, gone
}

// lose ends the client's connection without a word and waits until the server has noticed.
func (c *client) loseFor(gone <-chan string) {
	c.t.Helper()
	c.lose()
	if reason := await(c.t, gone); reason != "transport close" && reason != "transport error" {
		c.t.Fatal(reason)
	}
}

func TestRecoverySendsWhatWasMissedBeforeTheAnswer(t *testing.T) {
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		s, address, sockets, gone := recoverable(t, MemoryRecoveryOptions{})
		c := dial(t, address)
		_, a := c.join("")
		socket := await(t, sockets)
		if len(a.SID) != 20 || a.PID == "" || socket.Recovered() {
			t.Fatalf("answer %+v, recovered %v", a, socket.Recovered())
		}
		socket.Join("r", "left")
		socket.Leave("left")
		socket.SetData("mine")
		_ = s.Of("/").Emit("a", 1)
		first := c.receive()
		offset := offsetOf(t, first)
		if first != `2["a",1,"`+offset+`"]` {
			t.Fatal(first)
		}
		_ = socket.Emit("on its way", []byte{1})
		c.receive()
		c.receive()
		c.loseFor(gone)
		all := s.Of("/")
		_ = all.To("r").Emit("b")
		_ = all.To("left", "other").Emit("not for it")
		_ = all.To(a.SID).Emit("c", []byte{7})
		_ = all.Except("r").Emit("not for it either")
		_ = all.Volatile().Emit("volatile")
		_ = all.To("r", a.SID).Emit("d", "text")

		before, b, c2 := returnsBy(t, dial, address, a.PID, offset)
		if b != a {
			t.Fatalf("came back as %+v, was %+v", b, a)
		}
		var events []string
		for _, packet := range before {
			name := "binary"
			if _, list, ok := strings.Cut(packet, `["`); ok {
				name, _, _ = strings.Cut(list, `"`)
			}
			events = append(events, name)
		}
		if got := strings.Join(events, ", "); got != "on its way, binary, b, c, binary, d" {
			t.Errorf("missed: %s", got)
		}
		back := await(t, sockets)
		if !back.Recovered() || back.ID() != a.SID || back.Data() != "mine" || len(back.Rooms()) != 2 {
			t.Errorf("recovered %v, data %v, rooms %q", back.Recovered(), back.Data(), back.Rooms())
		}
		_ = all.To("r").Emit("live")
		if got := c2.receive(); !strings.HasPrefix(got, `2["live","`) {
			t.Error(got)
		}
	})
}

func TestRecoveryOfAnIdleClient(t *testing.T) {
	s, address, sockets, gone := recoverable(t, MemoryRecoveryOptions{MaxPackets: 1})
	c := dial(t, address)
	_, a := c.join("")
	await(t, sockets)
	for range 3 { // the history forgets what it was not for
		_ = s.Of("/").To("others").Emit("x")
	}
	c.loseFor(gone)
	_ = s.Of("/").Emit("missed")
	before, b, _ := returns(t, address, a.PID, "offset of an earlier server")
	if b != a || len(before) != 1 || !strings.HasPrefix(before[0], `2["missed",`) {
		t.Errorf("%q, %+v", before, b)
	}
}

func TestRecoveryWhileTheOldConnectionStillSeemsOpen(t *testing.T) {
	_, address, sockets, gone := recoverable(t, MemoryRecoveryOptions{})
	c := dial(t, address)
	_, a := c.join("")
	await(t, sockets)
	_, b, _ := returns(t, address, a.PID, "")
	if b != a || await(t, gone) != "transport close" || !await(t, sockets).Recovered() {
		t.Error("not recovered")
	}
	c.expectClosed()
}

func TestRecoveryTwiceBeforeAnythingWasHandled(t *testing.T) {
	s, address, sockets, gone := recoverable(t, MemoryRecoveryOptions{})
	c := dial(t, address)
	_, a := c.join("")
	await(t, sockets)
	c.loseFor(gone)
	_ = s.Of("/").Emit("missed")
	for range 3 { // each time the connection is lost before the client has handled the event
		before, b, c := returns(t, address, a.PID, "")
		if b != a || len(before) != 1 {
			t.Fatalf("%q, %+v", before, b)
		}
		await(t, sockets)
		c.loseFor(gone)
	}
}

func TestNoRecovery(t *testing.T) {
	for name, leave := range map[string]func(*client, *Socket){
		"after the client's disconnect": func(c *client, _ *Socket) { c.send("1") },
		"after the server's disconnect": func(_ *client, s *Socket) { s.Disconnect(false) },
		"after disconnect and close":    func(_ *client, s *Socket) { s.Disconnect(true) },
	} {
		t.Run(name, func(t *testing.T) {
			_, address, sockets, gone := recoverable(t, MemoryRecoveryOptions{})
			c := dial(t, address)
			_, a := c.join("")
			leave(c, await(t, sockets))
			await(t, gone)
			if _, b, _ := returns(t, address, a.PID, ""); b.SID == a.SID || b.PID == a.PID || b.PID == "" || await(t, sockets).Recovered() {
				t.Errorf("came back as %+v", b)
			}
		})
	}
	for name, opts := range map[string]MemoryRecoveryOptions{
		"too many events": {MaxPackets: 2}, "too many bytes": {MaxBytes: 20}, "away for too long": {MaxDisconnectionDuration: time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			s, address, sockets, gone := recoverable(t, opts)
			c := dial(t, address)
			_, a := c.join("")
			await(t, sockets)
			c.loseFor(gone)
			for range 3 {
				_ = s.Of("/").Emit("x")
			}
			if before, b, _ := returns(t, address, a.PID, ""); b.SID == a.SID || b.PID == a.PID || len(before) != 0 || await(t, sockets).Recovered() {
				t.Errorf("%q, came back as %+v", before, b)
			}
		})
	}
	t.Run("too many sessions", func(t *testing.T) {
		_, address, sockets, gone := recoverable(t, MemoryRecoveryOptions{MaxSessions: 1})
		var away []answer
		for range 2 {
			c := dial(t, address)
			_, a := c.join("")
			await(t, sockets)
			c.loseFor(gone)
			away = append(away, a)
		}
		if _, b, _ := returns(t, address, away[0].PID, ""); b == away[0] {
			t.Error("the oldest is still known")
		}
		if _, b, _ := returns(t, address, away[1].PID, ""); b != away[1] {
			t.Error("the newest is not known")
		}
	})
	t.Run("forged", func(t *testing.T) {
		_, address, sockets, _ := recoverable(t, MemoryRecoveryOptions{})
		c := dial(t, address)
		_, a := c.join("")
		await(t, sockets)
		if _, b, _ := returns(t, address, a.SID+"AAAAAAAAAAAAAAAAAAAA", ""); b.SID == a.SID {
			t.Error("taken over by who knows only the id")
		}
		for _, payload := range []string{`{"pid":7}`, `{"pid":""}`, `{"pid":null,"offset":{}}`, `{"pid":"x","offset":1}`} {
			c := dial(t, address)
			if _, b := c.join(payload); b.SID == a.SID {
				t.Error(payload)
			}
		}
	})
}

// A client may stay away for 2 minutes, unless the options say otherwise.
func TestTwoMinutesAway(t *testing.T) {
	for away, comesBack := range map[time.Duration]bool{2*time.Minute - 20*time.Second: true, 2 * time.Minute: false} {
		s, address, sockets, gone := recoverable(t, MemoryRecoveryOptions{})
		c := dial(t, address)
		_, a := c.join("")
		await(t, sockets)
		c.loseFor(gone)
		memory := s.opts.Recovery.(*MemoryRecovery)
		memory.mu.Lock()
		session := memory.order.Front().Value.(*memorySession)
		session.at = session.at.Add(-away)
		memory.mu.Unlock()
		if _, b, _ := returns(t, address, a.PID, ""); (b == a) != comesBack || await(t, sockets).Recovered() != comesBack {
			t.Errorf("after %v away: came back as %+v, was %+v", away, b, a)
		}
	}
}

func TestMiddlewareRunsAgainOnReturn(t *testing.T) {
	refuse := make(chan error, 8)
	gone := make(chan string, 8)
	_, address := listen(t, Options{Recovery: NewMemoryRecovery(MemoryRecoveryOptions{})}, func(s *Server) {
		s.Of("/").Use(func(*Socket) error { return <-refuse })
		s.Of("/").OnConnection(func(s *Socket) { s.OnDisconnect(func(reason string) { gone <- reason }) })
	})
	refuse <- nil
	c := dial(t, address)
	_, a := c.join("")
	c.loseFor(gone)

	refuse <- errors.New("not today")
	c = dial(t, address)
	c.send(`0{"pid":"` + a.PID + `"}`)
	c.expect(`4{"message":"not today"}`)
	_ = c.Close()

	refuse <- nil // the session is still there
	if _, b, _ := returns(t, address, a.PID, ""); b != a {
		t.Errorf("came back as %+v", b)
	}
}

// An event that carries no offset must not end in a string: the client would take it for one.
func TestNoEventWithoutOffsetEndsInAString(t *testing.T) {
	s, address, sockets, _ := recoverable(t, MemoryRecoveryOptions{})
	c := dial(t, address)
	c.join("")
	socket := await(t, sockets)
	v := s.Of("/").Volatile()
	for want, emit := range map[string]func() error{
		`2["v",null]`:      func() error { return v.Emit("v") },
		`2["v","s",null]`:  func() error { return v.Emit("v", "s") },
		`2["v", "r",null]`: func() error { return v.Emit("v", Raw(` "r" `)) },
		`2["v",["s"]]`:     func() error { return v.Emit("v", []string{"s"}) },
		`2["v",1]`:         func() error { return v.Emit("v", 1) },
	} {
		if err := emit(); err != nil {
			t.Fatal(err)
		}
		if got := c.receive(); got != want {
			t.Errorf("received %s, want %s", got, want)
		}
	}
	go func() { _, _ = socket.EmitWithAck(t.Context(), "q", "s") }()
	c.expect(`20["q","s"]`)
	c.send("30[]")
}

// Who keeps a Socket and sends to it means its client, wherever that is.
func TestSendingToASocketThatIsAway(t *testing.T) {
	_, address, sockets, gone := recoverable(t, MemoryRecoveryOptions{})
	c := dial(t, address)
	_, a := c.join("")
	s := await(t, sockets)
	c.loseFor(gone)
	_ = s.Emit("away")
	before, b, c := returns(t, address, a.PID, "")
	if b != a || len(before) != 1 || !strings.HasPrefix(before[0], `2["away",`) {
		t.Errorf("%q, %+v", before, b)
	}
	await(t, sockets)
	_ = s.Emit("back")
	if got := c.receive(); !strings.HasPrefix(got, `2["back",`) {
		t.Error(got)
	}
}

func TestOldEventsAreForgottenThoughNothingIsSent(t *testing.T) {
	memory := NewMemoryRecovery(MemoryRecoveryOptions{})
	s, _ := listen(t, Options{Recovery: memory}, serveNothing)
	n := s.Of("/")
	_ = n.Emit("x")
	if n.history.bytes == 0 || !memory.sweeping.Load() {
		t.Fatal("nothing is kept")
	}
	n.history.kept[0].at = time.Now().Add(-memory.linger - time.Second)
	memory.sweepNow()
	if len(n.history.kept) != 0 || n.history.bytes != 0 || memory.sweeping.Load() {
		t.Errorf("%d events, %d bytes", len(n.history.kept), n.history.bytes)
	}
}

func TestRecoveryInMessagePack(t *testing.T) {
	s, address, sockets, gone := recoverable(t, MemoryRecoveryOptions{})
	address += "&parser=msgpack"
	answered := func(c *client) (a answer) {
		text := c.receivePacked()
		var packet struct {
			Type int
			Data answer
		}
		if err := json.Unmarshal([]byte(text), &packet); err != nil || packet.Type != 0 {
			t.Fatalf("%s: %v", text, err)
		}
		return packet.Data
	}
	c := dial(t, address)
	c.sendPacked(`{"type":0,"nsp":"/"}`)
	a := answered(c)
	await(t, sockets)
	_ = s.Of("/").Emit("a", 1)
	var event struct{ Data []any }
	if err := json.Unmarshal([]byte(c.receivePacked()), &event); err != nil || len(event.Data) != 3 {
		t.Fatalf("%v, %v", event.Data, err)
	}
	c.loseFor(gone)
	_ = s.Of("/").Emit("b", []byte{1})
	c = dial(t, address)
	c.sendPacked(`{"type":0,"nsp":"/","data":{"pid":"` + a.PID + `","offset":"` + event.Data[2].(string) + `"}}`)
	if text := c.receivePacked(); !strings.Contains(text, `"b"`) {
		t.Error(text)
	}
	if b := answered(c); b != a || !await(t, sockets).Recovered() {
		t.Errorf("came back as %+v, was %+v", b, a)
	}
}

func FuzzReturning(f *testing.F) {
	h := (&MemoryRecovery{}).newHistory()
	h.last = 100
	for _, seed := range []string{`{"pid":"a","offset":"b"}`, `{"pid":1,"offset":null}`, `{"offset":"` + h.name + `.2s"}`, `{}`, `{"pid":"a","PID":"b"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, auth string) {
		_, offset := returning(json.RawMessage(auth))
		if seq, ok := h.parse(offset); ok && (seq > h.last || !strings.HasPrefix(offset, h.name)) {
			t.Errorf("%q is taken for %d of %d", offset, seq, h.last)
		}
	})
}
