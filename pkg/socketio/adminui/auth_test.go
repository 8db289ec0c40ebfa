package adminui

import (
	"fmt"
	"testing"
	"time"
)

func TestSessions(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	with := func(password string, secrets ...string) *AdminUI {
		a := &AdminUI{options: Options{Username: "operator", PasswordHash: password}}
		for _, s := range secrets {
			a.options.Secrets = append(a.options.Secrets, []byte(s))
		}
		return a
	}
	session := with("hash", "old").sign(now.Add(time.Hour))
	for _, test := range []struct {
		name string
		at   *AdminUI
		now  time.Time
		want bool
	}{
		{"the same server", with("hash", "old"), now, true},
		{"a new key beside the old", with("hash", "new", "old"), now, true},
		{"another key", with("hash", "new"), now, false},
		{"another password", with("other", "old"), now, false},
		{"a second too late", with("hash", "old"), now.Add(time.Hour), false},
	} {
		if got := test.at.knows(session, test.now); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestTheGateBoundsGuesses(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	count := func(g *gate, n int, address func(int) string, now time.Time) (admitted int) {
		for i := range n {
			if g.admits(address(i), now) {
				admitted++
			}
		}
		return admitted
	}
	same := func(int) string { return "192.0.2.1" }
	g := newGate()
	if got := count(g, 100, same, now); got != triesOfAddress {
		t.Errorf("one address had %d tries at once", got)
	}
	if !g.admits("192.0.2.2", now) {
		t.Error("another address has to wait for it")
	}
	if got := count(g, 100, same, now.Add(triesEvery)); got != 1 {
		t.Errorf("%d tries more after %s", got, triesEvery)
	}
	g = newGate()
	network := func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }
	if got := count(g, 100, network, now); got != triesOfAddress {
		t.Errorf("one /64 had %d tries at once", got)
	}
	g = newGate()
	many := func(i int) string { return fmt.Sprintf("10.%d.%d.1", i/256, i%256) }
	if got := count(g, 20_000, many, now); got != 5*triesOfAll || len(g.addresses) > maxAddresses {
		t.Errorf("many addresses had %d tries at once, and %d are remembered", got, len(g.addresses))
	}
	if got := count(g, 20_000, many, now.Add(time.Hour)); got != 5*triesOfAll || len(g.addresses) > maxAddresses {
		t.Errorf("an hour later %d, and %d are remembered", got, len(g.addresses))
	}
}

func TestTooManyGuessesAreRefused(t *testing.T) {
	sites := cluster(t, 1, Options{})
	wrong := `{"username":"operator","password":"guess"}`
	for i := range triesOfAddress {
		if _, got := dial(t, sites[0], "/admin", wrong); got != "invalid credentials" {
			t.Fatalf("guess %d: %q", i, got)
		}
	}
	if _, got := dial(t, sites[0], "/admin", login); got != "too many attempts" {
		t.Errorf("after %d guesses: %q", triesOfAddress, got)
	}
}
