package app

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// figuresOfThePage are those that docs/load.md explains.
func figuresOfThePage(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../../../docs/load.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| figures |")
	table, _, _ = strings.Cut(table, "\n\n")
	all := map[string]bool{}
	for _, row := range strings.Split(table, "\n") {
		names, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " | ")
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(names, -1) {
			all[m[1]] = true
		}
	}
	return all
}

func TestEveryScenarioAgainstNode(t *testing.T) {
	t.Parallel() // it mostly waits
	url := socketIO(t)
	m := bench(t, "--url", url, "--pid", strconv.Itoa(os.Getpid()), "--scenario", "all", "--clients", "20", "--rate", "0", "--namespace", "/,/room-1,/room-2",
		"--emit-event", "relay", "--events", "20", "--event-rate", "50", "--rooms", "10,30", "--ack-event", "echo", "--ask-rate", "20",
		"--reconnects", "30", "--jitter-every", "1s", "--jitter-stall", "100ms", "--jitter-cut", "0.3", "--for", "1s", "--backoff", "20ms", "--backoff-max", "100ms")
	if len(m.Results) != 10 {
		t.Fatalf("%d results", len(m.Results))
	}
	documented := figuresOfThePage(t)
	for i, name := range []string{"connect", "idle", "broadcast", "broadcast", "namespaces", "reconnect", "jitter", "avalanche", "latency", "compression"} {
		r := &m.Results[i]
		if r.Scenario != name || r.Title == "" || r.Seconds <= 0 || len(r.Failures) != 0 || len(r.Series) == 0 {
			t.Errorf("%s: %+v", name, r)
		}
		r.want(t, "clients_failed", 0)
		for figure := range r.Figures {
			if !documented[strings.TrimSuffix(figure, "_compressed")] && !documented[figure] {
				t.Errorf("%s: %s is not documented", name, figure)
			}
		}
	}
	connect, idle, small, large, switched := &m.Results[0], &m.Results[1], &m.Results[2], &m.Results[3], &m.Results[4]
	reconnect, jitter, avalanche, latency, compression := &m.Results[5], &m.Results[6], &m.Results[7], &m.Results[8], &m.Results[9]
	connect.want(t, "clients", 20)
	if connect.counted("session") != 20 || connect.counted("join") != 20 {
		t.Errorf("connect: %+v", connect.Distributions)
	}
	idle.want(t, "clients", 20, "sessions_lost", 0)
	small.want(t, "clients", 10, "expected", 200, "delivered", 200, "lost", 0, "repeated_or_late", 0)
	large.want(t, "clients", 30, "expected", 600, "delivered", 600, "lost", 0, "repeated_or_late", 0)
	if small.counted("delivery") != 200 || large.counted("delivery") != 600 {
		t.Errorf("deliveries timed: %+v, %+v", small.Distributions, large.Distributions)
	}
	switched.want(t, "switches_expected", 200, "switches", 200)
	reconnect.want(t, "cut", 30, "back", 30, "attempts", 30)
	avalanche.want(t, "cut", 20, "back", 20, "attempts", 20)
	if avalanche.counted("back") != 20 || avalanche.Figures["last_back_s"] < 0.01 {
		t.Errorf("avalanche: %+v", avalanche)
	}
	jitter.want(t, "expected", 1000, "back", int(jitter.Figures["cut"]), "repeated_or_late", 0)
	if jitter.Figures["cut"]+jitter.Figures["stalls"] == 0 {
		t.Error("jitter: no trouble")
	}
	latency.want(t, "answered", int(latency.Figures["asked"]))
	if n := latency.counted("round trip"); n < 20 || n > 20*21 {
		t.Errorf("latency: %d round trips", n)
	}
	compression.want(t, "delivered", 400, "delivered_compressed", 400, "lost", 0, "lost_compressed", 0)
	if ratio := compression.Figures["compression_ratio"]; ratio < 4 || ratio > 50 {
		t.Errorf("compression ratio %v", ratio)
	}
}

func TestPollingAndUpgradeAgainstNode(t *testing.T) {
	t.Parallel() // it mostly waits
	url := socketIO(t)
	for _, transport := range []string{"polling", "upgrade"} {
		t.Run(transport, func(t *testing.T) {
			m := bench(t, "--url", url, "--transport", transport, "--scenario", "broadcast,namespaces,reconnect,latency", "--clients", "10",
				"--namespace", "/room-1,/room-2", "--join-event", "enter", "--emit-event", "to-room", "--rooms", "10", "--events", "20", "--event-rate", "50",
				"--switches", "3", "--reconnects", "10", "--ask-event", "ask", "--reply-event", "reply", "--ask-rate", "10", "--for", "500ms")
			m.Results[0].want(t, "clients", 10, "delivered", 200, "lost", 0)
			m.Results[1].want(t, "switches", 30)
			m.Results[2].want(t, "cut", 10, "back", 10)
			m.Results[3].want(t, "clients", 10, "answered", int(m.Results[3].Figures["asked"]))
		})
	}
}
