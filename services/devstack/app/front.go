package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/pona-realtime/pona/services/devstack/proxy"
	"github.com/pona-realtime/pona/services/devstack/simbot"
	"github.com/pona-realtime/pona/services/devstack/web"
)

// frontDrain is how long the front waits for requests under way; the edges have stopped by then.
const frontDrain = 2 * time.Second

// front is what listens on --listen: the player page, and the edges behind the proxy.
//
// It is the first part to run and the last to stop, because a WebSocket through it ends only when
// its edge ends it.
type front struct {
	listener net.Listener
	server   http.Server
	edges    *proxy.Proxy
}

func (a *App) newFront() (*front, error) {
	page, err := web.Handler(a.pageConfig())
	if err != nil {
		return nil, err
	}
	f := &front{listener: a.listener, edges: proxy.New(a.log)}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", f.edges)
	mux.Handle("/v1/", f.edges)
	mux.Handle("/", page)
	f.server = http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return f, nil
}

// run serves until ctx ends, and returns when nothing is under way any more.
func (f *front) run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(f.listener) }()
	var err error
	select {
	case err = <-served: // it broke
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.Background(), frontDrain)
		defer cancel()
		_ = f.server.Shutdown(drain) // what it waited for in vain is closed next
		<-served
	}
	err = errors.Join(err, f.server.Close())
	f.edges.Wait()
	return err
}

// pageConfig is what the page is told of this stack.
func (a *App) pageConfig() web.Config {
	c := web.Config{Auth: "insecure-dev"}
	if a.settings.Discord != "" {
		c.Auth = "discord"
	}
	for _, g := range simbot.Guilds() {
		c.Guilds = append(c.Guilds, web.Guild{ID: strconv.FormatUint(g.ID, 10), Name: g.Name, Channel: g.Channel})
	}
	return c
}
