package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// TestAuthenticators holds every implementation to what they share.
func TestAuthenticators(t *testing.T) {
	for _, implementation := range []struct {
		name string
		make func(t *testing.T) Authenticator
		good Credential // of a member of guild 100
		user uint64
	}{
		{"discord", func(t *testing.T) Authenticator { return newDiscord(t, edgetest.StartDiscord(t)) }, bearer("user1"), 1},
		{"insecure-dev", func(*testing.T) Authenticator { return InsecureDev{} }, bearer("user:1"), 1},
	} {
		t.Run(implementation.name, func(t *testing.T) {
			a := implementation.make(t)
			t.Run("a good credential is its user, every time and at once", func(t *testing.T) {
				var all sync.WaitGroup
				for range 20 {
					all.Go(func() {
						user, err := a.Authorize(t.Context(), 100, implementation.good)
						if err != nil || user.ID != implementation.user {
							t.Errorf("%v, %v", user, err)
						}
					})
				}
				all.Wait()
			})
			t.Run("none is refused as none", func(t *testing.T) {
				if _, err := a.Authorize(t.Context(), 100, Credential{}); err != ErrTokenRequired {
					t.Error(err)
				}
			})
			t.Run("what is no header value is unauthorized", func(t *testing.T) {
				for _, key := range []string{"a\r\nX-Other: b", "\x00", strings.Repeat("a", maxCredential)} {
					if _, err := a.Authorize(t.Context(), 100, bearer(key)); err != ErrUnauthorized {
						t.Errorf("%.10q: %v", key, err)
					}
				}
			})
			t.Run("who has gone gets no verdict", func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := a.Authorize(ctx, 100, bearer("user:7")); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
			t.Run("errors do not show the credential", func(t *testing.T) {
				for _, guild := range []uint64{100, 101, 102} {
					_, err := a.Authorize(t.Context(), guild, bearer("hunter2"))
					if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "hunter2") {
						t.Error(text)
					}
				}
			})
		})
	}
}

func TestInsecureDev(t *testing.T) {
	var a InsecureDev
	for _, test := range []struct {
		key  string
		want uint64
		err  error
	}{
		{"user:42", 42, nil},
		{"user:18446744073709551615", 18446744073709551615, nil},
		{"user:", 0, ErrUnauthorized},
		{"user:0", 0, ErrUnauthorized},
		{"user:18446744073709551616", 0, ErrUnauthorized},
		{"user:-1", 0, ErrUnauthorized},
	} {
		if user, err := a.Authorize(t.Context(), 1, bearer(test.key)); user.ID != test.want || err != test.err {
			t.Errorf("%s: %d, %v", test.key, user.ID, err)
		}
	}
	one, _ := a.Authorize(t.Context(), 1, bearer("anna"))
	again, _ := a.Authorize(t.Context(), 2, bearer("anna"))
	other, _ := a.Authorize(t.Context(), 1, bearer("bert"))
	if one.ID != again.ID || one.ID == other.ID || one.ID == 0 {
		t.Errorf("%d, %d, %d", one.ID, again.ID, other.ID)
	}
}
