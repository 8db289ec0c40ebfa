package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/redisbus"
	"github.com/pona-realtime/pona/pkg/socketio"
)

// busOptions are how a node speaks to others, by MODE.
var busOptions = map[string]redisbus.Options{
	"classic":        {Mode: redisbus.Classic},
	"specific":       {Mode: redisbus.Classic, SpecificResponses: true},
	"sharded":        {Mode: redisbus.Sharded},
	"sharded-static": {Mode: redisbus.ShardedStatic},
}

// newRedisCluster serves a node that its clients tell what to do in its cluster, whose other nodes may be
// Node's. REDIS_PORT says where Redis is, MODE how the nodes speak.
func newRedisCluster(variable func(string) string) (peer, error) {
	opts, ok := busOptions[variable("MODE")]
	if !ok {
		return peer{}, fmt.Errorf("MODE=%q: must be one of %s", variable("MODE"), names(busOptions))
	}
	port := variable("REDIS_PORT")
	if port == "" {
		return peer{}, errors.New("REDIS_PORT is not set")
	}
	opts.Key = "pona:socket.io"
	client := redis.NewClient(&redis.Options{Addr: net.JoinHostPort("127.0.0.1", port), MaxRetries: -1})
	bus, err := redisbus.New(client, opts)
	if err != nil {
		return peer{}, errors.Join(err, client.Close())
	}
	c := &commander{bus: bus, node: adapter.NewNode(bus, adapter.Options{})}
	c.server = socketio.NewServer(socketio.Options{Cluster: c.node})
	p := peer{clients: c.server, close: func(ctx context.Context) error {
		err := c.server.Close(ctx)
		c.running.Wait()
		c.node.Close()
		bus.Close()
		return errors.Join(err, client.Close())
	}}
	for _, name := range []string{"/", "/custom"} {
		c.serve(c.server.Of(name))
	}
	// The others must be able to count this node once a client can ask it anything.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := bus.Synced(ctx); err != nil {
		return peer{}, errors.Join(fmt.Errorf("REDIS_PORT=%s: %w", port, err), p.close(ctx))
	}
	return p, nil
}
