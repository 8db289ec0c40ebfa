package rooms

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/memory"
	"github.com/pona-realtime/pona/pkg/player"
	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noEdges is a fanout's revocations while no edge is connected.
type noEdges struct{}

func (noEdges) Revoke(context.Context, *botv1.RevokeRequest) (*botv1.RevokeResponse, error) {
	return &botv1.RevokeResponse{}, nil
}

// TestVisitsEnd calls everything, some in vain: a while later no guild's namespace is open any more.
func TestVisitsEnd(t *testing.T) {
	const guild = 1000
	for name, call := range map[string]func(context.Context, *Server) error{
		"Count": func(ctx context.Context, s *Server) error {
			return second(s.Count(ctx, &roomsv1.CountRequest{GuildId: guild}))
		},
		"List": func(ctx context.Context, s *Server) error {
			return second(s.List(ctx, &roomsv1.ListRequest{GuildId: guild}))
		},
		"List, refused": func(ctx context.Context, s *Server) error {
			return second(s.List(ctx, &roomsv1.ListRequest{GuildId: guild, Room: strings.Repeat("r", player.MaxRoom+1)}))
		},
		"Join": func(ctx context.Context, s *Server) error {
			return second(s.Join(ctx, &roomsv1.JoinRequest{GuildId: guild, Rooms: []string{"r"}}))
		},
		"Join, refused": func(ctx context.Context, s *Server) error {
			return second(s.Join(ctx, &roomsv1.JoinRequest{GuildId: guild}))
		},
		"Leave": func(ctx context.Context, s *Server) error {
			return second(s.Leave(ctx, &roomsv1.LeaveRequest{GuildId: guild, Rooms: []string{"r"}}))
		},
		"Leave, refused": func(ctx context.Context, s *Server) error {
			return second(s.Leave(ctx, &roomsv1.LeaveRequest{GuildId: guild}))
		},
		"Disconnect": func(ctx context.Context, s *Server) error {
			return second(s.Disconnect(ctx, &roomsv1.DisconnectRequest{GuildId: guild, UserId: 7}))
		},
		"Disconnect, refused": func(ctx context.Context, s *Server) error {
			return second(s.Disconnect(ctx, &roomsv1.DisconnectRequest{GuildId: guild}))
		},
		"Emit": func(ctx context.Context, s *Server) error {
			return second(s.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Event: "ev"}))
		},
		"Emit, refused": func(ctx context.Context, s *Server) error {
			return second(s.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild}))
		},
		"Mirror": func(_ context.Context, s *Server) error {
			NewMirror(s.node).Event(guild, &playerv1.Event{Kind: &playerv1.Event_QueueEnded{}})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := &memory.Bus{}
				node := adapter.NewNode(bus, adapter.Options{})
				defer node.Close()
				s := NewServer(node, noEdges{})
				if err := call(t.Context(), s); (err != nil) != strings.HasSuffix(name, "refused") {
					t.Error(err)
				}
				closed := make(chan struct{})
				go func() {
					bus.Wait()
					close(closed)
				}()
				select {
				case <-closed:
				case <-time.After(40 * time.Second): // longer than a node lingers
					t.Error("is still there")
				}
			})
		})
	}
}

func second[T any](_ T, err error) error { return err }
