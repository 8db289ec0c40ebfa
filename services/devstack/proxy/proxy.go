// Package proxy is a load balancer of the simplest kind: each request goes to the next edge, without
// a look at what session it belongs to. So a long-polling client meets all of them in turn, which
// is what edges must bear in production.
package proxy

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
)

// Proxy is an http.Handler over a list of targets. WebSockets pass through.
type Proxy struct {
	reverse   httputil.ReverseProxy
	transport *http.Transport
	targets   atomic.Pointer[[]*url.URL] // nil means none yet
	turn      atomic.Uint64
	serving   sync.WaitGroup
}

// New makes a proxy that answers 503 until it has targets.
func New(log *slog.Logger) *Proxy {
	p := &Proxy{transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}
	p.reverse = httputil.ReverseProxy{
		Transport: p.transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			targets := *p.targets.Load()
			r.SetURL(targets[(p.turn.Add(1)-1)%uint64(len(targets))])
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			log.Debug("edge did not answer", slog.String("path", r.URL.Path), slog.Any("error", err))
			w.WriteHeader(http.StatusBadGateway)
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return p
}

// SetTargets says where requests go from now on, such as http://127.0.0.1:8081; there must be one
// at least, and the list must not be changed afterwards.
func (p *Proxy) SetTargets(targets []*url.URL) { p.targets.Store(&targets) }

// ServeHTTP passes a request on; for a WebSocket it returns when that has ended.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.targets.Load() == nil {
		http.Error(w, "the edges are starting", http.StatusServiceUnavailable)
		return
	}
	p.serving.Add(1)
	defer p.serving.Done()
	p.reverse.ServeHTTP(w, r)
}

// Wait waits for requests and WebSockets under way, and drops idle connections. No request may come
// any more; those to an edge that has stopped end by themselves.
func (p *Proxy) Wait() {
	p.serving.Wait()
	p.transport.CloseIdleConnections()
}
