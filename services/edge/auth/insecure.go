package auth

import (
	"context"
	"hash/fnv"
	"strconv"
	"strings"
)

// InsecureDev believes everybody, and finds every user in every guild. It is for one's own machine.
// The credential "Bearer user:<digits>" stands for the user with that id; any other stands for a
// user of its own, the same one every time.
type InsecureDev struct{}

// Authorize implements [Authenticator].
func (InsecureDev) Authorize(ctx context.Context, _ uint64, credential Credential) (User, error) {
	if err := ctx.Err(); err != nil {
		return User{}, err
	}
	if credential.IsZero() {
		return User{}, ErrTokenRequired
	}
	if !credential.sendable() {
		return User{}, ErrUnauthorized
	}
	_, key, _ := strings.Cut(credential.header, " ")
	if digits, named := strings.CutPrefix(key, "user:"); named {
		id, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || id == 0 {
			return User{}, ErrUnauthorized
		}
		return User{ID: id}, nil
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(key))
	return User{ID: max(hash.Sum64(), 1)}, nil
}

// Forget implements [Authenticator].
func (InsecureDev) Forget(context.Context, uint64, uint64) {}

// Close implements [Authenticator].
func (InsecureDev) Close() {}
