package service

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/redisbus"
)

// MirrorUID marks what a fanout mirrors for Node servers: servers of ours have it from the fanout itself.
const MirrorUID = "ponami"

// RoomSettings say how a service takes part in the cluster of Socket.IO servers.
type RoomSettings struct {
	RedisMode string `default:"single" enum:"single,sentinel,cluster" group:"Redis" help:"What redis-url names: one server; Sentinels, with ?master_name=NAME and more of them as &addr=host:port; or nodes of a Redis Cluster, more of them as ?addr=host:port."`

	Adapter         string        `default:"classic" enum:"off,classic,sharded,sharded-static" group:"Rooms" help:"Form in which rooms span servers, Node's with @socket.io/redis-adapter 8 among them; the same for all. Needs Redis."`
	AdapterKey      string        `default:"pona:socket.io" unit:"prefix of channels" group:"Rooms" help:"What the adapter's channels begin with; the same for all."`
	AdapterTimeout  time.Duration `default:"5s" group:"Rooms" help:"Time other servers have to answer a request."`
	AdapterSpecific bool          `group:"Rooms" help:"Answer on a channel of the asker's own, as with publishOnSpecificResponseChannel."`
}

// Rooms is this service in the cluster of Socket.IO servers.
type Rooms struct {
	Node   *adapter.Node
	bus    *redisbus.Bus
	client redis.UniversalClient
}

// JoinRooms joins the cluster; nil where the settings say not to. Metrics may be nil. Close must follow.
func (r *Redis) JoinRooms(s RoomSettings, metrics prometheus.Registerer) (*Rooms, error) {
	rooms, err := r.join(s, redisbus.Options{Ignore: []string{MirrorUID}})
	if rooms != nil && metrics != nil {
		metrics.MustRegister(roomStats{rooms.bus})
	}
	return rooms, err
}

// JoinMirror joins the cluster only to publish what servers of ours leave out.
func (r *Redis) JoinMirror(s RoomSettings) (*Rooms, error) {
	return r.join(s, redisbus.Options{UID: MirrorUID})
}

func (r *Redis) join(s RoomSettings, options redisbus.Options) (*Rooms, error) {
	if s.Adapter == "off" {
		return nil, nil
	}
	if s.AdapterTimeout <= 0 {
		return nil, errors.New("adapter-timeout: must be more than 0")
	}
	options.Key, options.Mode, options.SpecificResponses, options.Log = s.AdapterKey, redisbus.Mode(s.Adapter), s.AdapterSpecific, r.log
	client := r.connect(-1) // what is published twice arrives twice
	bus, err := redisbus.New(client, options)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &Rooms{adapter.NewNode(bus, adapter.Options{RequestTimeout: s.AdapterTimeout}), bus, client}, nil
}

// Close leaves the cluster and waits for everything JoinRooms has started.
func (r *Rooms) Close() error {
	r.Node.Close()
	r.bus.Close()
	return r.client.Close()
}

// roomStats shows Prometheus what a bus counts.
type roomStats struct{ bus *redisbus.Bus }

var (
	roomChannels = prometheus.NewDesc("pona_adapter_channels", "Channels of Redis subscribed to.", nil, nil)
	roomMessages = prometheus.NewDesc("pona_adapter_messages_total", "Messages to and from other servers, by what became of them.", []string{"outcome"}, nil)
	roomLost     = prometheus.NewDesc("pona_adapter_connections_lost_total", "Connections of subscriptions that broke.", nil, nil)
	roomAgain    = prometheus.NewDesc("pona_adapter_resubscriptions_total", "Channels subscribed to once more after a connection broke.", nil, nil)
)

// Describe is prometheus.Collector's.
func (roomStats) Describe(d chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{roomChannels, roomMessages, roomLost, roomAgain} {
		d <- desc
	}
}

// Collect is prometheus.Collector's.
func (r roomStats) Collect(m chan<- prometheus.Metric) {
	s := r.bus.Stats()
	m <- prometheus.MustNewConstMetric(roomChannels, prometheus.GaugeValue, float64(s.Channels))
	for outcome, n := range map[string]uint64{
		"published": s.Published, "refused": s.Refused, "received": s.Received, "malformed": s.Malformed, "overflowed": s.Overflowed,
	} {
		m <- prometheus.MustNewConstMetric(roomMessages, prometheus.CounterValue, float64(n), outcome)
	}
	m <- prometheus.MustNewConstMetric(roomLost, prometheus.CounterValue, float64(s.Lost))
	m <- prometheus.MustNewConstMetric(roomAgain, prometheus.CounterValue, float64(s.Resubscribed))
}
