// Package memory is a bus within one process: several servers that share it are a cluster. Messages are
// handed on as they are, in the order of the calls of one node.
package memory

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// mailbox bounds the messages that wait for one line; one more is refused with adapter.ErrFull.
const mailbox = 4096

// Bus connects the nodes that share it. The zero value is ready.
type Bus struct {
	uids    atomic.Uint64
	running sync.WaitGroup
	mu      sync.RWMutex
	lines   map[string]map[*line]struct{} // by namespace
}

type line struct {
	bus       *Bus
	namespace string
	uid       string
	visitor   bool
	mail      chan *adapter.Message
}

// AsksRooms tells that nodes answer AllRooms.
func (b *Bus) AsksRooms() bool { return true }

// NewID makes a request's id.
func (b *Bus) NewID() string { return rand.Text() }

// Wait returns when no line is open and nothing is delivered any more.
func (b *Bus) Wait() { b.running.Wait() }

// Connect opens a namespace for one node; it runs a goroutine until the line is closed.
func (b *Bus) Connect(namespace string, visitor bool, deliver func(*adapter.Message)) adapter.Line {
	l := &line{bus: b, namespace: namespace, uid: "node" + strconv.FormatUint(b.uids.Add(1), 10), visitor: visitor,
		mail: make(chan *adapter.Message, mailbox)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines == nil {
		b.lines = map[string]map[*line]struct{}{}
	}
	if b.lines[namespace] == nil {
		b.lines[namespace] = map[*line]struct{}{}
	}
	b.lines[namespace][l] = struct{}{}
	b.running.Go(func() {
		for m := range l.mail {
			deliver(m)
		}
	})
	return l
}

func (l *line) UID() string { return l.uid }

// Publish hands the message to all other members; when one has no room for it, it may have reached others.
func (l *line) Publish(m *adapter.Message, done func(error)) error {
	err := l.send(m, func(to *line) bool { return !to.visitor })
	if err == nil && done != nil {
		done(nil)
	}
	return err
}

func (l *line) Answer(question, answer *adapter.Message) error {
	return l.send(answer, func(to *line) bool { return to.uid == question.From })
}

func (l *line) send(m *adapter.Message, meant func(*line) bool) (err error) {
	stamped := *m
	stamped.From = l.uid
	l.bus.mu.RLock()
	defer l.bus.mu.RUnlock()
	for to := range l.bus.lines[l.namespace] {
		if to == l || !meant(to) {
			continue
		}
		select {
		case to.mail <- &stamped:
		default:
			err = adapter.ErrFull
		}
	}
	return err
}

func (l *line) Others(context.Context) (n int, _ error) {
	l.bus.mu.RLock()
	defer l.bus.mu.RUnlock()
	if _, open := l.bus.lines[l.namespace][l]; !open {
		return 0, adapter.ErrUnreachable
	}
	for other := range l.bus.lines[l.namespace] {
		if other != l && !other.visitor {
			n++
		}
	}
	return n, nil
}

func (l *line) Enter(string)  {}
func (l *line) Vacate(string) {}

// Close ends the line; what waits is still delivered.
func (l *line) Close() {
	l.bus.mu.Lock()
	delete(l.bus.lines[l.namespace], l)
	if len(l.bus.lines[l.namespace]) == 0 {
		delete(l.bus.lines, l.namespace)
	}
	l.bus.mu.Unlock()
	close(l.mail)
}
