package gateway

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pona-realtime/pona/pkg/socketio"
)

// Grant is what a client's credentials allow.
type Grant struct {
	UserID uint64
	Until  time.Time // when they end; zero where nobody knows
}

// What a client is told with the event `revoked` before it is disconnected from a guild, beside the
// refusals of Authorize and a bot's own words.
const (
	expired  = "token expired"
	flooding = "rate limited"
)

// tryAgain is when a listener is looked at again that could not be asked about.
const tryAgain = time.Minute

// watch has a listener asked about again from time to time, and at the end of its credentials.
type watch struct {
	mu      sync.Mutex
	grant   Grant
	asked   time.Time   // just before grant was asked for
	timer   *time.Timer // nil until begin, and where there is nothing to wait for
	ended   bool
	looking sync.WaitGroup // at most one; added to under mu, and not after ended
}

// begin watches a listener; it ends with stop. A revocation that came while it was on its way in counts.
func (g *Gateway) begin(s *socketio.Socket, l *listener) {
	l.watch.mu.Lock()
	asked := l.watch.asked
	l.watch.mu.Unlock()
	if r, is := g.revoked.GetIfPresent(revocationKey{l.guildID, l.userID}); is && !r.at.Before(asked) {
		g.revokeOne(s, l, r)
	}
	l.watch.mu.Lock()
	defer l.watch.mu.Unlock()
	if l.watch.ended || l.watch.timer != nil {
		return
	}
	if after, is := g.nextLook(l.watch.grant, g.options.Recheck); is {
		l.watch.timer = time.AfterFunc(after, func() { g.look(s, l) })
	}
}

// stop ends the watching of a listener, and waits for a look under way, whose context has ended.
func (w *watch) stop() {
	w.mu.Lock()
	w.ended = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.looking.Wait()
}

// nextLook is the time until a listener is looked at again: about as long as after, which is none if it is
// 0, but not beyond the end of its credentials.
func (g *Gateway) nextLook(grant Grant, after time.Duration) (time.Duration, bool) {
	if after > 0 {
		after += time.Duration((rand.Float64() - 0.5) * 0.2 * float64(after)) // those who came together part
	}
	if grant.Until.IsZero() {
		return after, after > 0
	}
	if left := time.Until(grant.Until); after <= 0 || left < after {
		return max(left, 0), true
	}
	return after, true
}

// look asks again whether a socket may listen, and disconnects it if not. Where nobody can tell it stays.
func (g *Gateway) look(s *socketio.Socket, l *listener) {
	w := &l.watch
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return
	}
	w.looking.Add(1)
	until := w.grant.Until
	w.mu.Unlock()
	defer w.looking.Done()

	if !until.IsZero() && !time.Now().Before(until) {
		g.end(s, expired)
		return
	}
	asked := time.Now()
	grant, err := g.options.Authorize(s.Context(), l.guildID, s.Handshake().Headers(), s.Handshake().Auth)
	after := g.options.Recheck
	switch {
	case s.Context().Err() != nil:
		return
	case err == nil && grant.UserID != l.userID:
		g.end(s, "unauthorized")
		return
	case err != nil:
		if message, final := refusalOf(err); final {
			g.end(s, message)
			return
		}
		grant.Until, asked = until, time.Time{}
		if after = tryAgain; g.options.Recheck > 0 {
			after = min(after, g.options.Recheck)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.grant.Until = grant.Until; !asked.IsZero() {
		w.asked = asked
	}
	if w.ended {
		return
	}
	if after, is := g.nextLook(w.grant, after); is {
		if w.timer == nil {
			w.timer = time.AfterFunc(after, func() { g.look(s, l) })
		} else {
			w.timer.Reset(after)
		}
	}
}

// refusalOf is what a client is told of a final no.
func refusalOf(err error) (message string, final bool) {
	var refusal *socketio.ConnectError
	if !errors.As(err, &refusal) {
		return "", false
	}
	_, later := refusal.Data.(retry)
	return refusal.Message, !later
}

// end disconnects a socket from its guild. A DISCONNECT packet has no room for a reason, so an event
// tells it before; the client's library then reports "io server disconnect", and does not come back by
// itself.
func (g *Gateway) end(s *socketio.Socket, message string) {
	_ = s.Emit("revoked", struct {
		Message string `json:"message"`
	}{message})
	s.Disconnect(false)
}

// Revocation says that users may no longer listen to a guild.
type Revocation struct {
	GuildID uint64
	UserIDs []uint64
	Reason  string // what clients are told
	Check   bool   // ask again, and disconnect only who may not
}

type revocationKey struct{ guild, user uint64 }

// revocation is one that sockets on their way in must hear of.
type revocation struct {
	at     time.Time
	reason string
	check  bool
}

const (
	revocationAge = time.Minute // longer than a socket takes from Authorize to its guild
	maxRevoked    = 10_000      // remembered; of those beyond, a socket on its way in is seen at its next look
)

// Revoke has the users forgotten, and their sockets on this edge disconnected or asked about. It may be
// called until Close, and wait for Options.Forget.
func (g *Gateway) Revoke(ctx context.Context, r Revocation) {
	users := make(map[uint64]struct{}, len(r.UserIDs))
	for _, userID := range r.UserIDs {
		users[userID] = struct{}{}
		if g.options.Forget != nil {
			g.options.Forget(ctx, userID, r.GuildID)
		}
	}
	// From here on nobody gets in by what was known before; who was asked about earlier and is not in the
	// namespace yet finds this in begin.
	now := revocation{at: time.Now(), reason: r.Reason, check: r.Check}
	for userID := range users {
		g.revoked.Set(revocationKey{r.GuildID, userID}, now)
	}
	namespace := g.server.Lookup(namespaceOf(r.GuildID))
	if namespace == nil {
		return
	}
	for _, s := range namespace.Sockets() {
		l, ok := s.Data().(*listener)
		if !ok {
			continue
		}
		if _, is := users[l.userID]; is {
			g.revokeOne(s, l, now)
		}
	}
}

// revokeOne ends a socket, or has it asked about at once.
func (g *Gateway) revokeOne(s *socketio.Socket, l *listener, r revocation) {
	if !r.check {
		g.end(s, r.reason)
		return
	}
	l.watch.mu.Lock()
	defer l.watch.mu.Unlock()
	switch {
	case l.watch.ended:
	case l.watch.timer != nil:
		l.watch.timer.Reset(0)
	default:
		l.watch.timer = time.AfterFunc(0, func() { g.look(s, l) })
	}
}
