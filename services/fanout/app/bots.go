package app

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
)

// minToken is the least length of a bot's token, in bytes.
const minToken = 16

// tokenAge is how long a call that is under way may go on, once something passes, with a token that has been taken away.
const tokenAge = time.Second

// botTokens are what bots must show, one of them each. The file is read again when it has changed, so
// that tokens come and go without a restart. A call whose token has gone ends at its next message.
type botTokens struct {
	file string // a token on each line; # begins a comment
	log  *slog.Logger

	mu      sync.Mutex
	looked  time.Time // at the file
	changed time.Time
	sums    [][sha256.Size]byte // of the tokens; of one length, so that comparing tells nothing
	trouble string              // why the file cannot be read again, as it was logged
}

// newBotTokens reads the file; nil without one. The error names the setting.
func newBotTokens(file string, log *slog.Logger) (*botTokens, error) {
	if file == "" {
		return nil, nil
	}
	t := &botTokens{file: file, log: log}
	if err := t.read(); err != nil {
		return nil, fmt.Errorf("bot-tokens: %w", err)
	}
	return t, nil
}

// knows looks at the file if it has not done so for some time; where it cannot be read, the tokens of before hold, and the
// log says so once.
func (t *botTokens) knows(sum [sha256.Size]byte, age time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.looked) >= age {
		before := t.changed
		err := t.read()
		t.looked = time.Now()
		switch {
		case err != nil && err.Error() != t.trouble:
			t.trouble = err.Error()
			t.log.Warn("bots' tokens cannot be read again, those of before hold", "file", t.file, "error", err)
		case err == nil && (t.trouble != "" || !t.changed.Equal(before)):
			t.trouble = ""
			t.log.Info("bots' tokens have been read again", "file", t.file, "tokens", len(t.sums))
		}
	}
	for _, known := range t.sums {
		if subtle.ConstantTimeCompare(known[:], sum[:]) == 1 {
			return true
		}
	}
	return false
}

// read takes the file's tokens if it has changed. The caller holds mu, or is the only one.
func (t *botTokens) read() error {
	info, err := os.Stat(t.file)
	if err != nil || info.ModTime().Equal(t.changed) {
		return err
	}
	text, err := os.ReadFile(t.file)
	if err != nil {
		return err
	}
	var sums [][sha256.Size]byte
	for line := range strings.Lines(string(text)) {
		token, _, _ := strings.Cut(line, "#")
		if token = strings.TrimSpace(token); token == "" {
			continue
		}
		if len(token) < minToken {
			return fmt.Errorf("a token of %d bytes, must have %d or more", len(token), minToken)
		}
		sums = append(sums, sha256.Sum256([]byte(token)))
	}
	if len(sums) == 0 {
		return errors.New("no token in it")
	}
	t.sums, t.changed = sums, info.ModTime()
	return nil
}

// ofBots are the services that bots call; the others are edges' and operators'.
var ofBots = []string{botv1.BotService_ServiceDesc.ServiceName, roomsv1.RoomsService_ServiceDesc.ServiceName}

var errToken = status.Error(codes.Unauthenticated, "authorization: the token is not known")

// admit says whether a call shows a token that is known, and returns its sum. Who is no bot needs none.
func (t *botTokens) admit(ctx context.Context, method string) (sum [sha256.Size]byte, bot bool, err error) {
	if service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/"); !slices.Contains(ofBots, service) {
		return sum, false, nil
	}
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) == 0 {
		return sum, true, status.Error(codes.Unauthenticated, "authorization: missing, must be Bearer and a bot's token")
	}
	token, _ := strings.CutPrefix(values[0], "Bearer ")
	sum = sha256.Sum256([]byte(token))
	if !t.knows(sum, 0) {
		err = errToken
	}
	return sum, true, err
}

// botCall is a stream of a bot; it ends when the bot's token is taken away.
type botCall struct {
	grpc.ServerStream
	tokens *botTokens
	sum    [sha256.Size]byte
}

// RecvMsg implements grpc.ServerStream.
func (c botCall) RecvMsg(m any) error {
	if err := c.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return c.still()
}

// SendMsg implements grpc.ServerStream.
func (c botCall) SendMsg(m any) error {
	if err := c.still(); err != nil {
		return err
	}
	return c.ServerStream.SendMsg(m)
}

func (c botCall) still() error {
	if !c.tokens.knows(c.sum, tokenAge) {
		return errToken
	}
	return nil
}

// options make a gRPC server ask for tokens.
func (t *botTokens) options() []grpc.ServerOption {
	if t == nil {
		return nil
	}
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if _, _, err := t.admit(ctx, info.FullMethod); err != nil {
				return nil, err
			}
			return next(ctx, request)
		}),
		grpc.ChainStreamInterceptor(func(server any, call grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			sum, bot, err := t.admit(call.Context(), info.FullMethod)
			if err != nil {
				return err
			}
			if bot {
				call = botCall{call, t, sum}
			}
			return next(server, call)
		}),
	}
}
