// Package link keeps an edge connected to the fanouts: one Deliver stream to each, and the commands.
//
// Its truth is proto/pona/edge/v1. It knows which guilds the edge wants, which fanout owns each of
// them, and up to which stream sequence each has been delivered. Whenever a stream breaks or a
// partition changes its owner, it subscribes again after that sequence and drops what comes twice.
//
//	discover ──▶ peer (one per fanout) ──▶ stream ──deliveries──▶ Guilds
//	                                          ▲
//	             claims ("who owns it") ──▶ routes ◀── Subscribe, Unsubscribe
package link

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"

	"github.com/pona-realtime/pona/pkg/tracing"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Options tunes [Links].
type Options struct {
	EdgeID    string                                                                 // names this edge in the fanouts' logs; unique in the cluster
	Fanouts   []string                                                               // host:port each, or dns:///name:port for all addresses of a name
	Discovery time.Duration                                                          // between two look-ups of a name; 0 means 5s
	LookUp    func(ctx context.Context, name string) (addresses []string, err error) // nil means the system's resolver
	Timeout   time.Duration                                                          // of one command; 0 means 5s
	Log       *slog.Logger                                                           // fanouts coming and going; nil means none

	Security credentials.TransportCredentials // of the fanouts; nil means none

	Metrics prometheus.Registerer // nil means none
	Tracer  *tracing.Tracer       // nil means none

	// Connected hears whether any fanout is connected, at the start and whenever one comes or goes. It must
	// not wait or call the Links; nil means nobody asks.
	Connected func(bool)

	// Revoked hears which users may no longer listen, one call after another, several times of each: from every
	// fanout. It may wait; ctx ends with Run. Nil means nobody asks.
	Revoked func(ctx context.Context, revoked *edgev1.Revoked)
}

// Guilds takes what fanouts deliver. Calls for one guild come one after another, in stream order;
// calls for different guilds may come at the same time. A call must not wait for the network.
type Guilds interface {
	// Snapshot gives a guild's state after one of its events. A second one for the same guild says
	// that events in between are missing. The message belongs to the callee.
	Snapshot(snapshot *edgev1.Snapshot)

	// Deliver gives the event that follows the snapshot or the event before, as it came and decoded.
	// Positions have sequence 0. written, if not nil, is to be called when all who listen have been written
	// to, with how many they are; of an event that is not for anybody it need not be. It may be called later,
	// and does not wait.
	Deliver(d *edgev1.Delivery, event *playerv1.Event, written func(sockets, bytes int))
}

// Links are the connections to all fanouts. All methods may be called at the same time.
type Links struct {
	options  Options
	guilds   Guilds
	measured *measured

	// One lock for who is connected, who owns what and who wants what. It is held for moments, never
	// while something is sent, delivered or waited for.
	mu     sync.Mutex
	claims claims
	routes map[uint64]*route // by guild
	live   []*stream         // that have said what they own
	next   int               // rotates commands among live

	revoked chan *edgev1.Revoked // to be told; who receives more of them waits
}

// New makes links that nobody is connected by yet; see [Links.Run]. The error names the option.
func New(guilds Guilds, options Options) (*Links, error) {
	if len(options.Fanouts) == 0 {
		return nil, fmt.Errorf("fanout: at least one address is needed")
	}
	for _, target := range options.Fanouts {
		if _, _, _, err := parseTarget(target); err != nil {
			return nil, err
		}
	}
	if options.Discovery <= 0 {
		options.Discovery = 5 * time.Second
	}
	if options.LookUp == nil {
		options.LookUp = net.DefaultResolver.LookupHost
	}
	if options.Timeout <= 0 {
		options.Timeout = 5 * time.Second
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	l := &Links{options: options, guilds: guilds, measured: newMeasured(options.Metrics), routes: make(map[uint64]*route), revoked: make(chan *edgev1.Revoked, maxRevoked)}
	l.report()
	return l, nil
}

// Run dials every fanout that is or becomes known and keeps dialling, until ctx ends. It returns
// when all connections are closed and nothing is being delivered any more.
func (l *Links) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	dialled := make(map[string]func()) // what stops a peer, by address
	running.Go(func() { l.tellRevoked(ctx) })
	ticker := time.NewTicker(l.options.Discovery)
	defer ticker.Stop()
	for {
		found, complete := l.discover(ctx)
		for address := range found {
			if dialled[address] != nil {
				continue
			}
			own, stop := context.WithCancel(ctx)
			dialled[address] = stop
			running.Go(func() { l.newPeer(address).run(own) })
		}
		for address, stop := range dialled {
			if complete && !found[address] && !l.isLive(address) {
				stop() // the name no longer has it, and it does not answer
				delete(dialled, address)
			}
		}
		select {
		case <-ctx.Done():
			for _, stop := range dialled {
				stop()
			}
			return
		case <-ticker.C:
		}
	}
}

// report says whether a fanout is connected. Called with mu held, or before others.
func (l *Links) report() {
	l.measured.fanouts.Set(float64(len(l.live)))
	if l.options.Connected != nil {
		l.options.Connected(len(l.live) > 0)
	}
}

func (l *Links) isLive(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.live {
		if s.address == address {
			return true
		}
	}
	return false
}
