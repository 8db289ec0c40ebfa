package memory

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
)

// noting is a bus that knows which rooms a node listens to.
type noting struct {
	*Bus
	mu    sync.Mutex
	lines map[*notingLine]map[string]bool // rooms
}

type notingLine struct {
	adapter.Line
	by *noting
}

func (n *noting) Connect(namespace string, visitor bool, deliver func(*adapter.Message)) adapter.Line {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &notingLine{n.Bus.Connect(namespace, visitor, deliver), n}
	n.lines[l] = map[string]bool{}
	return l
}

func (l *notingLine) Enter(room string) {
	l.by.mu.Lock()
	defer l.by.mu.Unlock()
	l.by.lines[l][room] = true
}

func (l *notingLine) Vacate(room string) {
	l.by.mu.Lock()
	defer l.by.mu.Unlock()
	delete(l.by.lines[l], room)
}

func (l *notingLine) Close() {
	l.by.mu.Lock()
	defer l.by.mu.Unlock()
	delete(l.by.lines, l)
	l.Line.Close()
}

// want compares the rooms listened to; nil where no line is open.
func (n *noting) want(t *testing.T, what string, want ...string) {
	t.Helper()
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	var got []string
	for _, rooms := range n.lines {
		got = slices.AppendSeq([]string{}, maps.Keys(rooms))
	}
	slices.Sort(got)
	if (got == nil) != (want == nil) || !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// lingering lets a test have a node of its own, on the clock of a bubble. The default of 30 s is looked at eight times.
func lingering(t *testing.T, test func(t *testing.T, n *adapter.Node, heard *noting)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		bus := &noting{Bus: &Bus{}, lines: map[*notingLine]map[string]bool{}}
		n := adapter.NewNode(bus, adapter.Options{})
		test(t, n, bus)
		n.Close()
		bus.want(t, "closed")
		bus.Wait()
	})
}

const (
	before = 29 * time.Second // not yet
	after  = 34 * time.Second // certainly
)

// TestRoomsLinger lets rooms empty: each is listened to for a while after its last member, and as long as it has one.
func TestRoomsLinger(t *testing.T) {
	lingering(t, func(t *testing.T, n *adapter.Node, heard *noting) {
		c := n.Join("/", adaptertest.NewLocal())
		for _, room := range []string{"a", "b", ""} { // a room's name may be empty
			c.RoomCreated(room)
		}
		c.RoomDeleted("a")
		c.RoomDeleted("b")
		c.RoomDeleted("")
		c.RoomDeleted("unknown")
		time.Sleep(before)
		heard.want(t, "not yet", "", "a", "b")
		c.RoomCreated("a")
		time.Sleep(after - before)
		heard.want(t, "has a member again", "a")
		c.RoomDeleted("a")
		time.Sleep(before)
		c.RoomCreated("a")
		c.RoomDeleted("a")
		time.Sleep(before)
		heard.want(t, "counted from the last", "a")
		time.Sleep(after - before)
		heard.want(t, "all have gone", []string{}...)
		c.RoomCreated("a")
		heard.want(t, "comes again", "a")
	})
}

// TestNamespacesLinger lets a namespace empty, whose rooms nobody has deleted: who is back in time finds all as it was, but rooms
// that do not come back.
func TestNamespacesLinger(t *testing.T) {
	lingering(t, func(t *testing.T, n *adapter.Node, heard *noting) {
		c := n.Join("/", adaptertest.NewLocal())
		c.RoomCreated("a")
		c.RoomCreated("b")
		c.Leave()
		time.Sleep(before)
		heard.want(t, "not yet", "a", "b")
		if again := n.Join("/", adaptertest.NewLocal()); again != c {
			t.Error("another cluster")
		}
		c.RoomCreated("a")
		time.Sleep(after)
		heard.want(t, "back in time", "a")
		c.Leave()
		time.Sleep(after)
		heard.want(t, "left for good")
		c = n.Join("/", adaptertest.NewLocal())
		heard.want(t, "begins anew", []string{}...)
		c.Leave()
	})
}

// TestVisitsOverlap has two visitors of a namespace: it ends with the second.
func TestVisitsOverlap(t *testing.T) {
	lingering(t, func(t *testing.T, n *adapter.Node, heard *noting) {
		first, second := n.Visit("/"), n.Visit("/")
		if first != second {
			t.Error("two clusters")
		}
		first.Leave()
		time.Sleep(after)
		heard.want(t, "one is there", []string{}...)
		second.Leave()
		time.Sleep(after)
		heard.want(t, "both have gone")
	})
}

// TestManyLeave lets all but one of many namespaces go: that one is still known.
func TestManyLeave(t *testing.T) {
	lingering(t, func(t *testing.T, n *adapter.Node, heard *noting) {
		first := n.Visit("/")
		for i := range 100 {
			n.Visit("/" + strconv.Itoa(i)).Leave()
		}
		time.Sleep(after)
		heard.want(t, "one is there", []string{}...)
		if n.Visit("/") != first {
			t.Error("another cluster")
		}
	})
}
