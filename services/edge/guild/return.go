package guild

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/pona-realtime/pona/pkg/socketio"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Return lets a listener back in that entered after the event since and has had the guild's events up
// to an offset, which was a packet's. It calls enter, while nothing of the guild is being broadcast, with what the listener's rooms have missed, and with the
// newest position, of which none is kept. The guild must be held; enter must not wait.
//
// Where this edge has not seen the missed events, they are read from the stream, once for all who
// come back meanwhile. Return is false, and enter not called, when they are not to be had.
func (c *Cache) Return(ctx context.Context, guildID, since uint64, offset string, rooms []string, enter func(missed []*socketio.Packet)) bool {
	g, had := c.guild(guildID), position{}
	if g == nil || !had.parse(offset) || had.sequence < since { // before since: lost again before its handshake came
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Wait)
	defer cancel()
	c.Applied(ctx, guildID, had.sequence) // the listener may have been ahead of this edge
	for ctx.Err() == nil {
		returned, wait := c.comeBack(g, had, rooms, enter)
		if wait == nil {
			return returned
		}
		select {
		case <-wait.done:
		case <-ctx.Done():
		}
	}
	return false
}

// comeBack is Return where the history is there; otherwise it says whose end to wait for.
func (c *Cache) comeBack(g *guild, had position, rooms []string, enter func(missed []*socketio.Packet)) (returned bool, wait *recall) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.known || g.sequence < had.sequence {
		return false, nil
	}
	missed, known, gone, floor := c.history.since(g.id, had.whole())
	switch {
	case known:
		packets, err := g.missed(missed, had, rooms)
		if err != nil {
			return false, nil
		}
		enter(packets)
		return true, nil
	case gone:
		return false, nil
	case g.recall == nil:
		g.recall = c.recall(g, had.whole(), floor)
	}
	return false, g.recall
}

// missed is what of these entries is for rooms, and the position.
func (g *guild) missed(entries []*entry, had position, rooms []string) (packets []*socketio.Packet, err error) {
	for _, e := range entries {
		runs, err := e.runs()
		if err != nil {
			continue // nobody has been sent it
		}
		emit := 0
		for _, run := range runs {
			for _, packet := range run.packets {
				known := e.sequence == had.sequence && emit < had.emits
				if emit++; !known && (run.room == "" || slices.Contains(rooms, run.room)) {
					packets = append(packets, packet)
				}
			}
		}
	}
	if !g.state.GetExists() || g.state.GetPosition() == "" {
		return packets, nil
	}
	runs, err := encode(&playerv1.Event{Kind: &playerv1.Event_PositionUpdated{
		PositionUpdated: &playerv1.PositionUpdated{Position: g.state.GetPosition()},
	}}, 0)
	if err != nil {
		return nil, err
	}
	return append(packets, runs[0].packets...), nil
}

// recall is one read of a guild's missed events from the stream, shared by all who wait for it.
type recall struct{ done chan struct{} }

// recall reads the guild's events after one sequence up to and with another into the history. The caller
// holds g.mu.
func (c *Cache) recall(g *guild, after, upTo uint64) *recall {
	r := &recall{done: make(chan struct{})}
	request := &edgev1.ReplayRequest{
		GuildId: g.id, AfterSequence: after, UpToSequence: upTo, NextSequence: g.next(after),
		WithinMs: uint32(c.history.options.Window.Milliseconds()), MaxBytes: uint64(c.history.options.GuildBytes),
	}
	c.running.Go(func() {
		err := c.read(request)
		g.mu.Lock()
		g.recall = nil
		g.mu.Unlock()
		if err != nil {
			c.options.Log.Debug("missed events are not to be had", "guild", g.id, "after", after, "error", err)
			c.history.lost(g.id, after)
		}
		close(r.done)
	})
	return r
}

// read asks until there is an answer, or for as long as somebody may wait for it.
func (c *Cache) read(request *edgev1.ReplayRequest) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.options.Wait)
	defer cancel()
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 50*time.Millisecond, time.Second
	response, err := backoff.Retry(ctx, func() (*edgev1.ReplayResponse, error) {
		response, err := c.upstream.Replay(ctx, request)
		if status.Code(err) == codes.OutOfRange {
			err = backoff.Permanent(err)
		}
		return response, err
	}, backoff.WithBackOff(retry))
	if err != nil {
		return err
	}
	var earlier []*entry
	for _, d := range response.GetDeliveries() {
		event := new(playerv1.Event)
		if err := proto.Unmarshal(d.GetEvent(), event); err != nil {
			return err
		}
		if event.GetGuildId() != request.GetGuildId() {
			return errForeign
		}
		earlier = append(earlier, entryOf(d, event))
	}
	c.history.extend(request.GetGuildId(), response.GetAfterSequence(), request.GetUpToSequence(), earlier)
	// What did not fit, because it is too old or too much, is not asked for again.
	if _, known, _, _ := c.history.since(request.GetGuildId(), request.GetAfterSequence()); !known {
		return errTooMuch
	}
	return nil
}

var (
	errForeign = errors.New("the events are another guild's")
	errTooMuch = errors.New("they are too old, or too many")
)

// entryOf is the entry of an event that came as d.
func entryOf(d *edgev1.Delivery, event *playerv1.Event) *entry {
	return newEntry(d.GetGuildId(), d.GetSequence(), time.Unix(0, d.GetStoredAtNs()), len(d.GetEvent()), event)
}

// Sequence is that of the guild's last event that has been broadcast; 0 where none is known.
func (c *Cache) Sequence(guildID uint64) uint64 {
	g := c.guild(guildID)
	if g == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sequence
}
