package socketio

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// history is what a namespace's sockets were sent of late, for those that come back. Its methods are
// called with the namespace's lock held; a nil history keeps nothing.
type history struct {
	name   string // in offsets, to tell them from those of another process
	bounds *MemoryRecovery

	last  uint64 // sequence of the newest event; the first is 1
	kept  []past // without a gap up to the newest, oldest first
	bytes int
}

// past is one event and whom it was for.
type past struct {
	at            time.Time
	rooms, except []string
	packet        *Packet
	size          int
}

func (m *MemoryRecovery) newHistory() *history {
	return &history{name: engineio.NewID()[:8], bounds: m}
}

// newest is the sequence of the last event.
func (h *history) newest() uint64 {
	if h == nil {
		return 0
	}
	return h.last
}

// record keeps packets for those who are away and returns them with their offsets.
func (h *history) record(rooms, except []string, packets []*Packet) []*Packet {
	if h == nil {
		return packets
	}
	now := time.Now()
	placed := make([]*Packet, 0, len(packets))
	for _, p := range packets {
		p = p.at(h.name + "." + strconv.FormatUint(h.last+1, 36))
		h.last++
		placed = append(placed, p)
		h.kept = append(h.kept, past{at: now, rooms: rooms, except: except, packet: p, size: p.size()})
		h.bytes += p.size()
	}
	h.trim(now)
	h.bounds.sweepLater()
	return placed
}

// record keeps packets for one socket that is in the namespace. The namespace's lock is held.
func (n *Namespace) record(s *Socket, packets []*Packet) []*Packet {
	if n.history == nil || n.sockets[s.id] != s {
		return packets
	}
	packets = n.history.record([]string{s.id}, nil, packets)
	s.sent = n.history.newest()
	return packets
}

// away tells whether the socket has ended in a way that a MemoryRecovery remembers.
func (s *Socket) away() bool {
	s.nsp.mu.Lock()
	defer s.nsp.mu.Unlock()
	return s.nsp.history != nil && s.gone && s.pid != "" && resumable[s.reason]
}

// trim forgets what is over a bound, or too old to be asked for.
func (h *history) trim(now time.Time) {
	n := 0
	for n < len(h.kept) && (len(h.kept)-n > h.bounds.opts.MaxPackets || h.bytes > h.bounds.opts.MaxBytes || now.Sub(h.kept[n].at) > h.bounds.linger) {
		h.bytes -= h.kept[n].size
		n++
	}
	clear(h.kept[:n])
	h.kept = h.kept[n:]
}

// since returns what came after an event for a socket in rooms; not ok if some of it may be forgotten.
func (h *history) since(after uint64, rooms []string) (missed []*Packet, ok bool) {
	first := h.last - uint64(len(h.kept)) + 1
	if after > h.last || after+1 < first {
		return nil, false
	}
	for _, p := range h.kept[after+1-first:] {
		if p.reaches(rooms) {
			missed = append(missed, p.packet)
		}
	}
	return missed, true
}

func (p *past) reaches(rooms []string) bool {
	in := func(room string) bool { return slices.Contains(rooms, room) }
	return (len(p.rooms) == 0 || slices.ContainsFunc(p.rooms, in)) && !slices.ContainsFunc(p.except, in)
}

// parse reads an offset that this history gave.
func (h *history) parse(offset string) (seq uint64, ok bool) {
	name, digits, _ := strings.Cut(offset, ".")
	seq, err := strconv.ParseUint(digits, 36, 64)
	return seq, err == nil && name == h.name && seq <= h.last
}
