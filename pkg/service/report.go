package service

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/pona-realtime/pona/pkg/health"
	"github.com/pona-realtime/pona/pkg/settings"
)

// Reporter makes reports: what those who are to help need to know, in one file and without secrets.
type Reporter struct {
	Program  settings.Program
	Settings any // pointer to the program's
	Health   *health.Health
	Metrics  func() any // as /v1/metrics shows
	Warnings *Warnings
	// Servers tell, by their names, the version of each server that the program uses; "" where that is not known now.
	// They return when ctx ends.
	Servers map[string]func(ctx context.Context) string
}

// versionTime bounds how long a report waits for servers to tell their version.
const versionTime = time.Second

// report is one, as JSON.
type report struct {
	At       time.Time         `json:"at"`
	Program  string            `json:"program"`
	Build    settings.Build    `json:"build"`
	Servers  map[string]string `json:"servers"` // versions of those that answered
	Machine  machine           `json:"machine"`
	Missing  []health.Missing  `json:"missing"` // what /readyz shows
	Metrics  any               `json:"metrics"`
	Settings map[string]string `json:"settings"` // those that are not the default; secrets are hidden
	Warnings []warning         `json:"warnings"` // by each one's last, the oldest first
}

// ServeHTTP answers GET /v1/report.
func (r *Reporter) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", `attachment; filename="`+r.Program.Name+`-report.json"`)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(r.report(request.Context())) // the reader has gone; nobody is left to tell
}

func (r *Reporter) report(ctx context.Context) report {
	out := report{
		At: time.Now().UTC(), Program: r.Program.Name, Build: settings.BuildOf(r.Program), Servers: r.versions(ctx),
		Machine: readMachine(os.DirFS("/"), memlimit.FromCgroup),
		Missing: append([]health.Missing{}, r.Health.Missing()...), Metrics: r.Metrics(),
		Warnings: r.Warnings.list(),
	}
	out.Settings, _ = settings.Changed(r.Program, r.Settings) // what could be parsed can be listed
	return out
}

// versions asks the servers, all at the same time.
func (r *Reporter) versions(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, versionTime)
	defer cancel()
	var asking sync.WaitGroup
	var mu sync.Mutex
	versions := map[string]string{}
	for name, version := range r.Servers {
		asking.Go(func() {
			if v := version(ctx); v != "" {
				mu.Lock()
				defer mu.Unlock()
				versions[name] = v
			}
		})
	}
	asking.Wait()
	return versions
}
