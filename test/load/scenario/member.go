package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pona-realtime/pona/test/load/client"
	"github.com/pona-realtime/pona/test/load/stamp"
)

// member is one client of a crowd, and the next one when its connection was cut: who comes back is the same
// member. What is not atomic belongs to whoever acts for it, and to its reader while it reads.
type member struct {
	crowd  *crowd
	number int
	acting sync.Mutex     // held while it is cut and comes back
	client *client.Client // nil before the first
	from   client.Resumption

	run  int // emission of which it waits for next
	next int // sequence

	awaited atomic.Pointer[awaited] // event that somebody waits for
}

// awaited is an event that a member waits for once.
type awaited struct {
	name string
	came chan struct{}
}

// connect brings the member in, or back.
func (m *member) connect(ctx context.Context) error {
	_, err := m.comeBack(ctx)
	return err
}

// comeBack tells whether the server has restored the session that was there before.
func (m *member) comeBack(ctx context.Context) (recovered bool, err error) {
	c := m.crowd
	options := c.options
	options.Source = c.run.localAddress(m.number)
	options.Event = m.event
	options.End = c.ended
	ready := m.expect(c.run.readyEvent())
	began := time.Now()
	dialled, err := client.Dial(ctx, options)
	if err != nil {
		return false, err
	}
	c.open.Add(1)
	opened := time.Now()
	recovered, err = dialled.Join(ctx, m.namespace(), fill(c.run.Auth, m.number), m.from)
	if err == nil && c.run.readyEvent() != "" && !recovered {
		err = ready.await(ctx, dialled, c.run.Patience)
	}
	if err == nil && c.run.JoinEvent != "" && !recovered {
		err = m.enterRoom(ctx, dialled)
	}
	if err != nil {
		dialled.Cut()
		return false, err
	}
	m.client = dialled
	c.opening.record(m.number, opened.Sub(began))
	c.joining.record(m.number, time.Since(opened))
	return recovered, nil
}

// namespace is the one the member is in, where it does not switch.
func (m *member) namespace() string { return fill(m.crowd.run.Namespace[0], m.number) }

// enterRoom asks to be put into the room. A server that acknowledges it is waited for, and that is all a
// client can know of being in a room.
func (m *member) enterRoom(ctx context.Context, c *client.Client) error {
	room, _ := json.Marshal(m.crowd.run.room()) // a string has a JSON form
	if err := c.Ask(ctx, m.namespace(), m.crowd.run.JoinEvent, string(room)); err != nil {
		return fmt.Errorf("%s: %w", m.crowd.run.JoinEvent, err)
	}
	return nil
}

// cut drops the connection without a word, and keeps what is needed to come back.
func (m *member) cut() {
	m.client.Cut()
	m.from = m.client.Resumption(m.namespace())
}

// event takes an event; it is called by the client's reader.
func (m *member) event(_ string, text []byte) {
	if s, ok := stamp.Read(text); ok {
		m.crowd.tally.add(m, s, stamp.Now())
		return
	}
	if a := m.awaited.Load(); a != nil && client.EventName(text) == a.name && m.awaited.CompareAndSwap(a, nil) {
		close(a.came)
	}
}

// expect begins to wait for an event.
func (m *member) expect(name string) *awaited {
	a := &awaited{name, make(chan struct{})}
	m.awaited.Store(a)
	return a
}

// await waits for the event.
func (a *awaited) await(ctx context.Context, c *client.Client, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-a.came:
		return nil
	case <-c.Done():
		return c.Err()
	case <-timer.C:
		return fmt.Errorf("no %s within %s", a.name, patience)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// room is what members enter with JoinEvent, and where events go; empty means everybody.
func (s *Settings) room() string {
	if s.Room == "" && s.JoinEvent != "" {
		return "bench"
	}
	return s.Room
}
