package adaptertest

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// Local is a namespace's part on one node: sockets without clients. It notes what is delivered.
type Local struct {
	cluster    *adapter.Cluster
	deliveries chan Delivery
	events     chan adapter.Value // server-side

	mu      sync.Mutex
	sockets map[string]map[string]bool // rooms by id
	answers map[string]adapter.Value
	muted   bool
}

// Delivery is one broadcast and whom it reached.
type Delivery struct {
	Sockets []string
	Flags   adapter.Flags
	Event   adapter.Value
}

// NewLocal has no sockets yet.
func NewLocal() *Local {
	return &Local{deliveries: make(chan Delivery, 4096), events: make(chan adapter.Value, 64), sockets: map[string]map[string]bool{}, answers: map[string]adapter.Value{}}
}

// In says where the sockets' rooms are announced; it comes before Add.
func (l *Local) In(c *adapter.Cluster) { l.cluster = c }

// Next waits for a broadcast.
func (l *Local) Next(t *testing.T) (d Delivery) {
	t.Helper()
	select {
	case d = <-l.deliveries:
	case <-time.After(patience):
		t.Fatal("no broadcast came")
	}
	return d
}

// Add lets a socket join.
func (l *Local) Add(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sockets[id] = map[string]bool{id: true}
	l.cluster.RoomCreated(id)
}

// Answer is what a socket's client acknowledges with; without, it is silent.
func (l *Local) Answer(id string, v adapter.Value) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[id] = v
}

// Mute keeps server-side events without answer from now on.
func (l *Local) Mute() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.muted = true
}

// Members are the sockets in a room, sorted; with an empty one all.
func (l *Local) Members(room string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if room == "" {
		return l.meant(adapter.Target{})
	}
	return l.meant(adapter.Target{Rooms: []string{room}})
}

func (l *Local) meant(t adapter.Target) (ids []string) {
	for id, rooms := range l.sockets {
		in := func(room string) bool { return rooms[room] }
		if (len(t.Rooms) == 0 || slices.ContainsFunc(t.Rooms, in)) && !slices.ContainsFunc(t.Except, in) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Broadcast notes a delivery.
func (l *Local) Broadcast(t adapter.Target, f adapter.Flags, event adapter.Value) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deliveries <- Delivery{l.meant(t), f, event}
	return nil
}

// Ask answers for those that have an answer, and waits for ctx when others have none.
func (l *Local) Ask(ctx context.Context, t adapter.Target, _ adapter.Flags, _ adapter.Value, asked func(int), answered func(adapter.Value)) error {
	l.mu.Lock()
	ids := l.meant(t)
	answers := make([]adapter.Value, 0, len(ids))
	for _, id := range ids {
		if v, ok := l.answers[id]; ok {
			answers = append(answers, v)
		}
	}
	l.mu.Unlock()
	asked(len(ids))
	for _, v := range answers {
		answered(v)
	}
	if len(answers) < len(ids) {
		<-ctx.Done()
	}
	return nil
}

// Sockets describes sockets.
func (l *Local) Sockets(t adapter.Target) (all []adapter.Socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.meant(t) {
		s := adapter.Socket{ID: id, Handshake: json.RawMessage(`{"auth":{}}`), Data: json.RawMessage(`{"of":"` + id + `"}`)}
		for room := range l.sockets[id] {
			s.Rooms = append(s.Rooms, room)
		}
		all = append(all, s)
	}
	return all
}

// Join moves sockets into rooms.
func (l *Local) Join(t adapter.Target, rooms []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.meant(t) {
		for _, room := range rooms {
			l.sockets[id][room] = true
			l.cluster.RoomCreated(room)
		}
	}
}

// Leave moves sockets out of rooms.
func (l *Local) Leave(t adapter.Target, rooms []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.meant(t) {
		for _, room := range rooms {
			delete(l.sockets[id], room)
			if len(l.meant(adapter.Target{Rooms: []string{room}})) == 0 {
				l.cluster.RoomDeleted(room)
			}
		}
	}
}

// Disconnect removes sockets.
func (l *Local) Disconnect(t adapter.Target, _ bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.meant(t) {
		delete(l.sockets, id)
	}
}

// ServerSideEvent notes an event, or gives it back as its answer.
func (l *Local) ServerSideEvent(event adapter.Value, answer func(adapter.Value)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case answer == nil:
		l.events <- event
	case !l.muted:
		answer(event)
		answer(event) // counts once
	}
	return nil
}

// Rooms are those of all sockets.
func (l *Local) Rooms() (rooms []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range l.sockets {
		for room := range in {
			rooms = append(rooms, room)
		}
	}
	slices.Sort(rooms)
	return slices.Compact(rooms)
}

// until returns what was delivered to any socket before an event.
func (l *Local) until(t *testing.T, last string) (before []Delivery) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case d := <-l.deliveries:
			if string(d.Event.JSON) == last {
				return before
			}
			if len(d.Sockets) > 0 {
				before = append(before, d)
			}
		case <-timeout:
			t.Fatalf("%s did not come; %d others did", last, len(before))
		}
	}
}

func (l *Local) serverSide(t *testing.T) (v adapter.Value) {
	t.Helper()
	select {
	case v = <-l.events:
	case <-time.After(patience):
		t.Fatal("no server-side event came")
	}
	return v
}

// sameValue tells whether two values mean the same.
func sameValue(a, b adapter.Value) bool {
	var x, y any
	return json.Unmarshal(a.JSON, &x) == nil && json.Unmarshal(b.JSON, &y) == nil && reflect.DeepEqual(x, y) &&
		slices.EqualFunc(a.Attachments, b.Attachments, bytes.Equal)
}
