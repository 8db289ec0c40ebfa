package check

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
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
		if user := runsAs(t, s); user == "" || strings.HasPrefix(user, "0") || user == "root" {
			t.Errorf("%s runs as %q", name, user)
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

// runsAs is whom the compose file says, or the image that the Dockerfile makes of the same name.
func runsAs(t *testing.T, s types.ServiceConfig) string {
	t.Helper()
	if s.User != "" {
		return s.User
	}
	target, ours := strings.CutPrefix(s.Image, "pona/")
	if !ours {
		return ""
	}
	user := ""
	for stage, is := stages(t)[target]; is && user == ""; stage, is = stages(t)[stage.BaseName] {
		for _, c := range stage.Commands {
			if u, is := c.(*instructions.UserCommand); is {
				user = u.User
			}
		}
	}
	return user
}

// TestImagesAreBuiltOnce: Compose builds all services at once, and two that give their image one name may fail.
func TestImagesAreBuiltOnce(t *testing.T) {
	built := map[string]string{}
	services := compose(t).Services
	for name, s := range services {
		if s.Build == nil {
			continue
		}
		if other, twice := built[s.Image]; twice {
			t.Errorf("%s and %s both build %s", name, other, s.Image)
		}
		built[s.Image] = name
		if s.Image != "pona/"+s.Build.Target {
			t.Errorf("%s builds %s and calls it %s", name, s.Build.Target, s.Image)
		}
	}
	for name, s := range services {
		if _, is := built[s.Image]; s.Build == nil && (is || strings.HasPrefix(s.Image, "pona/")) && (!is || s.PullPolicy != types.PullPolicyNever) {
			t.Errorf("%s pulls %s, which is built here: %q", name, s.Image, s.PullPolicy)
		}
	}
}

// TestComposeRestartsEdgesWithTheBalancer: they would stay in a network that is there no more. Compose says so of itself, but not
// where depends_on names the balancer.
func TestComposeRestartsEdgesWithTheBalancer(t *testing.T) {
	services := compose(t).Services
	for _, name := range []string{"edge-1", "edge-2"} {
		balancer := strings.TrimPrefix(services[name].NetworkMode, types.ServicePrefix)
		if needs, is := services[name].DependsOn[balancer]; !is || !needs.Restart {
			t.Errorf("%s is not restarted with %s: %+v", name, balancer, needs)
		}
	}
}

// TestHealthChecksAskWhatMatters holds the checks of balancer and bot to what they look at.
func TestHealthChecksAskWhatMatters(t *testing.T) {
	services := compose(t).Services
	player := services["player"].HealthCheck.Test
	if asked := player[len(player)-1]; asked != "http://127.0.0.1:8080/v1/socket" {
		t.Errorf("the balancer is healthy where %s is, without any edge", asked)
	}
	bot := services["bot"]
	file := bot.HealthCheck.Test[len(bot.HealthCheck.Test)-1]
	if i := slices.Index(bot.Command, "--alive"); i < 0 || !slices.Equal(bot.HealthCheck.Test, []string{"CMD", "node", "alive.js", bot.Command[i+1]}) {
		t.Errorf("the bot is told %q, and looked at with %q", bot.Command, bot.HealthCheck.Test)
	}
	if !slices.Contains(bot.Tmpfs, filepath.Dir(file)) {
		t.Errorf("the bot cannot write to %s", file)
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
