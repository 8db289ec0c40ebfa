package redisbus

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// stuck is a namespace whose first broadcast waits, as none should.
type stuck struct {
	*adaptertest.Local
	goOn <-chan struct{}
}

func (s stuck) Broadcast(t adapter.Target, f adapter.Flags, event adapter.Value) error {
	<-s.goOn
	return s.Local.Broadcast(t, f, event)
}

// TestAFloodCutsNoConnection publishes four times what Redis keeps for a subscriber before it cuts it, while nothing
// of it is handled: the reader takes it all, and what is over the bound is dropped and counted. Afterwards there is room again.
func TestAFloodCutsNoConnection(t *testing.T) {
	server := redistest.Start(t, "--client-output-buffer-limit", "pubsub 8mb 8mb 1")
	b := connect(t, server.Addr(), Options{MaxQueued: 1 << 20})
	node := adapter.NewNode(b, adapter.Options{})
	defer node.Close()
	goOn := make(chan struct{})
	release := sync.OnceFunc(func() { close(goOn) })
	defer release() // before the node is closed, which waits
	local := stuck{adaptertest.NewLocal(), goOn}
	const namespaces = 8 // with several, every worker has one
	for i := range namespaces {
		node.Join(fmt.Sprint("/", i), local)
	}
	if err := b.Synced(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	publish := func(messages int, text string) {
		t.Helper()
		m := &adapter.Message{Kind: adapter.Broadcast, Value: adapter.Value{JSON: []byte(`["` + text + `"]`)}}
		_, payload, err := b.wire.encode(&line{namespace: "/0", uid: "other"}, m)
		if err != nil {
			t.Fatal(err)
		}
		for i := range messages {
			name := fmt.Sprint("/", i%namespaces)
			payload := bytes.Replace(payload, []byte("/0"), []byte(name), 1)
			if heard, err := client.Publish(t.Context(), b.wire.memberChannels(name)[0], payload).Result(); err != nil || heard != 1 {
				t.Fatalf("%d hear it, %v", heard, err)
			}
		}
	}
	const messages, step = 512, 32 // a step is a quarter of the limit: the publisher may not outrun a reader that has no processor
	text := strings.Repeat("x", 64<<10)
	for sent := uint64(step); sent <= messages; sent += step {
		publish(step, text)
		waitFor(t, func() bool { return b.Stats().Received == sent })
	}
	s := b.Stats()
	kept := s.Received - s.Overflowed
	if kept > 16+uint64(len(b.workers)) || kept == 0 || s.Lost != 0 { // a worker has one in hand
		t.Errorf("%+v", s)
	}
	release()
	for range kept {
		local.Next(t)
	}
	for range 2 * kept { // there is room for as many again, and again
		publish(1, text)
		local.Next(t)
	}
}
