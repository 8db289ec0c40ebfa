package simbot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

const (
	maxUnsent   = 256 // publications that wait to be sent; then the players wait
	maxUnstored = 256 // publications sent and not yet answered, whose answers fit into gRPC's window; then sending waits
)

// publication is what one guild had to say at one moment; it is stored and answered as a whole.
type publication struct {
	request *botv1.PublishStreamRequest
	stored  func(sequence uint64) // called once it is stored; may be nil
}

// publisher brings events to the fanout, in the order given and each once: what was sent and not
// answered when a stream broke is sent again on the next one, with the same event ids.
type publisher struct {
	client   botv1.BotServiceClient
	options  Options
	unsent   chan publication
	unstored []publication // sent on this stream or an earlier one; owned by run and its stream
}

func newPublisher(client botv1.BotServiceClient, o Options) *publisher {
	return &publisher{client: client, options: o, unsent: make(chan publication, maxUnsent)}
}

// publish hands events over, at most 256; it waits while maxUnsent publications wait. Positions
// alone are dropped instead: a newer one will come. stored may be nil and is called at once where
// there are no events; it must not block.
func (p *publisher) publish(ctx context.Context, events []*playerv1.Event, stored func(sequence uint64)) {
	if len(events) == 0 {
		if stored != nil {
			stored(0)
		}
		return
	}
	pub := publication{request: &botv1.PublishStreamRequest{Events: events}, stored: stored}
	if pub.fleeting() {
		select {
		case p.unsent <- pub:
		default:
		}
		return
	}
	select {
	case p.unsent <- pub:
	case <-ctx.Done():
	}
}

// fleeting says that nobody misses the publication when a newer one comes.
func (pub publication) fleeting() bool {
	for _, e := range pub.request.Events {
		if _, position := e.GetKind().(*playerv1.Event_PositionUpdated); !position {
			return false
		}
	}
	return pub.stored == nil
}

// run publishes until ctx ends, on one stream after another.
func (p *publisher) run(ctx context.Context) {
	pause := retryPause(p.options.Retry)
	ids := idCounter{prefix: p.options.EventIDs}
	for ctx.Err() == nil {
		answered, err := p.stream(ctx, &ids)
		if ctx.Err() != nil {
			return
		}
		if answered {
			pause.Reset()
		}
		if status.Code(err) == codes.InvalidArgument && len(p.unstored) > 0 {
			p.options.Log.Error("event refused", slog.Any("event", p.unstored[0].request), slog.Any("error", err))
			p.unstored = p.unstored[1:]
		}
		p.options.Log.Debug("publish stream ended", slog.Any("error", err), slog.Int("unstored", len(p.unstored)))
		wait(ctx, pause.NextBackOff())
	}
}

// stream publishes on one stream until it ends, first what an earlier one left. It says whether the
// fanout answered anything, and why the stream ended.
func (p *publisher) stream(parent context.Context, ids *idCounter) (answered bool, err error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	stream, err := p.client.PublishStream(ctx)
	if err != nil {
		return false, err
	}
	answers := make(chan *botv1.PublishStreamResponse)
	var ended error // why there are no more answers; read after answers is closed
	go func() {
		defer close(answers)
		ended = receive(ctx, stream, answers)
	}()
	defer func() {
		cancel()
		for range answers { // until the reader has ended
		}
		if errors.Is(err, errStreamEnded) {
			err = ended
		}
	}()

	p.forgetFleeting()
	for _, pub := range p.unstored {
		if stream.Send(pub.request) != nil {
			return false, errStreamEnded
		}
	}
	for {
		unsent := p.unsent
		if len(p.unstored) >= maxUnstored {
			unsent = nil
		}
		select {
		case <-ctx.Done():
			return answered, ctx.Err()
		case pub := <-unsent:
			ids.stamp(pub.request.Events)
			p.unstored = append(p.unstored, pub)
			if stream.Send(pub.request) != nil {
				return answered, errStreamEnded
			}
		case answer, more := <-answers:
			if !more {
				return answered, errStreamEnded
			}
			if err := p.settle(answer); err != nil {
				return answered, err
			}
			answered = true
		}
	}
}

// errStreamEnded stands for the status that the stream's reader got.
var errStreamEnded = errors.New("publish stream ended")

// receive hands the stream's answers over until it ends, and says why.
func receive(ctx context.Context, stream grpc.BidiStreamingClient[botv1.PublishStreamRequest, botv1.PublishStreamResponse],
	answers chan<- *botv1.PublishStreamResponse) error {
	for {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		select {
		case answers <- answer:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settle takes the answer to the oldest publication.
func (p *publisher) settle(answer *botv1.PublishStreamResponse) error {
	if len(p.unstored) == 0 {
		return errors.New("answer to a request that was not sent")
	}
	pub := p.unstored[0]
	if got, want := len(answer.GetResults()), len(pub.request.Events); got != want {
		return fmt.Errorf("%d results for %d events", got, want)
	}
	p.unstored = p.unstored[1:]
	if pub.stored == nil {
		return nil
	}
	var last uint64
	for _, result := range answer.GetResults() {
		last = max(last, result.GetSequence())
	}
	pub.stored(last)
	return nil
}

// forgetFleeting drops positions that were not answered: they are old by now.
func (p *publisher) forgetFleeting() {
	kept := make([]publication, 0, len(p.unstored))
	for _, pub := range p.unstored {
		if !pub.fleeting() {
			kept = append(kept, pub)
		}
	}
	p.unstored = kept
}

// idCounter gives events their ids.
type idCounter struct {
	prefix string
	last   uint64
}

// stamp gives each event its id and its time.
func (c *idCounter) stamp(events []*playerv1.Event) {
	now := time.Now().UnixNano()
	for _, e := range events {
		c.last++
		e.EventId = fmt.Sprintf("%s-%d", c.prefix, c.last)
		e.PublishedAtNs = now
	}
}

// retryPause is how long to wait before each new call.
func retryPause(first time.Duration) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = first, 2*time.Second, 2
	b.Reset()
	return b
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
