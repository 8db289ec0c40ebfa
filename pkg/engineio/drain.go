package engineio

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// DrainOptions tunes Server.Drain.
type DrainOptions struct {
	// Rate is how many sessions are moved in a second, or more where ctx's deadline demands it; 0
	// spreads them over nine tenths of the time until then, or moves them at once where ctx has none.
	Rate float64
	// Fraction is the share of the sessions that is moved, 0 to 1; 0 means all of them.
	Fraction float64
	// Accept keeps new handshakes coming in, which are not moved; without it they are refused with
	// 503 and Retry-After on a connection that closes, so that the next attempt may find another server.
	Accept bool
}

var errDraining = errors.New("engineio: the server is being drained")

// Drain moves all sessions away, in random order and jittered: each transport is closed after what was
// sent before, with the reason "server shutting down", and stock clients reconnect by themselves. It
// returns when the last one has let go, or a second after its end, or with ctx: the error says how many
// have not been moved and stay as they are. moved is how many it has ended. The server stays drained.
func (s *Server) Drain(ctx context.Context, opts DrainOptions) (moved int, err error) {
	s.mu.Lock()
	s.refusing = s.refusing || !opts.Accept
	sessions := make([]*Session, 0, len(s.sessions))
	for _, session := range s.sessions {
		sessions = append(sessions, session)
	}
	s.mu.Unlock()
	rand.Shuffle(len(sessions), func(i, j int) { sessions[i], sessions[j] = sessions[j], sessions[i] })
	if opts.Fraction > 0 && opts.Fraction < 1 {
		sessions = sessions[:int(math.Ceil(opts.Fraction*float64(len(sessions))))]
	}

	pace := opts.pace(ctx, len(sessions))
	start := time.Now()
	for i, session := range sessions {
		due := time.Duration((float64(i) + rand.Float64()) * float64(pace))
		if !sleep(ctx, due-time.Since(start)) {
			return moved, fmt.Errorf("engineio: %d sessions not drained: %w", len(sessions)-i, ctx.Err())
		}
		if session.end(ReasonServerShuttingDown, nil, true) {
			moved++
		}
	}
	last := time.NewTimer(lastPoll)
	defer last.Stop()
	for _, session := range sessions {
		select {
		case <-s.forgotten(session):
		case <-last.C:
			return moved, nil
		case <-ctx.Done():
			return moved, nil
		}
	}
	return moved, nil
}

// lastPoll is how long Drain waits for polling clients that are between two polls to fetch their last
// packets; most have one waiting.
const lastPoll = time.Second

// forgotten is closed when the session is no longer in the table.
func (s *Server) forgotten(session *Session) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := make(chan struct{})
	if s.sessions[session.id] == session {
		session.gone = gone
	} else {
		close(gone)
	}
	return gone
}

// pace is the mean time between two of n sessions.
func (o DrainOptions) pace(ctx context.Context, n int) time.Duration {
	var pace time.Duration
	if o.Rate > 0 {
		pace = time.Duration(float64(time.Second) / o.Rate)
	}
	deadline, ok := ctx.Deadline()
	if !ok || n == 0 {
		return pace
	}
	spread := time.Until(deadline) * 9 / 10 / time.Duration(n)
	if o.Rate > 0 {
		return min(pace, spread)
	}
	return spread
}

// sleep waits unless ctx has ended, and says whether it has not.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
