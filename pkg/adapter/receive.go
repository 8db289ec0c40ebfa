package adapter

import (
	"context"
	"sync"
)

// receive takes a message of another node. Answers to it are sent at once, but for those of clients and
// of server-side listeners.
func (c *Cluster) receive(m *Message) {
	c.mu.Lock()
	local := c.local
	c.mu.Unlock()
	switch m.Kind {
	case Broadcast:
		if m.RequestID == "" {
			c.check(local.Broadcast(m.Target, m.Flags, m.Value))
			return
		}
		c.askClients(local, m)
	case Join:
		local.Join(m.Target, m.Rooms)
		c.done(local, m)
	case Leave:
		local.Leave(m.Target, m.Rooms)
		c.done(local, m)
	case Disconnect:
		c.done(local, m) // while they are still there
		local.Disconnect(m.Target, m.Close)
	case Fetch:
		c.answer(m, &Message{Kind: FetchAnswer, Sockets: local.Sockets(m.Target)})
	case SocketIDs:
		c.answer(m, &Message{Kind: SocketIDsAnswer, Sockets: local.Sockets(m.Target)})
	case AllRooms:
		c.answer(m, &Message{Kind: AllRoomsAnswer, Rooms: local.Rooms()})
	case ServerSide:
		if m.RequestID == "" {
			c.check(local.ServerSideEvent(m.Value, nil))
			return
		}
		var once sync.Once
		c.check(local.ServerSideEvent(m.Value, func(v Value) {
			once.Do(func() { c.answer(m, &Message{Kind: ServerSideAnswer, Value: v}) })
		}))
	default:
		c.noteAnswer(m)
	}
}

// check counts what was no event.
func (c *Cluster) check(err error) {
	if err != nil {
		c.node.malformed.Add(1)
	}
}

// done tells an asker of old that its socket was here.
func (c *Cluster) done(local Local, m *Message) {
	if m.RequestID != "" && len(local.Sockets(m.Target)) > 0 {
		c.answer(m, &Message{Kind: Done})
	}
}

// answer's error is nobody's to hear: the asker's timeout tells it.
func (c *Cluster) answer(question, answer *Message) {
	answer.RequestID = question.RequestID
	_ = c.line.Answer(question, answer)
}

// askClients asks this node's clients in a goroutine of its own.
func (c *Cluster) askClients(local Local, m *Message) {
	if c.node.asks.Add(1) > int64(c.node.opts.MaxAsks) {
		c.node.asks.Add(-1)
		c.node.dropped.Add(1)
		return
	}
	timeout := m.Flags.Timeout
	if timeout <= 0 {
		timeout = c.node.opts.RequestTimeout
	}
	c.node.start(func() {
		defer c.node.asks.Add(-1)
		ctx, cancel := context.WithTimeout(c.node.ctx, timeout)
		defer cancel()
		c.check(local.Ask(ctx, m.Target, m.Flags, m.Value,
			func(n int) { c.answer(m, &Message{Kind: ClientCount, Count: n}) },
			func(v Value) { c.answer(m, &Message{Kind: ClientAnswer, Value: v}) }))
	})
}

// nobody is a namespace on a node without sockets. As long as it is counted, others wait for what it says: nothing, but that at once.
type nobody struct{}

func (nobody) Broadcast(Target, Flags, Value) error { return nil }
func (nobody) Sockets(Target) []Socket              { return nil }
func (nobody) Join(Target, []string)                {}
func (nobody) Leave(Target, []string)               {}
func (nobody) Disconnect(Target, bool)              {}
func (nobody) Rooms() []string                      { return nil }
func (nobody) ServerSideEvent(_ Value, answer func(Value)) error {
	if answer != nil {
		answer(Value{JSON: []byte("null")})
	}
	return nil
}
func (nobody) Ask(_ context.Context, _ Target, _ Flags, _ Value, asked func(int), _ func(Value)) error {
	asked(0)
	return nil
}
