package settings

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var robot = Program{
	Name:        "robot",
	Description: "robot stands for any program in these tests.",
	EnvPrefix:   "ROBOT",
	Version:     "v1.2.3",
}

type robotSettings struct {
	Listen  string        `default:":8080" group:"Clients" help:"Address that browsers connect to." unit:"host:port"`
	Ping    time.Duration `name:"ping-interval" default:"25s" group:"Clients" help:"Between two pings."`
	Body    Bytes         `name:"max-body" default:"15MB" group:"Clients" help:"Largest message taken."`
	Origins []string      `default:"http://a.example,http://b.example" group:"Clients" help:"Browser origins."`
	Deflate bool          `default:"true" negatable:"" group:"Clients" help:"Compress large messages."`
	Redis   redisSettings `embed:"" prefix:"redis-" group:"Redis"`
}

type redisSettings struct {
	Addr     string `default:"127.0.0.1:6379" help:"Node." unit:"host:port"`
	Password string `help:"Password." secret:""`
	Mode     string `default:"single" enum:"single,sentinel" help:"Kind."`
	Retries  int    `default:"3" help:"How often an operation is tried again." unit:"times"`
}

func (r *redisSettings) Validate() error {
	if r.Mode == "sentinel" && r.Addr == "" {
		return errors.New("redis-addr must name the sentinels when redis-mode is sentinel")
	}
	return nil
}

func (s *robotSettings) Validate() error {
	if s.Ping <= 0 {
		return errors.New("ping-interval must be positive")
	}
	return nil
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "robot.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func parse(t *testing.T, args ...string) (robotSettings, error) {
	t.Helper()
	var s robotSettings
	var out bytes.Buffer
	proceed, err := Parse(robot, &s, args, &out)
	if proceed != (err == nil) {
		t.Errorf("proceed is %v with error %v", proceed, err)
	}
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
	return s, err
}

func TestDefaults(t *testing.T) {
	s, err := parse(t)
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != ":8080" || s.Ping != 25*time.Second || s.Body != 15e6 || len(s.Origins) != 2 || !s.Deflate || s.Redis.Retries != 3 {
		t.Errorf("got %+v", s)
	}
}

