package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// gauge is one number about a process that must not grow.
type gauge struct {
	name   string
	metric string
	unit   float64 // that it is shown in
	limit  limit
}

// memoryLimit allows for what the runtime keeps for itself: stacks, spans, an arena's beginning.
var memoryLimit = limit{share: 0.03, absolute: 2 << 20}

// gauges are of the Go runtime and of the kernel. The heap's goal is set by each collection to twice what was
// found alive, and so shows what is alive without the saw-tooth of what is not.
var gauges = []gauge{
	{"heap goal, MiB", "go_memstats_next_gc_bytes", 1 << 20, memoryLimit},
	{"resident memory, MiB", "process_resident_memory_bytes", 1 << 20, memoryLimit},
	{"goroutines", "go_goroutines", 1, limit{share: 0.03, absolute: 20}},
	{"file descriptors", "process_open_fds", 1, limit{share: 0.03, absolute: 10}},
}

// sample asks a service for all gauges, in their order and the metrics' own units.
func sample(ctx context.Context, s server) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, err
	}
	var values []float64
	for _, g := range gauges {
		family := families[g.metric]
		if family == nil || len(family.Metric) != 1 || family.Metric[0].Gauge == nil {
			return nil, fmt.Errorf("%s has no gauge %s", request.URL, g.metric)
		}
		values = append(values, family.Metric[0].Gauge.GetValue())
	}
	return values, nil
}
