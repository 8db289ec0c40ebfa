// Package commands brings listeners' commands to the bot that serves their guild, and its answers
// back: ServeCommands of BotService and Dispatch of EdgeService, whose promises stand in the protos.
//
// A command goes to a bot connected here, or else over NATS to the fanout that has one: all peers are
// asked at the same time whether they do, and then one of them is given the command. So no bot sees
// it twice, and where no bot is, the answer is known after one round trip.
package commands

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/pona-realtime/pona/pkg/tracing"
)

// Options say who this fanout is and whom it knows. All but the last two are required.
type Options struct {
	FanoutID string          // of the characters of a NATS subject token
	Timeout  time.Duration   // a bot has to answer
	Peers    func() []string // ids of the other fanouts
	// LastStored is the last sequence that the connection of a bot's call has stored for a guild.
	LastStored func(ctx context.Context, guildID uint64) uint64

	Metrics prometheus.Registerer // nil means none
	Tracer  *tracing.Tracer       // nil means none
}

// Server knows the bots of this fanout.
type Server struct {
	options  Options
	log      *slog.Logger
	registry registry
	measured *measured
	nats     atomic.Pointer[nats.Conn] // nil until Listen

	readers  sync.WaitGroup      // of ServeCommands calls
	relayed  sync.WaitGroup      // commands of other fanouts
	room     *semaphore.Weighted // for relayed
	stopping chan struct{}
	stop     sync.Once
}

// maxRelayed bounds the commands of other fanouts that wait for a bot here; one more is refused.
const maxRelayed = 4096

// NewServer makes a server that knows no bot.
func NewServer(o Options, log *slog.Logger) *Server {
	s := &Server{options: o, log: log, room: semaphore.NewWeighted(maxRelayed), stopping: make(chan struct{})}
	s.measured = s.measure(o.Metrics)
	return s
}

// Drain deregisters all bots and ends their calls with UNAVAILABLE. Commands under way end with
// them.
func (s *Server) Drain() { s.stop.Do(func() { close(s.stopping) }) }

// Wait returns when nothing of the server runs any more, after Drain and the gRPC server's stop.
func (s *Server) Wait() {
	s.readers.Wait()
	s.relayed.Wait()
}
