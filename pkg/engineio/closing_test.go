package engineio

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestCloseFlushes: what was sent before Close still goes out, whichever transport it is and whether or
// not a poll is pending.
func TestCloseFlushes(t *testing.T) {
	last := func(session *Session) {
		session.Send(NewFrame(Message{Data: []byte("last words")}))
		session.Close()
		session.Send(NewFrame(Message{Data: []byte("too late")}))
	}
	t.Run("with a poll pending", func(t *testing.T) {
		s := quietSite(t)
		query := s.open(t)
		answered := s.poll(t, query)
		session := <-s.opened
		session.Close()
		if got := <-answered; got != (reply{200, "1"}) {
			t.Errorf("poll: %v", got)
		}
		s.expectReason(t, ReasonForcedClose)
		s.expect(t, "GET", query, "", reply{400, unknownSession})
	})
	t.Run("without a poll", func(t *testing.T) {
		s := quietSite(t)
		query := s.open(t)
		last(<-s.opened)
		s.expectReason(t, ReasonForcedClose)
		s.expect(t, "POST", query, "4ignored", reply{200, "ok"})
		s.expect(t, "GET", query, "", reply{200, "4last words"})
		s.expect(t, "GET", query, "", reply{200, "1"})
		s.expect(t, "GET", query, "", reply{400, unknownSession})
	})
	t.Run("on WebSocket", func(t *testing.T) {
		s := quietSite(t)
		conn := s.connect(t)
		last(<-s.opened)
		if got := next(t, conn); got != "4last words" {
			t.Errorf("got %q", got)
		}
		expectClose(t, conn, websocket.CloseNoStatusReceived)
		s.expectReason(t, ReasonForcedClose)
	})
}

// TestCloseTransportLooksLikeALostConnection: with a close frame on WebSocket, with a close packet on
// polling: the reference's client calls either "transport close" and comes back.
func TestCloseTransportLooksLikeALostConnection(t *testing.T) {
	for _, reason := range []Reason{ReasonServerShuttingDown, ReasonTransportClose} {
		t.Run(string(reason), func(t *testing.T) {
			s := quietSite(t)
			conn := s.connect(t)
			session := <-s.opened
			session.Send(NewFrame(Message{Data: []byte("before")}))
			session.CloseTransport(reason)
			if got := next(t, conn); got != "4before" {
				t.Errorf("got %q", got)
			}
			expectClose(t, conn, websocket.CloseNoStatusReceived)
			s.expectReason(t, reason)

			query := s.open(t)
			answered := s.poll(t, query)
			(<-s.opened).CloseTransport(reason)
			if got := <-answered; got != (reply{200, "1"}) {
				t.Errorf("poll: %v", got)
			}
			s.expectReason(t, reason)
		})
	}
}

func (s *site) expectReason(t *testing.T, want Reason) {
	t.Helper()
	if got := <-s.ended; got != want {
		t.Errorf("ended with %q, want %q", got, want)
	}
}

// TestLastWordsComeBeforeTheClosePacket, not beside it: the official client would handle them after its end.
func TestLastWordsComeBeforeTheClosePacket(t *testing.T) {
	s := quietSite(t)
	for range 100 {
		query := s.open(t)
		answered := s.poll(t, query)
		session := <-s.opened
		session.Send(NewFrame(Message{Data: []byte("last words")})) // the poll may be answered before the end, or after
		session.CloseTransport(ReasonServerShuttingDown)
		if got := <-answered; got != (reply{200, "4last words"}) {
			t.Fatalf("poll: %v", got)
		}
		s.expect(t, "GET", query, "", reply{200, "1"})
		s.expect(t, "GET", query, "", reply{400, unknownSession})
		s.expectReason(t, ReasonServerShuttingDown)
	}
}

