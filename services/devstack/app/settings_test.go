package app

import (
	"io"
	"strings"
	"testing"

	"github.com/pona-realtime/pona/pkg/settings"
)

func parse(t *testing.T, args ...string) (Settings, error) {
	t.Helper()
	var s Settings
	_, err := settings.Parse(Program, &s, args, io.Discard)
	return s, err
}

func TestDefaults(t *testing.T) {
	s, err := parse(t)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Settings{Listen: "127.0.0.1:8080", GRPC: "127.0.0.1:7070", Edges: 2, Fanouts: 1, Bot: true, Seed: 1, DiscordBotToken: "devstack"}); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	if s, err := parse(t, "--bot=false", "--edges", "3"); err != nil || s.Bot || s.Edges != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestImpossibleSettingsAreNamed(t *testing.T) {
	for _, tt := range []struct{ args, names string }{
		{"--edges 0", "--edges"}, {"--fanouts 17", "--fanouts"}, {"--listen 8080", "--listen"}, {"--listen :8080", "loopback"}, {"--listen 192.0.2.1:8080", "--discord"}, {"--grpc x", "--grpc"},
		{"--redis localhost", "--redis"}, {"--discord discord.com", "--discord"}, {"--data d --nats nats://x", "--data"}, {"--egdes 2", "--egdes"},
	} {
		if _, err := parse(t, strings.Fields(tt.args)...); err == nil || !strings.Contains(err.Error(), tt.names) {
			t.Errorf("%s: %v", tt.args, err)
		}
	}
}
