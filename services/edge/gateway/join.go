package gateway

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/socketio"
)

const guildPrefix = "/guild/"

var guildNamespace = regexp.MustCompile(`^/guild/\d+$`)

// namespaceOf is the name of a guild's namespace.
func namespaceOf(guildID uint64) string {
	return guildPrefix + strconv.FormatUint(guildID, 10)
}

// guildOf is the guild of a namespace; 0 where the name holds no id, or one written in another way
// than namespaceOf does.
func guildOf(namespace string) uint64 {
	digits := strings.TrimPrefix(namespace, guildPrefix)
	guildID, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || digits[0] == '0' {
		return 0
	}
	return guildID
}

// listener is a socket of a guild's namespace: its Data.
type listener struct {
	guildID, userID uint64
	entered         bool     // has been sent its handshake; guarded by the guild's lock
	commands        commands // of this socket
	pace            pace     // of its commands
	watch           watch
}

// join decides whether a socket may join a guild, and waits until the guild's state is known. The guild
// is held until the socket's context ends, whether it is accepted or not.
func (g *Gateway) join(s *socketio.Socket) error {
	guildID := guildOf(s.Namespace().Name())
	handshake := s.Handshake()
	asked := time.Now()
	grant, err := g.options.Authorize(s.Context(), guildID, handshake.Headers(), handshake.Auth)
	if err != nil {
		return g.refusal(s, guildID, err)
	}
	encoding, err := player.EncodingOf(handshake.Auth)
	if err != nil {
		return &socketio.ConnectError{Message: err.Error()}
	}
	s.SetVariant(uint8(encoding)) // of what package guild sends
	leave, err := g.options.Admit(s.Context(), guildID, grant.UserID)
	if err != nil {
		return g.refusal(s, guildID, err)
	}
	if err := g.guilds.Hold(s.Context(), guildID); err != nil {
		leave()
		return g.refusal(s, guildID, err)
	}
	l := &listener{guildID: guildID, userID: grant.UserID, watch: watch{grant: grant, asked: asked}}
	g.running.Add(1)
	context.AfterFunc(s.Context(), func() {
		defer g.running.Done()
		l.watch.stop()
		leave()
		g.guilds.Release(guildID)
	})
	s.SetData(l)
	return nil
}

// refusal is what a client is refused with.
func (g *Gateway) refusal(s *socketio.Socket, guildID uint64, err error) error {
	var refusal *socketio.ConnectError
	if errors.As(err, &refusal) {
		return refusal
	}
	if s.Context().Err() == nil {
		g.options.Log.Warn("a client could not join", "guild", guildID, "error", err)
	}
	return Unavailable(2 * time.Second)
}

// retry is the data of Unavailable and TooMany.
type retry struct {
	RetryAfterMs int64 `json:"retryAfterMs"`
}

// Unavailable refuses a client for now.
func Unavailable(retryAfter time.Duration) *socketio.ConnectError {
	return &socketio.ConnectError{Message: "temporarily unavailable", Data: retry{retryAfter.Milliseconds()}}
}

// TooMany refuses a client because there are too many.
func TooMany(retryAfter time.Duration) *socketio.ConnectError {
	return &socketio.ConnectError{Message: "too many connections", Data: retry{retryAfter.Milliseconds()}}
}

// enter sends an accepted socket its handshake and lets it into its rooms, between two events of the
// guild. It runs before any event of the socket is handled, so no command is lost.
func (g *Gateway) enter(s *socketio.Socket) {
	l := s.Data().(*listener)
	defer g.begin(s, l)
	s.OnAny(func(e *socketio.Event) { g.command(l, e) })
	if s.Recovered() {
		return // it has had its handshake, is in its rooms, and has what it missed
	}
	g.guilds.Enter(l.guildID, l.userID, func(handshake *socketio.Packet) {
		s.Send(handshake)
		s.Join(roomsOf(l.userID)...)
		l.entered = true
	})
}
