package engineio

import (
	"strings"
	"testing"

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
