package service

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pona-realtime/pona/pkg/health"
)

type probedSettings struct {
	Admin string `default:":1" unit:"host:port" help:"Address."`
	Probing
}

func (s *probedSettings) AdminAddress() string { return s.Admin }

func TestProbe(t *testing.T) {
	h := health.New()
	spring := h.Condition("spring")
	admin := httptest.NewServer(h.AdminMux())
	defer admin.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(admin.URL, "http://"), ":")
	ask := func(address string) error {
		var out bytes.Buffer
		var s probedSettings
		return run(t.Context(), clock, &s, func() (Service, error) {
			t.Error("a probe starts nothing")
			return nil, errors.New("started")
		}, []string{"--probe", "--admin=" + address}, &out)
	}
	for _, host := range []string{"", "127.0.0.1", "0.0.0.0", "[::]"} {
		spring.Down("broken")
		if err := ask(host + ":" + port); !errors.Is(err, errNotReady) || !strings.Contains(err.Error(), "broken") {
			t.Errorf("%q: %v", host, err)
		}
		spring.Up()
		if err := ask(host + ":" + port); err != nil {
			t.Errorf("%q: %v", host, err)
		}
	}
	admin.Close()
	if err := ask(":" + port); err == nil || errors.Is(err, errNotReady) {
		t.Errorf("nobody is there: %v", err)
	}
	if err := probe(context.Background(), "nowhere"); err == nil || !strings.HasPrefix(err.Error(), "admin:") {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
