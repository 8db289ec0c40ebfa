package check

import (
	"os"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads the compose file, and what files of deploy/compose change of it.
func compose(t *testing.T, changes ...string) *types.Project {
	t.Helper()
	files := []string{"../../docker-compose.yml"}
	for _, name := range changes {
		files = append(files, "../compose/"+name)
	}
	options, err := cli.NewProjectOptions(files, cli.WithName("pona"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose(t *testing.T) {
	project := compose(t, "traces.yaml")
	for _, name := range []string{"edge-1", "edge-2", "fanout-1", "fanout-2", "nats", "redis", "player", "bot", "prometheus", "grafana", "jaeger"} {
		s, err := project.GetService(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.HealthCheck == nil || len(s.HealthCheck.Test) == 0 {
			t.Errorf("%s has no health check", name)
		}
		if s.MemLimit == 0 || s.CPUS == 0 {
			t.Errorf("%s has no limits", name)
		}
		if !s.ReadOnly || len(s.CapDrop) == 0 {
			t.Errorf("%s may write to its root, or has capabilities", name)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is published to the world", name, port.Published)
			}
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// TestTracesAreCollectedWhereAsked looks up whom edges and fanouts send their spans to: nobody, but with traces.yaml.
func TestTracesAreCollectedWhereAsked(t *testing.T) {
	plain, traced := compose(t), compose(t, "traces.yaml")
	for service, prefix := range map[string]string{"edge-1": "PONA_EDGE", "edge-2": "PONA_EDGE", "fanout-1": "PONA_FANOUT", "fanout-2": "PONA_FANOUT"} {
		if endpoint, is := plain.Services[service].Environment[prefix+"_TRACE_ENDPOINT"]; is {
			t.Errorf("%s: traces to %s by itself", service, *endpoint)
		}
		with := traced.Services[service].Environment
		endpoint, ratio := with[prefix+"_TRACE_ENDPOINT"], with[prefix+"_TRACE_RATIO"]
		if endpoint == nil || *endpoint != "http://jaeger:4317" || ratio == nil || *ratio != "1" {
			t.Errorf("%s: is not traced: %v", service, with)
		}
		if len(with) != len(plain.Services[service].Environment)+2 {
			t.Errorf("%s: traces.yaml takes other settings away: %v", service, with)
		}
	}
}

// TestDevelopersEdgesAreOnLoopback holds compose to what an edge allows with insecure-dev.
func TestDevelopersEdgesAreOnLoopback(t *testing.T) {
	for name, s := range compose(t).Services {
		if !strings.HasPrefix(name, "edge") {
			continue
		}
		listen := s.Environment["PONA_EDGE_LISTEN"]
		if listen == nil || !strings.HasPrefix(*listen, "127.0.0.1:") || s.NetworkMode != "service:player" {
			t.Errorf("%s: listens where others than the balancer reach it", name)
		}
	}
}
