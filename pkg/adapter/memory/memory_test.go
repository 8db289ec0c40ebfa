package memory

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPromises(t *testing.T) {
	bus := &Bus{}
	defer bus.Wait()
	adaptertest.Run(t, adaptertest.Cluster{
		Bus:    func(*testing.T) adapter.Bus { return bus },
		Synced: func(context.Context, adapter.Bus) error { return nil },
		Named:  true,
	})
}
