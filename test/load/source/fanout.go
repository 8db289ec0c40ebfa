package source

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// fanout publishes as a bot does: every event is stored before it is answered.
type fanout struct {
	o          Options
	guild      uint64
	connection *grpc.ClientConn
	stream     grpc.BidiStreamingClient[botv1.PublishStreamRequest, botv1.PublishStreamResponse]
	cancel     context.CancelFunc
	answered   chan error // one, when the stream has ended
	id         string
	sent       int
}

// Fanout publishes to a Pona fanout at host:port. The namespace must be /guild/ and a number. The token, where
// there is one, is a bot's; with it, or with secure, TLS is used.
func Fanout(o Options, address, token string, secure bool) (Source, error) {
	guild, err := strconv.ParseUint(strings.TrimPrefix(o.Namespace, "/guild/"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("namespace %q: must be /guild/ and a number for a Pona fanout", o.Namespace)
	}
	transport := insecure.NewCredentials()
	if secure {
		transport = credentials.NewTLS(nil)
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(transport))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background()) // until Close
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	stream, err := botv1.NewBotServiceClient(connection).PublishStream(ctx)
	if err != nil {
		cancel()
		_ = connection.Close()
		return nil, fmt.Errorf("fanout %s: %w", address, err)
	}
	f := &fanout{o: o, guild: guild, connection: connection, stream: stream, cancel: cancel, answered: make(chan error, 1), id: rand.Text()}
	go f.receive()
	return f, nil
}

// receive ends when all is stored, or with the stream.
func (f *fanout) receive() {
	for {
		if _, err := f.stream.Recv(); err != nil {
			f.answered <- err
			return
		}
	}
}

func (f *fanout) Emit(_ context.Context, argument string) error {
	f.sent++
	return f.stream.Send(&botv1.PublishStreamRequest{Events: []*playerv1.Event{{
		EventId: fmt.Sprintf("%s-%d", f.id, f.sent), GuildId: f.guild, PublishedAtNs: time.Now().UnixNano(),
		Kind: &playerv1.Event_Generic{Generic: &playerv1.GenericEvent{Room: f.o.Room, Name: f.o.Event, Args: []byte("[" + argument + "]")}},
	}}})
}

func (f *fanout) Close() error {
	defer f.connection.Close()
	defer f.cancel()
	_ = f.stream.CloseSend()
	timer := time.AfterFunc(10*time.Second, f.cancel) // a fanout that no longer answers
	defer timer.Stop()
	if err := <-f.answered; err != io.EOF {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}
