package app_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/services/fanout/app"
)

// childURL is set for a process that is a fanout, to be killed or stopped by a test.
const childURL = "PONA_TEST_FANOUT_NATS"

// childPartitions says how many partitions that one has, where a test wants other than 8.
const childPartitions = "PONA_TEST_FANOUT_PARTITIONS"

// childID is its id, where a test wants another than "child".
const childID = "PONA_TEST_FANOUT_ID"

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		if err := runChild(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// nats.go 1.55's object store starts this one for each Put and takes its channel away at the end of it: a Put that ends at
	// once, as on a connection that is being closed, may be over before the goroutine has looked, which then waits for ever.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"))
}

// runChild runs a fanout until it is told to stop, and writes its address when it is ready.
func runChild(url string) error {
	s, err := testSettings(url)
	if err != nil {
		return err
	}
	s.ID = cmp.Or(os.Getenv(childID), "child")
	if text := os.Getenv(childPartitions); text != "" {
		if _, err := fmt.Sscan(text, &s.Partitions); err != nil {
			return err
		}
	}
	a, err := app.New(s, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		<-a.Ready()
		fmt.Println(a.GRPCAddr())
	}()
	return a.Run(ctx)
}

func testSettings(url string) (s app.Settings, err error) {
	if err := settings.Defaults(&s); err != nil {
		return s, err
	}
	s.GRPC, s.Admin, s.NATS = "127.0.0.1:0", "127.0.0.1:0", url
	s.Partitions = 8
	return s, nil
}
