package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/redisbus"
	"github.com/pona-realtime/pona/pkg/socketio"
)

// commander does what its clients say.
type commander struct {
	server  *socketio.Server
	bus     *redisbus.Bus
	node    *adapter.Node
	running sync.WaitGroup // commands that wait for other nodes
}

// serve lets the sockets of a namespace command.
func (c *commander) serve(n *socketio.Namespace) {
	var mu sync.Mutex
	last := socketio.Args{} // of the last server-side event "sse"
	n.OnServerSideEmit("sse", func(e *socketio.ServerSideEvent) {
		mu.Lock()
		last = e.Args
		mu.Unlock()
		_ = e.Ack("edge")
	})
	n.OnConnection(func(s *socketio.Socket) {
		s.SetData(map[string]bool{"edge": true})
		c.rooms(s)
		c.emits(s)
		c.utilities(s)
		s.On("lastSse", func(e *socketio.Event) {
			mu.Lock()
			defer mu.Unlock()
			_ = e.Ack(values(last))
		})
	})
}

func (c *commander) rooms(s *socketio.Socket) {
	s.On("join", func(e *socketio.Event) {
		s.Join(text(e, 0))
		c.done(e, c.bus.Synced(s.Context())) // what other nodes send to the room from now on arrives
	})
	s.On("leave", func(e *socketio.Event) { s.Leave(text(e, 0)); c.done(e, nil) })
	s.On("rooms", func(e *socketio.Event) { _ = e.Ack(s.Rooms()) })
}

func (c *commander) emits(s *socketio.Socket) {
	n := s.Namespace()
	s.On("emit", func(e *socketio.Event) { c.done(e, target(n, e).Emit(text(e, 1), list(e, 2)...)) })
	s.On("sse", func(e *socketio.Event) { c.done(e, n.ServerSideEmit(text(e, 0), list(e, 1)...)) })
	c.wait(s, "emitAck", func(ctx context.Context, e *socketio.Event) any {
		answers, err := target(n, e).EmitWithAck(ctx, text(e, 1), list(e, 2)...)
		responses := []any{}
		for _, a := range answers {
			var first any // of a client that gave none
			if len(a) > 0 {
				first = a[0]
			}
			responses = append(responses, first)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("operation has timed out")
		}
		return outcome(err, responses)
	})
	c.wait(s, "sseAck", func(ctx context.Context, e *socketio.Event) any {
		answers, err := n.ServerSideEmitWithAck(ctx, text(e, 0), list(e, 1)...)
		var missing *adapter.Incomplete
		if errors.As(err, &missing) {
			err = fmt.Errorf("timeout reached: only %d responses received out of %d", missing.Answered, missing.Expected)
		}
		return outcome(err, values(answers))
	})
}

func (c *commander) utilities(s *socketio.Socket) {
	n := s.Namespace()
	s.On("socketsJoin", func(e *socketio.Event) { c.done(e, target(n, e).SocketsJoin(texts(e, 1)...)) })
	s.On("socketsLeave", func(e *socketio.Event) { c.done(e, target(n, e).SocketsLeave(texts(e, 1)...)) })
	s.On("disconnectSockets", func(e *socketio.Event) {
		c.done(e, nil) // before: the socket may be one of them
		_ = target(n, e).DisconnectSockets(truth(e, 1))
	})
	c.wait(s, "fetchSockets", func(ctx context.Context, e *socketio.Event) any {
		type socket struct {
			ID    string          `json:"id"`
			Rooms []string        `json:"rooms"`
			Data  json.RawMessage `json:"data,omitempty"`
		}
		sockets, err := target(n, e).FetchSockets(ctx)
		if err != nil {
			return outcome(err, nil)
		}
		all := []socket{}
		for _, s := range sockets {
			all = append(all, socket{s.ID, s.Rooms, s.Data})
		}
		return all
	})
}

// wait answers an event with what a command returns; it runs beside the listener, for it may wait for
// this very client.
func (c *commander) wait(s *socketio.Socket, event string, command func(context.Context, *socketio.Event) any) {
	s.On(event, func(e *socketio.Event) {
		c.running.Go(func() { _ = e.Ack(command(s.Context(), e)) })
	})
}

// done acknowledges a command: with nothing, or with what went wrong.
func (c *commander) done(e *socketio.Event, err error) {
	if err != nil {
		_ = e.Ack(err.Error())
		return
	}
	_ = e.Ack()
}
