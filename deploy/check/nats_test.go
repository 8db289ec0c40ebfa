package check

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// TestNATSKeepsWhatFanoutsPublish reads the configurations of NATS as it does itself.
func TestNATSKeepsWhatFanoutsPublish(t *testing.T) {
	for _, file := range []string{"../compose/nats.conf", "../k8s/overlays/dev/nats.conf"} {
		options, err := server.ProcessConfigFile(file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if options.MaxPayload != 8<<20 {
			t.Errorf("%s: takes messages of %d bytes", file, options.MaxPayload)
		}
		if !options.JetStream || options.StoreDir != "/data" {
			t.Errorf("%s: keeps streams %v, in %s", file, options.JetStream, options.StoreDir)
		}
	}
	s := compose(t).Services["nats"]
	if len(s.Volumes) != 1 || s.Volumes[0].Target != "/data" {
		t.Errorf("compose keeps %+v of NATS", s.Volumes)
	}
}
