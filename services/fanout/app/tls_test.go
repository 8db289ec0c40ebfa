package app_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/pkg/service/tlstest"
	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// dial calls a fanout as the settings of an edge say.
func dial(t *testing.T, address string, c *service.ClientTLS) botv1.BotServiceClient {
	t.Helper()
	security := insecure.NewCredentials()
	if c != nil {
		var err error
		if security, err = c.Credentials(); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(security))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return botv1.NewBotServiceClient(conn)
}

func publish(client botv1.BotServiceClient, token string) codes.Code {
	ctx, cancel := context.WithTimeout(context.Background(), fanouttest.Patience)
	defer cancel()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	_, err := client.Publish(ctx, &botv1.PublishRequest{Events: []*playerv1.Event{fanouttest.Volume(guild, 1)}})
	return status.Code(err)
}

// TestCallersShowCertificates has a fanout that lets in only those whom its authority knows.
func TestCallersShowCertificates(t *testing.T) {
	ours, others := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	ours.Issue("fanout")
	ours.Issue("edge")
	others.Issue("edge")
	f := startReady(t, fanouttest.StartNATS(t).URL(), func(s *app.Settings) {
		s.TLSCert, s.TLSKey, s.TLSClientCA = ours.File("fanout.pem"), ours.File("fanout.key"), ours.File("ca.pem")
	})
	for name, test := range map[string]struct {
		tls  *service.ClientTLS
		want codes.Code
	}{
		"ours":                  {&service.ClientTLS{CA: ours.File("ca.pem"), Cert: ours.File("edge.pem"), Key: ours.File("edge.key")}, codes.OK},
		"no TLS":                {nil, codes.Unavailable},
		"no certificate":        {&service.ClientTLS{CA: ours.File("ca.pem")}, codes.Unavailable},
		"another's certificate": {&service.ClientTLS{CA: ours.File("ca.pem"), Cert: others.File("edge.pem"), Key: others.File("edge.key")}, codes.Unavailable},
		"trusts another":        {&service.ClientTLS{CA: others.File("ca.pem"), Cert: ours.File("edge.pem"), Key: ours.File("edge.key")}, codes.Unavailable},
		"expects another name":  {&service.ClientTLS{CA: ours.File("ca.pem"), Cert: ours.File("edge.pem"), Key: ours.File("edge.key"), Name: "another"}, codes.Unavailable},
	} {
		if got := publish(dial(t, f.GRPCAddr(), test.tls), ""); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// TestBotsShowTokens changes the file of tokens while the fanout runs.
func TestBotsShowTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	written := time.Now().Add(-time.Hour)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		written = written.Add(time.Second) // whatever the file system's clock resolves
		if err := os.Chtimes(file, written, written); err != nil {
			t.Fatal(err)
		}
	}
	const first, second = "the first bot's token", "the second bot's token"
	write("# of music\n" + first + "\n\n" + second + " # of the other\n")
	f := startReady(t, fanouttest.StartNATS(t).URL(), func(s *app.Settings) { s.BotTokens = file })
	bot := dial(t, f.GRPCAddr(), nil)
	expect := func(token string, want codes.Code) {
		t.Helper()
		if got := publish(bot, token); got != want {
			t.Errorf("%q: %s, want %s", token, got, want)
		}
	}
	expect("", codes.Unauthenticated)
	expect("somebody else's token", codes.Unauthenticated)
	expect(first, codes.OK)
	expect(second, codes.OK)
	write(second + "\n")
	expect(first, codes.Unauthenticated)
	expect(second, codes.OK)
	write("short\n") // a mistake changes nothing
	expect(second, codes.OK)
	underWay, err := bot.PublishStream(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+second))
	if err != nil {
		t.Fatal(err)
	}
	publishes := func() error {
		if err := underWay.Send(&botv1.PublishStreamRequest{Events: []*playerv1.Event{fanouttest.Volume(guild, 1)}}); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		_, err := underWay.Recv()
		return err
	}
	if err := publishes(); err != nil {
		t.Error(err)
	}
	write("a token of somebody else's\n")
	for err = publishes(); err == nil; err = publishes() { // for up to a second
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("a call under way: %v", err)
	}
	stream, err := bot.ServeCommands(t.Context())
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("ServeCommands without a token: %v", err)
	}
	fanouttest.NewEdge(t, f.GRPCAddr(), "edge-1").AwaitOwned(8) // edges need no bot's token
}
