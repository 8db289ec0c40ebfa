package route

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

func delivery(guildID, sequence uint64, text string) *edgev1.Delivery {
	return &edgev1.Delivery{GuildId: guildID, Sequence: sequence, Event: []byte(text)}
}

// batches takes what waits and gives the texts of each message's deliveries; a message that is no
// batch is given as its kind.
func batches(t *testing.T, e *Edge) (messages [][]string) {
	t.Helper()
	items, _ := e.take(nil)
	for len(items) > 0 {
		message, count, size := next(items)
		var texts []string
		switch m := message.GetMessage().(type) {
		case *edgev1.DeliverResponse_Batch:
			for _, d := range m.Batch.GetDeliveries() {
				texts = append(texts, string(d.GetEvent()))
			}
		case *edgev1.DeliverResponse_Snapshot:
			texts = []string{"(snapshot)"}
		case *edgev1.DeliverResponse_Released:
			texts = []string{"(released)"}
		}
		messages = append(messages, texts)
		e.sent(size)
		items = items[count:]
	}
	return messages
}

func equal(a, b [][]string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return false
		}
		for j := range a[i] {
			if a[i][j] != b[i][j] {
				return false
			}
		}
	}
	return true
}

func TestWhatGathersGoesTogetherInOrder(t *testing.T) {
	e := newEdge("e", 1<<20)
	e.Snapshot(&edgev1.Snapshot{GuildId: 1})
	e.Event(delivery(1, 1, "a"))
	e.Event(delivery(2, 2, "b"))
	e.Released(3)
	e.Event(delivery(1, 3, "c"))
	want := [][]string{{"(snapshot)"}, {"a", "b"}, {"(released)"}, {"c"}}
	if got := batches(t, e); !equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if e.bytes != 0 {
		t.Errorf("%d bytes are still counted", e.bytes)
	}
}

func TestABatchSaysWhenItWasSent(t *testing.T) {
	e := newEdge("e", 1<<20)
	e.Event(delivery(1, 1, "a"))
	items, _ := e.take(nil)
	before := time.Now().UnixNano()
	message, _, _ := next(items)
	if at := message.GetBatch().GetSentAtNs(); at < before || at > time.Now().UnixNano() {
		t.Errorf("%d, which was sent after %d", at, before)
	}
}

func TestWaitingPositionIsReplacedUnlessAnEventCameBetween(t *testing.T) {
	e := newEdge("e", 1<<20)
	e.Position(delivery(1, 0, "old"))
	e.Position(delivery(2, 0, "other"))
	e.Position(delivery(1, 0, "newer"))
	e.Event(delivery(1, 5, "event"))
	e.Position(delivery(1, 0, "after"))
	e.Position(delivery(1, 0, "newest"))
	if got, want := batches(t, e), [][]string{{"newer", "other", "event", "newest"}}; !equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	e.Position(delivery(1, 0, "next"))
	if got, want := batches(t, e), [][]string{{"next"}}; !equal(got, want) {
		t.Errorf("after they were taken: %v, want %v", got, want)
	}
	if e.bytes != 0 {
		t.Errorf("%d bytes are still counted", e.bytes)
	}
}

func TestPositionsOfASlowEdgeDoNotGather(t *testing.T) {
	e := newEdge("e", 4096)
	for range 10_000 {
		e.Position(delivery(1, 0, "123456"))
	}
	if e.reason() != nil || len(e.items) != 1 {
		t.Errorf("%d positions wait, %v", len(e.items), e.reason())
	}
}

func TestQueueIsGivenUpAtItsBound(t *testing.T) {
	e := newEdge("slow", 4096)
	for i := range 100 {
		e.Event(delivery(1, uint64(i+1), "0123456789"))
	}
	select {
	case <-e.over:
	default:
		t.Error("100 events of 138 bytes wait within a bound of 4096")
	}
	if status.Code(e.reason()) != codes.ResourceExhausted {
		t.Errorf("the stream ends with %v", e.reason())
	}
	if items, ended := e.take(nil); items != nil || ended == nil {
		t.Errorf("%d items are still sent, %v", len(items), ended)
	}
	e.Event(delivery(1, 101, "x"))
	if len(e.items) != 0 {
		t.Error("it still takes events")
	}
}

func TestOneEventLargerThanTheBoundPassesAlone(t *testing.T) {
	e := newEdge("e", 10)
	e.Event(delivery(1, 1, "a text of more than ten bytes"))
	if got := batches(t, e); len(got) != 1 || e.reason() != nil {
		t.Errorf("%v, %v", got, e.reason())
	}
}

func TestBatchEndsBeforeItsBound(t *testing.T) {
	e := newEdge("e", 100<<20)
	large := string(make([]byte, batchBytes/2))
	for i := range 3 {
		e.Event(delivery(1, uint64(i+1), large))
	}
	for i := range batchDeliveries + 1 {
		e.Event(delivery(1, uint64(i+4), ""))
	}
	var counts []int
	for _, b := range batches(t, e) {
		counts = append(counts, len(b))
	}
	if len(counts) != 4 || counts[0] != 1 || counts[1] != 1 || counts[2] != batchDeliveries {
		t.Errorf("batches of %v", counts)
	}
}

func TestWhatWaitsIsSentBeforeTheEnd(t *testing.T) {
	e := newEdge("e", 1<<20)
	e.Event(delivery(1, 1, "a"))
	e.end(errStopping)
	e.Event(delivery(1, 2, "b"))
	if got, want := batches(t, e), [][]string{{"a"}}; !equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, ended := e.take(nil); ended != errStopping { //nolint:errorlint // the very one
		t.Errorf("ended with %v", ended)
	}
}
