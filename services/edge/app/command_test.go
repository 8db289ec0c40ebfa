package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// bot answers commands as a function.
type bot = func(ctx context.Context, command *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error)

// listening is a client in guild 100, as user 1, past its handshake.
func listening(t *testing.T, a *App) (c *edgetest.Client, socketID string) {
	t.Helper()
	c = edgetest.DialWebSocket(t, a.Addr())
	c.Connect(guild100, as(1))
	socketID = c.Joined(guild100)
	c.Handshake(guild100)
	return c, socketID
}

func wantAck(t *testing.T, c *edgetest.Client, id int, data string) {
	t.Helper()
	if p := c.Next(); p.Type != edgetest.Ack || p.ID != id || string(p.Data) != data {
		t.Errorf("got %s, want ack %d %s", p, id, data)
	}
}

func TestCommandsReachTheBot(t *testing.T) {
	s := local(t)
	f, _ := withFanout(t, &s)
	got := make(chan *edgev1.DispatchRequest, 16)
	f.Answer(func(_ context.Context, command *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		got <- command
		return &edgev1.DispatchResponse{Result: []byte(`{"status":"ok","as": 1.50}`)}, nil
	})
	c, socketID := listening(t, started(t, s))
	ids := make(map[string]bool)
	for name, args := range map[string][]string{
		"play": nil, "seek": {"1.50"}, "move": {"1", "9223372036854776000"},
		"add-playlist": {`["a","b"]`, `{"title":"<&>é","author":null}`}, "of-tomorrow": {"null", "{}"},
	} {
		ack := c.EmitWithAck(guild100, name, args...)
		wantAck(t, c, ack, `[{"status":"ok","as": 1.50}]`)
		command := <-got
		var sent []string
		for _, arg := range command.GetArgs() {
			sent = append(sent, string(arg))
		}
		if command.GetName() != name || command.GetGuildId() != 100 || command.GetUserId() != 1 || command.GetSocketId() != socketID ||
			strings.Join(sent, " ") != strings.Join(args, " ") {
			t.Errorf("%v, want %s %s", command, name, args)
		}
		if id := command.GetCommandId(); id == "" || ids[id] {
			t.Errorf("command id %q", id)
		}
		ids[command.GetCommandId()] = true
	}
	c.Emit(guild100, "pause") // without callback
	if command := <-got; command.GetName() != "pause" {
		t.Error(command)
	}
}

