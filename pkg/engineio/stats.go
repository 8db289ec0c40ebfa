package engineio

import (
	"slices"
	"sync/atomic"
	"time"
)

// Stats is what a server has counted since it was made, and what it holds now. Bytes are those of
// messages, before framing and compression, unless said otherwise.
type Stats struct {
	// Held now.
	Polling, WebSocket int // sessions by transport
	QueuedFrames       int // frames that wait for clients that do not read, for a poll, or a moment for a flusher
	QueuedBytes        int
	Backlogs           int // sessions for which something waits, but for a flusher

	Peak int // most sessions at the same time

	// Counted. OpenedPolling + OpenedWebSocket = all of Closed + sessions now.
	OpenedPolling, OpenedWebSocket uint64 // by the transport they began with
	Upgraded                       uint64 // from polling to WebSocket
	Closed                         map[Reason]uint64
	Refused                        map[Code]uint64 // requests
	Full                           uint64          // handshakes refused at MaxSessions, or after Close

	MessagesSent, BytesSent         uint64 // given to sessions that live
	MessagesReceived, BytesReceived uint64
	Conflated                       uint64 // frames replaced by newer ones while they waited
	Dropped                         uint64 // volatile messages that a transport could not take
	Deflates                        uint64 // messages compressed, each once for all its sessions
	DeflateIn, DeflateOut           uint64 // their bytes before and after, for WebSocket
	PollsCompressed                 uint64 // polling answers compressed, each once for all who are sent it at the moment
	PollIn, PollOut                 uint64 // bytes of them before and after

	Pings PingStats
}

// PingStats is how long pongs took to come, a histogram.
type PingStats struct {
	Counts [len(pingBounds) + 1]uint64 // by PingBounds, each without those before; the last is above all
	Sum    time.Duration
}

// pingBounds are the histogram's upper bounds, inclusive.
var pingBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// PingBounds are the upper bounds of PingStats.Counts, inclusive, in rising order.
func PingBounds() []time.Duration { return pingBounds[:] }

// counters are behind Stats. What happens for each message is spread over traffic, so that two
// goroutines that broadcast do not wait for each other's cache line.
type counters struct {
	peak                           atomic.Int64
	openedPolling, openedWebSocket atomic.Uint64
	upgraded, full                 atomic.Uint64
	closed                         [len(reasons)]atomic.Uint64
	refused                        [len(codeMessages)]atomic.Uint64
	conflated, dropped             atomic.Uint64
	deflates, deflateIn            atomic.Uint64
	deflateOut                     atomic.Uint64
	polls, pollIn, pollOut         atomic.Uint64
	pings                          [len(pingBounds) + 1]atomic.Uint64
	pingSum                        atomic.Int64

	nextTraffic atomic.Uint32
	traffic     [16]traffic
}

// traffic is counted by one in sixteen sessions.
type traffic struct {
	sent, sentBytes, received, receivedBytes atomic.Uint64
	_                                        [128 - 4*8]byte // two cache lines: they are fetched in pairs
}

// share is the traffic that a new session counts in.
func (c *counters) share() *traffic {
	return &c.traffic[c.nextTraffic.Add(1)%uint32(len(c.traffic))]
}

func (t *traffic) countSent(f *Frame) {
	t.sent.Add(uint64(f.messageCount()))
	t.sentBytes.Add(uint64(f.size))
}

func (t *traffic) countReceived(bytes int) {
	t.received.Add(1)
	t.receivedBytes.Add(uint64(bytes))
}

// countOpen counts a session that begins.
func (c *counters) countOpen(webSocket bool, sessions int) {
	if webSocket {
		c.openedWebSocket.Add(1)
	} else {
		c.openedPolling.Add(1)
	}
	for {
		peak := c.peak.Load()
		if int64(sessions) <= peak || c.peak.CompareAndSwap(peak, int64(sessions)) {
			return
		}
	}
}

