package redisbus

import (
	"context"
	"slices"
	"sync"

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

	answers sync.Once // subscribes to them
}

func (l *line) UID() string { return l.uid }

func (l *line) Publish(m *adapter.Message, lost func(error)) error {
	if l.bus.publisher.refuses() {
		return adapter.ErrUnreachable
	}
	channel, payload, err := l.bus.wire.encode(l, m)
	if err != nil {
		return err
	}
	return l.bus.publisher.publish(letter{channel, payload, lost})
}

func (l *line) Answer(question, answer *adapter.Message) error {
	if l.bus.publisher.refuses() {
		return adapter.ErrUnreachable
	}
	channel, payload, err := l.bus.wire.encodeAnswer(l, question, answer)
	if err != nil {
		return err
	}
	return l.bus.publisher.publish(letter{channel, payload, nil})
}

// Others waits for the subscriptions that answers need, and for its own being counted; the first request
// of a namespace makes those for answers.
func (l *line) Others(ctx context.Context) (int, error) {
	wire, subscriptions := l.bus.wire, l.bus.subscriptions
	channels := wire.answerChannels(l.namespace, l.uid)
	l.answers.Do(func() { subscriptions.want(l, channels...) })
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
	l.bus.subscriptions.forget(l, l.bus.wire.memberChannels(l.namespace)...)
	l.bus.subscriptions.forget(l, l.bus.wire.answerChannels(l.namespace, l.uid)...)
}