// TestCloseRacesWithPoll: "a close that races with a poll still answers it once with 6 or 1".
func TestCloseRacesWithPoll(t *testing.T) {
	s := quietSite(t)
	for range 100 {
		query := s.open(t)
		session := <-s.opened
		var race sync.WaitGroup
		race.Go(session.Close)
		_, got := s.do(t, "GET", query, "")
		race.Wait()
		if got != (reply{200, "1"}) && got != (reply{200, "6"}) {
			t.Fatalf("poll: %v", got)
		}
		s.expect(t, "GET", query, "", reply{400, unknownSession})
		s.expectReason(t, ReasonForcedClose)
	}
}

// TestCloseInsideOpen: the application may refuse a session before it has received anything.
func TestCloseInsideOpen(t *testing.T) {
	ended := make(chan Reason, 2)
	engine := NewServer(Options{}, func(session *Session) Receiver {
		session.Send(NewFrame(Message{Data: []byte("no")}))
		session.Close()
		return echo{session, ended}
	})
	s := &site{Server: httptest.NewServer(engine), engine: engine, ended: ended}
	defer s.Server.Close()
	query := s.open(t)
	s.expectReason(t, ReasonForcedClose)
	s.expect(t, "GET", query, "", reply{200, "4no"})
	s.expect(t, "GET", query, "", reply{200, "1"})
	conn := s.connect(t)
	if got := next(t, conn); got != "4no" {
		t.Errorf("got %q", got)
	}
	expectClose(t, conn, websocket.CloseNoStatusReceived)
	_ = conn.Close()
	s.expectReason(t, ReasonForcedClose)
	if err := engine.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// rawRequest sends text to the site over a connection of its own, and leaves that open.
func (s *site) rawRequest(t *testing.T, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestAbortedRequests: "Aborted poll or POST: transport error".
func TestAbortedRequests(t *testing.T) {
	s := quietSite(t)
	t.Run("poll", func(t *testing.T) {
		query := s.open(t)
		conn := s.rawRequest(t, "GET /engine.io/?"+query+" HTTP/1.1\r\nHost: a\r\n\r\n")
		<-s.waiting
		_ = conn.Close()
		s.expectReason(t, ReasonTransportError)
		s.expect(t, "GET", query, "", reply{400, unknownSession})
	})
	for name, header := range map[string]string{"POST": "Content-Length: 100", "POST in chunks": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			query := s.open(t)
			session := s.engine.lookup(query[strings.LastIndex(query, "=")+1:])
			conn := s.rawRequest(t, "POST /engine.io/?"+query+" HTTP/1.1\r\nHost: a\r\n"+header+"\r\n\r\n3\r\n4ab\r\n")
			waitFor(t, func() bool { return session.Posting() != nil })
			_ = conn.Close()
			s.expectReason(t, ReasonTransportError)
			s.expect(t, "GET", query, "", reply{400, unknownSession})
		})
	}
}

// waitFor polls for what no channel tells.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("it did not come about in 20 s")
		}
		<-time.After(time.Millisecond)
	}
}

