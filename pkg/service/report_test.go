package service

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/health"
)

type guardedSettings struct {
	Listen   string `default:":1" unit:"host:port" help:"Address."`
	Password string `secret:"" help:"Password."`
	Name     string `default:"clock" help:"Name."`

	Every time.Duration `default:"30m" help:"Time."`
	Hands []string      `default:"long,short" help:"Hands."`
	Zone  string        `default:"UTC" help:"Zone."`
}

// TestReport asks a program that has something missing, something secret and something to complain about.
func TestReport(t *testing.T) {
	var out bytes.Buffer
	log, warnings := Keep(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError})))
	log.With("component", "hands").WithGroup("tick").Warn("late", "by", 5)
	log.Info("ticks")
	if out.Len() > 0 {
		t.Errorf("logged below its level: %s", out.String())
	}
	h := health.New()
	h.Condition("spring").Down("broken")
	w := httptest.NewRecorder()
	(&Reporter{
		Program: clock, Settings: &guardedSettings{Listen: ":2", Password: "swordfish", Name: "clock", Every: 30 * time.Minute, Hands: []string{"long", "short"}}, Health: h,
		Metrics: func() any { return map[string]int{"ticks": 7} }, Warnings: warnings,
		Servers: map[string]func(context.Context) string{
			"sun":  func(context.Context) string { return "4.6" },
			"moon": func(ctx context.Context) string { <-ctx.Done(); return "" }, // does not answer
		},
	}).ServeHTTP(w, httptest.NewRequest("GET", "/v1/report", nil))

	if strings.Contains(w.Body.String(), "swordfish") {
		t.Error("the report shows a secret")
	}
	var r struct {
		Program  string
		Build    struct{ Version string }
		Servers  map[string]string
		Machine  struct{ Goroutines, Files int }
		Missing  []struct{ Name, Reason string }
		Metrics  map[string]int
		Settings map[string]string
		Warnings []struct {
			Count       int
			First, Last map[string]any
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Program != "clock" || r.Build.Version != "v1.0.0" || r.Machine.Goroutines == 0 || r.Machine.Files == 0 || r.Metrics["ticks"] != 7 {
		t.Errorf("%+v", r)
	}
	if fmt.Sprint(r.Missing) != "[{spring broken}]" || fmt.Sprint(r.Settings) != "map[listen::2 password:(hidden) zone:]" {
		t.Errorf("missing %v, settings %v", r.Missing, r.Settings)
	}
	if fmt.Sprint(r.Servers) != "map[sun:4.6]" {
		t.Errorf("servers %v", r.Servers)
	}
	if len(r.Warnings) != 1 || r.Warnings[0].Count != 1 || fmt.Sprint(r.Warnings[0].First["tick"]) != "map[by:5]" || r.Warnings[0].First["component"] != "hands" || r.Warnings[0].Last != nil {
		t.Errorf("warnings %v", r.Warnings)
	}
}
