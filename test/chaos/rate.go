package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// watchConnects asks every edge once a second how many sessions have begun there, until peak is called:
// that is the most of any second at any edge.
func watchConnects(ctx context.Context, edges []server) (peak func() float64) {
	ctx, cancel := context.WithCancel(ctx)
	most, stopped := 0.0, make(chan struct{})
	go func() {
		defer close(stopped)
		meters := make([]meter, len(edges))
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			for i, e := range edges {
				most = max(most, meters[i].read(ctx, e))
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() float64 {
		cancel()
		<-stopped
		return most
	}
}

// meter is what an edge said last.
type meter struct {
	total float64
	at    time.Time
}

// read gives the sessions that began in a second since the last reading; 0 where there is none, or the
// edge was started anew.
func (m *meter) read(ctx context.Context, s server) (rate float64) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Admin+"/v1/metrics", nil)
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		*m = meter{}
		return 0
	}
	defer response.Body.Close()
	var report struct{ TotalConnections float64 }
	if json.NewDecoder(response.Body).Decode(&report) != nil {
		*m = meter{}
		return 0
	}
	now := time.Now()
	if !m.at.IsZero() && report.TotalConnections >= m.total {
		rate = (report.TotalConnections - m.total) / now.Sub(m.at).Seconds()
	}
	*m = meter{report.TotalConnections, now}
	return rate
}
