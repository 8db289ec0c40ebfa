package scenario

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pona-realtime/pona/test/load/source"
	"github.com/pona-realtime/pona/test/load/stamp"
)

// settle is how long nothing may come before what has not come counts as lost. A server that fails over is given the time.
const settle = 10 * time.Second

// source opens what emits.
func (r *run) source(ctx context.Context, c *crowd) (source.Source, error) {
	o := source.Options{Event: r.Event, Namespace: fill(r.Namespace[0], 0), Room: r.room()}
	switch {
	case r.PonaFanout != "":
		return source.Fanout(o, r.PonaFanout, r.PonaToken, r.PonaTLS)
	case r.Redis != "":
		return source.Redis(ctx, o, r.Redis, r.RedisKey, r.Sharded)
	default:
		return source.Relay(ctx, o, c.options, fill(r.Auth, 0), r.EmitEvent)
	}
}

// emit emits stamped events when they are due and says how many, fewer where ctx ends or the source fails.
func (r *run) emit(ctx context.Context, from source.Source, run, n int, body func(stamp string) string) (emitted int, err error) {
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range n {
		timer.Reset(time.Until(began.Add(time.Duration(float64(i) / r.EventRate * float64(time.Second)))))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return i, nil
		}
		if err := from.Emit(ctx, body(stamp.Stamp{At: stamp.Now(), Run: run, Sequence: i}.String())); err != nil {
			return i, fmt.Errorf("emit: %w", err)
		}
		r.step("emit", i+1, n)
	}
	return n, nil
}

// await waits until the crowd has been delivered that much, or nothing has come for a while.
func (c *crowd) await(expected int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	seen, since := int64(-1), time.Now()
	for {
		delivered := c.tally.delivered.Load()
		if delivered >= expected {
			return
		}
		if delivered != seen {
			seen, since = delivered, time.Now()
		}
		if time.Since(since) > settle {
			return
		}
		<-tick.C
	}
}

// text makes a JSON string of that many bytes around a stamp.
func (s *Settings) text(stamped string) string {
	body := strings.Repeat("pona ", int(s.Size)/5+1)[:max(int(s.Size)-len(stamped), 0)]
	text, _ := json.Marshal(stamped + body) // a string has a JSON form
	return string(text)
}

// broadcast has events sent to a room.
func broadcast(ctx context.Context, r *run) error {
	r.title("%d events of %d bytes to a room of %d over %s, %g a second", r.Events, r.Size, r.clients, r.Transport, r.EventRate)
	c := r.newCrowd("")
	defer c.disperse()
	if err := c.gather(ctx, r.clients); err != nil {
		return err
	}
	from, err := r.source(ctx, c)
	if err != nil {
		return err
	}
	c.tally.begin(1, r.distribution("delivery"))
	r.watchRate("deliveries", c.tally.delivered.Load)
	began := time.Now()
	emitted, err := r.emit(ctx, from, 1, r.Events, r.text)
	expected := int64(emitted) * int64(len(c.members))
	c.await(expected)
	took := time.Since(began).Seconds()
	r.result.Figures.Add("events", float64(emitted))
	nobody := c.addDeliveries(expected)
	r.result.Figures.Add("deliveries_per_s", float64(c.tally.delivered.Load())/took)
	return cmp.Or(err, from.Close(), nobody)
}
