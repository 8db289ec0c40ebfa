package guild

import (
	"container/list"
	"slices"
	"sync"
	"time"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// HistoryOptions bound what is kept of the events that listeners may have missed. What is over a bound
// is forgotten, oldest first; who missed it starts again from a snapshot.
type HistoryOptions struct {
	Window     time.Duration // age of an event; 0 means 2 min
	GuildBytes int           // of one guild's events; 0 means 16 MiB
	Guild      int           // one guild's events; 0 means 2048
	Bytes      int           // of all guilds' events; 0 means 256 MiB
}

// entryOverhead is what an entry costs beside its event.
const entryOverhead = 256

// entry is one stored event, in the history.
type entry struct {
	guildID, sequence uint64
	storedAt          time.Time
	size              int
	runs              func() ([]run, error) // what it emits, encoded when the first listener needs it
	place             *list.Element         // in history.order
}

func newEntry(guildID, sequence uint64, storedAt time.Time, size int, event *playerv1.Event) *entry {
	return &entry{
		guildID: guildID, sequence: sequence, storedAt: storedAt, size: size + entryOverhead,
		runs: sync.OnceValues(func() ([]run, error) { return encode(event, sequence) }),
	}
}

// history is the last events of the guilds on this edge. Its methods may be called at the same time;
// those that add to one guild come one after the other.
type history struct {
	options HistoryOptions

	mu     sync.Mutex
	guilds map[uint64]*past
	order  *list.List // of *entry, all guilds', the next to be forgotten in front
	bytes  int
}

// past is one guild's part: all its events after floor.
type past struct {
	floor   uint64
	aged    uint64   // who has not had this one has missed something that is out of the window
	entries []*entry // by sequence
	bytes   int
}

func newHistory(o HistoryOptions) *history {
	if o.Window <= 0 {
		o.Window = 2 * time.Minute
	}
	if o.GuildBytes <= 0 {
		o.GuildBytes = 16 << 20
	}
	if o.Guild <= 0 {
		o.Guild = 2048
	}
	if o.Bytes <= 0 {
		o.Bytes = 256 << 20
	}
	return &history{options: o, guilds: make(map[uint64]*past), order: list.New()}
}

// begin starts a guild's history after a sequence; what there was is forgotten.
func (h *history) begin(guildID, floor uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(guildID)
	h.guilds[guildID] = &past{floor: floor}
}

// forget ends a guild's history.
func (h *history) forget(guildID uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(guildID)
}

func (h *history) remove(guildID uint64) {
	if p := h.guilds[guildID]; p != nil {
		for len(p.entries) > 0 {
			h.drop(p)
		}
		delete(h.guilds, guildID)
	}
}

// add appends the guild's next event.
func (h *history) add(e *entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.guilds[e.guildID]
	if p == nil {
		return
	}
	e.place = h.order.PushBack(e)
	p.entries = append(p.entries, e)
	h.count(p, e.size)
	h.bound(p)
}

// extend puts earlier events, all after one sequence up to another, before those that are there.
func (h *history) extend(guildID, after, upTo uint64, earlier []*entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.guilds[guildID]
	if p == nil || upTo < p.floor || after >= p.floor {
		return
	}
	oldest := time.Now().Add(-h.options.Window)
	next := p.entries
	p.entries = nil
	for _, e := range earlier {
		switch {
		case e.sequence > p.floor:
			continue
		case e.storedAt.Before(oldest):
			p.aged, after = e.sequence, e.sequence
			continue
		}
		p.entries = append(p.entries, e)
	}
	for _, e := range slices.Backward(p.entries) {
		e.place = h.order.PushFront(e)
		h.count(p, e.size)
	}
	p.entries = append(p.entries, next...)
	p.floor = after
	h.bound(p)
}

// lost says that the events after a sequence are no longer to be had.
func (h *history) lost(guildID, after uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.guilds[guildID]; p != nil {
		p.aged = max(p.aged, after+1)
	}
}

// since gives the events after a sequence. Where they are not all there, known is false; gone says that
// they never will be, otherwise those up to floor are missing.
func (h *history) since(guildID, after uint64) (missed []*entry, known, gone bool, floor uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.guilds[guildID]
	if p == nil {
		return nil, false, true, 0
	}
	h.age(p)
	if after < p.aged {
		return nil, false, true, p.floor
	}
	if after < p.floor {
		return nil, false, false, p.floor
	}
	at, _ := slices.BinarySearchFunc(p.entries, after+1, func(e *entry, sequence uint64) int {
		switch {
		case e.sequence < sequence:
			return -1
		case e.sequence > sequence:
			return 1
		}
		return 0
	})
	return slices.Clone(p.entries[at:]), true, false, p.floor
}

// bound forgets what is too much, after something has been added to p.
func (h *history) bound(p *past) {
	for p.bytes > h.options.GuildBytes || len(p.entries) > h.options.Guild {
		h.drop(p)
	}
	for h.bytes > h.options.Bytes {
		h.drop(h.guilds[h.order.Front().Value.(*entry).guildID])
	}
	h.age(p)
}

// age forgets what is out of the window: p's first, because what extend puts in front of all others may be
// younger than they are, and would keep them while guilds are extended again and again.
func (h *history) age(p *past) {
	oldest := time.Now().Add(-h.options.Window)
	for len(p.entries) > 0 && !p.entries[0].storedAt.After(oldest) {
		p.aged = p.entries[0].sequence
		h.drop(p)
	}
	for front := h.order.Front(); front != nil; front = h.order.Front() {
		e := front.Value.(*entry)
		if e.storedAt.After(oldest) {
			return
		}
		p := h.guilds[e.guildID]
		p.aged = e.sequence
		h.drop(p)
	}
}

// drop forgets the first event of a guild.
func (h *history) drop(p *past) {
	first := p.entries[0]
	p.entries[0] = nil
	p.entries = p.entries[1:]
	p.floor = first.sequence
	h.order.Remove(first.place)
	h.count(p, -first.size)
}

func (h *history) count(p *past, size int) {
	p.bytes += size
	h.bytes += size
}
