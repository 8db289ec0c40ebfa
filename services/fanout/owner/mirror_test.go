package owner

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/protobuf/proto"

	"github.com/pona-realtime/pona/pkg/metrics"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// TestWhatIsMirrored: what comes again after a crash is mirrored as long as it may not have been, a position always, and
// what cannot be read never.
func TestWhatIsMirrored(t *testing.T) {
	const guild = 1000
	encode := func(ev *playerv1.Event) []byte {
		ev.GuildId = guild
		b, err := proto.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ended := encode(&playerv1.Event{EventId: "e", Kind: &playerv1.Event_QueueEnded{QueueEnded: &playerv1.QueueEnded{}}})
	position := encode(&playerv1.Event{EventId: "p", Kind: &playerv1.Event_PositionUpdated{PositionUpdated: &playerv1.PositionUpdated{Position: "1"}}})
	synctest.Test(t, func(t *testing.T) {
		ago := func(d time.Duration) int64 { return time.Now().Add(-d).UnixNano() }
		for name, test := range map[string]struct {
			d    *edgev1.Delivery
			want bool
		}{
			"new":              {&edgev1.Delivery{GuildId: guild, Sequence: 1, Event: ended, StoredAtNs: ago(0)}, true},
			"almost too old":   {&edgev1.Delivery{GuildId: guild, Sequence: 1, Event: ended, StoredAtNs: ago(mirrorAge - 1)}, true},
			"too old":          {&edgev1.Delivery{GuildId: guild, Sequence: 1, Event: ended, StoredAtNs: ago(mirrorAge)}, false},
			"a position":       {&edgev1.Delivery{GuildId: guild, Event: position}, true},
			"of another guild": {&edgev1.Delivery{GuildId: guild + 1, Sequence: 1, Event: ended, StoredAtNs: ago(0)}, false},
			"cannot be read":   {&edgev1.Delivery{GuildId: guild, Sequence: 1, Event: []byte{1}, StoredAtNs: ago(0)}, false},
		} {
			mirrored := false
			counted := prometheus.NewRegistry()
			tooOld := promauto.With(counted).NewCounter(prometheus.CounterOpts{Name: "too_old"})
			p := &partition{tooOld: tooOld, mirror: func(guildID uint64, ev *playerv1.Event) {
				if mirrored = true; guildID != guild || ev.GetGuildId() != guild {
					t.Errorf("%s: %d, %v", name, guildID, ev)
				}
			}}
			if p.reflect(test.d); mirrored != test.want {
				t.Errorf("%s: mirrored %t", name, mirrored)
			}
			if is := metrics.Read(counted).Sum("too_old") == 1; is != (name == "too old") {
				t.Errorf("%s: counted as too old: %t", name, is)
			}
			(&partition{}).reflect(test.d) // without a mirror
		}
	})
}
