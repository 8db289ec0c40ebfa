package owner

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/nats-io/nats.go/jetstream"
)

// members is what this fanout sees of the lease bucket: which fanouts live and which leases are
// held. Watchers do not see a key expire, so each key counts from when it was last seen renewed.
type members struct {
	self    string
	ttl     time.Duration
	changed chan struct{} // holds a token after a fanout or lease came or was given back

	mu      sync.Mutex
	fanouts map[string]sighting
	leases  map[uint32]time.Time // last renewal seen
}

// sighting is when a fanout was seen.
type sighting struct{ first, last time.Time }

func newMembers(self string, ttl time.Duration) *members {
	return &members{
		self: self, ttl: ttl, changed: make(chan struct{}, 1),
		fanouts: make(map[string]sighting), leases: make(map[uint32]time.Time),
	}
}

// watch follows the bucket until ctx ends.
func (m *members) watch(ctx context.Context, bucket jetstream.KeyValue) error {
	watcher, err := bucket.WatchAll(ctx)
	if err != nil {
		return err
	}
	defer watcher.Stop() //nolint:errcheck // the connection is gone, and the watcher with it
	for {
		select {
		case <-ctx.Done():
			return nil
		case entry, open := <-watcher.Updates():
			if !open {
				return nil
			}
			if entry != nil { // nil: all that was there at the start has been seen
				m.see(entry)
			}
		}
	}
}

func (m *members) see(entry jetstream.KeyValueEntry) {
	scope, name, _ := strings.Cut(entry.Key(), ".")
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	there := entry.Operation() == jetstream.KeyValuePut
	switch scope {
	case "fanout":
		known, before := m.fanouts[name]
		switch {
		case !there:
			delete(m.fanouts, name)
		case before && now.Sub(known.last) < m.ttl:
			known.last = now
			m.fanouts[name] = known
			return
		default:
			m.fanouts[name] = sighting{now, now}
		}
	case "partition":
		number, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return
		}
		if there {
			m.leases[uint32(number)] = now
			return
		}
		delete(m.leases, uint32(number))
	}
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// live lists the fanouts that are there, this one among them, and forgets those that are not.
func (m *members) live() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := []string{m.self}
	for id, seen := range m.fanouts {
		switch {
		case time.Since(seen.last) > m.ttl:
			delete(m.fanouts, id)
		case id != m.self:
			ids = append(ids, id)
		}
	}
	return ids
}

func (m *members) peers() []string { return m.live()[1:] }

// settled says whether a fanout has been there for long enough to be handed something.
func (m *members) settled(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen, there := m.fanouts[id]
	return there && time.Since(seen.first) > m.ttl/4
}

// free says whether nobody seems to hold the partition's lease.
func (m *members) free(partition uint32) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	renewed, held := m.leases[partition]
	return !held || time.Since(renewed) > m.ttl
}

// rendezvous is the one of ids that should have the partition: every fanout that sees the same ids
// names the same one, and an id that comes or goes moves only its own share.
func rendezvous(ids []string, partition uint32) (winner string) {
	suffix := "/" + strconv.FormatUint(uint64(partition), 10)
	var highest uint64
	for _, id := range ids {
		if weight := xxhash.Sum64String(id + suffix); winner == "" || weight > highest || weight == highest && id < winner {
			winner, highest = id, weight
		}
	}
	return winner
}
