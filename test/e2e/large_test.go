package e2e

import (
	"fmt"
	"strings"
	"testing"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// A queue of 500 tracks of 10 KB passes from the bot to the official client, byte for byte, as an event and
// in the handshake of one that comes later.
func TestLargeQueueReachesTheClient(t *testing.T) {
	s := devstack(t)
	guild := newGuild()
	b := newBot(t, s.grpc, guild)
	b.publish(t, &playerv1.Event{Kind: &playerv1.Event_ChannelUpdated{ChannelUpdated: &playerv1.ChannelUpdated{Channel: []byte(`"5"`)}}})
	l := listen(t, s.url, guild, "user:1", nil)
	l.payload(t, "handshake")

	tracks := make([]string, 500)
	for i := range tracks {
		tracks[i] = fmt.Sprintf(`{"uniqueId":"%d","duration":9223372036854776000,"lyrics":"%s"}`, i, strings.Repeat("夜に駆ける ", 620))
	}
	queue := "[" + strings.Join(tracks, ",") + "]"
	if len(queue) < 500*9_900 {
		t.Fatalf("the queue has only %d bytes", len(queue))
	}
	b.publish(t, &playerv1.Event{Kind: &playerv1.Event_QueueUpdated{QueueUpdated: &playerv1.QueueUpdated{Queue: []byte(queue)}}})
	if got := l.payload(t, "queue_updated"); got != queue {
		t.Errorf("the client got %d other bytes, not the %d of the queue", len(got), len(queue))
	}
	late := listen(t, s.url, guild, "user:2", nil)
	if got := late.payload(t, "handshake"); !strings.Contains(got, `"queue":`+queue) {
		t.Errorf("the handshake has %d bytes and shows another queue", len(got))
	}
}
