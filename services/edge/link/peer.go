package link

import (
	"context"
	"errors"
	"math"
	"net"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/pona-realtime/pona/pkg/quietnet"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// Keepalive notices a fanout that vanished without a word within their sum. The fanout must allow
// pings this often (its enforcement's MinTime).
const (
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 5 * time.Second
)

// maxMessage bounds one received message: a snapshot or batch with a few of the largest queues.
const maxMessage = 64 << 20

// window is what one fanout may send before the edge has taken it, in bytes. It is fixed: gRPC's own
// way of finding one sends a ping with each message of a stream that is not busy, which doubles the
// cost of an event.
const window = 4 << 20

// dial connects to a fanout, past proxies: a cluster has none inside.
func dial(ctx context.Context, address string) (net.Conn, error) {
	return quietnet.Dialer{}.DialContext(ctx, "tcp", address)
}

// peer is one fanout's address, dialled again and again.
type peer struct {
	links   *Links
	address string
}

func (l *Links) newPeer(address string) *peer { return &peer{links: l, address: address} }

// run keeps a Deliver stream to the fanout until ctx ends.
func (p *peer) run(ctx context.Context) {
	log := p.links.options.Log.With("fanout", p.address)
	security := p.links.options.Security
	if security == nil {
		security = insecure.NewCredentials()
	}
	conn, err := grpc.NewClient("passthrough:///"+p.address, append(p.links.options.Tracer.DialOptions(),
		grpc.WithTransportCredentials(security),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(math.MaxInt32)),
		grpc.WithContextDialer(dial),
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(window),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: grpcbackoff.DefaultConfig, MinConnectTimeout: keepaliveTimeout,
		}),
	)...)
	if err != nil {
		log.Error("this address cannot be dialled", "error", err)
		return
	}
	defer conn.Close() //nolint:errcheck // its streams have ended

	pause := &backoff.ExponentialBackOff{
		InitialInterval: 50 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 3 * time.Second,
	}
	pause.Reset()
	silent := false // the loss has been logged
	for ctx.Err() == nil {
		conn.ResetConnectBackoff() // ours decides
		lived, err := p.stream(ctx, conn)
		if ctx.Err() != nil {
			return
		}
		if lived {
			pause.Reset()
			silent = false
		}
		if !silent {
			log.Warn("fanout not connected, trying again", "error", err)
			silent = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// stream runs one Deliver stream to its end. It has lived if the fanout said what it owns.
func (p *peer) stream(ctx context.Context, conn *grpc.ClientConn) (lived bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	client := edgev1.NewEdgeServiceClient(conn)
	call, err := client.Deliver(ctx)
	if err != nil {
		cancel()
		return false, err
	}
	s := newStream(p.links, p.address, client, call)
	sent := make(chan error, 1)
	go func() {
		err := s.send(ctx)
		if err != nil {
			cancel() // ends receive; where err is nil the stream has ended, and receive learns why
		}
		sent <- err
	}()
	err = s.receive()
	cancel()
	p.links.left(s)
	if sendErr := <-sent; sendErr != nil && !errors.Is(sendErr, context.Canceled) {
		err = sendErr
	}
	return s.live, err
}
