// Package adminui lets the official Socket.IO Admin UI look into a server and its cluster: the page of npm
// @socket.io/admin-ui connects to the namespace /admin, as it does to a server of npm's socket.io that called
// instrument(). Its truth is what that page (0.5) sends and takes.
//
// A server tells of itself only while a page is connected to it or to another server of the cluster. In
// production mode that is its counters, every two seconds; in development mode also each socket, room and event.
//
//	page ──CONNECT {username, password} | {sessionId}──▶ session, config, [all_sockets,] server_stats …
//	page ──emit | join | leave | _disconnect──▶ the sockets meant, on every server
package adminui

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/socketio"
)

// Options tunes an [AdminUI]. Username and PasswordHash are required.
type Options struct {
	Namespace    string   // empty means /admin
	Username     string   //
	PasswordHash string   // bcrypt's, such as $2b$10$…
	Secrets      [][]byte // the first one signs sessions, all of them verify; none: sessions end with the server
	ReadOnly     bool     // pages look and do nothing
	Development  bool     // pages see sockets, rooms and events, too
	ServerID     string   // name of this server on the page; empty means the host's
	// Cluster is the server's Options.Cluster: pages reach namespaces, too, that live on other servers only.
	Cluster *adapter.Node
	// Address tells who tries passwords, for the limit on that; nil: by the peer's IP address.
	Address func(*socketio.Socket) string
	Log     *slog.Logger // what pages do, and who was refused; nil means none
}

// AdminUI serves the pages of one server.
type AdminUI struct {
	options  Options
	server   *socketio.Server
	admin    *socketio.Namespace
	gate     *gate
	stats    stats
	details  details
	watched  atomic.Int64  // when a page was last known to be connected anywhere, UnixNano; 0: never
	wake     chan struct{} // a page has just come
	interval time.Duration

	mu    sync.Mutex      // orders begin and the end
	asked sync.WaitGroup  // what pages have asked for
	life  context.Context // of that
	end   context.CancelFunc
}

const (
	interval    = 2 * time.Second // between two server_stats
	watchedTime = 10 * time.Second
	eventWatch  = "pona:admin-ui:watched" // server-side events between servers
	eventTell   = "pona:admin-ui:sockets"
)

// Attach opens the namespace; it comes before the server's first request. Run must follow.
func Attach(server *socketio.Server, o Options) (*AdminUI, error) {
	if o.Namespace == "" {
		o.Namespace = "/admin"
	}
	if o.Username == "" {
		return nil, errors.New("the user name is missing")
	}
	if _, err := bcrypt.Cost([]byte(o.PasswordHash)); err != nil {
		return nil, fmt.Errorf("the password must be a bcrypt hash: %w", err)
	}
	if len(o.Secrets) == 0 {
		o.Secrets = [][]byte{[]byte(rand.Text())}
	}
	if o.ServerID == "" {
		o.ServerID, _ = os.Hostname() // unnamed then
	}
	if o.Address == nil {
		o.Address = func(s *socketio.Socket) string { return s.Handshake().Address() }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &AdminUI{options: o, server: server, admin: server.Of(o.Namespace), gate: newGate(), wake: make(chan struct{}, 1), interval: interval}
	a.life, a.end = context.WithCancel(context.Background())
	a.admin.Use(a.authenticate)
	a.admin.OnConnection(a.serve)
	a.admin.OnServerSideEmit(eventWatch, func(*socketio.ServerSideEvent) {
		if a.watch() {
			a.tellSoon()
		}
	})
	a.admin.OnServerSideEmit(eventTell, func(e *socketio.ServerSideEvent) { _ = e.Ack(a.sockets()) })
	if o.Development {
		a.observe()
	}
	return a, nil
}

// Run tells connected pages of this server until ctx ends.
func (a *AdminUI) Run(ctx context.Context) {
	var telling sync.WaitGroup
	telling.Go(func() { a.tellDetails(ctx) })
	defer func() {
		a.mu.Lock()
		a.end()
		a.mu.Unlock()
		a.asked.Wait()
		telling.Wait()
	}()
	tick := time.NewTicker(a.interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if a.admin.Len() > 0 {
				a.watch()
				_ = a.admin.ServerSideEmit(eventWatch) // alone, or Redis is away: the page sees this server
			}
		case <-a.wake:
		case <-ctx.Done():
			return
		}
		if told, watched := a.nextStats(); watched {
			_ = a.admin.Emit("server_stats", told) // Redis is away: pages connected here see it
		}
	}
}

// begin runs f, for which Run waits; not after its end.
func (a *AdminUI) begin(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.life.Err() == nil {
		a.asked.Go(f)
	}
}

// watch notes that a page is connected, here or elsewhere, and says whether none was known of before.
func (a *AdminUI) watch() (first bool) {
	before := a.watched.Swap(time.Now().UnixNano())
	return time.Since(time.Unix(0, before)) >= watchedTime
}

// tellSoon has Run tell of the server without waiting for its time.
func (a *AdminUI) tellSoon() {
	select {
	case a.wake <- struct{}{}:
	default: // it is to be told already
	}
}

func (a *AdminUI) isWatched() bool {
	return time.Since(time.Unix(0, a.watched.Load())) < watchedTime
}

// serve serves a page that has been let in.
func (a *AdminUI) serve(s *socketio.Socket) {
	if logged, ok := s.Data().(session); ok {
		_ = s.Emit("session", logged.token) // a text has a JSON form
	}
	features := []string{"AGGREGATED_EVENTS"}
	if !a.options.ReadOnly {
		features = append(features, "EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT")
		a.takeOrders(s)
	}
	if a.options.Development {
		features = append(features, "ALL_EVENTS")
	}
	_ = s.Emit("config", map[string]any{"supportedFeatures": features}) // has a JSON form
	a.watch()
	_ = a.admin.ServerSideEmit(eventWatch) // see Run; before the question, so that nothing falls between its answer and what is told
	if a.options.Development {
		a.begin(func() { a.sendSockets(s) })
	}
	a.tellSoon()
}
