package auth

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

func ofApplication(s *setup) { s.discord.Application = edgetest.DiscordApplication }

func TestTokensOfAnotherApplicationAreUnauthorized(t *testing.T) {
	f := edgetest.StartDiscord(t)
	end := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	f.Expire(end)
	ours := newDiscord(t, f, ofApplication)
	user, err := ours.Authorize(t.Context(), 100, bearer("user1"))
	if err != nil || user.ID != 1 || !user.Expires.Equal(end) {
		t.Errorf("%+v, %v", user, err)
	}
	if _, err := ours.Authorize(t.Context(), 100, bearer("other1")); err != ErrUnauthorized {
		t.Errorf("another application's token: %v", err)
	}
	if _, err := newDiscord(t, f).Authorize(t.Context(), 100, bearer("other1")); err != nil {
		t.Errorf("another application's token where any is believed: %v", err)
	}
}

func TestTokensThatHaveEndedAreUnauthorized(t *testing.T) {
	f := edgetest.StartDiscord(t)
	f.Expire(time.Now().Add(-time.Second))
	if _, err := newDiscord(t, f, ofApplication).Authorize(t.Context(), 100, bearer("user1")); err != ErrUnauthorized {
		t.Error(err)
	}
}

func TestOddAuthorizations(t *testing.T) {
	for body, want := range map[string]error{
		`{"application":{"id":"4242"},"scopes":["guilds"],"expires":"2099-01-01T00:00:00+00:00"}`: ErrUnauthorized, // without identify
		`{"application":{"id":"4242"},"user":{"id":"1"}}`:                                         nil,             // no end named
		`{"application":{"id":"x"},"user":{"id":"1"}}`:                                            errTrouble,
		`{"application":{"id":"4242"},"expires":"2099-01-01T00:00:00+00:00","user":{"id":"-1"}}`:  errTrouble,
		`{"application":{"id":"4242"},"expires":"soon","user":{"id":"1"}}`:                        errTrouble,
		`[]`: errTrouble,
	} {
		f := edgetest.StartDiscord(t)
		f.Answer(onPath("/oauth2/", func(w http.ResponseWriter) { edgetest.Reply(w, 200, body) }))
		_, err := newDiscord(t, f, ofApplication).Authorize(t.Context(), 100, bearer("user1"))
		var unavailable *Unavailable
		if errors.As(err, &unavailable) {
			err = errTrouble
		}
		if err != want {
			t.Errorf("%s: %v, want %v", body, err, want)
		}
	}
}

var errTrouble = errors.New("trouble")

func TestMembershipByTheUsersOwnToken(t *testing.T) {
	f := edgetest.StartDiscord(t)
	g := newDiscord(t, f, func(s *setup) { s.byUser, s.discord.BotToken = true, "" })
	for guild, want := range map[uint64]error{100: nil, 101: ErrNotMember} {
		if _, err := g.Authorize(t.Context(), guild, bearer("user1")); err != want {
			t.Errorf("guild %d: %v, want %v", guild, err, want)
		}
	}
	f.Answer(onPath("/member", func(w http.ResponseWriter) { edgetest.Reply(w, 403, `{"message":"Missing Access","code":50001}`) }))
	if _, err := g.Authorize(t.Context(), 1000, bearer("user1")); err != ErrUnauthorized {
		t.Errorf("without the scope: %v", err)
	}
	if f.Asked("/guilds/100/members") != 0 {
		t.Error("the bot's token was used")
	}
}
