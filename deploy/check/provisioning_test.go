package check

import (
	"log/slog"
	"net"
	"os"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"sigs.k8s.io/yaml"
)

// provisioned reads one of the files that compose gives Prometheus and Grafana.
func provisioned(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("../compose/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// mounted says whether a service of compose has a file or folder of this repository at a path.
func mounted(s types.ServiceConfig, at string) bool {
	return slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == at && v.Type == types.VolumeTypeBind })
}

// TestPrometheusScrapesEveryService compares what it is told to scrape with where the services of compose answer operators.
func TestPrometheusScrapesEveryService(t *testing.T) {
	text, err := os.ReadFile("../compose/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	read, err := config.Load(string(text), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	project := compose(t)
	for _, file := range read.RuleFiles {
		if !mounted(project.Services["prometheus"], file) {
			t.Errorf("compose does not give Prometheus %s", file)
		}
	}
	var scraped, there []string
	jobs, err := read.GetScrapeConfigs()
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range jobs {
		for _, found := range job.ServiceDiscoveryConfigs {
			static, is := found.(discovery.StaticConfig)
			if !is {
				t.Errorf("%s: finds its targets by %s", job.JobName, found.Name())
			}
			for _, group := range static {
				for _, target := range group.Targets {
					scraped = append(scraped, string(target[model.AddressLabel]))
				}
			}
		}
	}
	for name, program := range map[string]string{"edge-1": "EDGE", "edge-2": "EDGE", "fanout-1": "FANOUT", "fanout-2": "FANOUT"} {
		s, host, admin := project.Services[name], name, ":9091" // a fanout's default
		if address := s.Environment["PONA_"+program+"_ADMIN"]; address != nil {
			admin = *address
		}
		if s.NetworkMode == "service:player" {
			host = "player"
		}
		_, port, err := net.SplitHostPort(admin)
		if err != nil {
			t.Fatal(err)
		}
		there = append(there, net.JoinHostPort(host, port))
	}
	slices.Sort(scraped)
	slices.Sort(there)
	if !slices.Equal(scraped, there) {
		t.Errorf("scrapes %q, and services answer at %q", scraped, there)
	}
}

// TestGrafanaFindsPrometheusAndDashboards follows what it is given.
func TestGrafanaFindsPrometheusAndDashboards(t *testing.T) {
	var sources struct {
		Version     int `json:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool
		}
	}
	provisioned(t, "grafana/datasources/prometheus.yaml", &sources)
	if len(sources.Datasources) != 1 || sources.Datasources[0].UID != "prometheus" || sources.Datasources[0].URL != "http://prometheus:9090" {
		t.Errorf("data comes from %+v", sources.Datasources)
	}
	var boards struct {
		Version   int `json:"apiVersion"`
		Providers []struct {
			Name, Type      string
			DisableDeletion bool
			Options         struct{ Path string }
		}
	}
	provisioned(t, "grafana/dashboards/pona.yaml", &boards)
	for _, p := range boards.Providers {
		if !mounted(compose(t).Services["grafana"], p.Options.Path) {
			t.Errorf("compose does not give Grafana %s", p.Options.Path)
		}
	}
}
