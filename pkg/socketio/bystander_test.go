package socketio

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// watch is a client that asks for an echo every few milliseconds while a server is under attack, and
// notes how long each took. It judges nothing: a test's clock shares its machine with the attackers.
type watch struct {
	client *client
	stop   chan struct{}
	group  sync.WaitGroup
	took   []time.Duration
}

const watchEvery = 2 * time.Millisecond

// keepWatch begins to ask.
func keepWatch(t *testing.T, address string) *watch {
	t.Helper()
	w := &watch{client: enter(t, address, ""), stop: make(chan struct{})}
	w.group.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
			began := time.Now()
			if w.client.write(false, []byte(`21["echo","watch"]`)) != nil {
				t.Error("the watching client cannot ask any more")
				return
			}
			if answer, err := w.client.read(); err != nil || string(answer) != `31["watch"]` {
				t.Errorf("the watching client is answered %s, %v", answer, err)
				return
			}
			w.took = append(w.took, time.Since(began))
		}
	})
	return w
}

// end returns the median and the 99th percentile of what each answer took, and how many there were.
func (w *watch) end() (median, p99 time.Duration, n int) {
	close(w.stop)
	w.group.Wait()
	_ = w.client.Close()
	n = len(w.took)
	if n == 0 {
		return 0, 0, 0
	}
	slices.Sort(w.took)
	return w.took[n/2], w.took[n*99/100], n
}
