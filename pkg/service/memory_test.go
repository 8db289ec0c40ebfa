package service

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestMemoryFollowsTheContainer(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	for name, c := range map[string]struct {
		env   string
		limit memlimit.Provider
		want  int64
		says  string
	}{
		"a container":      {"", memlimit.Limit(1000 << 20), 900 << 20, "by=cgroup"},
		"GOMEMLIMIT":       {"5GiB", memlimit.Limit(1 << 30), math.MaxInt64, "by=GOMEMLIMIT limit=5GiB"},
		"no limit":         {"", func() (uint64, error) { return 0, memlimit.ErrNoLimit }, math.MaxInt64, ""},
		"no control group": {"", func() (uint64, error) { return 0, errors.New("none") }, math.MaxInt64, ""},
	} {
		debug.SetMemoryLimit(math.MaxInt64)
		t.Setenv("GOMEMLIMIT", c.env)
		var out bytes.Buffer
		limitMemory(c.limit, slog.New(slog.NewTextHandler(&out, nil)))
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if !strings.Contains(out.String(), c.says) || c.says == "" && out.Len() > 0 {
			t.Errorf("%s: said %q", name, out.String())
		}
	}
}
