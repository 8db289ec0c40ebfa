package app

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestPartsStopInReverse(t *testing.T) {
	l := newLifecycle()
	var order []string
	for _, name := range []string{"nats", "fanouts", "edges"} {
		l.run(name, func(ctx context.Context) error {
			<-ctx.Done()
			order = append(order, name) // one part after another: the race detector watches
			return nil
		})
	}
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"edges", "fanouts", "nats"}; !slices.Equal(order, want) {
		t.Errorf("stopped %v, want %v", order, want)
	}
}

func TestPartThatEndsEarlyFailsTheStack(t *testing.T) {
	l := newLifecycle()
	broken := errors.New("broken")
	l.run("bot", func(context.Context) error { return broken })
	err := l.await(t.Context(), nil)
	if !errors.Is(err, broken) || err.Error() != "bot: broken" {
		t.Errorf("await: %v", err)
	}
	if err := l.stop(); err != nil {
		t.Errorf("stop repeats what await said: %v", err)
	}
}

func TestStopSaysWhatWentWrong(t *testing.T) {
	l := newLifecycle()
	l.add("redis", func() error { return nil })
	l.run("edges", func(ctx context.Context) error {
		<-ctx.Done()
		return errors.New("sockets left")
	})
	if err := l.stop(); err == nil || err.Error() != "stopping edges: sockets left" {
		t.Errorf("stop: %v", err)
	}
}
