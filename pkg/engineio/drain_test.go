package engineio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// drainSite is a server that a test drains, with the queries of its polling sessions and its WebSockets.
func drainSite(t *testing.T, polling, sockets int) (engine *Server, s *site, queries []string, conns []*websocket.Conn) {
	t.Helper()
	s = &site{ended: make(chan Reason, 16)}
	engine = NewServer(Options{}, func(session *Session) Receiver { return echo{session, s.ended} })
	s.Server = httptest.NewServer(engine)
	t.Cleanup(func() {
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
		s.Server.Close()
	})
	for range polling {
		queries = append(queries, s.open(t))
	}
	for range sockets {
		conn := s.mustDial(t, "EIO=4&transport=websocket")
		next(t, conn) // the handshake
		conns = append(conns, conn)
	}
	return engine, s, queries, conns
}

func TestDrainMovesEverybody(t *testing.T) {
	engine, s, queries, conns := drainSite(t, 2, 3)
	s.expect(t, "POST", queries[0], "4a last word", reply{200, "ok"})
	done := make(chan error, 1)
	go func() {
		moved, err := engine.Drain(t.Context(), DrainOptions{})
		if err == nil && moved != 5 {
			err = fmt.Errorf("moved %d, want 5", moved)
		}
		done <- err
	}()
	for range 5 {
		if reason := <-s.ended; reason != ReasonServerShuttingDown {
			t.Error(reason)
		}
	}
	for _, conn := range conns {
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNoStatusReceived) {
			t.Errorf("a WebSocket ended with %v", err)
		}
	}
	s.expect(t, "GET", queries[0], "", reply{200, "4a last word"})
	s.expect(t, "GET", queries[0], "", reply{200, "1"})
	s.expect(t, "GET", queries[1], "", reply{200, "1"})
	if err := <-done; err != nil {
		t.Error(err)
	}

	r, err := s.Client().Get(s.URL + "/engine.io/?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || !r.Close {
		t.Errorf("a new client is answered %d, Retry-After %q, the connection closes: %v", r.StatusCode, r.Header.Get("Retry-After"), r.Close)
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	engine, _, _, _ := drainSite(t, 0, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	moved, err := engine.Drain(ctx, DrainOptions{Rate: 0.001, Accept: true})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "3 sessions") || moved != 0 || engine.Len() != 3 {
		t.Errorf("moved %d of %d: %v", moved, engine.Len(), err)
	}
	opts := DrainOptions{Accept: true}
	if moved, err := engine.Drain(t.Context(), opts); moved != 3 || err != nil {
		t.Errorf("moved %d: %v", moved, err)
	}
}

func TestDrainAccepts(t *testing.T) {
	engine, s, _, _ := drainSite(t, 0, 1)
	if moved, err := engine.Drain(t.Context(), DrainOptions{Accept: true}); moved != 1 || err != nil {
		t.Errorf("moved %d: %v", moved, err)
	}
	s.open(t)
}

func TestDrainPace(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	defer cancel()
	for _, tt := range []struct {
		name     string
		ctx      context.Context
		opts     DrainOptions
		n        int
		min, max time.Duration
	}{
		{"by rate", ctx, DrainOptions{Rate: 50}, 1, 20 * time.Millisecond, 20 * time.Millisecond},
		{"faster than the rate", ctx, DrainOptions{Rate: 1}, 900, 90 * time.Millisecond, 100 * time.Millisecond},
		{"by deadline", ctx, DrainOptions{}, 900, 90 * time.Millisecond, 100 * time.Millisecond},
		{"at once", t.Context(), DrainOptions{}, 900, 0, 0},
	} {
		if got := tt.opts.pace(tt.ctx, tt.n); got < tt.min || got > tt.max {
			t.Errorf("%s: %v between two sessions, want %v to %v", tt.name, got, tt.min, tt.max)
		}
	}
}
