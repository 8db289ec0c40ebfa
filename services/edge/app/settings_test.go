package app

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/settings"
)

func defaults(t testing.TB) Settings {
	t.Helper()
	var s Settings
	if err := settings.Defaults(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaultsAreThoseOfProduction(t *testing.T) {
	s := defaults(t)
	if s.PingInterval != 25*time.Second || s.PingTimeout != 20*time.Second || s.UpgradeTimeout != 10*time.Second ||
		s.ConnectTimeout != 45*time.Second || s.MaxPayload != 15e6 || s.CompressionMinimum != 1024 || s.CompressionLevel != 6 ||
		s.AuthTTL != 5*time.Minute || s.AuthEntries != 1000 || s.Listen != ":8080" || s.Admin != ":9090" ||
		strings.Join(s.Transports, " ") != "polling websocket" || strings.Join(s.Origins, " ") != "https://pona.ponlponl123.com" {
		t.Errorf("%+v", s)
	}
	if _, err := New(s, quiet); err == nil || !strings.HasPrefix(err.Error(), "discord-bot-token:") {
		t.Errorf("without a bot token: %v", err)
	}
}

func TestImpossibleSettingsAreNamed(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"ping-interval":     func(s *Settings) { s.PingInterval = 0 },
		"grace":             func(s *Settings) { s.Grace = -time.Second },
		"max-payload":       func(s *Settings) { s.MaxPayload = 0 },
		"max-sessions":      func(s *Settings) { s.MaxSessions = -1 },
		"transports":        func(s *Settings) { s.Transports = nil },
		"compression-level": func(s *Settings) { s.CompressionLevel = 10 },
		"cluster-key":       func(s *Settings) { s.ClusterKeys = []string{strings.Repeat("a", 31)} },
		"auth":              func(s *Settings) { s.Auth = "nobody" },
		"fanout":            func(s *Settings) { s.Fanouts = []string{"host"} },
		"redis-url":         func(s *Settings) { s.Redis = "http://host" },
		"adapter-key":       func(s *Settings) { s.Redis, s.AdapterKey = "redis://127.0.0.1:1", "" },
		"listen":            func(s *Settings) { s.Listen = "127.0.0.1:99999" },
		"admin":             func(s *Settings) { s.Admin = "127.0.0.1:99999" },
		"jwt-secret":        func(s *Settings) { s.Auth = "jwt" },
		"jwt-secret: 5":     func(s *Settings) { s.Auth, s.Members, s.JWTSecret = "jwt", "token", "short" },
		"jwt-algorithms": func(s *Settings) {
			s.Auth, s.Members, s.JWTSecret, s.JWTAlgorithms = "jwt", "token", strings.Repeat("a", 32), []string{"none"}
		},
		"auth-members":                      func(s *Settings) { s.Auth, s.Members = "discord", "token" },
		"auth-stale":                        func(s *Settings) { s.AuthStale = -1 },
		"discord-url":                       func(s *Settings) { s.Auth, s.DiscordBotToken, s.DiscordURL = "discord", "x", "nowhere" },
		"jwt-keys":                          func(s *Settings) { s.Auth, s.Members, s.JWTKeys = "jwt", "token", "nowhere" },
		"advertise":                         func(s *Settings) { s.Advertise = "192.0.2.1" },
		"origins: \"https://example.com/\"": func(s *Settings) { s.Origins = []string{"https://example.org", "https://example.com/"} },
		"origins: \"example.com\"":          func(s *Settings) { s.Origins = []string{"example.com"} },
		"origins: \"*\"":                    func(s *Settings) { s.Origins = []string{"*", "https://example.com"} },
		"admin-ui-origins":                  func(s *Settings) { s.AdminUIOrigins = []string{"https://admin.socket.io/#/"} },
	} {
		s := local(t)
		change(&s)
		if _, err := New(s, quiet); err == nil || !strings.HasPrefix(err.Error(), name) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInsecureDevStaysOnLoopback(t *testing.T) {
	for listen, allowed := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "[::1]:0": true, "127.8.8.8:0": true,
		":0": false, "0.0.0.0:0": false, "[::]:0": false, "192.0.2.1:0": false, "example.com:0": false, "127.0.0.1": false,
	} {
		s := local(t)
		s.Listen = listen
		if err := s.validateAuth(); (err == nil) != allowed {
			t.Errorf("%s: %v", listen, err)
		}
	}
}

func TestHelpTellsEverySetting(t *testing.T) {
	var s Settings
	var help bytes.Buffer
	if proceed, err := settings.Parse(Program, &s, []string{"--help"}, &help); proceed || err != nil {
		t.Fatal(proceed, err)
	}
	all, err := settings.List(Program, &s)
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range all {
		if setting.Help == "" || setting.Unit == "text" && setting.Name != "id" && !setting.Secret || !strings.Contains(help.String(), "--"+setting.Name) {
			t.Errorf("%+v", setting)
		}
	}
}
