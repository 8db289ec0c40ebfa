package engineio

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// countedSite is an echo server whose counters the test reads.
func countedSite(t *testing.T, opts Options) (*site, *Server) {
	s := &site{waiting: make(chan struct{}, 16), ended: make(chan Reason, 16)}
	engine := NewServer(opts, func(session *Session) Receiver { return echo{session, s.ended} })
	s.Server = httptest.NewServer(engine)
	t.Cleanup(func() {
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
		s.Server.Close()
	})
	return s, engine
}

// TestStatsOfSessions ends a session for one reason after the other, and finds each counted once.
func TestStatsOfSessions(t *testing.T) {
	s, engine := countedSite(t, Options{PingInterval: time.Minute, MaxSessions: 4, PerMessageDeflate: &PerMessageDeflate{}})
	polling := s.open(t)
	upgrading := s.open(t)
	conn := s.mustDial(t, upgradeQuery(upgrading))
	write(t, conn, "5")
	write(t, conn, "4hello")
	next(t, conn)
	s.connect(t)
	s.expect(t, "GET", "EIO=3&transport=polling", "", reply{400, badVersion})
	s.open(t)
	if _, got := s.do(t, "GET", "EIO=4&transport=polling", ""); got.status != 503 {
		t.Errorf("a session over the bound: %v", got)
	}

	got := engine.Stats()
	if got.Polling != 2 || got.WebSocket != 2 || got.Peak != 4 || got.OpenedPolling != 3 || got.OpenedWebSocket != 1 || got.Upgraded != 1 {
		t.Errorf("sessions: %+v", got)
	}
	if got.MessagesReceived != 1 || got.BytesReceived != 5 || got.MessagesSent != 1 || got.BytesSent != 5 {
		t.Errorf("traffic: %+v", got)
	}
	if got.Refused[CodeUnsupportedProtocolVersion] != 1 || got.Full != 1 {
		t.Errorf("refused: %+v", got)
	}

	s.expect(t, "POST", polling, "abc", reply{200, "ok"})
	if reason := <-s.ended; reason != ReasonParseError {
		t.Errorf("ended by %s", reason)
	}
	write(t, conn, "1")
	expectClose(t, conn, websocket.CloseNoStatusReceived)
	_ = conn.Close()
	if reason := <-s.ended; reason != ReasonTransportClose {
		t.Errorf("ended by %s", reason)
	}
	if err := engine.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	got = engine.Stats()
	var closed uint64
	for reason, n := range got.Closed {
		closed += n
		if want := map[Reason]uint64{ReasonParseError: 1, ReasonTransportClose: 1, ReasonServerShuttingDown: 2}[reason]; n != want {
			t.Errorf("%d ended by %s, want %d", n, reason, want)
		}
	}
	if opened := got.OpenedPolling + got.OpenedWebSocket; closed != opened || got.Polling+got.WebSocket != 0 {
		t.Errorf("%d sessions began, %d ended, and %d are there", opened, closed, got.Polling+got.WebSocket)
	}
}

func TestStatsOfWhatWaits(t *testing.T) {
	s, engine := countedSite(t, Options{PingInterval: time.Minute})
	query := s.open(t)
	s.expect(t, "POST", query, "4one\x1e4two", reply{200, "ok"})
	if got := engine.Stats(); got.QueuedFrames != 2 || got.QueuedBytes != 6 || got.Backlogs != 1 {
		t.Errorf("%+v", got)
	}
	s.expect(t, "GET", query, "", reply{200, "4one\x1e4two"})
	if got := engine.Stats(); got.QueuedFrames != 0 || got.QueuedBytes != 0 || got.Backlogs != 0 {
		t.Errorf("%+v", got)
	}
}

func TestStatsOfPingsAndCompression(t *testing.T) {
	s, engine := countedSite(t, Options{PingInterval: 20 * time.Millisecond, PingTimeout: time.Minute})
	query := s.open(t)
	s.expect(t, "GET", query, "", reply{200, "2"})
	long := "4" + strings.Repeat("a", 2000)
	s.expect(t, "POST", query, "3\x1e"+long, reply{200, "ok"})
	if _, got := s.do(t, "GET", query, ""); !strings.HasPrefix(got.body, long) { // the next ping may have come
		t.Errorf("polled %v", got)
	}
	got := engine.Stats()
	var pings uint64
	for _, n := range got.Pings.Counts {
		pings += n
	}
	if pings != 1 || got.Pings.Sum <= 0 {
		t.Errorf("%d pings in %s", pings, got.Pings.Sum)
	}
	if got.PollsCompressed != 1 || got.PollIn < 2001 || got.PollOut == 0 || got.PollOut > 200 {
		t.Errorf("%+v", got)
	}

	frame := NewFrame(Message{Data: []byte(long)})
	d := PerMessageDeflate{counters: &engine.counters}
	for range 3 { // sessions
		frame.deflatedWebSocket(&d)
	}
	if got = engine.Stats(); got.Deflates != 1 || got.DeflateIn != 2001 || got.DeflateOut == 0 || got.DeflateOut > 200 {
		t.Errorf("%+v", got)
	}
}

func TestStatsOfConflation(t *testing.T) {
	var c counters
	opts := Options{MaxQueueBytes: 100, MaxQueueFrames: 4, counters: &c}
	var q queue
	for range 6 {
		q.push(NewFrame(Message{Data: []byte("123")}).Conflate("position"), &opts)
	}
	if got := c.conflated.Load() + uint64(len(q.entries)); got != 6 || c.conflated.Load() == 0 {
		t.Errorf("%d frames conflated, %d wait", c.conflated.Load(), len(q.entries))
	}
}
