package socketio

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// provider is a Recovery that an application could bring: it knows one client, and does what a test says.
type provider struct {
	ticket    func() string
	replay    func(s *Socket, enter func(missed ...*Packet))
	persisted chan []string
}

func (p *provider) Ticket(*Socket) string {
	if p.ticket != nil {
		return p.ticket()
	}
	return "a pid"
}

func (p *provider) Persist(_ *Socket, rooms []string) { p.persisted <- rooms }

const knownID = "AAAAAAAAAAAAAAAAAAAA"

func (p *provider) Restore(_ context.Context, _ *Namespace, pid, offset string) *Restored {
	if pid != "known" || offset != "6" {
		return nil
	}
	return &Restored{ID: knownID, Rooms: []string{"r"}, Data: "mine", Replay: p.replay}
}

func withProvider(t *testing.T, p *provider, setup func(*Server)) (s *Server, address string, sockets chan *Socket) {
	t.Helper()
	p.persisted = make(chan []string, 8)
	sockets = make(chan *Socket, 8)
	s, address = listen(t, Options{Recovery: p, OnError: func(error) {}}, func(s *Server) {
		s.Of("/").OnConnection(func(s *Socket) { sockets <- s })
		setup(s)
	})
	return s, address, sockets
}

func TestReplayIsTheProviders(t *testing.T) {
	packet := func(offset string) *Packet {
		p, err := NewPacket("missed", "text")
		if err != nil {
			t.Fatal(err)
		}
		return p.WithOffset(offset)
	}
	p := &provider{replay: func(s *Socket, enter func(missed ...*Packet)) {
		if !s.Recovered() || s.ID() != knownID || s.Data() != "mine" {
			t.Errorf("recovered %v as %s with %v", s.Recovered(), s.ID(), s.Data())
		}
		enter(packet("7"), packet("8"))
		_ = s.Namespace().To("r").Send(packet("9")) // what is live follows at once
	}}
	srv, address, sockets := withProvider(t, p, serveNothing)
	before, a, c := returns(t, address, "known", "6")
	if a != (answer{knownID, "known"}) || !slices.Equal(before, []string{`2["missed","text","7"]`, `2["missed","text","8"]`}) {
		t.Errorf("%q, %+v", before, a)
	}
	await(t, sockets)
	_ = srv.Of("/").To("r").Emit("plain", "text")
	_ = srv.Of("/").Volatile().Emit("plain")
	c.expect(`2["missed","text","9"]`, `2["plain","text",null]`, `2["plain",null]`)

	if before, a, _ := returns(t, address, "known", "5"); len(before) != 0 || a.SID == knownID || a.PID != "a pid" {
		t.Errorf("unknown to the provider, came back with %q as %+v", before, a)
	}
}

// Where events are gone, and where the provider breaks, the client joins as another, through the
// middleware again.
func TestReplayThatFails(t *testing.T) {
	for name, replay := range map[string]func(*Socket, func(...*Packet)){
		"gone":   func(*Socket, func(...*Packet)) {},
		"panics": func(*Socket, func(...*Packet)) { panic("bang") },
	} {
		t.Run(name, func(t *testing.T) {
			var ids notes
			_, address, sockets := withProvider(t, &provider{replay: replay}, func(s *Server) {
				s.Of("/").Use(func(s *Socket) error { ids.add(s.ID()); return nil })
			})
			before, a, _ := returns(t, address, "known", "6")
			s := await(t, sockets)
			if got := ids.take(); len(got) != 2 || got[0] != knownID || got[1] != a.SID {
				t.Errorf("middleware saw %q", got)
			}
			if len(before) != 0 || a.SID == knownID || a.PID != "a pid" || s.Recovered() || s.Data() != nil {
				t.Errorf("%q, %+v, recovered %v with %v", before, a, s.Recovered(), s.Data())
			}
		})
	}
}

