package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/pkg/msgpack"
)

// hostile is what breaks who believes it, in the name of a namespace. Events that clients may not be sent are among it.
func hostile(mode, nsp string) (all [][]byte) {
	for _, text := range []string{"", "{", "[", "null", "true", "5", `""`, "[]", "{}", "\x00", "\xc1", "\xff", "{}{}", `{"type":{}}`, `{"type":7}`, `{"type":3,"uid":[]}`,
		"\xdb\xff\xff\xff\xff", "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff\x00", "\x93\xc0\xc0\xc0", "\x93\xa1a\xc3",
		strings.Repeat("\x91", 100_000), strings.Repeat(`{"a":`, 100_000), strings.Repeat("\x81\xa1a", 100_000)} {
		all = append(all, []byte(text))
	}
	tooDeep := `["ev",` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `]`
	for _, event := range []string{`{}`, `[]`, `[null]`, `[{}]`, `["connect"]`, `["disconnect"]`, `["newListener"]`, tooDeep} {
		if mode == "sharded" {
			all = append(all, fmt.Appendf(nil, `{"type":3,"data":{"packet":{"type":2,"data":%s},"opts":{"rooms":[],"except":[],"flags":{}}},"uid":"ab","nsp":%q}`, event, nsp))
			continue
		}
		packed, err := msgpack.Append(nil, msgpack.Value{JSON: fmt.Appendf(nil, `["ab",{"type":2,"data":%s,"nsp":%q},{"rooms":[],"except":[],"flags":{}}]`, event, nsp)})
		if err == nil || event != tooDeep { // which cannot even be written
			all = append(all, packed)
		}
	}
	return all
}

// TestHostileBytes publishes them on every channel that Redis knows of ours: each message is counted, nobody is disconnected, and
// who listens hears what is valid.
func TestHostileBytes(t *testing.T) {
	for _, mode := range []string{"classic", "sharded"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			client := redis.NewClient(&redis.Options{Addr: redistest.Start(t).Addr(), MaxRetries: -1})
			t.Cleanup(func() { _ = client.Close() })
			g := startGo(t, client, mode, time.Second)
			listener := dial(t, "go", g.address)
			for _, nsp := range []string{"/", "/custom"} { // whoever asks, subscribes to answers
				if _, err := g.io.Of(nsp).ServerCount(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := g.bus.Synced(t.Context()); err != nil {
				t.Fatal(err)
			}
			list, publish := client.PubSubChannels, client.Publish
			if mode == "sharded" {
				list, publish = client.PubSubShardChannels, client.SPublish
			}
			channels := list(t.Context(), "*").Val()
			if len(channels) < 5 {
				t.Fatalf("channels %q", channels)
			}
			sent := uint64(0)
			for _, channel := range channels {
				for _, payload := range hostile(mode, strings.Split(channel, "#")[1]) {
					if n, err := publish(t.Context(), channel, payload).Result(); n != 1 || err != nil {
						t.Fatalf("%s: %d hear it, %v", channel, n, err)
					}
					sent++
				}
			}
			eventually(t, func() error {
				if got := g.bus.Stats().Malformed + g.node.Stats().Malformed; got != sent {
					return fmt.Errorf("%d of %d are counted: %+v, %+v", got, sent, g.bus.Stats(), g.node.Stats())
				}
				return nil
			})
			for _, nsp := range []string{"/", "/custom"} {
				if err := g.io.Of(nsp).Emit("end"); err != nil {
					t.Fatal(err)
				}
				if before := listener.until(t, nsp+` ["end"]`); len(before) != 0 {
					t.Errorf("was sent %q", before)
				}
			}
			if s := g.bus.Stats(); s.Lost != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}
