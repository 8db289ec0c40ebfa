package app

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// rollbacks are the rows of docs/operations.md, "Rolling back an optimization", whose effect shows within an edge: what is
// seen as it is, and what is seen with the flags.
var rollbacks = []struct {
	flags, on, off string
	see            func(t *testing.T, s Settings) string
}{
	{"--no-compression", "frames compressed", "frames as they are", seeFrames},
	{"--no-compression", "poll of 4 KB in gzip", "poll of 4 KB in clear", seePoll},
	{"--compression-minimum 16KiB", "poll of 4 KB in gzip", "poll of 4 KB in clear", seePoll},
	{"--transports polling", `upgrades ["websocket"], 101`, "upgrades [], 400", seeUpgrades},
	{"--recovery 0", "told how to come back", "told nothing", seeRecovery},
	{"--no-recovery-rooms", "1 list of rooms", "0 list of rooms", seeKeptRooms},
	{"--no-auth-cache", "1 question for a user that comes twice", "2 question for a user that comes twice", seeQuestions},
	{"--no-auth-shared", "1 question for a user of two edges", "2 question for a user of two edges", seeSharedQuestions},
	{"--linger 1ms", "1 namespace made for two visits", "2 namespace made for two visits", seeVisits},
	{"--adapter off", "channels of the adapter", "no channel", seeChannels},
}

func TestRollbacksTakeEffect(t *testing.T) {
	for _, r := range rollbacks {
		for flags, want := range map[string]string{"": r.on, r.flags: r.off} {
			t.Run(r.flags+": "+want, func(t *testing.T) {
				var s Settings
				args := append(strings.Fields("--listen 127.0.0.1:0 --admin 127.0.0.1:0 --auth insecure-dev --drain-delay 0s --cluster-key "+strings.Repeat("k", 32)),
					strings.Fields(flags)...)
				if _, err := settings.Parse(Program, &s, args, io.Discard); err != nil {
					t.Fatal(err)
				}
				if got := r.see(t, s); got != want {
					t.Errorf("seen: %s", got)
				}
			})
		}
	}
}

// ask is a request as a polling client sends it, and what came.
func ask(t *testing.T, a *App, method, session, body string) (encoding, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+a.Addr()+"/socket.io/?EIO=4&transport=polling"+session, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "gzip")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: edgetest.Patience}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	var from io.Reader = response.Body
	if encoding = response.Header.Get("Content-Encoding"); encoding == "gzip" {
		if from, err = gzip.NewReader(from); err != nil {
			t.Fatal(err)
		}
	}
	all, err := io.ReadAll(from)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v, status %d: %s", err, response.StatusCode, all)
	}
	return encoding, string(all)
}

// opened is a session's id as a parameter, and what may be upgraded to.
func opened(t *testing.T, a *App) (session, upgrades string) {
	t.Helper()
	_, text := ask(t, a, http.MethodGet, "", "")
	var open struct {
		SID      string
		Upgrades json.RawMessage
	}
	if err := json.Unmarshal([]byte(text[1:]), &open); err != nil {
		t.Fatal(err)
	}
	return "&sid=" + open.SID, string(open.Upgrades)
}

// dial is a WebSocket's handshake.
func dial(t *testing.T, a *App) *http.Response {
	t.Helper()
	dialer := websocket.Dialer{EnableCompression: true}
	conn, response, err := dialer.DialContext(t.Context(), "ws://"+a.Addr()+"/socket.io/?EIO=4&transport=websocket", nil)
	if err == nil {
		defer conn.Close() //nolint:errcheck // its handshake is all that counts
	}
	if response == nil {
		t.Fatal(err)
	}
	return response
}

func seeFrames(t *testing.T, s Settings) string {
	withFanout(t, &s)
	if dial(t, started(t, s)).Header.Get("Sec-WebSocket-Extensions") == "" {
		return "frames as they are"
	}
	return "frames compressed"
}