// What does not fit into a session's queue would have the client cut, again and again.
func TestReplayLargerThanWhatMayWait(t *testing.T) {
	packet, err := NewPacket("missed", strings.Repeat("x", 600))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		packets   int
		recovered bool
	}{{"fits", 1, true}, {"is too large", 2, false}, {"is too many", 5, false}} {
		t.Run(tt.name, func(t *testing.T) {
			p := &provider{persisted: make(chan []string, 8), replay: func(_ *Socket, enter func(missed ...*Packet)) {
				enter(slices.Repeat([]*Packet{packet.WithOffset("7")}, tt.packets)...)
			}}
			sockets := make(chan *Socket, 8)
			opts := Options{Recovery: p, Engine: engineio.Options{MaxQueueBytes: 1000, MaxQueueFrames: 4}}
			_, address := listen(t, opts, func(s *Server) { s.Of("/").OnConnection(func(s *Socket) { sockets <- s }) })
			before, a, _ := returns(t, address, "known", "6")
			if s := await(t, sockets); s.Recovered() != tt.recovered || (a.SID == knownID) != tt.recovered || (len(before) > 0) != tt.recovered {
				t.Errorf("recovered %v as %+v after %d packets", s.Recovered(), a, len(before))
			}
		})
	}
}

func TestTickets(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		srv, address, sockets := withProvider(t, &provider{ticket: func() string { return "" }}, serveNothing)
		c := dial(t, address)
		if _, a := c.join(""); a.PID != "" {
			t.Errorf("%+v", a)
		}
		await(t, sockets)
		p, _ := NewPacket("x", "text")
		_ = srv.Of("/").Send(p.WithOffset("7"))
		c.expect(`2["x","text"]`) // who cannot come back needs no offset
	})
	t.Run("panic", func(t *testing.T) {
		_, address, _ := withProvider(t, &provider{ticket: func() string { panic("bang") }}, serveNothing)
		c := dial(t, address)
		c.send("0")
		c.expect(`4{"message":"internal server error"}`)
	})
}

func TestWhatIsPersisted(t *testing.T) {
	for name, tt := range map[string]struct {
		polling bool
		end     func(*Server, *client, *Socket)
		reason  string // "": a namespace disconnect
	}{
		"transport close":      {end: func(_ *Server, c *client, _ *Socket) { c.lose() }, reason: "transport close"},
		"transport error":      {polling: true, end: func(_ *Server, c *client, _ *Socket) { c.lose() }, reason: "transport error"},
		"forced close":         {end: func(_ *Server, _ *client, s *Socket) { s.Interrupt() }, reason: "forced close"},
		"violation":            {end: func(_ *Server, c *client, _ *Socket) { c.send("0") }, reason: "forced close"},
		"ping timeout":         {end: func(*Server, *client, *Socket) {}, reason: "ping timeout"},
		"server shutting down": {end: func(s *Server, _ *client, _ *Socket) { _ = s.Close(context.Background()) }, reason: "server shutting down"},
		"client's disconnect":  {end: func(_ *Server, c *client, _ *Socket) { c.send("1") }},
		"server's disconnect":  {end: func(_ *Server, _ *client, s *Socket) { s.Disconnect(false) }},
		"disconnect and close": {end: func(_ *Server, _ *client, s *Socket) { s.Disconnect(true) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := &provider{persisted: make(chan []string, 1)}
			sockets := make(chan *Socket, 1)
			opts := Options{Recovery: p}
			if tt.reason == "ping timeout" {
				opts.Engine = engineio.Options{PingInterval: 20 * time.Millisecond, PingTimeout: 20 * time.Millisecond}
			}
			srv, address := listen(t, opts, func(s *Server) { s.Of("/").OnConnection(func(s *Socket) { s.Join("r"); sockets <- s }) })
			open := dialWebSocket
			if tt.polling {
				open = dialPolling
			}
			c := newClient(t, open(t, address))
			c.join("")
			s := await(t, sockets)
			tt.end(srv, c, s)
			await(t, s.ending())
			var rooms []string
			select {
			case rooms = <-p.persisted:
			default:
			}
			if tt.reason == "" {
				if rooms != nil || !strings.HasSuffix(s.reason, "namespace disconnect") {
					t.Errorf("persisted after %q", s.reason)
				}
				return
			}
			if s.reason != tt.reason || len(rooms) != 2 || !slices.Contains(rooms, "r") || !slices.Contains(rooms, s.ID()) {
				t.Errorf("after %q: rooms %q", s.reason, rooms)
			}
		})
	}
}
