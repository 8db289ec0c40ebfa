package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/test/load/report"
)

// cancelling cancels with the first text that is written to it.
type cancelling struct{ cancel context.CancelFunc }

func (c cancelling) Write(p []byte) (int, error) {
	c.cancel()
	return len(p), nil
}

func TestAnInterruptedRunReportsWhatItHas(t *testing.T) {
	folder := t.TempDir()
	file, html := filepath.Join(folder, "bench.json"), filepath.Join(folder, "bench.html")
	s := parse(t, "--url", socketIO(t), "--scenario", "connect,idle", "--clients", "5", "--json", file, "--html", html,
		"--auth", `{"key": "swordfish"}`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	if err := Run(ctx, s, &out, cancelling{cancel}); Code(err) != 130 { // "connect: done" interrupts
		t.Fatalf("ended with %v", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := decode(t, text)
	if !m.Interrupted || len(m.Results) != 1 || m.Settings["clients"] != "5" || m.Settings["auth"] != "(hidden)" || len(m.Settings) != 6 {
		t.Fatalf("got %s", text)
	}
	m.Results[0].want(t, "clients", 5)
	for _, part := range []string{"Interrupted", "connect: 5 clients connect over websocket", "clients failed"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the table lacks %q:\n%s", part, out.String())
		}
	}
	page, err := os.ReadFile(html)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"interrupted: partial results", "<svg", "times, by percentile", "&#34;clients_failed&#34;: 0", "<th>clients</th><td>5</td>"} {
		if !bytes.Contains(page, []byte(part)) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if bytes.Contains(page, []byte("src=")) || bytes.Contains(page, []byte("<link")) || bytes.Contains(page, []byte("<script")) {
		t.Error("the page needs other files")
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	for _, test := range []struct {
		name  string
		flags []string
		want  string
	}{
		{"nobody listens", []string{"--scenario", "connect"}, "connect: no client could connect: dial: connect: connection refused"},
		{"nothing emits", []string{"--scenario", "broadcast"}, "broadcast: nothing emits: set emit-event"},
		{"nothing answers", []string{"--scenario", "latency"}, "latency: nothing answers: set ack-event"},
		{"one namespace", []string{"--scenario", "namespaces"}, "namespaces: set namespace to two or more"},
		{"a process that is none", []string{"--scenario", "connect", "--pid", "99999999"}, "pid 99999999"},
		{"too many files", []string{"--scenario", "connect", "--clients", "100000000"}, "open files, the limit is"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := parse(t, append(test.flags, "--url", "http://127.0.0.1:1", "--patience", "2s")...)
			if s.Clients == 1000 {
				s.Clients = 2
			}
			var out bytes.Buffer
			err := Run(t.Context(), s, &out, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if scenario := test.flags[1]; !strings.Contains(out.String(), "error: ") || strings.Contains(out.String(), scenario+": "+scenario+"\n") {
				t.Errorf("the table does not say so:\n%s", out.String())
			}
		})
	}
}

func TestWhereNothingComesNothingIsMeasured(t *testing.T) {
	t.Parallel() // it mostly waits
	url := socketIO(t)
	for scenario, figure := range map[string]string{"broadcast": "lost", "jitter": "lost", "compression": "lost"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			s := parse(t, "--url", url, "--scenario", scenario, "--clients", "2", "--rooms", "2", "--events", "3", "--event-rate", "100", "--for", "30ms",
				"--emit-event", "nobody-relays-this", "--json", "-")
			err := Run(t.Context(), s, &out, io.Discard)
			if Code(err) != 1 || !strings.Contains(err.Error(), "none of 6 deliveries came") {
				t.Errorf("ended with %v", err)
			}
			m := decode(t, out.Bytes())
			m.Results[0].want(t, "expected", 6, "delivered", 0, figure, 6)
		})
	}
}

func TestAReportThatCannotBeWrittenIsSaidBefore(t *testing.T) {
	for _, flag := range []string{"--json", "--html"} {
		var out bytes.Buffer
		err := Run(t.Context(), parse(t, "--url", "http://127.0.0.1:1", flag, t.TempDir()), &out, &out)
		if err == nil || !strings.HasPrefix(err.Error(), "open ") || out.Len() > 0 {
			t.Errorf("%s of a folder: %v, %s", flag, err, out.String())
		}
	}
}

func TestVerdict(t *testing.T) {
	figure := func(name string) *report.Result {
		return &report.Result{Scenario: "broadcast", Figures: report.Figures{{Name: "clients", Value: 9}, {Name: name, Value: 1}}}
	}
	lost, failed := figure("lost"), &report.Result{Scenario: "connect", Failures: map[string]int{"connect: timed out": 1}}
	broken := &report.Result{Scenario: "idle", Error: "no client could connect"}
	refused := &report.Result{Scenario: "avalanche", Retried: map[string]int{"reconnect: status 503": 9}}
	for _, test := range []struct {
		name        string
		strict      bool
		interrupted bool
		results     []*report.Result
		code        int
		says        string
	}{
		{"all is well", true, false, []*report.Result{{Scenario: "connect"}}, 0, ""},
		{"loose", false, false, []*report.Result{lost, failed}, 0, ""},
		{"lost", true, false, []*report.Result{lost}, 2, ErrStrict.Error()},
		{"lost in another pass", true, false, []*report.Result{figure("lost_compressed")}, 2, ErrStrict.Error()},
		{"came twice", true, false, []*report.Result{figure("repeated_or_late")}, 2, ErrStrict.Error()},
		{"failed", true, false, []*report.Result{failed}, 2, ErrStrict.Error()},
		{"refused and back", true, false, []*report.Result{refused}, 0, ""},
		{"broken", false, false, []*report.Result{lost, broken}, 1, "idle: no client could connect"},
		{"interrupted", true, true, []*report.Result{lost}, 130, ErrInterrupted.Error()},
	} {
		err := verdict(&Settings{Strict: test.strict}, &report.Report{Results: test.results, Interrupted: test.interrupted})
		if said := fmt.Sprint(err); Code(err) != test.code || err != nil && said != test.says {
			t.Errorf("%s: got %v and code %d, want %q and %d", test.name, err, Code(err), test.says, test.code)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for flags, want := range map[string]string{
		"":                                                "url",
		"--url ftp://x":                                   "url: \"ftp://x\", must be like http://127.0.0.1:8080",
		"--url http://x --clients 0":                      "clients: 0, must be 1 or more",
		"--url http://x --scenario=":                      "scenario: names none",
		"--url http://x --rooms=":                         "rooms: has none",
		"--url http://x --event-rate 0":                   "event-rate: 0, must be more than 0",
		"--url http://x --size 3":                         "size: 3, must be 34 to 1 MiB",
		"--url http://x --header nonsense":                "header: must be like Authorization: Bearer abc",
		"--url http://x --source nowhere":                 "source: ",
		"--url http://x --auth {":                         "auth: is no JSON",
		"--url http://x --redis redis://u:p%@x":           "redis: must be like redis://host:port",
		"--url http://x --ask-event ping":                 "ask-event, reply-event: one needs the other",
		"--url http://x --emit-event a --redis redis://x": "emit-event, pona-fanout, redis: only one of them",
		"--url http://x --scenario dance":                 "scenario",
	} {
		var s Settings
		_, err := settings.Parse(Program, &s, strings.Fields(flags), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", flags, err, want)
		}
	}
}

func TestAScenarioFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "load.json")
	text := `{"url": "http://x", "scenario": ["connect", "avalanche"], "clients": 100, "backoff": "100ms", "jitter": {"cut": 0.5}, "strict": true}`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := parse(t, "--config", file)
	if len(s.Scenarios) != 2 || s.Clients != 100 || s.Backoff != 100*time.Millisecond || s.JitterCut != 0.5 || !s.Strict {
		t.Errorf("got %+v", s)
	}
}
