package health

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReadyWhileEveryConditionIsUp(t *testing.T) {
	h := New()
	if !h.Ready() {
		t.Error("not ready without conditions")
	}
	nats, redis := h.Condition("nats"), h.Condition("redis")
	expect := func(want ...Missing) {
		t.Helper()
		if got := h.Missing(); !slices.Equal(got, want) || h.Ready() != (len(want) == 0) {
			t.Errorf("missing %v, ready %v; want %v", got, h.Ready(), want)
		}
	}
	var told []bool
	h.OnChange(func(ready bool) { told = append(told, ready) })
	expect(Missing{"nats", "not yet up"}, Missing{"redis", "not yet up"})
	redis.Up()
	expect(Missing{"nats", "not yet up"})
	select {
	case <-h.Once():
		t.Error("Once is closed while a condition is down")
	default:
	}
	nats.Up()
	expect()
	<-h.Once()
	redis.Down("connection refused")
	nats.Down("")
	expect(Missing{"nats", "down"}, Missing{"redis", "connection refused"})
	redis.Remove()
	redis.Down("again")
	nats.Up()
	expect()
	late := h.Condition("late")
	late.Remove()
	if want := []bool{false, true, false, true, false, true}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	h.OnChange(func(ready bool) { told = []bool{ready} })
	if !slices.Equal(told, []bool{true}) {
		t.Errorf("a new listener was told %v", told)
	}
}

func TestConcurrentUse(t *testing.T) {
	h := New()
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			c := h.Condition(fmt.Sprint(i))
			for range 100 {
				c.Down("busy")
				if h.Ready() {
					t.Error("ready while a condition is down")
				}
			}
			c.Remove()
		})
	}
	wait.Wait()
	if !h.Ready() {
		t.Errorf("left over: %v", h.Missing())
	}
}
