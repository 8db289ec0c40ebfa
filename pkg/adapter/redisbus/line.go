package redisbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// line is a namespace on this bus.
type line struct {
	bus       *Bus
	namespace string
	visitor   bool
	uid       string
	deliver   func(*adapter.Message)
	worker    *worker

	joined atomic.Int64 // when this node has last let others' sockets join rooms, nanoseconds since 1970

	mu       sync.Mutex
	answered bool // answers are subscribed to, or were until the line was closed
	closed   bool
}

// newRoom is how long a room counts as new: those that have let in its first members must have subscribed to it.
const newRoom = 5 * time.Second

// onlyRoom is the room that is meant, if it is one, and all that have members of it are sure to listen to its channel.
// They subscribe to that when they are told to let the first one in, and would miss what follows at once; a visitor
// does not know who else has told them. What is for such a room goes the way of what is for all.
func (l *line) onlyRoom(t adapter.Target) (string, bool) {
	if len(t.Rooms) != 1 || l.visitor || time.Now().UnixNano()-l.joined.Load() < int64(newRoom) {
		return "", false
	}
	return t.Rooms[0], true
}

func (l *line) UID() string { return l.uid }

func (l *line) Publish(m *adapter.Message, done func(error)) error {
	if l.bus.publisher.refuses() { // before it is encoded
		return adapter.ErrUnreachable
	}
	if m.Kind == adapter.Join {
		l.joined.Store(time.Now().UnixNano())
	}
	channel, payload, err := l.bus.wire.encode(l, m)
	if err != nil {
		return err
	}
	return l.bus.publisher.publish(letter{channel: channel, payload: payload, done: done})
}

// Answer is not refused after a failure: a question that has come shows that Redis is there, and who asked waits.
func (l *line) Answer(question, answer *adapter.Message) error {
	channel, payload, err := l.bus.wire.encodeAnswer(l, question, answer)
	if err != nil {
		return err
	}
	err = l.bus.publisher.publish(letter{channel: channel, payload: payload, answer: true})
	if errors.Is(err, adapter.ErrTooLarge) { // who asked waits in vain
		l.bus.opts.Log.Warn("an answer to another server was not sent", "namespace", l.namespace, "error", err)
	}
	return err
}

// Others waits for the subscriptions that answers need, and for its own being counted; the first request
// of a namespace makes those for answers.
func (l *line) Others(ctx context.Context) (int, error) {
	wire, subscriptions := l.bus.wire, l.bus.subscriptions
	channels := wire.answerChannels(l.namespace, l.uid)
	if !l.awaitsAnswers(channels) {
		return 0, fmt.Errorf("%w: this one has left %s", adapter.ErrUnreachable, l.namespace)
	}
	counted := wire.countChannel(l.namespace)
	if !l.visitor {
		channels = append(slices.Clip(channels), counted)
	}
	if err := subscriptions.await(ctx, channels...); err != nil {
		return 0, err
	}
	n, err := l.bus.servers(ctx, counted)
	if err != nil {
		return 0, unreachable(err)
	}
	if !l.visitor {
		n--
	}
	return max(n, 0), nil
}

// awaitsAnswers subscribes to them once; on a closed line nobody would end that.
func (l *line) awaitsAnswers(channels []string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.answered && !l.closed {
		l.answered = true
		l.bus.subscriptions.want(l, channels...)
	}
	return !l.closed
}

func (l *line) Enter(room string) {
	if channel, ok := l.bus.wire.roomChannel(l.namespace, room); ok && !l.visitor {
		l.bus.subscriptions.want(l, channel)
	}
}

func (l *line) Vacate(room string) {
	if channel, ok := l.bus.wire.roomChannel(l.namespace, room); ok && !l.visitor {
		l.bus.subscriptions.forget(l, channel)
	}
}

func (l *line) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.bus.subscriptions.forget(l, l.bus.wire.memberChannels(l.namespace)...)
	l.bus.subscriptions.forget(l, l.bus.wire.answerChannels(l.namespace, l.uid)...)
}
