package health

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// ServeHTTP answers /healthz with 200 as long as the process lives, and /readyz with 200
// {"status":"ready"} or 503 {"status":"not ready","missing":[{"name":"nats","reason":"…"}]}.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		answer(w, http.StatusOK, status{Status: "alive"})
	case "/readyz":
		if missing := h.Missing(); len(missing) > 0 {
			answer(w, http.StatusServiceUnavailable, status{Status: "not ready", Missing: missing})
			return
		}
		answer(w, http.StatusOK, status{Status: "ready"})
	default:
		http.NotFound(w, r)
	}
}

type status struct {
	Status  string    `json:"status"`
	Missing []Missing `json:"missing,omitempty"`
}

func answer(w http.ResponseWriter, code int, body status) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the prober has gone; nobody is left to tell
}

// AdminMux returns a mux with /healthz, /readyz, /debug/pprof/ and /debug/vars, to which a program may add more. It
// belongs on a port that only operators reach. Nothing of it shows the command line, which may hold secrets.
func (h *Health) AdminMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", h)
	mux.Handle("GET /readyz", h)
	mux.HandleFunc("GET /debug/vars", vars)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// vars answers with expvar's memory statistics, in the form of expvar, whose other variable is the command line.
func vars(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, `{"memstats": `+expvar.Get("memstats").String()+"}\n") // the reader has gone; nobody is left to tell
}

// Serve answers HTTP on the listener until ctx ends, then lets requests under way finish for at
// most a second. It closes the listener, waits for what it started, and returns nil when it was ctx
// that ended it.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(bounded) != nil {
		_ = server.Close() // a profile takes half a minute; its reader is cut off
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
