// Package relay lets clients poll without sticky sessions.
//
// The id of an Engine.IO session is the sealed address of the edge that has it. A request that a
// load balancer has brought to another edge (a poll, a post, an upgrade to WebSocket) is relayed to
// that address, once, over TLS where that edge speaks TLS, as the id says. What does not unseal is left to the local engine, which knows no such session
// and says so; so it does when the owner cannot be reached, and the client starts anew. Nothing that
// a client can make up has an edge dial anything. A WebSocket is carried to the owner for as long as it lives.
//
//	client ──▶ balancer ──▶ edge A: opens sid ──▶ "edge B" ──▶ edge B: its own ──▶ engine
package relay

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pona-realtime/pona/services/edge/seal"
)

// Options are what a [Relay] needs; Log may be nil.
type Options struct {
	Self    string       // host:port at which other edges reach this one, with https:// before it where it speaks TLS
	Secrets [][]byte     // of the cluster, at least seal.MinSecret bytes each; the first one seals
	Next    http.Handler // the local engine
	Log     *slog.Logger

	TLS func() *tls.Config // of the next connection to an edge that speaks TLS; nil means with the system's authorities

	Metrics prometheus.Registerer // nil means none
}

// Relay is an [http.Handler] in front of an engine. All methods may be called at the same time.
type Relay struct {
	options   Options
	sids      *seal.Sealer
	passes    *seal.Sealer
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	measured  *measured

	stallTimeout, lingerTimeout time.Duration

	mu      sync.Mutex
	closed  bool
	tunnels map[*tunnel]struct{} // under way
	relayed sync.WaitGroup       // requests under way at other edges, and WebSockets to them
	ctx     context.Context
	cancel  context.CancelFunc
}

// New makes a relay. The error names the option.
func New(options Options) (*Relay, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	sids, err := seal.New("sid", options.Secrets...)
	if err != nil {
		return nil, err
	}
	passes, err := seal.New("relay pass", options.Secrets...)
	if err != nil {
		return nil, err
	}
	r := &Relay{options: options, sids: sids, passes: passes, tunnels: make(map[*tunnel]struct{}), measured: newMeasured(options.Metrics), stallTimeout: stallTimeout, lingerTimeout: lingerTimeout}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) { return r.dial(ctx, "http", address) },
		DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return r.dial(ctx, "https", address)
		},
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     time.Minute, // less than the other edge's
		DisableCompression:  true,        // what the client accepts is the client's and the owner's matter
	}
	r.proxy = &httputil.ReverseProxy{
		Rewrite:       r.rewrite,
		Transport:     r.transport,
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(options.Log.Handler(), slog.LevelDebug),
		ErrorHandler:  r.unreachable,
	}
	return r, nil
}

// GenerateID makes a session's id; it is engineio's Options.GenerateID.
func (r *Relay) GenerateID(*http.Request) (string, error) {
	return r.sids.Seal(r.options.Self, ""), nil
}

// ServeHTTP serves what is the local engine's, and relays what is another edge's.
func (r *Relay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	sid := request.URL.Query().Get("sid")
	relayed := r.admit(request, sid)
	owner, ok := r.sids.Open(sid, "")
	if relayed || !ok || owner == r.options.Self || !r.begin() {
		r.options.Next.ServeHTTP(w, request)
		return
	}
	defer r.relayed.Done()
	ctx, cancel := context.WithCancel(context.WithValue(request.Context(), ownerKey{}, owner))
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	request = request.WithContext(ctx)
	if websocket.IsWebSocketUpgrade(request) {
		r.measured.requests.WithLabelValues("websocket").Inc()
		r.tunnel(w, request, owner)
		return
	}
	r.measured.requests.WithLabelValues("polling").Inc()
	r.proxy.ServeHTTP(w, request)
}

// ownerKey is the context key of the address that a request is relayed to.
type ownerKey struct{}

// rewrite directs a request to the owner as the client sent it.
func (r *Relay) rewrite(p *httputil.ProxyRequest) {
	p.Out.URL.Scheme, p.Out.URL.Host = locate(p.In.Context().Value(ownerKey{}).(string))
	p.Out.Host = p.In.Host
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values := p.In.Header.Values(name); len(values) > 0 {
			p.Out.Header[name] = values // the balancer's words, not ours
		}
	}
	r.provide(p.Out, p.In.URL.Query().Get("sid"), p.In.RemoteAddr)
}

// locate reads what GenerateID has sealed: host:port, after https:// where it is over TLS.
func locate(owner string) (scheme, host string) {
	if host, secure := strings.CutPrefix(owner, "https://"); secure {
		return "https", host
	}
	return "http", owner
}

// unreachable leaves the request to the local engine, which answers that there is no such session.
func (r *Relay) unreachable(w http.ResponseWriter, request *http.Request, err error) {
	if request.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is listening, or this edge is closing
	}
	r.options.Log.Debug("owner of a session not reachable",
		"owner", request.Context().Value(ownerKey{}), "error", err)
	if request.Body == nil { // the proxy sends on none
		request.Body = http.NoBody
	}
	r.options.Next.ServeHTTP(w, request)
}

// begin counts a request to relay; false once the relay is closed.
func (r *Relay) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.relayed.Add(1)
	}
	return !r.closed
}

// Close cuts what is being relayed and waits until it has ended.
func (r *Relay) Close() {
	r.mu.Lock()
	r.closed = true
	for t := range r.tunnels {
		t.cut()
	}
	r.mu.Unlock()
	r.cancel()
	r.relayed.Wait()
	r.transport.CloseIdleConnections()
}
