package service

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pona-realtime/pona/pkg/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type clockSettings struct {
	Hands int `default:"3" unit:"hands" help:"Hands."`
	Logging
}

var clock = settings.Program{Name: "clock", Description: "Ticks.", EnvPrefix: "CLOCK", Version: "v1.0.0"}

type ticking struct{ err error }

func (t ticking) Run(ctx context.Context) error { <-ctx.Done(); return t.err }

func TestRun(t *testing.T) {
	broken, stopped := errors.New("spring broken"), errors.New("stopping hands: late")
	for _, test := range []struct {
		name   string
		args   []string
		build  error
		run    error
		want   string // in the error
		stdout string
	}{
		{name: "runs until it is stopped"},
		{name: "--version is not a run", args: []string{"--version"}, build: broken, stdout: "clock v1.0.0, commit "},
		{name: "a bad setting", args: []string{"--hands=many"}, build: broken, want: "--hands"},
		{name: "a bad level", args: []string{"--log-level=loud"}, build: broken, want: `--log-level must be one of "debug","info","warn","error"`},
		{name: "a time that is none", args: []string{"--performance-log=-1s"}, build: broken, want: "performance-log: -1s"},
		{name: "what cannot be built", build: broken, want: "spring broken"},
		{name: "what does not stop", run: stopped, want: "stopping hands: late"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			var s clockSettings
			var out bytes.Buffer
			err := run(ctx, clock, &s, func() (Service, error) { return ticking{test.run}, test.build }, test.args, &out)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("ended with %v", err)
			}
			if !strings.HasPrefix(out.String(), test.stdout) {
				t.Errorf("printed %q", out.String())
			}
		})
	}
}

func TestLogger(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, `level=WARN msg=late by=3`},
		{[]string{"--log-format=json"}, `"level":"WARN","msg":"late","by":3}`},
		{[]string{"--log-level=error"}, ""},
	} {
		var s clockSettings
		if _, err := settings.Parse(clock, &s, test.args, io.Discard); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		s.Logger(&out).Warn("late", "by", 3)
		if !strings.Contains(out.String(), test.want) || test.want == "" && out.Len() > 0 {
			t.Errorf("%v: %s", test.args, out.String())
		}
	}
}
