package guild

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pona-realtime/pona/pkg/socketio"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

func TestAKnownGuildIsAnsweredFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, u := newCache(t, Options{})
		held := make(chan error)
		go func() { held <- c.Hold(t.Context(), 7) }()
		synctest.Wait()
		select {
		case err := <-held:
			t.Fatalf("held before the snapshot: %v", err)
		default:
		}
		snapshot(c, 7, 1, &playerv1.GuildState{})
		if err := <-held; err != nil {
			t.Error(err)
		}
		began := time.Now()
		if err := c.Hold(t.Context(), 7); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if len(u) != 1 || <-u != 7 {
			t.Error("not subscribed once")
		}
		c.Close()
	})
}

func TestAGuildLingersAndIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, u := newCache(t, Options{Linger: 30 * time.Second})
		hold := func() {
			t.Helper()
			go snapshot(c, 7, 1, &playerv1.GuildState{})
			if err := c.Hold(t.Context(), 7); err != nil {
				t.Fatal(err)
			}
		}
		go func() { <-u; snapshot(c, 7, 1, &playerv1.GuildState{}) }()
		hold()
		hold()
		c.Release(7)
		time.Sleep(time.Minute)
		if len(u) != 0 || c.Len() != 1 {
			t.Error("forgotten while held")
		}
		c.Release(7)
		time.Sleep(29 * time.Second)
		hold() // comes back in time
		time.Sleep(time.Minute)
		c.Release(7)
		time.Sleep(29 * time.Second)
		if len(u) != 0 || c.Len() != 1 {
			t.Error("forgotten before its time")
		}
		time.Sleep(2 * time.Second)
		if len(u) != 1 || <-u != -7 || c.Len() != 0 {
			t.Error("not forgotten")
		}
	})
}

func TestAGuildThatDoesNotComeIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, u := newCache(t, Options{Wait: 5 * time.Second, Linger: time.Second})
		began := time.Now()
		if err := c.Hold(t.Context(), 7); !errors.Is(err, ErrUnknown) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := c.Hold(ctx, 7); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		if c.Len() != 0 || len(u) != 2 {
			t.Errorf("%d guilds, %d requests", c.Len(), len(u))
		}
	})
}

func TestAppliedWaitsForItsEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := newCache(t, Options{})
		go c.Hold(t.Context(), 7) //nolint:errcheck // it is held
		synctest.Wait()
		snapshot(c, 7, 10, &playerv1.GuildState{})
		c.Applied(t.Context(), 7, 0)
		c.Applied(t.Context(), 7, 10)
		c.Applied(t.Context(), 8, 99) // of a guild that is not held
		applied := make(chan uint64, 2)
		for _, sequence := range []uint64{12, 11} {
			go func() { c.Applied(t.Context(), 7, sequence); applied <- sequence }()
		}
		synctest.Wait()
		for sequence := uint64(11); sequence <= 12; sequence++ {
			deliver(c, 7, 0, positionAt("5"))
			synctest.Wait()
			if len(applied) != 0 {
				t.Fatalf("%d before its event", <-applied)
			}
			deliver(c, 7, sequence, volume(sequence))
			if got := <-applied; got != sequence {
				t.Errorf("%d with event %d", got, sequence)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if c.Applied(ctx, 7, 13); time.Since(began) != time.Second {
			t.Errorf("waited %s", time.Since(began))
		}
		if n := len(c.guild(7).waiting); n != 0 {
			t.Errorf("%d still wait", n)
		}
		c.Close()
	})
}

func TestWhatNobodyHoldsIsNoMatter(t *testing.T) {
	c, a, _ := newCache(t, Options{})
	snapshot(c, 7, 1, &playerv1.GuildState{})
	deliver(c, 7, 2, volume(2))
	c.Enter(7, 1, func(*socketio.Packet) { t.Error("entered") })
	c.Release(7)
	if len(a.runs) != 0 || c.Len() != 0 {
		t.Error(a.runs)
	}
}