func TestACommandIsAlwaysAcknowledged(t *testing.T) {
	s := local(t)
	s.CommandTimeout, s.CommandArgs, s.CommandSize = 100*time.Millisecond, 3, 100
	f, _ := withFanout(t, &s)
	c, _ := listening(t, started(t, s))
	fail := func(err error) bot {
		return func(context.Context, *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) { return nil, err }
	}
	for name, test := range map[string]struct {
		answer bot
		args   []string
		event  string
		want   string
	}{
		"no bot": {answer: nil, want: "no bot answers for this guild"},
		"silent bot": {answer: func(ctx context.Context, _ *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, want: "no answer in time"},
		"bad arguments": {answer: fail(status.Error(codes.InvalidArgument, "index: not a number")), want: "index: not a number"},
		"too many":      {answer: fail(status.Error(codes.ResourceExhausted, "queue")), want: "too many commands"},
		"broken":        {answer: fail(status.Error(codes.Internal, "secret cause")), want: "temporarily unavailable"},
		"arguments":     {args: []string{"1", "2", "3", "4"}, want: "more than 3 arguments"},
		"size":          {args: []string{`"` + strings.Repeat("a", 100) + `"`}, want: "arguments of more than 100 bytes"},
		"name":          {event: strings.Repeat("a", 129), want: "event name longer than 128 bytes"},
	} {
		f.Answer(test.answer)
		event := test.event
		if event == "" {
			event = "pause"
		}
		id := c.EmitWithAck(guild100, event, test.args...)
		t.Log(name)
		wantAck(t, c, id, `[{"status":"error","reason":"`+test.want+`"}]`)
	}
}

func TestTheEffectComesBeforeTheAcknowledgement(t *testing.T) {
	t.Parallel() // it mostly waits
	s := local(t)
	f, p := withFanout(t, &s)
	published := make(chan struct{})
	f.Answer(func(context.Context, *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		// The answer overtakes the event on its way to the edge.
		return &edgev1.DispatchResponse{Result: []byte(`{"status":"ok"}`), Sequence: 1}, nil
	})
	c, _ := listening(t, started(t, s))
	go func() {
		defer close(published)
		p.Publish(100, edgetest.Volume("5"))
	}()
	id := c.EmitWithAck(guild100, "volume", "5")
	c.Want(edgetest.Event, guild100, `["volume_updated",5]`)
	wantAck(t, c, id, `[{"status":"ok"}]`)
	<-published

	f.Answer(func(context.Context, *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		return &edgev1.DispatchResponse{Result: []byte(`{"status":"ok"}`), Sequence: 1000}, nil
	})
	began := time.Now()
	id = c.EmitWithAck(guild100, "volume", "5")
	wantAck(t, c, id, `[{"status":"ok"}]`)
	if waited := time.Since(began); waited < 900*time.Millisecond {
		t.Errorf("acknowledged after %s, before the second was over", waited)
	}
}

func TestCommandsAtOnce(t *testing.T) {
	s := local(t)
	s.CommandsAtOnce = 4
	f, _ := withFanout(t, &s)
	proceed := make(chan struct{})
	got := make(chan string, 16)
	f.Answer(func(_ context.Context, command *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		got <- command.GetName()
		<-proceed
		return &edgev1.DispatchResponse{Result: []byte(`"` + command.GetName() + `"`)}, nil
	})
	c, _ := listening(t, started(t, s))
	for n := range 4 {
		c.EmitWithAck(guild100, fmt.Sprint("c", n))
	}
	id := c.EmitWithAck(guild100, "c4")
	wantAck(t, c, id, `[{"status":"error","reason":"too many commands at once"}]`)
	for n := range 4 {
		if name := <-got; name != fmt.Sprint("c", n) {
			t.Errorf("%s instead of c%d: out of order", name, n)
		}
	}
	close(proceed)
	acked := make(map[string]bool)
	for range 4 {
		acked[string(c.Next().Data)] = true
	}
	if len(acked) != 4 {
		t.Error(acked)
	}
	id = c.EmitWithAck(guild100, "c5")
	wantAck(t, c, id, `["c5"]`)
}

func TestCommandsSentWithTheConnectAreNotLost(t *testing.T) {
	s := local(t)
	f, _ := withFanout(t, &s)
	f.Answer(func(_ context.Context, command *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		return &edgev1.DispatchResponse{Result: []byte(`"` + command.GetName() + `"`)}, nil
	})
	a := started(t, s)
	for range 20 {
		c := edgetest.DialWebSocket(t, a.Addr())
		c.Connect(guild100, as(1))
		c.Joined(guild100) // the handshake may still be on its way
		id := c.EmitWithAck(guild100, "play")
		c.Handshake(guild100)
		wantAck(t, c, id, `["play"]`)
	}
}

func TestAFloodOfCommandsIsEnded(t *testing.T) {
	s := local(t)
	s.CommandRateSocket, s.CommandStrikes = 5, 3
	f, _ := withFanout(t, &s)
	f.Answer(func(context.Context, *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		return &edgev1.DispatchResponse{Result: []byte(`"ok"`)}, nil
	})
	c, _ := listening(t, started(t, s))
	for range 40 {
		c.EmitWithAck(guild100, "play")
	}
	answered, limited := 0, 0
	for {
		p := c.Next()
		if p.Type != edgetest.Ack {
			if p.Type != edgetest.Event || string(p.Data) != `["revoked",{"message":"rate limited"}]` {
				t.Errorf("%s", p)
			}
			break
		}
		switch string(p.Data) {
		case `["ok"]`:
			answered++
		case `[{"status":"error","reason":"rate limited"}]`:
			limited++
		default:
			t.Errorf("%s", p)
		}
	}
	if answered > 15 || limited < 4 {
		t.Errorf("%d commands answered by the bot, %d refused", answered, limited)
	}
	for p := c.Next(); p.Type != edgetest.Disconnect; p = c.Next() {
		if p.Type != edgetest.Ack {
			t.Fatalf("%s instead of a disconnect", p)
		}
	}
	c.Connect(guild100, as(1))
	c.Joined(guild100) // the connection itself has not ended
}

// TestAFanoutIsKilledWhileACommandIsUnderWay has the client get one answer, and the bot the command once.
func TestAFanoutIsKilledWhileACommandIsUnderWay(t *testing.T) {
	s := local(t)
	f, _ := withFanout(t, &s)
	second := edgetest.StartFanout(t)
	second.Play(t)
	s.Fanouts = append(s.Fanouts, second.Addr())
	reached := make(chan struct{}, 16)
	hang := func(ctx context.Context, _ *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		reached <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.Answer(hang)
	second.Answer(hang)
	c, _ := listening(t, started(t, s))
	id := c.EmitWithAck(guild100, "play")
	await(t, reached)
	f.Stop()
	second.Stop()
	wantAck(t, c, id, `[{"status":"error","reason":"no bot answers for this guild"}]`)
	id = c.EmitWithAck(guild100, "play") // answered after the one before: that has no second answer
	wantAck(t, c, id, `[{"status":"error","reason":"no bot answers for this guild"}]`)
	if n := len(reached); n != 0 {
		t.Errorf("the command was tried %d times more", n)
	}
}
