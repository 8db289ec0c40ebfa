package redisbus

import (
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// TestLargeMessages publishes the largest message there may be, which arrives, and a larger one, which is refused before Redis cuts
// everybody. Others who publish what Redis does not keep cut all nodes: these come back by themselves.
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	const most, around = 1 << 20, 200                                                // around an event: uid, namespace, options
	server := redistest.Start(t, "--client-output-buffer-limit", "pubsub 2mb 2mb 1") // all a sixteenth of what is usual
	var log lineLog
	here, there := connect(t, server.Addr(), Options{MaxMessage: most}), connect(t, server.Addr(), Options{MaxMessage: most, Log: log.logger()})
	local := adaptertest.NewLocal()
	var clusters [2]*adapter.Cluster
	for i, b := range []*Bus{here, there} {
		node := adapter.NewNode(b, adapter.Options{})
		defer node.Close()
		clusters[i] = node.Join("/", local)
		if err := b.Synced(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	event := func(bytes int) adapter.Value {
		return adapter.Value{JSON: []byte(`["` + strings.Repeat("x", bytes) + `"]`)}
	}
	if err := clusters[0].Broadcast(adapter.Target{}, adapter.Flags{}, event(most-around)); err != nil {
		t.Fatal(err)
	}
	if got := len(local.Next(t).Event.JSON); got < most-around {
		t.Errorf("%d bytes came", got)
	}
	err := clusters[0].Broadcast(adapter.Target{}, adapter.Flags{}, event(most))
	if !errors.Is(err, adapter.ErrTooLarge) || !strings.HasSuffix(err.Error(), "at most 1048576") {
		t.Error(err)
	}
	if err := clusters[0].Broadcast(adapter.Target{}, adapter.Flags{}, event(1)); err != nil {
		t.Error(err)
	}
	local.Next(t)
	for _, b := range []*Bus{here, there} {
		if s := b.Stats(); s.Lost != 0 {
			t.Errorf("%+v", s)
		}
	}

	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	if err := client.Publish(t.Context(), "socket.io#/#", strings.Repeat("x", 2*most+1)).Err(); err != nil { // as a server of Node may
		t.Fatal(err)
	}
	waitFor(t, func() bool { return here.Stats().Lost == 1 && there.Stats().Lost == 1 })
	waitFor(t, func() bool { return asksTheOther(t, clusters[0]) })
	if s := there.Stats(); s.Resubscribed == 0 || s.Malformed != 0 {
		t.Errorf("%+v", s)
	}
	log.want(t, "no subscriptions at Redis, rooms end at this server, trying again", "connected to Redis, subscribing to rooms again")
}

// TestALargeAnswer has a node with more to tell of its sockets than a message may hold: it says so in its log.
func TestALargeAnswer(t *testing.T) {
	server := redistest.Start(t)
	var log lineLog
	b := connect(t, server.Addr(), Options{MaxMessage: 100, Log: log.logger()})
	l := &line{bus: b, namespace: "/", uid: "one"}
	answer := &adapter.Message{Kind: adapter.FetchAnswer, RequestID: "r", Sockets: []adapter.Socket{{ID: strings.Repeat("x", 100)}}}
	if err := l.Answer(&adapter.Message{From: "other"}, answer); !errors.Is(err, adapter.ErrTooLarge) || b.Stats().Refused != 1 {
		t.Errorf("%v, %+v", err, b.Stats())
	}
	log.want(t, "an answer to another server was not sent")
}
