package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// lifecycle holds the running parts of the stack in the order in which they were started. It is used
// by one goroutine.
type lifecycle struct {
	layers []layer
	failed chan error // the first part that ended without being asked
}

// layer is one part: its stop returns when nothing of it is left.
type layer struct {
	name string
	stop func() error
}

func newLifecycle() *lifecycle { return &lifecycle{failed: make(chan error, 1)} }

// add notes how to stop a part that runs already.
func (l *lifecycle) add(name string, stop func() error) {
	l.layers = append(l.layers, layer{name, stop})
}

// run starts a part that works until its context ends. If it ends before, the stack has failed.
func (l *lifecycle) run(name string, work func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background()) // it ends in its turn, not with the signal
	ended := make(chan error, 1)
	go func() {
		err := work(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("ended by itself")
			}
			select {
			case l.failed <- fmt.Errorf("%s: %w", name, err):
			default: // only the first counts
			}
			err = nil
		}
		ended <- err
	}()
	l.add(name, func() error {
		cancel()
		return <-ended
	})
}

// await waits until a part is ready; it returns an error when some part fails or ctx ends before.
func (l *lifecycle) await(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
		return nil
	case err := <-l.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop stops all parts, the last started first, and returns what went wrong.
func (l *lifecycle) stop() error {
	var failures []error
	for _, layer := range slices.Backward(l.layers) {
		if err := layer.stop(); err != nil {
			failures = append(failures, fmt.Errorf("stopping %s: %w", layer.name, err))
		}
	}
	l.layers = nil
	return errors.Join(failures...)
}
