package socketio

import (
	"slices"
	"sync/atomic"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// Stats is what a server has counted since it was made, and what it holds now.
type Stats struct {
	Engine engineio.Stats // of the connections; one of them may have sockets in many namespaces

	Namespaces int    // that live
	Found      uint64 // CONNECTs to a namespace of a parent's that lived; others always do
	Made       uint64 // CONNECTs for which one was made
	Rooms      int    // in all namespaces, without those that are a socket's own

	Sockets    int               // that are in their namespace
	Joined     uint64            // Joined = all of Ended + Sockets
	Ended      map[string]uint64 // by the reason that OnDisconnect is told
	NotAllowed uint64            // sockets that middleware refused
	NotFound   uint64            // sockets that asked for a namespace that is none

	// What became of clients that came back with a pid, beside those whose middleware refused.
	Recovered     uint64 // with nothing lost; among Joined
	UnknownPID    uint64 // the Recovery did not know them
	MissedTooMuch uint64 // what they missed was no longer kept
}

// The reasons for which a socket ends: its connection's, or one of two of its own.
const (
	reasonClientDisconnect = "client namespace disconnect"
	reasonServerDisconnect = "server namespace disconnect"
)

var endings = []string{
	reasonClientDisconnect, reasonServerDisconnect,
	string(engineio.ReasonPingTimeout), string(engineio.ReasonTransportClose), string(engineio.ReasonTransportError),
	string(engineio.ReasonParseError), string(engineio.ReasonForcedClose), string(engineio.ReasonServerShuttingDown),
	string(engineio.ReasonSlowConsumer),
}

// counters are behind Stats.
type counters struct {
	rooms                        atomic.Int64 // with members, without those that are a socket's own
	found, made                  atomic.Uint64
	joined, notAllowed, notFound atomic.Uint64
	recovered, unknownPID        atomic.Uint64
	missedTooMuch                atomic.Uint64
	ended                        [9]atomic.Uint64 // as endings
}

func (c *counters) countFound(n *Namespace) {
	if n.parent != nil {
		c.found.Add(1)
	}
}

func (c *counters) countJoin(recovered bool) {
	c.joined.Add(1)
	if recovered {
		c.recovered.Add(1)
	}
}

// countEnd counts a socket that had joined. A reason of the application's own counts as forced close.
func (c *counters) countEnd(reason string) {
	i := slices.Index(endings, reason)
	if i < 0 {
		i = slices.Index(endings, string(engineio.ReasonForcedClose))
	}
	c.ended[i].Add(1)
}

// Stats reads the counters; see engineio.Server.Stats for what that costs.
func (s *Server) Stats() Stats {
	c := &s.counters
	out := Stats{
		Engine: s.engine.Stats(),
		Rooms:  int(c.rooms.Load()),
		Ended:  make(map[string]uint64, len(endings)), NotAllowed: c.notAllowed.Load(), NotFound: c.notFound.Load(),
		Found: c.found.Load(), Made: c.made.Load(),
		Recovered: c.recovered.Load(), UnknownPID: c.unknownPID.Load(), MissedTooMuch: c.missedTooMuch.Load(),
	}
	var ended uint64
	for i, reason := range endings {
		n := c.ended[i].Load()
		out.Ended[reason] = n
		ended += n
	}
	out.Joined = c.joined.Load() // after the ends: there are never more of those
	out.Sockets = int(out.Joined - ended)
	s.mu.Lock()
	out.Namespaces = len(s.namespaces)
	s.mu.Unlock()
	return out
}
