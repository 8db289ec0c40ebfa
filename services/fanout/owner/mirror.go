package owner

import (
	"time"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// mirrorAge is how old a stored event may be that is still mirrored: a new owner gets again what lies after
// the last checkpoint, and most of that was mirrored by the one before.
const mirrorAge = 5 * time.Second

// reflect tells the mirror of an event or a position as soon as it comes: who listens on servers of another kind does not make
// the guild one that is in memory. The caller holds mu.
func (p *partition) reflect(d *edgev1.Delivery) {
	if p.mirror == nil {
		return
	}
	if stored := d.GetStoredAtNs(); stored != 0 && time.Since(time.Unix(0, stored)) >= mirrorAge {
		p.tooOld.Inc()
		return
	}
	if ev, err := decode(d); err == nil { // otherwise folding it says so
		p.mirror(d.GetGuildId(), ev)
	}
}
