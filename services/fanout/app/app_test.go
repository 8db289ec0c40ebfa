package app_test

import (
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// awaitHealth asks /readyz until it answers with a code. The transport keeps no connection.
func awaitHealth(t testing.TB, f *fanout, code int) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(fanouttest.Patience); time.Now().Before(deadline); {
		response, err := client.Get("http://" + f.AdminAddr() + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode == code {
			return
		}
	}
	t.Fatalf("/readyz does not answer %d", code)
}

func TestImpossibleSettingIsRefusedByName(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // ends with the test
	for name, change := range map[string]func(*app.Settings){
		"grpc":              func(s *app.Settings) { s.GRPC = taken.Addr().String() },
		"admin":             func(s *app.Settings) { s.Admin = "nowhere" },
		"partitions":        func(s *app.Settings) { s.Partitions = 0 },
		"replicas":          func(s *app.Settings) { s.Replicas = 2 },
		"retention":         func(s *app.Settings) { s.Retention = time.Second },
		"lease-ttl":         func(s *app.Settings) { s.LeaseTTL = 0 },
		"route-queue-bytes": func(s *app.Settings) { s.RouteQueue = 1 },
		"id":                func(s *app.Settings) { s.ID = "a.b" },
		"nats-url: empty":   func(s *app.Settings) { s.NATS = " ," },
		"nats-url: number 2 is no URL; what is special to one (such as @ / % in a password) must be escaped (%40 %2F %25)": func(s *app.Settings) {
			s.NATS = "nats://127.0.0.1:1,nats://fanout:mel lon@127.0.0.1:2"
		},
		"nats-url: number 1, must be like nats://host:4222, or begin with tls://, ws:// or wss://": func(s *app.Settings) { s.NATS = "http://127.0.0.1:1" },
		"tls-cert":   func(s *app.Settings) { s.TLSKey = "x" },
		"nats-ca":    func(s *app.Settings) { s.NATSCA = "/nowhere" },
		"bot-tokens": func(s *app.Settings) { s.BotTokens = "/nowhere" },
		"redis-url":  func(s *app.Settings) { s.Redis = "http://x" },
	} {
		s, err := testSettings("nats://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		change(&s)
		if _, err := app.New(s, slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), name) || strings.Contains(err.Error(), "mel lon") {
			t.Errorf("%s: refused with %v", name, err)
		}
	}
}

func TestFanoutWaitsForNATS(t *testing.T) {
	nats := fanouttest.StartNATS(t)
	url := nats.URL()
	nats.Stop()
	f := start(t, url)
	awaitHealth(t, f, 503)
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	_, err := bot.Client.Publish(t.Context(), &botv1.PublishRequest{Events: []*playerv1.Event{fanouttest.Volume(guild, 1)}})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("published without NATS: %v", err)
	}
	health := healthv1.NewHealthClient(bot.Conn)
	if answer, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health without NATS: %v, %v", answer, err)
	}
	nats.Start()
	await(t, f.Ready(), "the fanout")
	bot.Publish(fanouttest.Volume(guild, 1))
	if answer, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health with NATS: %v, %v", answer, err)
	}
}

// TestReflection asks, as grpcurl does, which services there are.
func TestReflection(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	ask, err := reflectionv1.NewServerReflectionClient(fanouttest.Dial(t, f.GRPCAddr())).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	question := reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{ListServices: "*"}}
	if err := ask.Send(&question); err != nil {
		t.Fatal(err)
	}
	answer, err := ask.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range answer.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	for _, want := range []string{"pona.bot.v1.BotService", "pona.edge.v1.EdgeService", "grpc.health.v1.Health"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not among %q", want, names)
		}
	}
	if err := ask.CloseSend(); err != nil {
		t.Error(err)
	}
}

func TestFanoutStopsWhileItWaitsForNATS(t *testing.T) {
	f := start(t, "nats://127.0.0.1:1")
	awaitHealth(t, f, 503)
	f.stop(t)
}

func TestStreamMadeDifferentlyEndsTheFanoutWithOneLine(t *testing.T) {
	url := fanouttest.StartNATS(t).URL()
	startReady(t, url).stop(t)
	s, err := testSettings(url)
	if err != nil {
		t.Fatal(err)
	}
	s.Partitions = 16
	a, err := app.New(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	err = a.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "partitions cannot be changed") || strings.Contains(err.Error(), "\n") {
		t.Errorf("Run returned %v", err)
	}
}

func TestStopEndsEveryCallAndLeavesNothingRunning(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	edge := listen(t, f, "edge")
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	commands := bot.Serve(allGuilds)
	stream, err := bot.Client.PublishStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&botv1.PublishStreamRequest{Events: []*playerv1.Event{fanouttest.Volume(guild, 1)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	edge.AwaitEvents(guild, 1) // had it not come by now, it would be the next owner's
	began := time.Now()
	f.stop(t) // and TestMain looks for goroutines
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	for name, err := range map[string]error{"edge": edge.AwaitEnd(), "commands": commands.Err(), "publishing": recvError(stream)} {
		if status.Code(err) != codes.Unavailable {
			t.Errorf("%s ended with %v", name, err)
		}
	}
	if owned := fanouttest.Owned(edge.Came()); len(owned) > 0 {
		t.Errorf("partitions %v were not released", owned)
	}
	if s := fanouttest.Events(edge.Came(), guild); len(s) != 1 {
		t.Errorf("%d events before the end", len(s))
	}
}

func recvError(stream botv1.BotService_PublishStreamClient) error {
	_, err := stream.Recv()
	return err
}
