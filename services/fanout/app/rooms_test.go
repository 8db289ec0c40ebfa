package app_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
	"github.com/pona-realtime/pona/pkg/adapter/redisbus"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/pkg/player"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

func TestABotAsksWhoListens(t *testing.T) {
	server := redistest.Start(t)
	f := startReady(t, fanouttest.StartNATS(t).URL(), func(s *app.Settings) {
		s.Redis = "redis://" + server.Addr()
		s.AdapterTimeout = time.Second
	})
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	bus, err := redisbus.New(client, redisbus.Options{Key: "pona:socket.io"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	node := adapter.NewNode(bus, adapter.Options{})
	t.Cleanup(node.Close)
	local := adaptertest.NewLocal()
	local.In(node.Join(fmt.Sprintf("/guild/%d", guild), local))
	for id, user := range map[string]uint64{"a": 7, "b": 7, "c": 8} {
		local.Add(id)
		local.Join(adapter.Target{Rooms: []string{id}}, []string{player.UserRoom(user)})
	}
	if err := bus.Synced(t.Context()); err != nil {
		t.Fatal(err)
	}

	rooms := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, f.GRPCAddr()))
	ctx, cancel := context.WithTimeout(t.Context(), fanouttest.Patience)
	defer cancel()
	count, err := rooms.Count(ctx, &roomsv1.CountRequest{GuildId: guild})
	if err != nil || count.GetSockets() != 3 || count.GetUsers() != 2 || count.GetReach().GetAnswered() != 1 || count.GetReach().GetPartial() {
		t.Errorf("%v, %v", count, err)
	}
	if _, err := rooms.Join(ctx, &roomsv1.JoinRequest{GuildId: guild, Of: []string{"a", "c"}, Rooms: []string{"r"}}); err != nil {
		t.Error(err)
	}
	list, err := rooms.List(ctx, &roomsv1.ListRequest{GuildId: guild, Room: "r"})
	if err != nil || len(list.GetListeners()) != 2 || list.GetListeners()[0].GetUserId() != 7 || list.GetListeners()[1].GetSocketId() != "c" {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := rooms.Leave(ctx, &roomsv1.LeaveRequest{GuildId: guild, Rooms: []string{"r"}}); err != nil {
		t.Error(err)
	}
	if _, err := rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Room: player.UserRoom(8), Event: "news", Args: []byte(`[{"n":9223372036854776000}]`)}); err != nil {
		t.Error(err)
	}
	if got := local.Next(t); string(got.Event.JSON) != `["news",{"n":9223372036854776000}]` || len(got.Sockets) != 1 {
		t.Errorf("sent %s to %v", got.Event.JSON, got.Sockets)
	}
	if _, err := rooms.Disconnect(ctx, &roomsv1.DisconnectRequest{GuildId: guild, UserId: 7}); err != nil {
		t.Error(err)
	}
	if got := local.Next(t); string(got.Event.JSON) != `["revoked",{"message":"not a member of this guild"}]` || len(got.Sockets) != 2 {
		t.Errorf("sent %s to %v", got.Event.JSON, got.Sockets)
	}
	if count, err := rooms.Count(ctx, &roomsv1.CountRequest{GuildId: guild}); err != nil || count.GetSockets() != 1 {
		t.Errorf("after Disconnect: %v, %v", count, err)
	}
	for what, err := range map[string]error{
		"guild": second(rooms.Count(ctx, &roomsv1.CountRequest{})),
		"rooms": second(rooms.Join(ctx, &roomsv1.JoinRequest{GuildId: guild})),
		"event": second(rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Event: "disconnect"})),
		"args":  second(rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Event: "ev", Args: []byte(`{}`)})),
		"user":  second(rooms.Disconnect(ctx, &roomsv1.DisconnectRequest{GuildId: guild})),
	} {
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestRoomsWithoutRedis(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	rooms := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, f.GRPCAddr()))
	if _, err := rooms.Count(t.Context(), &roomsv1.CountRequest{GuildId: guild}); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
}

// TestRoomsAreForBots: where bots show tokens, who shows none asks nothing and disconnects nobody.
func TestRoomsAreForBots(t *testing.T) {
	const token = "the bot's own token"
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	f := startReady(t, fanouttest.StartNATS(t).URL(), func(s *app.Settings) {
		s.BotTokens, s.Redis = file, "redis://"+redistest.Start(t).Addr()
	})
	rooms := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, f.GRPCAddr()))
	calls := map[string]func(context.Context) error{
		"Count": func(ctx context.Context) error {
			return second(rooms.Count(ctx, &roomsv1.CountRequest{GuildId: guild}))
		},
		"List": func(ctx context.Context) error { return second(rooms.List(ctx, &roomsv1.ListRequest{GuildId: guild})) },
		"Join": func(ctx context.Context) error {
			return second(rooms.Join(ctx, &roomsv1.JoinRequest{GuildId: guild, Rooms: []string{"r"}}))
		},
		"Leave": func(ctx context.Context) error {
			return second(rooms.Leave(ctx, &roomsv1.LeaveRequest{GuildId: guild, Rooms: []string{"r"}}))
		},
		"Disconnect": func(ctx context.Context) error {
			return second(rooms.Disconnect(ctx, &roomsv1.DisconnectRequest{GuildId: guild, UserId: 7}))
		},
		"Emit": func(ctx context.Context) error {
			return second(rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Event: "ev"}))
		},
	}
	if all := len(roomsv1.RoomsService_ServiceDesc.Methods); len(calls) != all {
		t.Errorf("%d of %d calls are tried", len(calls), all)
	}
	for name, call := range calls {
		for shown, want := range map[string]codes.Code{"": codes.Unauthenticated, "somebody else's token": codes.Unauthenticated, token: codes.OK} {
			ctx, cancel := context.WithTimeout(t.Context(), fanouttest.Patience)
			if shown != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+shown)
			}
			if err := call(ctx); status.Code(err) != want {
				t.Errorf("%s with %q: %v, want %s", name, shown, err, want)
			}
			cancel()
		}
	}
}
