package app_test

import (
	"maps"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// TestHealthFollowsReadiness asks grpc.health.v1 in each way while NATS comes, goes, comes back, and the fanout stops.
func TestHealthFollowsReadiness(t *testing.T) {
	const (
		unready = healthv1.HealthCheckResponse_NOT_SERVING
		ready   = healthv1.HealthCheckResponse_SERVING
		unknown = healthv1.HealthCheckResponse_SERVICE_UNKNOWN
	)
	services := []string{"", "pona.bot.v1.BotService", "pona.edge.v1.EdgeService", "pona.rooms.v1.RoomsService"}
	nats := fanouttest.StartNATS(t)
	url := nats.URL()
	nats.Stop()
	f := start(t, url)
	health := healthv1.NewHealthClient(fanouttest.Dial(t, f.GRPCAddr()))

	watch := func(service string) <-chan healthv1.HealthCheckResponse_ServingStatus {
		t.Helper()
		call, err := health.Watch(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		told := make(chan healthv1.HealthCheckResponse_ServingStatus, 16)
		go func() {
			defer close(told)
			for {
				answer, err := call.Recv()
				if err != nil {
					return
				}
				told <- answer.GetStatus()
			}
		}()
		return told
	}
	watches := map[string]<-chan healthv1.HealthCheckResponse_ServingStatus{}
	for _, service := range services {
		watches[service] = watch(service)
	}
	stranger := watch("no.such")

	expect := func(when string, want healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range services {
			if got := await(t, watches[service], when); got != want {
				t.Errorf("%s: a watch of %q is told %s", when, service, got)
			}
		}
	}
	ask := func(when string, want healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range services {
			if answer, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service}); err != nil || answer.GetStatus() != want {
				t.Errorf("%s: %q is %v, %v", when, service, answer, err)
			}
		}
		if answer, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "no.such"}); status.Code(err) != codes.NotFound {
			t.Errorf("%s: an unknown service is %v, %v", when, answer, err)
		}
		list, err := health.List(t.Context(), &healthv1.HealthListRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if names := slices.Sorted(maps.Keys(list.GetStatuses())); !slices.Equal(names, services) {
			t.Errorf("%s: listed are %q", when, names)
		}
		for service, answer := range list.GetStatuses() {
			if answer.GetStatus() != want {
				t.Errorf("%s: %q is listed as %v", when, service, answer)
			}
		}
	}

	if got := await(t, stranger, "a stranger"); got != unknown {
		t.Errorf("a watch of an unknown service is told %s", got)
	}
	expect("without NATS", unready)
	ask("without NATS", unready)
	nats.Start()
	expect("with NATS", ready)
	await(t, f.Ready(), "the fanout")
	ask("with NATS", ready)
	nats.Stop()
	expect("NATS gone", unready)
	ask("NATS gone", unready)
	nats.Start()
	expect("NATS back", ready)
	ask("NATS back", ready)

	f.cancel()
	expect("stopping", unready)
}
