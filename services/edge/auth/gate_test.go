package auth

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

func TestAnswersAreRemembered(t *testing.T) {
	f := edgetest.StartDiscord(t)
	g := newDiscord(t, f)
	for range 3 {
		for _, test := range []struct {
			key   string
			guild uint64
			want  error
		}{
			{"user1", 100, nil}, {"user1", 101, ErrNotMember}, {"user1", 102, ErrInvalidGuild}, {"nobody", 100, ErrUnauthorized},
		} {
			if _, err := g.Authorize(t.Context(), test.guild, bearer(test.key)); err != test.want {
				t.Fatalf("%s in %d: %v, want %v", test.key, test.guild, err, test.want)
			}
		}
	}
	if users, members := f.Asked("/users/@me"), f.Asked("/guilds/"); users != 2 || members != 3 {
		t.Errorf("asked %d and %d times, want 2 and 3: once each", users, members)
	}
	if s := g.Stats(); s.Users.Hits != 10 || s.Users.Asked != 2 || s.Users.Refused != 1 || s.Users.Entries != 2 || s.Members.Asked != 3 {
		t.Errorf("%+v", s)
	}
}

func TestNothingIsRememberedWhenSwitchedOff(t *testing.T) {
	f := edgetest.StartDiscord(t)
	g := newDiscord(t, f, func(s *setup) { s.gate.Cache.Disabled = true })
	for range 3 {
		if _, err := g.Authorize(t.Context(), 100, bearer("user1")); err != nil {
			t.Fatal(err)
		}
	}
	if users, members := f.Asked("/users/@me"), f.Asked("/guilds/"); users != 3 || members != 3 {
		t.Errorf("asked %d and %d times, want 3 and 3", users, members)
	}
}

func TestForget(t *testing.T) {
	f := edgetest.StartDiscord(t)
	g := newDiscord(t, f)
	ask := func(want error, users, members int) {
		t.Helper()
		if _, err := g.Authorize(t.Context(), 100, bearer("user1")); err != want {
			t.Errorf("%v, want %v", err, want)
		}
		if u, m := f.Asked("/users/@me"), f.Asked("/guilds/"); u != users || m != members {
			t.Errorf("asked %d and %d times, want %d and %d", u, m, users, members)
		}
	}
	ask(nil, 1, 1)
	g.Forget(t.Context(), 2, 100)
	g.Forget(t.Context(), 1, 101)
	ask(nil, 1, 1)
	g.Forget(t.Context(), 1, 100)
	ask(nil, 1, 2)
	g.Forget(t.Context(), 1, 0)
	ask(nil, 2, 3)
}

// TestAnswersOnTheirWayAreForgotten has a user removed after Discord has been asked and before it answers.
func TestAnswersOnTheirWayAreForgotten(t *testing.T) {
	f := edgetest.StartDiscord(t)
	asked, proceed := make(chan struct{}), make(chan struct{})
	f.Answer(onPath("/guilds/", func(w http.ResponseWriter) {
		close(asked)
		<-proceed
		edgetest.Reply(w, 200, `{"user":{"id":"1"}}`)
	}))
	g := newDiscord(t, f)
	var joining sync.WaitGroup
	joining.Go(func() { _, _ = g.Authorize(t.Context(), 100, bearer("user1")) })
	<-asked
	f.Answer(nil)
	g.Forget(t.Context(), 1, 100)
	close(proceed)
	joining.Wait()
	if _, err := g.Authorize(t.Context(), 100, bearer("user1")); err != nil || f.Asked("/guilds/") != 2 {
		t.Errorf("%v, asked %d times: the old answer was remembered", err, f.Asked("/guilds/"))
	}
}

func TestOfSimultaneousQuestionsOneIsAsked(t *testing.T) {
	f := edgetest.StartDiscord(t)
	asked, proceed := make(chan struct{}, 100), make(chan struct{})
	f.Answer(func(http.ResponseWriter, *http.Request) bool {
		asked <- struct{}{}
		<-proceed
		return false
	})
	g := newDiscord(t, f)
	var first, others sync.WaitGroup
	ctx, leave := context.WithCancel(t.Context())
	first.Go(func() {
		if _, err := g.Authorize(ctx, 100, bearer("user1")); err != context.Canceled {
			t.Error(err)
		}
	})
	<-asked
	for range 100 {
		others.Go(func() {
			if _, err := g.Authorize(t.Context(), 100, bearer("user1")); err != nil {
				t.Error(err)
			}
		})
	}
	leave() // the one that asked goes away, and its question goes on
	first.Wait()
	close(proceed)
	others.Wait()
	if users, members := f.Asked("/users/@me"), f.Asked("/guilds/"); users != 1 || members != 1 {
		t.Errorf("asked %d and %d times, want once each", users, members)
	}
}

func TestFingerprintsAreTheProcessOwnOrTheClusters(t *testing.T) {
	one, other := newHasher(nil).credential(bearer("a")), newHasher(nil).credential(bearer("a"))
	if one == other || one == (fingerprint{}) {
		t.Error("the same credential has the same fingerprint in two processes")
	}
	secret := []byte("0123456789abcdef0123456789abcdef")
	if one, other := newHasher(secret), newHasher(secret); one.credential(bearer("a")) != other.credential(bearer("a")) {
		t.Error("the same credential has different fingerprints in one cluster")
	}
}
