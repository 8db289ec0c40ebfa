package app

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
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

// botTokens are what bots must show, one of them each. The file is read again when it has changed, so
// that tokens come and go without a restart; calls under way go on.
type botTokens struct {
	file string // a token on each line; # begins a comment

	mu      sync.Mutex
	changed time.Time
	sums    [][sha256.Size]byte // of the tokens; of one length, so that comparing tells nothing
}

// newBotTokens reads the file; nil without one. The error names the setting.
func newBotTokens(file string) (*botTokens, error) {
	if file == "" {
		return nil, nil
	}
	t := &botTokens{file: file}
	if err := t.read(); err != nil {
		return nil, fmt.Errorf("bot-tokens: %w", err)
	}
	return t, nil
}

// read takes the file's tokens if it has changed; with an error those of before hold. The caller holds
// mu, or is the only one.
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

// admit says whether a call of a bot shows a token that is known.
func (t *botTokens) admit(ctx context.Context, method string) error {
	if service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/"); !slices.Contains(ofBots, service) {
		return nil
	}
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) == 0 {
		return status.Error(codes.Unauthenticated, "authorization: missing, must be Bearer and a bot's token")
	}
	token, _ := strings.CutPrefix(values[0], "Bearer ")
	sum := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.read() // where it fails, the tokens of before hold
	for _, known := range t.sums {
		if subtle.ConstantTimeCompare(known[:], sum[:]) == 1 {
			return nil
		}
	}
	return status.Error(codes.Unauthenticated, "authorization: the token is not known")
}

// options make a gRPC server ask for tokens.
func (t *botTokens) options() []grpc.ServerOption {
	if t == nil {
		return nil
	}
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := t.admit(ctx, info.FullMethod); err != nil {
				return nil, err
			}
			return next(ctx, request)
		}),
		grpc.ChainStreamInterceptor(func(server any, call grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if err := t.admit(call.Context(), info.FullMethod); err != nil {
				return err
			}
			return next(server, call)
		}),
	}
}
