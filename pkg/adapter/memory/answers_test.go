package memory

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
)

// picky is a namespace that takes no event, as one does that clients may not be sent.
type picky struct{ *adaptertest.Local }

var errPicky = errors.New("no event")

func (picky) Broadcast(adapter.Target, adapter.Flags, adapter.Value) error { return errPicky }
func (picky) ServerSideEvent(adapter.Value, func(adapter.Value)) error     { return errPicky }
func (picky) Ask(_ context.Context, _ adapter.Target, _ adapter.Flags, _ adapter.Value, asked func(int), _ func(adapter.Value)) error {
	asked(0)
	return errPicky
}

// TestWhatIsAnswered tells a node with one socket, "s" in room "r", all that another may tell it: what wants an answer has one,
// what wants none has none.
func TestWhatIsAnswered(t *testing.T) {
	there := adapter.Target{Rooms: []string{"r"}}
	away := adapter.Target{Rooms: []string{"elsewhere"}}
	event := adapter.Value{JSON: json.RawMessage(`["ev"]`)}
	for name, test := range map[string]struct {
		told adapter.Message
		want []adapter.Message
	}{
		"broadcast":           {told: adapter.Message{Kind: adapter.Broadcast, Value: event}},
		"broadcast, asked":    {adapter.Message{Kind: adapter.Broadcast, RequestID: "q", Target: there, Value: event}, []adapter.Message{{Kind: adapter.ClientCount, Count: 1}, {Kind: adapter.ClientAnswer, Value: event}}},
		"broadcast to nobody": {adapter.Message{Kind: adapter.Broadcast, RequestID: "q", Target: away, Value: event}, []adapter.Message{{Kind: adapter.ClientCount}}},
		"join":                {told: adapter.Message{Kind: adapter.Join, Target: there, Rooms: []string{"x"}}},
		"join of old":         {adapter.Message{Kind: adapter.Join, RequestID: "q", Target: there, Rooms: []string{"x"}}, []adapter.Message{{Kind: adapter.Done}}},
		"join of old, away":   {told: adapter.Message{Kind: adapter.Join, RequestID: "q", Target: away, Rooms: []string{"x"}}},
		"leave of old":        {adapter.Message{Kind: adapter.Leave, RequestID: "q", Target: there, Rooms: []string{"x"}}, []adapter.Message{{Kind: adapter.Done}}},
		"disconnect of old":   {adapter.Message{Kind: adapter.Disconnect, RequestID: "q", Target: there}, []adapter.Message{{Kind: adapter.Done}}},
		"ids, of old":         {adapter.Message{Kind: adapter.SocketIDs, RequestID: "q"}, []adapter.Message{{Kind: adapter.SocketIDsAnswer, Sockets: []adapter.Socket{{ID: "s"}}}}},
		"fetch, nobody":       {adapter.Message{Kind: adapter.Fetch, RequestID: "q", Target: away}, []adapter.Message{{Kind: adapter.FetchAnswer}}},
		"all rooms":           {adapter.Message{Kind: adapter.AllRooms, RequestID: "q"}, []adapter.Message{{Kind: adapter.AllRoomsAnswer, Rooms: []string{"r", "s"}}}},
		"server-side":         {told: adapter.Message{Kind: adapter.ServerSide, Value: event}},
		"server-side, asked":  {adapter.Message{Kind: adapter.ServerSide, RequestID: "q", Value: event}, []adapter.Message{{Kind: adapter.ServerSideAnswer, Value: event}}},
		"an answer to nobody": {told: adapter.Message{Kind: adapter.FetchAnswer, RequestID: "q"}},
		"a kind there is not": {told: adapter.Message{Kind: 99, RequestID: "q"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := &Bus{}
				t.Cleanup(bus.Wait)
				node := adapter.NewNode(bus, adapter.Options{})
				t.Cleanup(node.Close)
				local := adaptertest.NewLocal()
				local.In(node.Join("/", local))
				local.Add("s")
				local.Join(adapter.Target{}, []string{"r"})
				local.Answer("s", event)
				answers := make(chan *adapter.Message, 8)
				asker := bus.Connect("/", true, func(m *adapter.Message) { answers <- m })
				t.Cleanup(asker.Close)
				if err := asker.Publish(&test.told, nil); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				var got []adapter.Message
				for len(answers) > 0 {
					m := *<-answers
					if m.RequestID != "q" {
						t.Errorf("answers %q", m.RequestID)
					}
					m.From, m.RequestID = "", ""
					if test.told.Kind == adapter.SocketIDs {
						m.Sockets = []adapter.Socket{{ID: m.Sockets[0].ID}} // the others do not count
					}
					got = append(got, m)
				}
				if !reflect.DeepEqual(got, test.want) {
					t.Errorf("%+v, want %+v", got, test.want)
				}
			})
		})
	}
}

