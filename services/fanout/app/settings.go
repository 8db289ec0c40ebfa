package app

import (
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/pkg/tracing"
)

// Program is what the command says of itself.
var Program = settings.Program{
	Name:        "fanout",
	Description: "fanout stores the events of Pona's bots and gives them to the edges.",
	EnvPrefix:   "PONA_FANOUT",
}

// Settings are all that can be set of a fanout, as flags, variables (PONA_FANOUT_…) and keys of a
// file; see pkg/settings, whose Defaults fills in what holds where nothing is set.
type Settings struct {
	GRPC  string `name:"grpc" default:":7070" unit:"host:port" group:"Bots and edges" help:"Address that bots and edges connect to."`
	Admin string `default:":9091" unit:"host:port" group:"Bots and edges" help:"Address of health, metrics and profiles, for operators only."`
	ID    string `unit:"letters, digits, - and _" group:"Bots and edges" help:"Name of this fanout, unique in the cluster. Empty: the host's name and something random."`

	NATS         string         `name:"nats-url" default:"nats://127.0.0.1:4222" secret:"" unit:"URLs, comma separated" group:"NATS" help:"NATS servers of the cluster, with JetStream."`
	Partitions   uint32         `default:"64" unit:"partitions" group:"NATS" help:"Partitions of the event stream; the same in the whole cluster, and fixed when the stream is made."`
	Replicas     int            `default:"1" unit:"servers" group:"NATS" help:"NATS servers that keep each event, state and lease: 1, 3 or 5."`
	Retention    time.Duration  `default:"10m" group:"NATS" help:"Time events are kept, so that clients and edges can come back."`
	RetentionMax settings.Bytes `default:"0" unit:"bytes, 0 for no bound" group:"NATS" help:"Most events kept; older ones go first."`
	Dedup        time.Duration  `default:"2m" group:"NATS" help:"Time an event's id is remembered, so that it is stored once."`
	MaxEvent     settings.Bytes `default:"6MiB" group:"NATS" help:"Largest event; less where the NATS server's max_payload leaves no room for it."`
	StoreTimeout time.Duration  `default:"5s" group:"NATS" help:"Time NATS has to store one event, before the bot is told to try again."`

	LeaseTTL   time.Duration  `name:"lease-ttl" default:"3s" group:"Partitions" help:"Time without renewal after which a partition is another fanout's."`
	Checkpoint time.Duration  `default:"15s" group:"Partitions" help:"Time between two checkpoints of the guilds that had events; many events make one due earlier."`
	StateTTL   time.Duration  `name:"state-ttl" default:"168h" group:"Partitions" help:"Time without events after which a guild's state is forgotten."`
	EndedTTL   time.Duration  `name:"ended-state-ttl" default:"24h" group:"Partitions" help:"The same for a guild without a player, such as one whose player was destroyed; at most state-ttl."`
	RouteQueue settings.Bytes `name:"route-queue-bytes" default:"64MiB" group:"Partitions" help:"Most that waits for one edge, before its stream is ended."`
	Replay     settings.Bytes `default:"16MiB" group:"Partitions" help:"Most of one guild's missed events that is read for edges that come back; beyond, they get a snapshot."`

	CommandTimeout time.Duration `default:"5s" group:"Commands" help:"Time a bot has to answer a command."`

	service.RedisSettings
	service.RoomSettings
	Mirror bool `group:"Rooms" help:"Send what listeners of guilds are sent to those on Node servers too, through the adapter. For a migration only."`

	Grace time.Duration `default:"10s" group:"Stopping" help:"Time each step of stopping may take."`

	BotTokens string `unit:"path" group:"Bots and edges" help:"File with the tokens of bots, one on each line, of which each must show one; read again when it changes. Empty: bots need none."`
	NATSCA    string `name:"nats-ca" unit:"path" group:"NATS" help:"Authorities (PEM) that NATS' certificate must be from. Empty: TLS only where a URL begins with tls://, with the system's."`
	NATSCert  string `name:"nats-cert" unit:"path" group:"NATS" help:"Certificate to show to NATS (PEM)."`
	NATSKey   string `name:"nats-key" unit:"path" group:"NATS" help:"Its key (PEM)."`

	service.ServerTLS
	tracing.Traces
	service.Logging
	service.Scheduling
	service.Probing
}

// AdminAddress is where a running one is asked how it is.
func (s *Settings) AdminAddress() string { return s.Admin }

// idPattern is what a name must be to stand in a NATS subject and a KV key.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate finds settings that are impossible. The error names them.
func (s *Settings) Validate() error {
	for _, d := range []struct {
		name string
		is   time.Duration
		min  time.Duration
	}{
		{"retention", s.Retention, s.Dedup}, {"dedup", s.Dedup, 100 * time.Millisecond}, {"store-timeout", s.StoreTimeout, time.Millisecond},
		{"lease-ttl", s.LeaseTTL, time.Second}, {"checkpoint", s.Checkpoint, 10 * time.Millisecond}, {"state-ttl", s.StateTTL, s.Retention},
		{"ended-state-ttl", s.EndedTTL, max(s.Retention, time.Second)},
		{"command-timeout", s.CommandTimeout, time.Millisecond}, {"grace", s.Grace, time.Millisecond},
	} {
		if d.is < d.min {
			return fmt.Errorf("%s: %s, must be at least %s", d.name, d.is, d.min)
		}
	}
	for _, b := range []struct {
		name string
		is   settings.Bytes
		min  settings.Bytes
		max  settings.Bytes
	}{
		{"max-event", s.MaxEvent, 1 << 10, 32 << 20}, {"route-queue-bytes", s.RouteQueue, s.MaxEvent, math.MaxInt64},
		{"replay", s.Replay, 0, s.RouteQueue}, {"retention-max", s.RetentionMax, 0, math.MaxInt64},
	} {
		if b.is < b.min && b.max == math.MaxInt64 {
			return fmt.Errorf("%s: %s, must be %s or more", b.name, b.is, b.min)
		}
		if b.is < b.min || b.is > b.max {
			return fmt.Errorf("%s: %s, must be %s to %s", b.name, b.is, b.min, b.max)
		}
	}
	if s.Partitions == 0 || s.Partitions > 4096 {
		return fmt.Errorf("partitions: %d, must be 1 to 4096", s.Partitions)
	}
	if s.Replicas != 1 && s.Replicas != 3 && s.Replicas != 5 {
		return fmt.Errorf("replicas: %d, must be 1, 3 or 5", s.Replicas)
	}
	if err := validateNATS(s.NATS); err != nil {
		return fmt.Errorf("nats-url: %w", err)
	}
	if s.Mirror && (s.Redis == "" || s.Adapter == "off") {
		return fmt.Errorf("mirror: needs redis-url, and an adapter that is not off")
	}
	if s.ID != "" && !idPattern.MatchString(s.ID) {
		return fmt.Errorf("id: %q, must be 1 to 64 letters, digits, - and _", s.ID)
	}
	return s.Traces.Validate()
}
