package docs

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/freeport"
	"github.com/pona-realtime/pona/pkg/settings"
	devstack "github.com/pona-realtime/pona/services/devstack/app"
)

// stack is a devstack on ports of its own.
type stack struct{ listen, grpc, admin, chat string }

func startStack(t *testing.T) stack {
	t.Helper()
	var s devstack.Settings
	if err := settings.Defaults(&s); err != nil {
		t.Fatal(err)
	}
	s.Listen, s.GRPC = "127.0.0.1:0", "127.0.0.1:0"
	chat, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	admin := make(adminPorts, s.Edges)
	a, err := devstack.New(s, slog.New(admin))
	if err != nil {
		t.Fatal(err)
	}
	run(t, a.Run)
	select {
	case <-a.Ready():
	case <-time.After(patience):
		t.Fatal("the stack does not come up")
	}
	return stack{a.Addr(), a.GRPCAddr(), <-admin, chat}
}

// adapt puts the stack's addresses in the place of those that make up, or an edge by itself, uses, a free one in
// that of the chat server, and has profiles taken for a second.
func (s stack) adapt(text string) string {
	return strings.NewReplacer("127.0.0.1:8080", s.listen, "127.0.0.1:7070", s.grpc, "127.0.0.1:9090", s.admin, "127.0.0.1:3000", s.chat,
		"seconds=30", "seconds=1").Replace(text)
}

// adminPorts receives the edges' admin addresses from the log, where a developer reads them too.
type adminPorts chan string

func (adminPorts) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (p adminPorts) WithAttrs([]slog.Attr) slog.Handler             { return p }
func (p adminPorts) WithGroup(string) slog.Handler                  { return p }

func (p adminPorts) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "edge runs" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "admin" {
				p <- a.Value.String()
			}
			return true
		})
	}
	return nil
}
