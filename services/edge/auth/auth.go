// Package auth decides who may listen to a guild.
//
// Its truth is the contract with existing web clients (§ Joining a guild namespace): four refusals
// with fixed messages in a fixed order, and a fifth for trouble upstream. A credential is the whole
// value of an HTTP Authorization header; it appears in no log, no error and no cache key.
package auth

import (
	"context"
	"fmt"
	"time"
)

// Authenticator decides whose credential it is and whether that user may listen to a guild. All
// methods may be called at the same time.
type Authenticator interface {
	// Authorize answers the user that the credential stands for, if it may listen to the guild.
	// The error is [ErrUnauthorized], [ErrInvalidGuild] or [ErrNotMember], checked in this order,
	// an [*Unavailable] where nobody could tell, or ctx's.
	Authorize(ctx context.Context, guildID uint64, credential Credential) (User, error)

	// Forget drops what is remembered of a user in a guild, or in every guild and of every credential
	// where guildID is 0: the next Authorize asks again. Call it when the user was removed, or may be
	// allowed something else now; an answer that is on its way is not remembered.
	Forget(ctx context.Context, userID, guildID uint64)

	// Close releases what the authenticator holds; no call may be under way or follow.
	Close()
}

// User is who listens.
type User struct {
	ID      uint64    // Discord snowflake
	Expires time.Time // when the credential ends; zero where nobody knows
	Guilds  []uint64  `json:",omitempty"` // where the credential names the guilds itself; nil where it does not
}

// Refusal is a final no. Its text is what the client gets.
type Refusal string

// The refusals, in the order in which they are checked.
const (
	ErrTokenRequired Refusal = "Authentication token required"
	ErrUnauthorized  Refusal = "unauthorized"
	ErrInvalidGuild  Refusal = "invalid guild"
	ErrNotMember     Refusal = "not a member of this guild"
)

func (r Refusal) Error() string { return string(r) }

// Unavailable says that nobody could tell: the client may ask again after a while.
type Unavailable struct {
	RetryAfter time.Duration // 0 means no idea
	Cause      error         // for us, not for the client
}

func (u *Unavailable) Error() string {
	return fmt.Sprintf("temporarily unavailable, retry after %s: %v", u.RetryAfter, u.Cause)
}

func (u *Unavailable) Unwrap() error { return u.Cause }
