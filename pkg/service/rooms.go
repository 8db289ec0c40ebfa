package service

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/redisbus"
	"github.com/pona-realtime/pona/pkg/settings"
)

// MirrorUID marks what a fanout mirrors for Node servers: servers of ours have it from the fanout itself.
const MirrorUID = "ponami"

// maxMessage is what a bus keeps of messages that wait.
const maxMessage = 64 << 20

// RoomSettings say how a service takes part in the cluster of Socket.IO servers.
type RoomSettings struct {
	Adapter           string         `default:"classic" enum:"off,classic,sharded,sharded-static,sharded-dynamic-private" group:"Rooms" help:"Form in which rooms span servers, Node's with @socket.io/redis-adapter 8 among them; the same for all. Sharded ones are by its subscriptionMode, dynamic where none is named. Needs Redis."`
	AdapterKey        string         `default:"pona:socket.io" unit:"prefix of channels" group:"Rooms" help:"What the adapter's channels begin with; the same for all."`
	AdapterTimeout    time.Duration  `default:"5s" group:"Rooms" help:"Time other servers have to answer a request."`
	AdapterMaxMessage settings.Bytes `default:"16MiB" group:"Rooms" help:"Largest message to other servers, 64MiB at most; a larger one is refused. Redis cuts every server for which it keeps more than its client-output-buffer-limit for pubsub, 32mb by default: that should be twice as much as this."`
	AdapterSpecific   bool           `group:"Rooms" help:"Answer on a channel of the asker's own, as with publishOnSpecificResponseChannel."`
}

// Rooms is this service in the cluster of Socket.IO servers.
type Rooms struct {
	Node   *adapter.Node
	Mirror *adapter.Node // only publishes, what servers of ours leave out; nil where none was asked for
	buses  []*redisbus.Bus
	client redis.UniversalClient
}

// JoinRooms joins the cluster, with a mirror or without; nil where the settings say not to. Metrics may be nil.
// Close must follow. The error names the setting.
func (r *Redis) JoinRooms(s RoomSettings, mirror bool, metrics prometheus.Registerer) (*Rooms, error) {
	if s.Adapter == "off" {
		return nil, nil
	}
	if s.AdapterTimeout <= 0 {
		return nil, fmt.Errorf("adapter-timeout: %s, must be more than 0", s.AdapterTimeout)
	}
	if s.AdapterKey == "" {
		return nil, errors.New("adapter-key: empty, must be what all servers' channels begin with")
	}
	if s.AdapterMaxMessage > maxMessage {
		return nil, fmt.Errorf("adapter-max-message: %s, must be at most %s", s.AdapterMaxMessage, settings.Bytes(maxMessage))
	}
	rooms := &Rooms{client: r.connect(-1)} // what is published twice arrives twice
	var err error
	if rooms.Node, err = rooms.join(s, redisbus.Options{Ignore: []string{MirrorUID}, Log: r.log}); err == nil && mirror {
		rooms.Mirror, err = rooms.join(s, redisbus.Options{UID: MirrorUID, Log: r.log})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("adapter: %w", err), rooms.Close())
	}
	if metrics != nil {
		metrics.MustRegister(roomStats{rooms})
	}
	return rooms, nil
}

func (r *Rooms) join(s RoomSettings, options redisbus.Options) (*adapter.Node, error) {
	options.Key, options.Mode, options.SpecificResponses, options.MaxMessage = s.AdapterKey, redisbus.Mode(s.Adapter), s.AdapterSpecific, int64(s.AdapterMaxMessage)
	bus, err := redisbus.New(r.client, options)
	if err != nil {
		return nil, err
	}
	r.buses = append(r.buses, bus)
	return adapter.NewNode(bus, adapter.Options{RequestTimeout: s.AdapterTimeout}), nil
}

// Close leaves the cluster and waits for everything JoinRooms has started.
func (r *Rooms) Close() error {
	for _, node := range []*adapter.Node{r.Node, r.Mirror} {
		if node != nil {
			node.Close()
		}
	}
	for _, bus := range r.buses {
		bus.Close()
	}
	return r.client.Close()
}

// CloseRedis ends what a service has of Redis: its rooms, then its client. Either may be nil.
func CloseRedis(rooms *Rooms, r *Redis) (err error) {
	if rooms != nil {
		err = rooms.Close()
	}
	if r != nil {
		err = errors.Join(err, r.Client.Close())
	}
	return err
}

// roomStats shows Prometheus what nodes and buses count.
type roomStats struct{ rooms *Rooms }

var (
	roomChannels = prometheus.NewDesc("pona_adapter_channels", "Channels of Redis subscribed to.", nil, nil)
	roomMessages = prometheus.NewDesc("pona_adapter_messages_total", "Messages to and from other servers, by what became of them; malformed and overflowed ones came and were dropped.", []string{"outcome"}, nil)
	roomRequests = prometheus.NewDesc("pona_adapter_requests_total", "Requests to other servers: answered by all, not by all in time, or not sent because Redis could not be reached.", []string{"outcome"}, nil)
	roomLost     = prometheus.NewDesc("pona_adapter_connections_lost_total", "Connections of subscriptions that broke.", nil, nil)
	roomAgain    = prometheus.NewDesc("pona_adapter_resubscriptions_total", "Channels subscribed to once more after a connection broke.", nil, nil)
)

// Describe is prometheus.Collector's.
func (roomStats) Describe(d chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{roomChannels, roomMessages, roomRequests, roomLost, roomAgain} {
		d <- desc
	}
}

// Collect is prometheus.Collector's.
func (r roomStats) Collect(m chan<- prometheus.Metric) {
	asked := r.rooms.Node.Stats()
	channels, lost, again := 0, uint64(0), uint64(0)
	messages := map[string]uint64{"overflowed": asked.Dropped, "malformed": asked.Malformed}
	for _, bus := range r.rooms.buses {
		s := bus.Stats()
		channels, lost, again = channels+s.Channels, lost+s.Lost, again+s.Resubscribed
		messages["published"] += s.Published
		messages["refused"] += s.Refused
		messages["received"] += s.Received
		messages["malformed"] += s.Malformed
		messages["overflowed"] += s.Overflowed
	}
	count := func(desc *prometheus.Desc, n uint64, labels ...string) {
		m <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
	}
	m <- prometheus.MustNewConstMetric(roomChannels, prometheus.GaugeValue, float64(channels))
	for outcome, n := range messages {
		count(roomMessages, n, outcome)
	}
	count(roomRequests, asked.Complete, "complete")
	count(roomRequests, asked.Incomplete, "incomplete")
	count(roomRequests, asked.Unreachable, "unreachable")
	count(roomLost, lost)
	count(roomAgain, again)
}
