package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Chromium opens the live pages of an edge and a fanout; a client comes, a bot publishes, and the numbers
// and curves move. Pictures stay in artifacts/.
func TestLivePageInChromium(t *testing.T) {
	folder := filepath.Join(root(), "artifacts")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	nats := startNATS(t)
	f := start(t, "fanout", program(t, "fanout"), "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--nats-url", nats.URL())
	line, _ := f.await(t, 0, "where it listens", fanoutLine.MatchString)
	grpc, fanoutAdmin := fanoutLine.FindStringSubmatch(line)[1], adminLine.FindStringSubmatch(line)[1]
	e := start(t, "edge", program(t, "edge"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--auth", "insecure-dev", "--fanout", grpc)
	line, _ = e.await(t, 0, "where it listens", edgeLine.MatchString)
	url, edgeAdmin := "http://"+edgeLine.FindStringSubmatch(line)[1], adminLine.FindStringSubmatch(line)[1]

	p := node(t, "live-page.js", "test/e2e/live-page.js", "http://"+edgeAdmin, "http://"+fanoutAdmin, folder)
	p.await(t, 0, "that it is ready", func(line string) bool { return line == "ready" })
	guild := newGuild()
	l := listen(t, url, guild, "user:1", []string{"websocket"})
	l.payload(t, "handshake")
	b := newBot(t, grpc, guild)
	late := time.After(2 * patience)
	for { // for as long as the page looks: what it shows is a rate
		b.publish(t, &playerv1.Event{PublishedAtNs: time.Now().UnixNano(), Kind: &playerv1.Event_PauseUpdated{PauseUpdated: &playerv1.PauseUpdated{Paused: true}}})
		l.event(t, "pause_updated")
		select {
		case <-time.After(100 * time.Millisecond): // the bot's pace
			continue
		case <-p.ended:
		case <-late:
			t.Fatal("the page's test did not end")
		}
		break
	}
	if p.err != nil {
		t.Errorf("%v\n%s", p.err, p.said())
	}
}
