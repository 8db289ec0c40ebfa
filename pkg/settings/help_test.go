package settings

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

func TestHelpShowsEverySetting(t *testing.T) {
	var out bytes.Buffer
	proceed, err := Parse(robot, &robotSettings{}, []string{"--help"}, &out)
	if proceed || err != nil {
		t.Fatalf("proceed %v, %v", proceed, err)
	}
	text := out.String()
	for _, want := range []string{
		"robot stands for any program in these tests.\n",
		"\nUsage: robot [flags]\n",
		"\nClients\n  --listen=:8080                      Address that browsers connect to.\n" +
			"                                      host:port [ROBOT_LISTEN]\n",
		"\nRedis\n",
		"  --redis-mode=single                 Kind.\n                                      single | sentinel [ROBOT_REDIS_MODE]\n",
		"duration [ROBOT_PING_INTERVAL]\n",
		"  --max-body=15MB ", "bytes [ROBOT_MAX_BODY]\n",
		"\nProgram\n  --config ", "[ROBOT_CONFIG]\n", "--help, -h ", "--version ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if len(line) > 100 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// TestAGroupIsInOnePiece lists a struct that has come back to a group.
func TestAGroupIsInOnePiece(t *testing.T) {
	var s struct {
		A int `group:"First" help:"A."`
		B int `group:"Second" help:"B."`
		C int `group:"First" help:"C."`
	}
	all, err := List(robot, &s)
	if err != nil {
		t.Fatal(err)
	}
	names := ""
	for _, one := range all {
		names += one.Name + " "
	}
	if names != "a c b config help version " {
		t.Error(names)
	}
}

func TestHelpDespiteBadEnvironment(t *testing.T) {
	t.Setenv("ROBOT_COFFEE", "black")
	t.Setenv("ROBOT_PING_INTERVAL", "soon")
	for _, flag := range []string{"--help", "-h", "--version"} {
		var out bytes.Buffer
		if proceed, err := Parse(robot, &robotSettings{}, []string{flag}, &out); proceed || err != nil || out.Len() == 0 {
			t.Errorf("%s: proceed %v, %v, %d bytes", flag, proceed, err, out.Len())
		}
	}
}

func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.9.0"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
		{Key: "vcs.modified", Value: "true"},
	}}
	for _, test := range []struct {
		program Program
		info    *debug.BuildInfo
		want    string
	}{
		{robot, info, "v1.2.3, commit 0123456789ab with changes, go1.26.8"},
		{Program{Name: "robot"}, info, "v0.9.0, commit 0123456789ab with changes, go1.26.8"},
		{Program{Name: "robot"}, &debug.BuildInfo{GoVersion: "go1.26.8"}, "(devel), commit unknown, go1.26.8"},
	} {
		if got := describeBuild(test.program, test.info).String(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
