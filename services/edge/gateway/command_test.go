package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/pkg/socketio"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

func TestCommandsTakeTheirPlaces(t *testing.T) {
	var c commands
	begin := func() (before <-chan struct{}, pass func()) {
		t.Helper()
		before, pass, ok := c.begin(2)
		if !ok {
			t.Fatal("no place")
		}
		return before, pass
	}
	first, passFirst := begin()
	if first != nil {
		t.Error("the first one waits")
	}
	second, passSecond := begin()
	if _, _, ok := c.begin(2); ok {
		t.Error("a third place of two")
	}
	select {
	case <-second:
		t.Error("the second one does not wait for the first")
	default:
	}
	passFirst()
	<-second
	passFirst() // the answer comes after the head start
	c.end()
	third, passThird := begin()
	passSecond()
	<-third
	passThird()
	c.end()
	c.end()
	if again, _ := begin(); again != nil {
		t.Error("waits for one that has long been answered")
	}
}

func TestReasonsTellNoCause(t *testing.T) {
	g := New(nil, Options{})
	defer g.Close()
	for _, err := range []error{
		status.Error(codes.Unavailable, "dial tcp 10.0.0.7:7070: refused"), status.Error(codes.Internal, "nats: 10.0.0.8"),
		status.Error(codes.Unknown, "nats: 10.0.0.8"), errors.New("10.0.0.9"), context.Canceled,
	} {
		for _, c := range g.reason(&listener{}, err) {
			if c >= '0' && c <= '9' {
				t.Errorf("%v is told as %q", err, g.reason(&listener{}, err))
				break
			}
		}
	}
}

// quietGuilds let everybody in, and have never applied what a command waits for.
type quietGuilds struct{ Guilds }

func (quietGuilds) Hold(context.Context, uint64) error { return nil }
func (quietGuilds) Release(uint64)                     {}
func (quietGuilds) Sequence(uint64) uint64             { return 0 }

func (quietGuilds) Enter(_, _ uint64, enter func(*socketio.Packet)) {
	handshake, err := socketio.NewPacket("handshake")
	if err != nil {
		panic(err)
	}
	enter(handshake)
}

func (quietGuilds) Applied(ctx context.Context, _, _ uint64) { <-ctx.Done() }

// quickBot answers at once.
type quickBot struct{}

func (quickBot) Dispatch(context.Context, *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
	return &edgev1.DispatchResponse{Result: []byte("[]"), Sequence: 1}, nil
}

// TestACommandThatWaitedInVainIsCounted sends two, of which the first holds up the second for its head start,
// which is longer than commands may take.
func TestACommandThatWaitedInVainIsCounted(t *testing.T) {
	t.Parallel() // it mostly waits
	registry := metrics.NewRegistry("edge", settings.Build{})
	server := socketio.NewServer(socketio.Options{})
	g := New(server, Options{
		CommandTimeout: headStart / 5, Metrics: registry,
		Authorize: func(context.Context, uint64, http.Header, json.RawMessage) (Grant, error) {
			return Grant{UserID: 1}, nil
		},
	})
	g.Open(quietGuilds{}, quickBot{})
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
		g.Close()
		web.Close()
	})
	c := edgetest.DialWebSocket(t, strings.TrimPrefix(web.URL, "http://"))
	c.Connect("/guild/1", "{}")
	c.Joined("/guild/1")
	c.Want(edgetest.Event, "/guild/1", `["handshake"]`)
	c.EmitWithAck("/guild/1", "play")
	second := c.EmitWithAck("/guild/1", "pause")
	if p := c.Next(); p.Type != edgetest.Ack || p.ID != second || string(p.Data) != `[{"status":"error","reason":"no answer in time"}]` {
		t.Errorf("got %s", p)
	}
	now := metrics.Read(registry)
	const commands, took = "pona_edge_commands_total", "pona_edge_command_duration_seconds"
	if now.Sum(commands, "outcome", "answered") != 1 || now.Sum(commands, "outcome", "no answer") != 1 || now.Sum(commands) != 2 || now.Count(took) != 1 {
		t.Errorf("%v, %v of which have left the edge", now.By("outcome", commands), now.Count(took))
	}
}