// TestConnectionCloseIsNoAbort: "Connection: close must not count as one".
func TestConnectionCloseIsNoAbort(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	conn := s.rawRequest(t, "GET /engine.io/?"+query+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	<-s.waiting
	s.expect(t, "POST", query, "4still here", reply{200, "ok"}, "Connection", "close")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "4still here" || !res.Close {
		t.Errorf("%q, %v, closes: %v", body, err, res.Close)
	}
	s.expect(t, "POST", query, "4again", reply{200, "ok"})
	s.expect(t, "GET", query, "", reply{200, "4again"})
}

// TestOverlappingPosts: "400 and close".
func TestOverlappingPosts(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	session := <-s.opened
	first := s.rawRequest(t, "POST /engine.io/?"+query+" HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n4a")
	waitFor(t, func() bool { return session.Posting() != nil })
	s.expect(t, "POST", query, "4b", reply{400, ""})
	s.expectReason(t, ReasonTransportError)
	s.expect(t, "GET", query, "", reply{400, unknownSession})
	res, err := http.ReadResponse(bufio.NewReader(first), nil) // nobody waits for the rest of it
	if err != nil || res.StatusCode != 400 {
		t.Errorf("the first: %v", err)
	}
}

// TestServerClose discards, lets nothing behind (TestMain looks), and refuses what comes afterwards;
// the same port can be bound at once.
func TestServerClose(t *testing.T) {
	engine := NewServer(Options{}, func(*Session) Receiver { return deaf{} })
	web := httptest.NewServer(engine)
	s := &site{Server: web, engine: engine}
	waiting, idle, closing := s.open(t), s.open(t), s.open(t)
	conn, probing := s.connect(t), s.mustDial(t, upgradeQuery(idle))
	engine.lookup(closing[strings.LastIndex(closing, "=")+1:]).Close() // owes its client a last packet
	polled := make(chan reply, 1)
	go func() {
		_, got := s.do(t, "GET", waiting, "")
		polled <- got
	}()
	waitFor(t, func() bool {
		session := engine.lookup(waiting[strings.LastIndex(waiting, "=")+1:])
		session.mu.Lock()
		defer session.mu.Unlock()
		return session.poll != nil
	})
	slow := s.rawRequest(t, "POST /engine.io/?"+idle+" HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n4a")
	session := engine.lookup(idle[strings.LastIndex(idle, "=")+1:])
	waitFor(t, func() bool { session.mu.Lock(); defer session.mu.Unlock(); return session.reading != nil })

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := engine.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if got := <-polled; got != (reply{200, "1"}) {
		t.Errorf("the waiting poll: %v", got)
	}
	for name, c := range map[string]*websocket.Conn{"session": conn, "probe": probing} {
		if _, _, err := c.ReadMessage(); err == nil || websocket.IsCloseError(err, websocket.CloseNoStatusReceived) {
			t.Errorf("%s: %v, want no orderly end", name, err)
		}
	}
	if res, err := http.ReadResponse(bufio.NewReader(slow), nil); err != nil || res.StatusCode != 400 {
		t.Errorf("the slow POST: %v", err)
	}
	s.expect(t, "GET", closing, "", reply{503, "Service Unavailable"})
	if err := engine.Close(ctx); err != nil {
		t.Errorf("again: %v", err)
	}
	if n := engine.Len(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	web.Close()
	listener, err := net.Listen("tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
}

// TestEndDuringAHandshake: what Close and Drain find half way is not left behind.
func TestEndDuringAHandshake(t *testing.T) {
	for name, end := range map[string]func(*Server, context.Context) error{
		"Close": (*Server).Close,
		"Drain": func(s *Server, ctx context.Context) error { _, err := s.Drain(ctx, DrainOptions{}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			var s *site
			ended := make(chan error, 1)
			s = serve(t, Options{InitialHeaders: func(http.Header, *http.Request) {
				s.engine.mu.Lock()
				var session *Session
				for _, session = range s.engine.sessions {
				}
				s.engine.mu.Unlock()
				go func() { ended <- end(s.engine, t.Context()) }()
				waitFor(t, func() bool { return !session.open() })
			}})
			conn, _, err := s.dial(t, fresh)
			for err == nil {
				_, _, err = conn.ReadMessage()
			}
			s.expectReason(t, ReasonServerShuttingDown)
			if err := <-ended; err != nil || s.engine.Len() != 0 {
				t.Errorf("%v, %d sessions are left", err, s.engine.Len())
			}
		})
	}
}

// TestReasons ends sessions in each way that a receiver can hear of.
func TestReasons(t *testing.T) {
	tests := []struct {
		want Reason
		end  func(t *testing.T, s *site, conn *websocket.Conn)
	}{
		{ReasonTransportClose, func(_ *testing.T, _ *site, conn *websocket.Conn) { _ = conn.Close() }},
		{ReasonTransportClose, func(t *testing.T, _ *site, conn *websocket.Conn) { write(t, conn, "1") }},
		{ReasonTransportClose, func(_ *testing.T, _ *site, conn *websocket.Conn) {
			_ = conn.NetConn().(*net.TCPConn).SetLinger(0) // RST
			_ = conn.Close()
		}},
		{ReasonTransportClose, func(_ *testing.T, _ *site, conn *websocket.Conn) {
			_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1001, "bye"), time.Now().Add(time.Second))
		}},
		{ReasonTransportError, func(t *testing.T, _ *site, conn *websocket.Conn) { write(t, conn, "2") }},
		{ReasonTransportError, func(_ *testing.T, _ *site, conn *websocket.Conn) { _, _ = conn.NetConn().Write([]byte{0xff, 0xff}) }},
		{ReasonParseError, func(t *testing.T, _ *site, conn *websocket.Conn) { write(t, conn, "x") }},
		{ReasonForcedClose, func(_ *testing.T, s *site, _ *websocket.Conn) { (<-s.opened).Close() }},
		{ReasonServerShuttingDown, func(t *testing.T, s *site, _ *websocket.Conn) { _ = s.engine.Close(t.Context()) }},
		{ReasonPingTimeout, nil},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i, " ", tt.want), func(t *testing.T) {
			if tt.end == nil {
				s := newSite(t, 10*time.Millisecond, 10*time.Millisecond)
				s.connect(t)
				s.expectReason(t, tt.want)
				return
			}
			s := quietSite(t)
			conn := s.connect(t)
			tt.end(t, s, conn)
			s.expectReason(t, tt.want)
		})
	}
}

