package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/redisbus"
)

// emitter publishes to the adapter's channels, as npm @socket.io/redis-emitter does.
type emitter struct {
	o       Options
	client  *redis.Client
	bus     *redisbus.Bus
	node    *adapter.Node
	cluster *adapter.Cluster
}

// Redis publishes over the Redis of that URL, to servers with npm @socket.io/redis-adapter 8, or ours, and
// that key; sharded says that theirs is the sharded one.
func Redis(ctx context.Context, o Options, url, key string, sharded bool) (Source, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.MaxRetries = -1 // what is published twice arrives twice
	e := &emitter{o: o, client: redis.NewClient(options)}
	if err := e.client.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("redis %s: %w", options.Addr, err), e.client.Close())
	}
	mode := redisbus.Classic
	if sharded {
		mode = redisbus.Sharded
	}
	if e.bus, err = redisbus.New(e.client, redisbus.Options{Key: key, Mode: mode, UID: "emitter"}); err != nil {
		return nil, errors.Join(err, e.client.Close())
	}
	e.node = adapter.NewNode(e.bus, adapter.Options{})
	e.cluster = e.node.Visit(o.Namespace)
	return e, nil
}

func (e *emitter) Emit(_ context.Context, argument string) error {
	name, err := json.Marshal(e.o.Event)
	if err != nil {
		return err
	}
	var target adapter.Target
	if e.o.Room != "" {
		target.Rooms = []string{e.o.Room}
	}
	return e.cluster.Broadcast(target, adapter.Flags{}, adapter.Value{JSON: fmt.Appendf(nil, "[%s,%s]", name, argument)})
}

func (e *emitter) Close() error {
	e.cluster.Leave()
	e.node.Close()
	e.bus.Close()
	return e.client.Close()
}
