package gateway

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(nil, Options{Rates: Rates{Socket: 10, User: 15, Guild: 100, Strikes: 5}})
		defer g.Close()
		// send counts what becomes of commands.
		send := func(l *listener, commands int) (passed, refused, ended int) {
			for range commands {
				switch ok, enough := g.allow(l); {
				case ok:
					passed++
				case enough:
					ended++
				default:
					refused++
				}
			}
			return passed, refused, ended
		}
		want := func(what string, l *listener, commands, passed, refused, ended int) {
			t.Helper()
			if p, r, e := send(l, commands); p != passed || r != refused || e != ended {
				t.Errorf("%s: %d passed, %d refused, %d ended, want %d, %d, %d", what, p, r, e, passed, refused, ended)
			}
		}
		one := &listener{guildID: 1, userID: 1}
		want("a socket's burst", one, 27, 20, 5, 2)
		time.Sleep(time.Second)
		want("a second later", one, 11, 10, 0, 1)
		want("another user", &listener{guildID: 1, userID: 2}, 20, 20, 0, 0)
		time.Sleep(time.Minute)
		want("a minute later", one, 25, 20, 5, 0)
		want("another socket of the user", &listener{guildID: 1, userID: 1}, 20, 10, 5, 5)

		for user := range uint64(15) {
			send(&listener{guildID: 7, userID: 100 + user}, 20)
		}
		want("a busy guild", &listener{guildID: 7, userID: 200}, 20, 0, 20, 0)
		want("another guild", &listener{guildID: 8, userID: 201}, 20, 20, 0, 0)
	})
}

func TestNoRates(t *testing.T) {
	g := New(nil, Options{})
	defer g.Close()
	l := &listener{guildID: 1, userID: 1}
	for range 10_000 {
		if ok, _ := g.allow(l); !ok {
			t.Fatal("refused without a bound")
		}
	}
}
