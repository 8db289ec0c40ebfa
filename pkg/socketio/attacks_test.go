package socketio

import (
	"encoding/json"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// siege is a server under attack, and a client that minds its own business meanwhile.
type siege struct {
	t          *testing.T
	server     *Server
	address    string
	bystander  *client
	errors     notes // what OnError heard
	goroutines int
	heap       uint64
	watch      *watch
}

func besiege(t *testing.T, opts Options, setup func(*Server)) *siege {
	t.Helper()
	s := &siege{t: t}
	opts.OnError = func(err error) { s.errors.add(err.Error()) }
	s.server, s.address = listen(t, opts, func(server *Server) {
		server.Of("/").OnConnection(echo)
		setup(server)
	})
	s.bystander = enter(t, s.address, "")
	enter(t, s.address, "").Close() // what a first connection leaves in pools
	s.until("the first connection is gone", func() bool { return s.server.Len() == 1 })
	s.goroutines, s.heap = runtime.NumGoroutine(), heapInUse()
	s.watch = keepWatch(t, s.address)
	return s
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// served shows that the other client is served as ever.
func (s *siege) served() {
	s.t.Helper()
	s.bystander.asked(`27["echo","x"]`, `37["x"]`)
}

// until lets the other client be served until something has come true.
func (s *siege) until(what string, true func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !true(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("not so after %v: %s", patience, what)
		}
		s.served()
	}
}

// lifted ends the siege: nothing of it is left.
func (s *siege) lifted() {
	s.t.Helper()
	median, p99, n := s.watch.end()
	s.t.Logf("another client's %d questions meanwhile: median %v, 99th percentile %v", n, median, p99)
	s.served()
	s.until("the attackers are gone", func() bool { return s.server.Len() == 1 })
	s.until("no goroutine is left", func() bool { return runtime.NumGoroutine() <= s.goroutines+2 })
	s.until("no memory is left", func() bool { return heapInUse() < s.heap+4<<20 })
	if stats := s.server.Stats(); stats.Sockets != 1 || stats.Rooms != 0 {
		s.t.Errorf("left are %d sockets and %d rooms", stats.Sockets-1, stats.Rooms)
	}
}

func TestHostilePackets(t *testing.T) {
	s := besiege(t, Options{}, serveNothing)
	placeholder := `{"_placeholder":true,"num":0}`
	cases := map[string][]string{
		"a billion attachments":              {`51000000000-["x"]`},
		"more attachments than fit a number": {`5` + strings.Repeat("9", 400) + `-["x"]`},
		"no attachments":                     {`50-["x"]`},
		"negative attachments":               {`5-1-["x"]`},
		"placeholder out of range":           {`51-["x",{"_placeholder":true,"num":1}]`, "\x00b"},
		"negative placeholder":               {`51-["x",{"_placeholder":true,"num":-1}]`, "\x00b"},
		"placeholder that is no number":      {`51-["x",{"_placeholder":true,"num":{}}]`, "\x00b"},
		"placeholder twice":                  {`51-["x",` + placeholder + `,[` + placeholder + `]]`, "\x00b"},
		"placeholder for a name":             {`51-[` + placeholder + `]`, "\x00b"},
		"lists in lists":                     {`2["x",` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `]`},
		"objects in objects":                 {`2["x",` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + `]`},
		"deep CONNECT":                       {`0/abc,{"a":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `}`},
		"brackets without end":               {`2` + strings.Repeat("[", 900_000)},
		"an id of many digits":               {`2` + strings.Repeat("1", 900_000) + `["x"]`},
		"an acknowledgement likewise":        {`3` + strings.Repeat("1", 900_000) + `[]`},
		"a payload over the limit":           {`2["` + strings.Repeat("x", 1_000_000) + `"]`},
	}
	for name, packets := range cases {
		t.Run(name, func(t *testing.T) {
			c := dial(t, s.address)
			c.connect("")
			for _, p := range packets {
				if err := c.write(strings.HasPrefix(p, "\x00"), []byte(strings.TrimPrefix(p, "\x00"))); err != nil {
					t.Fatal(err)
				}
			}
			for {
				if _, err := c.read(); err != nil {
					break
				}
			}
			s.served()
		})
	}
	s.lifted()
}

// What is large but well-formed is the application's affair, and costs what it weighs.
func TestLargeNames(t *testing.T) {
	s := besiege(t, Options{}, serveNothing)
	long := strings.Repeat("n", 900_000)
	c := enter(t, s.address, "")
	c.send(`2["` + long + `"]`)
	c.send(`29007199254740991["echo"]`)
	c.expect(`39007199254740991[]`)
	c.send(`0/` + long + `,`)
	if got := c.receive(); got != `4/`+long+`,{"message":"Invalid namespace"}` {
		t.Errorf("%d bytes: %.40s", len(got), got)
	}
	c.Close()
	s.lifted()
}

func TestAttachmentsThatNeverCome(t *testing.T) {
	s := besiege(t, Options{}, serveNothing)
	for range 10 {
		c := enter(t, s.address, "")
		c.send(`59-["x","` + strings.Repeat("y", 100_000) + `"]`)
		c.sendBinary(make([]byte, 100_000)...)
		s.served()
		c.Close()
	}
	s.lifted()
}

// Each attachment may be as large as a message, but not all of them.
func TestAttachmentsTogetherAreBounded(t *testing.T) {
	s := besiege(t, Options{MaxPacket: 300_000}, serveNothing)
	half := make([]byte, 149_000)
	c := enter(t, s.address, "")
	for range 2 { // twice: nothing is added up over packets
		c.send(`52-5["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		c.sendBinary(half...)
		c.sendBinary(half...)
		if got := c.receive(); !strings.HasPrefix(got, `62-5[`) {
			t.Fatalf("answered %.40s", got)
		}
		for range 2 {
			if got := c.receive(); len(got) < len(half) {
				t.Fatalf("%d bytes came back", len(got))
			}
		}
	}
	c.send(`53-["echo"]`)
	for range 3 {
		_ = c.write(true, half) // the server may have closed
	}
	c.expectClosed()
	s.lifted()
}

// The rest of a packet may take as long as a pong, and no longer.
func TestAnIncompletePacketEnds(t *testing.T) {
	opts := Options{Engine: engineio.Options{PingInterval: 100 * time.Millisecond, PingTimeout: 900 * time.Millisecond}}
	_, address := listen(t, opts, func(s *Server) { s.Of("/").OnConnection(echo) })
	c := enter(t, address, "")
	c.send(`51-1["echo"]`)
	c.sendBinary(1)
	c.expect(`31[]`) // complete: its time no longer counts
	began := time.Now()
	c.send(`52-["echo"]`)
	c.sendBinary(1)
	c.expectClosed() // though it answers pings meanwhile
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("closed after %v", took)
	}
}

func TestNamespacesByTheThousand(t *testing.T) {
	s := besiege(t, Options{MaxNamespaces: 10}, func(server *Server) {
		server.OfRegexp(regexp.MustCompile(`^/n\d+$`)).OnConnection(func(s *Socket) { s.Join("r") })
	})
	t.Run("at once", func(t *testing.T) {
		c := dial(t, s.address)
		for i := range 100 {
			_ = c.write(false, fmt.Appendf(nil, "0/n%d,", i)) // fails once the server has closed
		}
		joined := 0
		for {
			b, err := c.read()
			if err != nil {
				break
			}
			if strings.HasPrefix(string(b), "0/n") {
				joined++
			}
		}
		if joined > 10 {
			t.Errorf("joined %d", joined)
		}
	})
	t.Run("one after another", func(t *testing.T) {
		c := dial(t, s.address)
		for i := range 2000 {
			prefix := fmt.Sprintf("/n%d,", i)
			c.connect(prefix)
			c.send("1" + prefix)
		}
		c.Close()
	})
	t.Run("that do not exist, and nobody reads the answers", func(t *testing.T) {
		c := dial(t, s.address)
		for range 200 {
			if c.write(false, []byte("0/nope,")) != nil {
				break
			}
		}
		c.Close()
	})
	s.until("the namespaces are gone", func() bool { return s.server.Stats().Namespaces == 1 })
	s.lifted()
}

// A client that floods and never reads is cut at the bound of its queue.
func TestFloodByAClientThatNeverReads(t *testing.T) {
	s := besiege(t, Options{Engine: engineio.Options{MaxQueueBytes: 1 << 20, MaxQueueFrames: 100}}, serveNothing)
	c := dial(t, s.address)
	c.connect("")
	packet := []byte(`21["echo","` + strings.Repeat("z", 100_000) + `"]`)
	for c.write(false, packet) == nil { // until the connection is gone
	}
	s.lifted()
}

// A panic ends the socket whose handler it was, is reported, and nothing else.
func TestPanicsInHandlers(t *testing.T) {
	panics := func() { panic("bang") }
	s := besiege(t, Options{}, func(server *Server) {
		server.OfFunc(func(name string, _ json.RawMessage) bool {
			if name == "/match" {
				panics()
			}
			return name == "/new"
		})
		server.OnNewNamespace(func(*Namespace) { panics() })
		server.Of("/middleware").Use(func(*Socket) error { panics(); return nil })
		server.Of("/connection").OnConnection(func(*Socket) { panics() })
		server.Of("/events").OnConnection(func(s *Socket) {
			s.On("on", func(*Event) { panics() })
			s.Once("once", func(*Event) { panics() })
			s.On("use", func(*Event) { s.Use(func(*Event) error { panics(); return nil }) })
			s.On("any", func(*Event) { s.OnAny(func(*Event) { panics() }) })
			s.On("end", func(*Event) {
				s.OnDisconnecting(func(string) { panics() })
				s.OnDisconnect(func(string) { panics() })
				s.Disconnect(false)
			})
			s.On("out", func(e *Event) {
				s.OnAnyOutgoing(func(string, []any) { panics() })
				_ = s.Emit("still sent")
				_ = s.Namespace().Emit("this too")
				s.Disconnect(false)
			})
		})
	})
	c := dial(t, s.address)
	for packet, want := range map[string]string{
		"0/match,":      `4/match,{"message":"Invalid namespace"}`,
		"0/middleware,": `4/middleware,{"message":"internal server error"}`,
	} {
		c.send(packet)
		c.expect(want)
		s.served()
	}
	c.connect("/new,")
	c.connect("/connection,")
	c.expect("1/connection,")
	for _, event := range []string{"on", "once", "use", "any", "end", "out"} {
		c.connect("/events,")
		c.send(`2/events,["` + event + `"]`)
		switch event {
		case "use", "any":
			c.send(`2/events,["x"]`)
		case "out":
			c.expect(`2/events,["still sent"]`, `2/events,["this too"]`)
		}
		c.expect("1/events,")
		s.served()
	}
	// match, new namespace, middleware, connection; one for each event, but two at the end and going out
	if heard := s.errors.take(); len(heard) != 4+6+2 || !strings.Contains(heard[0], "bang") {
		t.Errorf("%d errors: %q", len(heard), heard)
	}
	c.Close()
	s.lifted()
}
