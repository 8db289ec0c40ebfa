package app_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
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
		s.AdapterTimeout, s.AdapterMaxMessage = time.Second, 1<<20
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
	for id, user := range map[string]uint64{"a": 7, "b": 7, "c": 8, "d": math.MaxUint64} {
		local.Add(id)
		local.Join(adapter.Target{Rooms: []string{id}}, []string{player.UserRoom(user)})
	}
	local.Add("of whom nobody knows")
	if err := bus.Synced(t.Context()); err != nil {
		t.Fatal(err)
	}

	rooms := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, f.GRPCAddr()))
	ctx, cancel := context.WithTimeout(t.Context(), fanouttest.Patience)
	defer cancel()
	count, err := rooms.Count(ctx, &roomsv1.CountRequest{GuildId: guild})
	if err != nil || count.GetSockets() != 5 || count.GetUsers() != 3 || count.GetReach().GetAnswered() != 1 || count.GetReach().GetPartial() {
		t.Errorf("%v, %v", count, err)
	}
	if _, err := rooms.Join(ctx, &roomsv1.JoinRequest{GuildId: guild, Of: []string{"d", "a", "c"}, Rooms: []string{"r"}}); err != nil {
		t.Error(err)
	}
	list, err := rooms.List(ctx, &roomsv1.ListRequest{GuildId: guild, Room: "r"})
	if err != nil || len(list.GetListeners()) != 3 || list.GetListeners()[0].GetUserId() != 7 || list.GetListeners()[1].GetSocketId() != "c" || list.GetListeners()[2].GetSocketId() != "d" {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := rooms.Leave(ctx, &roomsv1.LeaveRequest{GuildId: guild, Rooms: []string{"r"}}); err != nil {
		t.Error(err)
	}
	if _, err := rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Room: player.UserRoom(8), Event: "news", Args: []byte(`[{"n":9223372036854776000}]`)}); err != nil {
		t.Error(err)
	}
	large := fmt.Appendf(nil, `["%s"]`, strings.Repeat("x", 1<<20))
	if _, err := rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Event: "news", Args: large}); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "adapter-max-message") {
		t.Errorf("more than a message may have: %v", err)
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
	if count, err := rooms.Count(ctx, &roomsv1.CountRequest{GuildId: guild}); err != nil || count.GetSockets() != 3 {
		t.Errorf("after Disconnect: %v, %v", count, err)
	}
	silent := client.Subscribe(ctx, fmt.Sprintf("pona:socket.io-request#/guild/%d#", guild)) // a server that hangs
	defer silent.Close()
	if _, err := silent.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	list, err = rooms.List(ctx, &roomsv1.ListRequest{GuildId: guild})
	if reach := list.GetReach(); err != nil || len(list.GetListeners()) != 3 || reach.GetAnswered() != 1 || reach.GetExpected() != 2 || !reach.GetPartial() {
		t.Errorf("with a server that hangs: %v, %v", list, err)
	}

	const user = uint64(7)
	for name, err := range map[string]error{
		"guild_id: ": second(rooms.Count(ctx, &roomsv1.CountRequest{})),
		"room: ":     second(rooms.List(ctx, &roomsv1.ListRequest{GuildId: guild, Room: strings.Repeat("r", player.MaxRoom+1)})),
		"rooms: 0":   second(rooms.Join(ctx, &roomsv1.JoinRequest{GuildId: guild})),
		"rooms: 101": second(rooms.Leave(ctx, &roomsv1.LeaveRequest{GuildId: guild, Rooms: make([]string, 101)})),
		"rooms[1]: ": second(rooms.Join(ctx, &roomsv1.JoinRequest{GuildId: guild, Rooms: []string{"r", ""}})),
		"of[0]: ":    second(rooms.Leave(ctx, &roomsv1.LeaveRequest{GuildId: guild, Of: []string{""}, Rooms: []string{"r"}})),
		"event: 0":   second(rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild})),
		`event: "`:   second(rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Event: "disconnect"})),
		"args: not ": second(rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Event: "ev", Args: []byte(`{}`)})),
		"args: nest": second(rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Event: "ev", Args: []byte(strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))})),
		"user_id: ":  second(rooms.Disconnect(ctx, &roomsv1.DisconnectRequest{GuildId: guild})),
		"reason: ":   second(rooms.Disconnect(ctx, &roomsv1.DisconnectRequest{GuildId: guild, UserId: user, Reason: strings.Repeat("x", 129)})),
	} {
		if status.Code(err) != codes.InvalidArgument || !strings.HasPrefix(status.Convert(err).Message(), name) {
			t.Errorf("%s: %v", name, err)
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

// TestRoomsWhileRedisIsAway takes Redis away, and brings it back: nothing is said to be done that is not, however often a bot asks.
func TestRoomsWhileRedisIsAway(t *testing.T) {
	server := redistest.Start(t)
	f := startReady(t, fanouttest.StartNATS(t).URL(), func(s *app.Settings) { s.Redis = "redis://" + server.Addr() })
	rooms := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, f.GRPCAddr()))
	calls := map[string]func() error{
		"Count": func() error { return second(rooms.Count(t.Context(), &roomsv1.CountRequest{GuildId: guild})) },
		"Join": func() error {
			return second(rooms.Join(t.Context(), &roomsv1.JoinRequest{GuildId: guild, Rooms: []string{"r"}}))
		},
		"Leave": func() error {
			return second(rooms.Leave(t.Context(), &roomsv1.LeaveRequest{GuildId: guild, Rooms: []string{"r"}}))
		},
		"Emit": func() error {
			return second(rooms.Emit(t.Context(), &roomsv1.EmitRequest{GuildId: guild, Event: "ev"}))
		},
		"Disconnect": func() error {
			return second(rooms.Disconnect(t.Context(), &roomsv1.DisconnectRequest{GuildId: guild, UserId: 7}))
		},
	}
	works := func() {
		t.Helper()
		for name, call := range calls {
			err := call()
			for deadline := time.Now().Add(fanouttest.Patience); status.Code(err) == codes.Unavailable && time.Now().Before(deadline); {
				err = call()
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	works()
	server.Kill()
	for began := time.Now(); time.Since(began) < time.Second; { // longer than the bus refuses everything after a failure
		for name, call := range calls {
			if err := call(); status.Code(err) != codes.Unavailable {
				t.Errorf("%s while Redis is away: %v", name, err)
			}
		}
	}
	server.Restart()
	works()
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
