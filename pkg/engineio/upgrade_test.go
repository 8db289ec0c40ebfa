package engineio

import (
	"context"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func upgradeQuery(polling string) string { return strings.Replace(polling, "polling", "websocket", 1) }

// TestUpgrade has a poll waiting, which the probe releases, and goes on over the WebSocket.
func TestUpgrade(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	answered := s.poll(t, query)
	conn := s.mustDial(t, upgradeQuery(query))
	write(t, conn, "2probe")
	if got := next(t, conn); got != "3probe" {
		t.Errorf("probe answered with %q", got)
	}
	if got := <-answered; got != (reply{200, "6"}) {
		t.Errorf("waiting poll: %v", got)
	}
	write(t, conn, "5")
	write(t, conn, "4hello")
	if got := next(t, conn); got != "4hello" {
		t.Errorf("echo over the WebSocket: %q", got)
	}
	s.expect(t, "GET", query, "", reply{400, badRequest})
	s.expect(t, "POST", query, "4late", reply{400, badRequest})
	write(t, conn, "4unharmed")
	if got := next(t, conn); got != "4unharmed" {
		t.Errorf("got %q", got)
	}
}

// mover is an echo that says when its session moves, and when a message comes.
type mover struct {
	echo
	said chan<- string
}

func (m mover) ReceiveUpgrade() { m.said <- "moved to " + m.session.Transport() }

func (m mover) ReceiveMessage(message Message) {
	m.said <- string(message.Data)
	m.echo.ReceiveMessage(message)
}

// TestUpgradeIsTold to a receiver that wants to hear of it, between the messages of both transports.
func TestUpgradeIsTold(t *testing.T) {
	said := make(chan string, 16)
	s := &site{waiting: make(chan struct{}, 16), ended: make(chan Reason, 16)}
	s.engine = NewServer(Options{PingInterval: time.Minute}, func(session *Session) Receiver { return mover{echo{session, s.ended}, said} })
	s.Server = httptest.NewServer(s.engine)
	t.Cleanup(func() {
		_ = s.engine.Close(context.Background())
		s.Server.Close()
	})
	query := s.open(t)
	s.expect(t, "POST", query, "4polled", reply{200, "ok"})
	stray := s.mustDial(t, upgradeQuery(query))
	write(t, stray, "2probe")
	if got := next(t, stray); got != "3probe" {
		t.Errorf("probe answered with %q", got)
	}
	_ = stray.Close() // without its 5: the session has not moved
	var conn *websocket.Conn
	for conn = s.mustDial(t, upgradeQuery(query)); ; conn = s.mustDial(t, upgradeQuery(query)) { // refused while the stray is believed in
		write(t, conn, "2probe")
		if _, answer, err := conn.ReadMessage(); err == nil && string(answer) == "3probe" {
			break
		}
	}
	write(t, conn, "5")
	write(t, conn, "4written")
	for _, want := range []string{"polled", "moved to websocket", "written"} {
		if got := <-said; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}

func TestUpgradeWithoutProbe(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	conn := s.mustDial(t, upgradeQuery(query))
	write(t, conn, "5")
	write(t, conn, "4moved")
	if got := next(t, conn); got != "4moved" {
		t.Errorf("echo over the WebSocket: %q", got)
	}
	s.expect(t, "GET", query, "", reply{400, badRequest})
}

// TestUpgradeCarriesTheQueue sends what a poll has not fetched over the WebSocket, and first.
func TestUpgradeCarriesTheQueue(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	s.expect(t, "POST", query, "4one\x1e4two", reply{200, "ok"})
	conn := s.mustDial(t, upgradeQuery(query))
	write(t, conn, "5")
	write(t, conn, "4three")
	for _, want := range []string{"4one", "4two", "4three"} {
		if got := next(t, conn); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestProbeAlone leaves the session on polling.
func TestProbeAlone(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	conn := s.mustDial(t, upgradeQuery(query))
	write(t, conn, "2probe")
	if got := next(t, conn); got != "3probe" {
		t.Errorf("probe answered with %q", got)
	}
	s.expect(t, "POST", query, "4hi", reply{200, "ok"})
	s.expect(t, "GET", query, "", reply{200, "4hi"})

	second := s.mustDial(t, upgradeQuery(query))
	expectClose(t, second, websocket.CloseNoStatusReceived)
}

// TestBadProbe ends the WebSocket only.
func TestBadProbe(t *testing.T) {
	for _, text := range []string{"2foo", "abc"} {
		t.Run(text, func(t *testing.T) {
			s := beatingSite(t)
			query := s.open(t)
			conn := s.mustDial(t, upgradeQuery(query))
			write(t, conn, text)
			expectClose(t, conn, websocket.CloseNoStatusReceived)
			s.expect(t, "GET", query, "", reply{200, "2"})
		})
	}
}

// TestUpgradeKeepsEveryMessage: "no loss and no reordering during an upgrade (50 messages each way while
// it happens)". The client does as the reference's: it polls and posts until it has its 3probe, waits for
// the poll under way, and sends 5.
func TestUpgradeKeepsEveryMessage(t *testing.T) {
	for round := range 10 {
		s := quietSite(t)
		query := s.open(t)
		session := <-s.opened
		const n = 50
		var sender sync.WaitGroup
		sender.Go(func() {
			for i := range n {
				session.Send(NewFrame(Message{Data: fmt.Appendf(nil, "down %d", i)}))
				runtime.Gosched()
			}
		})
		var got []string // by whichever transport
		polled := make(chan struct{})
		probed := make(chan struct{})
		go func() {
			defer close(polled)
			for {
				_, answer := s.do(t, "GET", query, "")
				got = append(got, strings.Split(answer.body, "\x1e")...)
				select {
				case <-probed:
					return
				default:
				}
			}
		}()
		conn := s.mustDial(t, upgradeQuery(query))
		for i := range n / 2 {
			s.expect(t, "POST", query, fmt.Sprintf("4up %d", i), reply{200, "ok"})
			if i == round {
				write(t, conn, "2probe")
			}
		}
		if answer := next(t, conn); answer != "3probe" {
			t.Fatalf("probe answered with %q", answer)
		}
		close(probed)
		<-polled
		write(t, conn, "5")
		for i := n / 2; i < n; i++ {
			write(t, conn, fmt.Sprintf("4up %d", i))
		}
		sender.Wait()
		var up, down []string
		for len(up)+len(down) < 2*n {
			for len(got) == 0 {
				got = append(got, next(t, conn))
			}
			switch text := got[0]; {
			case strings.HasPrefix(text, "4up"):
				up = append(up, text)
			case strings.HasPrefix(text, "4down"):
				down = append(down, text)
			case text != "6":
				t.Fatalf("got %q", text)
			}
			got = got[1:]
		}
		for i := range n {
			if up[i] != fmt.Sprintf("4up %d", i) || down[i] != fmt.Sprintf("4down %d", i) {
				t.Fatalf("round %d, message %d: %q, %q", round, i, up[i], down[i])
			}
		}
	}
}

// TestUpgradeTakesThePingAlong: a ping that no poll has fetched is not lost, a noop is of no use.
func TestUpgradeTakesThePingAlong(t *testing.T) {
	s := beatingSite(t)
	query := s.open(t)
	session := <-s.opened
	conn := s.mustDial(t, upgradeQuery(query))
	write(t, conn, "2probe")
	next(t, conn)
	waitFor(t, func() bool { session.mu.Lock(); defer session.mu.Unlock(); return !session.queue.empty() })
	session.mu.Lock()
	session.queue.append(entry{packet: PacketNoop})
	session.mu.Unlock()
	write(t, conn, "5")
	write(t, conn, "3")
	write(t, conn, "4a")
	for _, want := range []string{"2", "4a"} {
		if got := next(t, conn); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestPollsOfAProbingClient wait a little, so that a client whose upgrade is stuck does not poll as fast
// as it can.
func TestPollsOfAProbingClient(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	conn := s.mustDial(t, upgradeQuery(query))
	write(t, conn, "2probe")
	next(t, conn)
	start := time.Now()
	for range 3 {
		s.expect(t, "GET", query, "", reply{200, "6"})
	}
	if took := time.Since(start); took < 3*probedPollTime {
		t.Errorf("three polls took %v", took)
	}
}

// TestUpgradeTimeout ends only the WebSocket, whether it has probed or not.
func TestUpgradeTimeout(t *testing.T) {
	for name, probe := range map[string]bool{"silent": false, "after its probe": true} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{UpgradeTimeout: 50 * time.Millisecond})
			query := s.open(t)
			conn := s.mustDial(t, upgradeQuery(query))
			if probe {
				write(t, conn, "2probe")
				next(t, conn)
			}
			expectClose(t, conn, websocket.CloseNoStatusReceived)
			s.expect(t, "POST", query, "4still on polling", reply{200, "ok"})
			s.expect(t, "GET", query, "", reply{200, "4still on polling"})
			again := s.mustDial(t, upgradeQuery(query)) // and may try again
			write(t, again, "2probe")
			if got := next(t, again); got != "3probe" {
				t.Errorf("second try: %q", got)
			}
		})
	}
}

func TestSecondWebSocket(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	first := s.mustDial(t, upgradeQuery(query))
	write(t, first, "2probe")
	next(t, first)
	expectClose(t, s.mustDial(t, upgradeQuery(query)), websocket.CloseNoStatusReceived) // while upgrading
	write(t, first, "5")
	write(t, first, "4moved")
	if got := next(t, first); got != "4moved" {
		t.Errorf("got %q", got)
	}
	expectClose(t, s.mustDial(t, upgradeQuery(query)), websocket.CloseNoStatusReceived) // after
	direct := s.connect(t)
	<-s.opened
	session := <-s.opened
	write(t, direct, "4begun") // requests find it from then on
	if got := next(t, direct); got != "4begun" {
		t.Errorf("got %q", got)
	}
	expectClose(t, s.mustDial(t, fresh+"&sid="+session.ID()), websocket.CloseNoStatusReceived) // of a WebSocket session
	for _, conn := range []*websocket.Conn{first, direct} {
		write(t, conn, "4unharmed")
		if got := next(t, conn); got != "4unharmed" {
			t.Errorf("got %q", got)
		}
	}
}

// TestUpgradeOfAnotherVersion: "the request's EIO must match the session's".
func TestUpgradeOfAnotherVersion(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	s.expectRefusedWebSocket(t, strings.Replace(upgradeQuery(query), "EIO=4", "EIO=3", 1), nil, "Bad request")
	s.expectRefusedWebSocket(t, strings.Replace(upgradeQuery(query), "EIO=4&", "", 1), nil, "Bad request")
	s.expect(t, "GET", strings.Replace(query, "EIO=4", "EIO=3", 1), "", reply{400, badRequest})
	s.expect(t, "POST", query, "4a", reply{200, "ok"})
}

func TestUpgradesAreOff(t *testing.T) {
	s := serve(t, Options{DisableUpgrades: true})
	query := s.open(t)
	expectClose(t, s.mustDial(t, upgradeQuery(query)), websocket.CloseNoStatusReceived)
	s.expect(t, "POST", query, "4a", reply{200, "ok"})
}

// TestCloseDuringUpgrade: "Closing during an upgrade closes both". A stock client that has its 3probe polls no
// more once the poll under way is answered: what is left for it, and the end, must reach it either way.
func TestCloseDuringUpgrade(t *testing.T) {
	for name, comes := range map[string]func(s *site, query string, conn *websocket.Conn){
		"it still polls": func(s *site, query string, conn *websocket.Conn) {
			s.expect(t, "GET", query, "", reply{200, "4bye"})
			s.expect(t, "GET", query, "", reply{200, "1"})
		},
		"it has left polling": func(_ *site, _ string, conn *websocket.Conn) {
			write(t, conn, "5")
			if got := next(t, conn); got != "4bye" {
				t.Errorf("got %q", got)
			}
		},
		"it has gone": func(*site, string, *websocket.Conn) {},
	} {
		t.Run(name, func(t *testing.T) {
			s := quietSite(t)
			query := s.open(t)
			session := <-s.opened
			conn := s.mustDial(t, upgradeQuery(query))
			write(t, conn, "2probe")
			next(t, conn)
			session.Send(NewFrame(Message{Data: []byte("bye")}))
			session.Close()
			comes(s, query, conn)
			expectClose(t, conn, websocket.CloseNoStatusReceived)
			s.expectReason(t, ReasonForcedClose)
			if name != "it has gone" {
				s.expect(t, "GET", query, "", reply{400, unknownSession})
			}
		})
	}
}

// TestCloseBeforeTheProbe leaves the client on polling.
func TestCloseBeforeTheProbe(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	session := <-s.opened
	conn := s.mustDial(t, upgradeQuery(query))
	waitFor(t, func() bool { session.mu.Lock(); defer session.mu.Unlock(); return session.upgrading != nil })
	session.Close()
	expectClose(t, conn, websocket.CloseNoStatusReceived)
	s.expect(t, "GET", query, "", reply{200, "1"})
}
