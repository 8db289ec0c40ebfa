package app

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/pkg/service"
)

const socketPath = "/socket.io/"

// Bounds on slow clients.
const (
	headerTime = 10 * time.Second
	bodyTime   = time.Minute
	idleTime   = 2 * time.Minute // of a connection between two requests
	maxHeader  = 64 << 10        // bytes
)

// clientServer serves /socket.io/ and /v1/socket.
func (a *App) clientServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle(socketPath, boundBody(a.admission.Handshakes(a.relay)))
	mux.HandleFunc("GET /v1/socket", a.status)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTime,
		WriteTimeout:      a.settings.PingInterval + a.settings.PingTimeout + bodyTime, // a poll waits for a ping at most
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(a.component("http").Handler(), slog.LevelDebug),
	}
}

// boundBody gives a client bodyTime to send a request's body.
func boundBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			// Connections that know no deadline are no TCP connections, and not ours to bound.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
		}
		next.ServeHTTP(w, r)
	})
}

// status tells the status page whether this edge can take clients.
func (a *App) status(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if slices.Contains(a.settings.Origins, origin) || slices.Equal(a.settings.Origins, []string{"*"}) {
		header.Set("Access-Control-Allow-Origin", origin)
	}
	if !a.health.Ready() {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"message":"Service Unavailable"}`)
		return
	}
	_, _ = io.WriteString(w, `{"message":"OK"}`)
}

// serve serves until the server is closed; its error is why it ended before.
func serve(server *http.Server, listener net.Listener, failed chan<- error) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); err != http.ErrServerClosed {
			failed <- err
		}
	}()
	return ended
}

// shutdown lets requests under way finish as long as ctx lasts, then cuts them.
func shutdown(ctx context.Context, server *http.Server) error {
	err := server.Shutdown(ctx)
	if err != nil {
		_ = server.Close()
	}
	return err
}

// adminMux answers operators: health, metrics, profiles, and what they may do.
func (a *App) adminMux(rebalance http.Handler) *http.ServeMux {
	mux := a.health.AdminMux()
	mux.Handle("POST /admin/rebalance", rebalance)
	metrics.Handle(mux, a.registry, a.summary)
	mux.Handle("GET /v1/report", &service.Reporter{
		Program: Program, Settings: &a.settings, Health: a.health, Metrics: a.summary.Now, Warnings: a.warnings,
		Servers: map[string]func(context.Context) string{"redis": a.redis.Version},
	})
	return mux
}
