package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/pkg/freeport"
	"github.com/pona-realtime/pona/pkg/settings"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
	edge "github.com/pona-realtime/pona/services/edge/app"
	"github.com/pona-realtime/pona/services/edge/edgetest"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

const (
	guild     = 1000 // all users of the Discord are in it
	namespace = "/guild/1000"
)

// run lets a service run, until stop is called or the test ends.
func run(t *testing.T, service interface {
	Run(context.Context) error
	Ready() <-chan struct{}
}) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	stop = func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("a service ended with %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	select {
	case <-service.Ready():
	case <-time.After(patience):
		t.Fatal("a service does not get ready")
	}
	return stop
}

func startFanout(t *testing.T, nats, address string, change func(*fanout.Settings)) (at string, stop func()) {
	t.Helper()
	var s fanout.Settings
	if err := settings.Defaults(&s); err != nil {
		t.Fatal(err)
	}
	s.GRPC, s.Admin, s.NATS, s.Partitions = address, "127.0.0.1:0", nats, 8
	change(&s)
	a, err := fanout.New(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a.GRPCAddr(), run(t, a)
}

func startEdge(t *testing.T, to string, d *edgetest.Discord, change func(*edge.Settings)) (at string, stop func()) {
	t.Helper()
	var s edge.Settings
	if err := settings.Defaults(&s); err != nil {
		t.Fatal(err)
	}
	s.Listen, s.Admin, s.Fanouts = "127.0.0.1:0", "127.0.0.1:0", []string{to}
	s.Auth, s.DiscordURL, s.DiscordBotToken = "discord", d.Base(), edgetest.DiscordBotToken
	s.ClusterKeys, s.DrainDelay = []string{strings.Repeat("k", 32)}, 0
	change(&s)
	a, err := edge.New(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a.Addr(), run(t, a)
}

// listen joins the guild as a user, on a server of either kind.
func listen(t *testing.T, address string, user int) *edgetest.Client {
	t.Helper()
	c := edgetest.DialWebSocket(t, address)
	c.Connect(namespace, fmt.Sprintf(`{"type":"Bearer","key":"user%d"}`, user))
	c.Joined(namespace)
	c.Handshake(namespace)
	return c
}

// counted waits until so many sockets are known in the guild, of servers that all answer.
func counted(t *testing.T, rooms roomsv1.RoomsServiceClient, sockets, servers uint32) {
	t.Helper()
	eventually(t, func() error {
		count, err := rooms.Count(t.Context(), &roomsv1.CountRequest{GuildId: guild})
		if err != nil || count.GetSockets() != sockets || count.GetReach().GetAnswered() != servers || count.GetReach().GetPartial() {
			return fmt.Errorf("%v, %v", count, err)
		}
		return nil
	})
}

// guildStage is a fanout, two edges and a server of Node's, with a guild on all of them.
type guildStage struct {
	nats, redisURL, mode string
	fanout               string // its address
	stopFanout           func()
	discord              *edgetest.Discord
	node                 *nodeServer
	addresses            map[string]string // of the servers with listeners: edge 1, edge 2, node
}

func setGuildStage(t *testing.T, mode string, mirror bool) *guildStage {
	t.Helper()
	address, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	s := &guildStage{nats: fanouttest.StartNATS(t).URL(), redisURL: "redis://" + redistest.Start(t).Addr(), mode: mode,
		fanout: address, discord: edgetest.StartDiscord(t), addresses: map[string]string{}}
	s.startFanout(t, mirror)
	for _, name := range []string{"edge 1", "edge 2"} {
		s.addresses[name], _ = startEdge(t, s.fanout, s.discord, func(e *edge.Settings) { e.Redis, e.Adapter = s.redisURL, mode })
	}
	s.node = startNode(t, s.redisURL, mode, 5*time.Second)
	s.addresses["node"] = s.node.address
	return s
}

// startFanout starts one, at the same address always, instead of the one before.
func (s *guildStage) startFanout(t *testing.T, mirror bool) {
	t.Helper()
	if s.stopFanout != nil {
		s.stopFanout()
	}
	_, s.stopFanout = startFanout(t, s.nats, s.fanout, func(f *fanout.Settings) {
		f.Redis, f.Adapter, f.Mirror = s.redisURL, s.mode, mirror
	})
}

// rooms is the fanout's service for bots, once it knows of all listeners.
func (s *guildStage) rooms(t *testing.T, sockets uint32) roomsv1.RoomsServiceClient {
	t.Helper()
	rooms := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, s.fanout))
	counted(t, rooms, sockets, 3)
	return rooms
}