// TestEventsThatAreNone have a count.
func TestEventsThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &Bus{}
		t.Cleanup(bus.Wait)
		node := adapter.NewNode(bus, adapter.Options{})
		t.Cleanup(node.Close)
		node.Join("/", picky{adaptertest.NewLocal()})
		from := bus.Connect("/", true, func(*adapter.Message) {})
		t.Cleanup(from.Close)
		for i, m := range []adapter.Message{{Kind: adapter.Broadcast}, {Kind: adapter.Broadcast, RequestID: "q"}, {Kind: adapter.ServerSide}, {Kind: adapter.ServerSide, RequestID: "q"}} {
			if err := from.Publish(&m, nil); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := node.Stats().Malformed; got != uint64(i+1) {
				t.Errorf("%+v: %d", m, got)
			}
		}
	})
}

// TestAnswersOfAnotherKind come for a request that is under way: they are none.
func TestAnswersOfAnotherKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &Bus{}
		t.Cleanup(bus.Wait)
		node := adapter.NewNode(bus, adapter.Options{})
		t.Cleanup(node.Close)
		var odd adapter.Line
		odd = bus.Connect("/", false, func(q *adapter.Message) {
			for _, kind := range []adapter.Kind{adapter.AllRoomsAnswer, adapter.ClientCount, adapter.ServerSideAnswer, adapter.Done} {
				_ = odd.Answer(q, &adapter.Message{Kind: kind, RequestID: q.RequestID})
			}
		})
		t.Cleanup(odd.Close)
		_, err := node.Visit("/").FetchSockets(t.Context(), adapter.Target{})
		var incomplete *adapter.Incomplete
		if !errors.As(err, &incomplete) || incomplete.Answered != 0 {
			t.Error(err)
		}
	})
}

// TestAnswersBeforeTheirCount come as they may in a Redis Cluster, where count and answers take different ways: as many as were asked
// are taken, whenever they come, and a count beyond all reason does no harm.
func TestAnswersBeforeTheirCount(t *testing.T) {
	answer := &adapter.Message{Kind: adapter.ClientAnswer, Value: adapter.Value{JSON: json.RawMessage("1")}}
	count := func(n int) *adapter.Message { return &adapter.Message{Kind: adapter.ClientCount, Count: n} }
	for name, test := range map[string]struct {
		said     []*adapter.Message // by one node
		another  int                // node's count
		answers  int
		complete bool
	}{
		"after":         {[]*adapter.Message{count(2), answer, answer}, 0, 2, true},
		"before":        {[]*adapter.Message{answer, answer, count(2)}, 0, 2, true},
		"around":        {[]*adapter.Message{answer, count(2), answer}, 0, 2, true},
		"more":          {[]*adapter.Message{answer, answer, count(1)}, 0, 1, true},
		"fewer":         {[]*adapter.Message{answer, count(2)}, 0, 1, false},
		"no count":      {[]*adapter.Message{answer}, 0, 0, false},
		"below nothing": {[]*adapter.Message{answer, count(-1)}, 0, 0, true},
		"beyond reason": {[]*adapter.Message{answer, count(math.MaxInt)}, math.MaxInt, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := &Bus{}
				t.Cleanup(bus.Wait)
				node := adapter.NewNode(bus, adapter.Options{})
				t.Cleanup(node.Close)
				for _, said := range [][]*adapter.Message{test.said, {count(test.another)}} {
					var other adapter.Line
					other = bus.Connect("/", false, func(q *adapter.Message) {
						for _, m := range said {
							m := *m
							m.RequestID = q.RequestID
							_ = other.Answer(q, &m)
						}
					})
					t.Cleanup(other.Close)
				}
				answers, err := node.Visit("/").BroadcastWithAck(t.Context(), adapter.Target{}, adapter.Flags{}, adapter.Value{JSON: json.RawMessage(`["ev"]`)})
				if len(answers) != test.answers || (err == nil) != test.complete {
					t.Errorf("%d answers, %v", len(answers), err)
				}
			})
		})
	}
}

// TestMissingAreNamed lets nodes fall silent that have answered, and others come that never did: names are given where they are
// as many as are missing.
func TestMissingAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &Bus{}
		t.Cleanup(bus.Wait)
		node := adapter.NewNode(bus, adapter.Options{})
		t.Cleanup(node.Close)
		silent := map[string]bool{}
		connect := func() string {
			var l adapter.Line
			l = bus.Connect("/", false, func(q *adapter.Message) {
				if !silent[l.UID()] {
					_ = l.Answer(q, &adapter.Message{Kind: adapter.FetchAnswer, RequestID: q.RequestID})
				}
			})
			t.Cleanup(l.Close)
			return l.UID()
		}
		c := node.Visit("/")
		missing := func(want ...string) {
			t.Helper()
			began := time.Now()
			_, err := c.FetchSockets(t.Context(), adapter.Target{})
			synctest.Wait()
			var incomplete *adapter.Incomplete
			if len(silent) == 0 {
				if err != nil || time.Since(began) != 0 {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
				return
			}
			if !errors.As(err, &incomplete) || !slices.Equal(incomplete.Missing, want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		first := connect()
		silent[first] = true
		missing() // never heard of
		delete(silent, first)
		second, third := connect(), connect()
		missing()
		silent[second], silent[third] = true, true
		missing(second, third)
		delete(silent, second)
		missing(third)
		silent[connect()] = true
		missing() // one of them has never answered
	})
}