// countClose counts a session that ends. A reason that is none of ours, which only an application can
// give, counts as what it is: a forced close.
func (c *counters) countClose(reason Reason) {
	i := slices.Index(reasons[:], reason)
	if i < 0 {
		i = slices.Index(reasons[:], ReasonForcedClose)
	}
	c.closed[i].Add(1)
}

// countConflated and countDeflate do nothing without counters: a queue or a frame may stand alone.
func (c *counters) countConflated(frames int) {
	if c != nil {
		c.conflated.Add(uint64(frames))
	}
}

// countDropped counts the messages of a volatile frame that a live session was not sent.
func (c *counters) countDropped(f *Frame) { c.dropped.Add(uint64(f.messageCount())) }

func (c *counters) countDeflate(in, out int) {
	if c == nil {
		return
	}
	c.deflates.Add(1)
	c.deflateIn.Add(uint64(in))
	c.deflateOut.Add(uint64(out))
}

func (c *counters) countPoll(in, out int) {
	c.polls.Add(1)
	c.pollIn.Add(uint64(in))
	c.pollOut.Add(uint64(out))
}

func (c *counters) countPing(took time.Duration) {
	i := 0
	for i < len(pingBounds) && took > pingBounds[i] {
		i++
	}
	c.pings[i].Add(1)
	c.pingSum.Add(int64(took))
}

// Stats reads the counters, and looks at every session: a fraction of a microsecond for each.
func (s *Server) Stats() Stats {
	c := &s.counters
	out := Stats{
		Peak:          int(c.peak.Load()),
		OpenedPolling: c.openedPolling.Load(), OpenedWebSocket: c.openedWebSocket.Load(),
		Upgraded: c.upgraded.Load(), Full: c.full.Load(),
		Closed: map[Reason]uint64{}, Refused: map[Code]uint64{},
		Conflated: c.conflated.Load(), Dropped: c.dropped.Load(),
		Deflates: c.deflates.Load(), DeflateIn: c.deflateIn.Load(), DeflateOut: c.deflateOut.Load(),
		PollsCompressed: c.polls.Load(), PollIn: c.pollIn.Load(), PollOut: c.pollOut.Load(),
		Pings: PingStats{Sum: time.Duration(c.pingSum.Load())},
	}
	for i, reason := range reasons {
		out.Closed[reason] = c.closed[i].Load()
	}
	for code := range c.refused {
		out.Refused[Code(code)] = c.refused[code].Load()
	}
	for i := range c.pings {
		out.Pings.Counts[i] = c.pings[i].Load()
	}
	for i := range c.traffic {
		t := &c.traffic[i]
		out.MessagesSent += t.sent.Load()
		out.BytesSent += t.sentBytes.Load()
		out.MessagesReceived += t.received.Load()
		out.BytesReceived += t.receivedBytes.Load()
	}
	s.mu.Lock()
	sessions := make([]*Session, 0, len(s.sessions))
	for _, session := range s.sessions {
		sessions = append(sessions, session)
	}
	s.mu.Unlock()
	for _, session := range sessions {
		session.addTo(&out)
	}
	return out
}

// addTo adds what the session holds.
func (s *Session) addTo(out *Stats) {
	frames, bytes, posted, draining := 0, 0, 0, false
	s.mu.Lock()
	open, ws := s.state == stateOpen, s.ws.Load()
	if ws == nil {
		frames, bytes = len(s.queue.entries), s.queue.bytes
	}
	s.mu.Unlock()
	if !open {
		return
	}
	if ws == nil {
		out.Polling++
	} else {
		out.WebSocket++
		ws.mu.Lock()
		frames, bytes, draining = len(ws.queue.entries), ws.queue.bytes, ws.draining
		if ws.pending != nil {
			posted = ws.pending.leaves()
			bytes += ws.pending.size
		}
		ws.mu.Unlock()
	}
	out.QueuedFrames += frames + posted
	out.QueuedBytes += bytes
	if frames > 0 || draining { // what is being drained is no longer in the queue
		out.Backlogs++
	}
}
