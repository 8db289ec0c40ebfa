package owner

import (
	"google.golang.org/protobuf/proto"

	"github.com/pona-realtime/pona/pkg/player"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// event folds what comes next in a guild. The caller holds mu.
func (p *partition) event(g *guild, d *edgev1.Delivery) {
	if d.GetTraceparent() != "" {
		defer p.trace(g, d, len(g.edges))()
	}
	if err := fold(g, d); err != nil {
		p.log.Warn("an event that nobody can use is left out", "guild", g.id, "sequence", d.GetSequence(), "error", err)
		return
	}
	g.advance(d)
	p.dirty[g.id] = g
	for _, e := range g.edges {
		e.Event(d)
	}
	if g.replay != nil {
		g.replay.follow(d)
	}
}

// fold reads an event and takes it into the guild's state.
func fold(g *guild, d *edgev1.Delivery) error {
	ev, err := decode(d)
	if err == nil {
		err = player.Fold(g.state, ev)
	}
	return err
}

// decode takes what stands in the stream with a grain of salt: not only this project's ingest can
// publish there.
func decode(d *edgev1.Delivery) (*playerv1.Event, error) {
	ev := new(playerv1.Event)
	if err := proto.Unmarshal(d.GetEvent(), ev); err != nil {
		return nil, err
	}
	if err := player.Validate(ev); err != nil {
		return nil, err
	}
	if ev.GetGuildId() != d.GetGuildId() {
		return nil, errForeignGuild
	}
	if _, isPosition := ev.GetKind().(*playerv1.Event_PositionUpdated); isPosition != (d.GetSequence() == 0) {
		return nil, errMisplaced
	}
	return ev, nil
}