func TestDefaultsAreNotValidated(t *testing.T) {
	var s mistaken
	if err := Defaults(&s); err != nil || s.Wheels != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

type mistaken struct {
	Wheels int `default:"3" help:"Wheels."`
}

func (*mistaken) Validate() error { return errors.New("wheels: must not be 3") }

func TestDefaultsWithoutParsing(t *testing.T) {
	t.Setenv("ROBOT_PING_INTERVAL", "2s")
	s := robotSettings{Listen: ":9"}
	s.Redis.Retries = 5
	if err := Defaults(&s); err != nil {
		t.Fatal(err)
	}
	if s.Listen != ":9" || s.Redis.Retries != 5 {
		t.Errorf("changed what was set: %+v", s)
	}
	if s.Ping != 25*time.Second || s.Body != 15e6 || len(s.Origins) != 2 || !s.Deflate || s.Redis.Mode != "single" {
		t.Errorf("defaults missing: %+v", s)
	}
}

func TestFirstOfFlagVariableFileDefaultWins(t *testing.T) {
	file := writeFile(t, "listen: file\nping-interval: 1s\nmax-body: 1MiB\norigins: [x, y, z]\ndeflate: false\nredis:\n  addr: file\n  retries: 7\n")
	t.Setenv("ROBOT_CONFIG", file)
	t.Setenv("ROBOT_LISTEN", "variable")
	t.Setenv("ROBOT_PING_INTERVAL", "2s")
	t.Setenv("ROBOT_REDIS_ADDR", "variable")
	s, err := parse(t, "--listen=flag", "--redis-addr", "flag")
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != "flag" || s.Redis.Addr != "flag" {
		t.Errorf("flags lost: %+v", s)
	}
	if s.Ping != 2*time.Second {
		t.Errorf("variable lost against the file: ping-interval is %v", s.Ping)
	}
	if s.Body != 1<<20 || strings.Join(s.Origins, " ") != "x y z" || s.Deflate || s.Redis.Retries != 7 {
		t.Errorf("file lost: %+v", s)
	}
	if s.Redis.Mode != "single" {
		t.Errorf("default lost: %+v", s)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		env  string // NAME=value
		file string // content
		want string // FILE stands for the file's path
	}{
		{"unknown flag", []string{"--ping-intervall=1s"}, "", "", `unknown flag --ping-intervall, did you mean "--ping-interval"?`},
		{"stray argument", []string{"start"}, "", "", `unexpected argument start`},
		{"flag that is no duration", []string{"--ping-interval=25"}, "", "", `--ping-interval: expected duration but got "25": time: missing unit in duration "25"`},
		{"flag that is no size", []string{"--max-body=big"}, "", "", `--max-body: "big" is no size in bytes, such as 15000000, 15MB or 15MiB`},
		{"negative size", []string{"--max-body=-1"}, "", "", `--max-body: "-1" is no size in bytes, such as 15000000, 15MB or 15MiB`},
		{"flag that is no choice", []string{"--redis-mode=cluster"}, "", "", `--redis-mode must be one of "single","sentinel" but got "cluster"`},
		{"impossible value", []string{"--ping-interval=0s"}, "", "", `ping-interval must be positive`},
		{"impossible together", []string{"--redis-mode=sentinel", "--redis-addr="}, "", "", `redis-addr must name the sentinels when redis-mode is sentinel`},
		{"unknown variable", nil, "ROBOT_REDIS_ADR=x", "", `unknown environment variable ROBOT_REDIS_ADR, did you mean ROBOT_REDIS_ADDR?`},
		{"unknown variable like nothing", nil, "ROBOT_COFFEE=x", "", `unknown environment variable ROBOT_COFFEE`},
		{"variable of a flag that has none", nil, "ROBOT_VERSION=1", "", `unknown environment variable ROBOT_VERSION`},
		{"variable that is no number", nil, "ROBOT_REDIS_RETRIES=many", "", `--redis-retries: expected a valid 64 bit int but got "many" (from envar ROBOT_REDIS_RETRIES="many")`},
		{"variable that is no choice", nil, "ROBOT_REDIS_MODE=cluster", "", `--redis-mode must be one of "single","sentinel" but got "cluster"`},
		{"unknown key", nil, "", "ping-intervall: 1s", `settings file FILE: unknown setting ping-intervall, did you mean ping-interval?`},
		{"unknown nested key", nil, "", "redis: {adr: x}", `settings file FILE: unknown setting redis-adr, did you mean redis-addr?`},
		{"file within the file", nil, "", "config: x", `settings file FILE: unknown setting config`},
		{"key twice", nil, "", "redis: {addr: x}\nredis-addr: y", `settings file FILE: redis-addr is set twice`},
		{"key without value", nil, "", "listen:", `settings file FILE: listen has no value`},
		{"file value that is no duration", nil, "", "ping-interval: 25", `--ping-interval: expected duration but got "25": time: missing unit in duration "25" (from settings file FILE)`},
		{"no mapping", nil, "", "- x", `settings file FILE: [1:1] sequence was used where mapping is expected`},
		{"no YAML", nil, "", "listen: [", `settings file FILE: [1:9] sequence end token ']' not found`},
		{"no such file", []string{"--config=/does/not/exist.yaml"}, "", "", `settings file: open /does/not/exist.yaml: no such file or directory`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.env != "" {
				name, value, _ := strings.Cut(test.env, "=")
				t.Setenv(name, value)
			}
			if test.file != "" {
				path := writeFile(t, test.file)
				test.args = append(test.args, "--config", path)
				test.want = strings.ReplaceAll(test.want, "FILE", path)
			}
			_, err := parse(t, test.args...)
			if err == nil {
				t.Fatal("not refused")
			}
			if err.Error() != test.want {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
		})
	}
}

func TestKubernetesServiceVariablesAreNotSettings(t *testing.T) {
	for _, name := range []string{"SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_GRPC", "PORT", "PORT_7070_TCP", "PORT_7070_TCP_ADDR"} {
		t.Setenv("ROBOT_"+name, "tcp://10.0.0.1:7070")
	}
	if _, err := parse(t); err != nil {
		t.Error(err)
	}
}

type keyed struct {
	Key sealKey `secret:"" help:"Key."`
}

type sealKey [2]byte

func (k *sealKey) UnmarshalText(text []byte) error {
	if len(text) != len(k) {
		return errors.New("must have 2 bytes, has " + string(text))
	}
	copy(k[:], text)
	return nil
}

func TestErrorsHideSecrets(t *testing.T) {
	t.Setenv("ROBOT_KEY", "swordfish")
	_, err := Parse(robot, &keyed{}, nil, &bytes.Buffer{})
	if err == nil || strings.Contains(err.Error(), "swordfish") || !strings.Contains(err.Error(), "ROBOT_KEY") {
		t.Errorf("got %v", err)
	}
}