func seePoll(t *testing.T, s Settings) string {
	_, p := withFanout(t, &s)
	a := started(t, s)
	session, _ := opened(t, a)
	ask(t, a, http.MethodPost, session, "40"+guild100+","+as(1))
	big := fmt.Sprintf(`["%s"]`, strings.Repeat("pona ", 800))
	for published := false; ; {
		encoding, text := ask(t, a, http.MethodGet, session, "")
		switch {
		case strings.Contains(text, `"big"`) && encoding == "gzip":
			return "poll of 4 KB in gzip"
		case strings.Contains(text, `"big"`):
			return "poll of 4 KB in clear"
		case strings.Contains(text, `"handshake"`) && !published:
			p.Publish(100, edgetest.Generic("", "big", big))
			published = true
		}
	}
}

func seeUpgrades(t *testing.T, s Settings) string {
	withFanout(t, &s)
	a := started(t, s)
	_, upgrades := opened(t, a)
	return fmt.Sprintf("upgrades %s, %d", upgrades, dial(t, a).StatusCode)
}

func seeRecovery(t *testing.T, s Settings) string {
	withFanout(t, &s)
	c := edgetest.DialWebSocket(t, started(t, s).Addr())
	c.Connect(guild100, as(1))
	if strings.Contains(string(c.Next().Data), `"pid"`) {
		return "told how to come back"
	}
	return "told nothing"
}

// in is what is in Redis.
func in(t *testing.T, s Settings) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(s.Redis)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// seeKeptRooms counts what an edge leaves in Redis that has put its only listener into a room.
func seeKeptRooms(t *testing.T, s Settings) string {
	s.Redis = edgetest.StartRedis(t)
	withFanout(t, &s)
	t.Run("until it stops", func(t *testing.T) {
		a := started(t, s)
		_, id := listen(t, a)
		if err := a.server.Of(guild100).To(id).SocketsJoin("another"); err != nil {
			t.Fatal(err)
		}
	})
	keys, err := in(t, s).Keys(t.Context(), "pona:rooms:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d list of rooms", len(keys))
}

func seeQuestions(t *testing.T, s Settings) string {
	withFanout(t, &s)
	d := withDiscord(t, &s)
	a := started(t, s)
	for range 2 {
		joined(t, a, guild1000, bearer("user1"))
	}
	return fmt.Sprintf("%d question for a user that comes twice", d.Asked("/users/@me"))
}

func seeSharedQuestions(t *testing.T, s Settings) string {
	s.Redis = edgetest.StartRedis(t)
	withFanout(t, &s)
	d := withDiscord(t, &s)
	for range 2 {
		joined(t, started(t, s), guild1000, bearer("user1"))
	}
	return fmt.Sprintf("%d question for a user of two edges", d.Asked("/users/@me"))
}

func seeVisits(t *testing.T, s Settings) string {
	_, p := withFanout(t, &s)
	a := started(t, s)
	c, _ := listen(t, a)
	made, alive := a.server.Stats().Made, a.server.Stats().Namespaces
	c.Leave(guild100)
	for deadline := time.Now().Add(edgetest.Patience); s.Linger < time.Second && (p.Wanted(100) > 0 || a.server.Stats().Namespaces == alive); {
		if <-time.After(time.Millisecond); time.Now().After(deadline) {
			t.Fatal("the guild stays")
		}
	}
	c.Connect(guild100, as(1))
	c.Joined(guild100)
	c.Handshake(guild100)
	return fmt.Sprintf("%d namespace made for two visits", 1+a.server.Stats().Made-made)
}

func seeChannels(t *testing.T, s Settings) string {
	s.Redis = edgetest.StartRedis(t)
	withFanout(t, &s)
	listen(t, started(t, s))
	names, err := in(t, s).PubSubChannels(t.Context(), "pona:socket.io*").Result()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		return "no channel"
	}
	return "channels of the adapter"
}
