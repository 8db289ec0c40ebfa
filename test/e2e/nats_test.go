package e2e

import (
	"testing"

	"github.com/pona-realtime/pona/services/devstack/natsserver"
)

// startNATS starts a server of its own for a test.
func startNATS(t *testing.T) *natsserver.Server {
	t.Helper()
	nats, err := natsserver.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := nats.Stop(); err != nil {
			t.Error(err)
		}
	})
	return nats
}
