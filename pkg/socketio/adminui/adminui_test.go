package adminui

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhoIsLetIn(t *testing.T) {
	sites := cluster(t, 2, Options{Secrets: [][]byte{[]byte("shared")}})
	c := page(t, sites[0])
	session := textOf(t, c.event("session", nil)[0])
	show := func(s string) string { return fmt.Sprintf(`{"sessionId":%q}`, s) }
	for _, test := range []struct{ name, auth, want string }{
		{"a session, at another server", show(session), ""},
		{"a forged session", show("zzzzzz" + session[6:]), "invalid credentials"},
		{"half a session", show(session[:20]), "invalid credentials"},
		{"an empty session", show(""), "invalid credentials"},
		{"nothing", "", "invalid credentials"},
		{"other types", `{"username":1,"password":[]}`, "invalid credentials"},
		{"another name", strings.Replace(login, "operator", "root", 1), "invalid credentials"},
		{"another password", strings.Replace(login, "sesame", "wheat", 1), "invalid credentials"},
		{"an old session and the password", `{"sessionId":"x.y","username":"operator","password":"open sesame"}`, ""},
	} {
		if _, got := dial(t, sites[1], "/admin", test.auth); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestServersTellOfThemselves(t *testing.T) {
	sites := cluster(t, 2, Options{})
	listener, _ := dial(t, sites[1], "/room/1", "")
	c := page(t, sites[0])
	config := c.event("config", nil)[0]
	for _, feature := range []string{"AGGREGATED_EVENTS", "EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"} {
		if !strings.Contains(string(config), `"`+feature+`"`) {
			t.Errorf("config lacks %s: %s", feature, config)
		}
	}
	if strings.Contains(string(config), "ALL_EVENTS") {
		t.Errorf("in production: %s", config)
	}
	stats := func(of string, which func(serverStats) bool) {
		t.Helper()
		c.event("server_stats", func(args []json.RawMessage) bool {
			var told serverStats
			if err := json.Unmarshal(args[0], &told); err != nil {
				t.Fatal(err)
			}
			return told.ServerID == of && which(told)
		})
	}
	stats("b", func(told serverStats) bool {
		return told.ClientsCount == 1 && told.PollingClientsCount == 0 && told.PID > 0 && slices.Contains(told.Namespaces, nspCount{"/room/1", 1})
	})
	stats("a", func(told serverStats) bool { return told.ClientsCount == 1 && told.Uptime > 0 })
	happened := func(kind string, ended bool) func(serverStats) bool {
		return func(told serverStats) bool {
			return slices.ContainsFunc(told.AggregatedEvents, func(h happening) bool {
				return h.Type == kind && (h.SubType != "") == ended && h.Count == 1 && h.Timestamp%1000 == 0
			})
		}
	}
	_ = listener.conn.Close()
	stats("b", happened("rawDisconnection", true))
	if _, refusal := dial(t, sites[1], "/", ""); refusal != "" {
		t.Fatal(refusal)
	}
	stats("b", happened("rawConnection", false))
}

// TestWhatNobodyWatchedIsNotTold: a page counts from its coming on, and from its coming back.
func TestWhatNobodyWatchedIsNotTold(t *testing.T) {
	site := clusterOf(t, 1, Options{}, time.Hour)[0] // without a page Run sleeps
	connections := func() (n uint64) {
		t.Helper()
		told, watched := site.ui.nextStats()
		if !watched {
			t.Fatal("nobody watches")
		}
		for _, h := range told.AggregatedEvents {
			if h.Type == "rawConnection" {
				n += h.Count
			}
		}
		return n
	}
	come := func(n int) {
		t.Helper()
		for range n {
			if _, refusal := dial(t, site, "/", ""); refusal != "" {
				t.Fatal(refusal)
			}
		}
	}
	for _, when := range []string{"before the first page", "between two pages"} {
		come(5)
		if _, watched := site.ui.nextStats(); watched {
			t.Errorf("%s: somebody watches", when)
		}
		come(5)
		site.ui.watch()
		if n := connections(); n != 0 {
			t.Errorf("%s: told of %d connections", when, n)
		}
		come(3)
		site.ui.watch()
		if n := connections(); n != 3 {
			t.Errorf("%s, then 3: told of %d connections", when, n)
		}
		site.ui.watched.Store(0) // as if the page had gone long ago
	}
}

// TestLoginIsToldOnce: a page that comes is told of the server at once, and then at the server's pace.
func TestLoginIsToldOnce(t *testing.T) {
	a := &AdminUI{wake: make(chan struct{}, 1)}
	if !a.watch() {
		t.Error("the first page was known of")
	}
	if a.watch() {
		t.Error("the second was not")
	}
	if len(a.wake) > 0 {
		t.Error("watching alone has something told")
	}
	site := clusterOf(t, 1, Options{}, time.Hour)[0]
	for range 3 {
		c := page(t, site)
		c.event("server_stats", nil)
		c.emit("emit", `"/admin"`, "null", `"and"`)
		for {
			switch text := c.read(); {
			case strings.Contains(text, `"server_stats"`):
				t.Error("told twice")
			case strings.Contains(text, `"and"`):
			default:
				continue
			}
			break
		}
	}
}

func TestOrdersReachTheWholeCluster(t *testing.T) {
	sites := cluster(t, 2, Options{})
	c := page(t, sites[0])
	for _, namespace := range []string{"/", "/room/7"} { // the second lives on the other server alone
		listener, refusal := dial(t, sites[1], namespace, "")
		if refusal != "" {
			t.Fatal(refusal)
		}
		nsp, id := fmt.Sprintf("%q", namespace), fmt.Sprintf("%q", listener.id)
		emit := func(filter, event, argument string) {
			c.emit("emit", nsp, filter, fmt.Sprintf("%q", event), argument, "9223372036854776000")
		}
		c.emit("join", nsp, `"box office"`, id)
		emit(`"box office"`, "to the room", "1")
		if got := listener.event("to the room", nil); len(got) != 2 || string(got[0]) != "1" || string(got[1]) != "9223372036854776000" {
			t.Errorf("%s: got %s", namespace, got)
		}
		c.emit("leave", nsp, `"box office"`, "null")
		emit(`"box office"`, "to the room", "2")
		emit("null", "to all", "3")
		if got := listener.read(); !strings.Contains(got, "to all") {
			t.Errorf("%s: after leave: %s", namespace, got)
		}
		c.emit("emit", nsp, "null", `"\u0007 \u200b \ud83d\ude00 <"`, "4") // Go would write it in another way than JSON
		got := strings.TrimPrefix(listener.read(), "42"+listener.prefix())
		var odd []any
		if err := json.Unmarshal([]byte(got), &odd); err != nil || fmt.Sprint(odd) != "[\a \u200b \U0001f600 < 4]" {
			t.Errorf("%s: %v in %s", namespace, err, got)
		}
		c.emit("_disconnect", nsp, "false", id)
		if got := listener.read(); got != strings.TrimSuffix("41"+listener.prefix(), "/") {
			t.Errorf("%s: disconnect: %s", namespace, got)
		}
	}
	for _, nonsense := range []string{`"join"`, `"join",5`, `"join","/"`, `"join","/",""`, `"emit","/",null,"connect"`, `"emit","/"`, `"_disconnect","/"`, `"emit","/room/x",null,"ev",{}`} {
		c.write("42/admin,[" + nonsense + "]")
	}
	c.emit("emit", `"/admin"`, "null", `"still there"`)
	c.event("still there", nil)
}

func TestReadOnlyPagesDoNothing(t *testing.T) {
	sites := cluster(t, 1, Options{ReadOnly: true})
	listener, _ := dial(t, sites[0], "/", "")
	c := page(t, sites[0])
	if config := string(c.event("config", nil)[0]); strings.Contains(config, "EMIT") || !strings.Contains(config, "AGGREGATED_EVENTS") {
		t.Errorf("config: %s", config)
	}
	c.emit("_disconnect", `"/"`, "true", fmt.Sprintf("%q", listener.id))
	c.emit("emit", `"/"`, "null", `"ev"`)
	c.event("server_stats", nil) // the orders have been passed over
	if err := sites[0].server.Of("/").Emit("by the server"); err != nil {
		t.Fatal(err)
	}
	if got := listener.read(); !strings.Contains(got, "by the server") {
		t.Errorf("an order was taken: %s", got)
	}
}

func TestAttachChecksItsOptions(t *testing.T) {
	for name, test := range map[string]struct {
		o    Options
		want string
	}{
		"no name":          {Options{PasswordHash: password}, "user name"},
		"a plain password": {Options{Username: "operator", PasswordHash: "open sesame"}, "must be a bcrypt hash"},
	} {
		sites := cluster(t, 1, Options{})
		if _, err := Attach(sites[0].server, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