// bounded wraps every part of a request as middleware does that knows nothing of Engine.IO.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = struct{ io.ReadCloser }{r.Body}
		next.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
	})
}

// TestTooLargeBodies: "413 empty, also chunked and also behind middleware; the session stays".
func TestTooLargeBodies(t *testing.T) {
	sites := map[string]*site{
		"bare":              serve(t, Options{MaxPayload: 100_000}),
		"behind middleware": serve(t, Options{MaxPayload: 100_000}, bounded),
	}
	bodies := map[string]func(size int) io.Reader{
		"with Content-Length": func(size int) io.Reader { return strings.NewReader("4" + strings.Repeat("a", size-1)) },
		"chunked": func(size int) io.Reader {
			return io.MultiReader(strings.NewReader("4"), strings.NewReader(strings.Repeat("a", size-1)))
		},
	}
	for name, s := range sites {
		for how, body := range bodies {
			t.Run(name+", "+how, func(t *testing.T) {
				query := s.open(t)
				post := func(size int) reply {
					res, err := s.Client().Post(s.URL+"/engine.io/?"+query, "text/plain;charset=UTF-8", body(size))
					if err != nil {
						t.Fatal(err)
					}
					defer res.Body.Close()
					b, err := io.ReadAll(res.Body)
					if err != nil {
						t.Error(err)
					}
					return reply{res.StatusCode, string(b)}
				}
				if got := post(100_001); got != (reply{413, ""}) {
					t.Errorf("one byte over: %v", got)
				}
				if got := post(100_000); got != (reply{200, "ok"}) {
					t.Errorf("as large as allowed: %v", got)
				}
				if _, got := s.do(t, "GET", query, ""); got.status != 200 || len(got.body) != 100_000 {
					t.Errorf("the echo: %d, %d bytes", got.status, len(got.body))
				}
			})
		}
	}
}

// TestEndlessBody is refused at the bound, not read to an end it does not have.
func TestEndlessBody(t *testing.T) {
	s := serve(t, Options{MaxPayload: 100_000})
	query := s.open(t)
	conn := s.rawRequest(t, "POST /engine.io/?"+query+" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	var sender sync.WaitGroup
	sender.Go(func() {
		chunk := "1000\r\n" + strings.Repeat("a", 0x1000) + "\r\n"
		for {
			if _, err := io.WriteString(conn, chunk); err != nil {
				return
			}
		}
	})
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 413 {
		t.Errorf("%v", err)
	}
	_ = conn.Close()
	sender.Wait()
	s.expect(t, "POST", query, "4a", reply{200, "ok"})
}
