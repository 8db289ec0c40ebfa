package adminui

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestPagesSeeSocketsRoomsAndEventsOfTheCluster(t *testing.T) {
	sites := cluster(t, 2, Options{Development: true})
	early, _ := dial(t, sites[1], "/", `{"token":"secret"}`)
	c := page(t, sites[0])
	if config := string(c.event("config", nil)[0]); !strings.Contains(config, "ALL_EVENTS") {
		t.Errorf("config: %s", config)
	}
	all := c.event("all_sockets", nil)[0]
	if strings.Contains(string(all), "secret") {
		t.Errorf("a client's credentials are shown: %s", all)
	}
	var sockets []described
	if err := json.Unmarshal(all, &sockets); err != nil {
		t.Fatal(err)
	}
	var seen *described
	for i := range sockets {
		if sockets[i].ID == early.id {
			seen = &sockets[i]
		}
	}
	if seen == nil || len(seen.ClientID) != 12 || seen.Transport != "websocket" || seen.Namespace != "/" || fmt.Sprint(seen.Rooms) != "["+early.id+"]" {
		t.Fatalf("the other server's socket: %+v", seen)
	}
	if h, ok := seen.Handshake.(map[string]any); !ok || h["address"] != "127.0.0.1" {
		t.Errorf("its handshake: %v", seen.Handshake)
	}

	late, _ := dial(t, sites[1], "/room/2", "")
	of := func(id string, at int) func([]json.RawMessage) bool {
		return func(args []json.RawMessage) bool { return string(args[at]) == `"`+id+`"` }
	}
	c.event("socket_connected", func(args []json.RawMessage) bool {
		var s described
		return json.Unmarshal(args[0], &s) == nil && s.ID == late.id && s.Namespace == "/room/2"
	})
	sites[1].server.Lookup("/room/2").Socket(late.id).Join("stalls")
	if got := c.event("room_joined", of(late.id, 2)); string(got[0]) != `"/room/2"` || string(got[1]) != `"stalls"` {
		t.Errorf("room_joined: %s", got)
	}
	late.emit("hello", `{"a":1}`)
	if got := c.event("event_received", of(late.id, 1)); string(got[2]) != `["hello",{"a":1}]` {
		t.Errorf("event_received: %s", got)
	}
	if err := sites[1].server.Lookup("/room/2").Emit("news", 5); err != nil {
		t.Fatal(err)
	}
	if got := c.event("event_sent", of(late.id, 1)); string(got[2]) != `["news",5]` {
		t.Errorf("event_sent: %s", got)
	}
	late.emit("long", `"`+strings.Repeat("x", maxArguments)+`"`)
	if got := c.event("event_received", of(late.id, 1)); string(got[2]) != `["long","(arguments too large to show)"]` {
		t.Errorf("a long event: %s", got)
	}
	late.write("41/room/2,")
	if got := c.event("room_left", of(late.id, 2)); string(got[1]) != `"stalls"` {
		t.Errorf("room_left: %s", got)
	}
	if got := c.event("socket_disconnected", of(late.id, 1)); string(got[2]) != `"client namespace disconnect"` {
		t.Errorf("socket_disconnected: %s", got)
	}
}

// TestPagesSeeUpgrades has a client of another server begin with polling, as stock clients do, and move.
func TestPagesSeeUpgrades(t *testing.T) {
	sites := cluster(t, 2, Options{Development: true})
	c := page(t, sites[0])
	c.event("all_sockets", nil)
	late := poll(t, sites[1])
	ids := map[string]string{}
	for _, namespace := range []string{"/", "/room/1"} {
		id := late.join(namespace)
		ids[namespace] = id
		c.event("socket_connected", func(args []json.RawMessage) bool {
			var s described
			return json.Unmarshal(args[0], &s) == nil && s.ID == id && s.Transport == "polling"
		})
	}
	late.upgrade()
	for range len(ids) {
		c.event("socket_updated", func(args []json.RawMessage) bool {
			var members map[string]string
			if err := json.Unmarshal(args[0], &members); err != nil || len(args) != 1 {
				t.Fatalf("socket_updated: %s, %v", args, err)
			}
			namespace := members["nsp"]
			if want := map[string]string{"id": ids[namespace], "nsp": namespace, "transport": "websocket"}; !maps.Equal(members, want) {
				t.Errorf("socket_updated: %v, want %v", members, want)
			}
			delete(ids, namespace)
			return true
		})
	}
	if len(ids) > 0 {
		t.Errorf("not told of %v", ids)
	}
	var all []described
	if err := json.Unmarshal(page(t, sites[1]).event("all_sockets", nil)[0], &all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Transport != "websocket" {
			t.Errorf("a new page is told of %+v", s)
		}
	}
	if len(all) < 3 {
		t.Errorf("a new page is told of %d sockets", len(all))
	}
}

func TestWhatPagesAreToldIsBounded(t *testing.T) {
	sites := cluster(t, 1, Options{Development: true})
	server, ui := sites[0].server, sites[0].ui
	for i := range maxNamespaces + 5 {
		server.Of(fmt.Sprintf("/static/%d", i))
	}
	told := ui.namespaces()
	if len(told) != maxNamespaces+1 || told[maxNamespaces].Name != "(7 more)" { // beside / and /admin
		t.Errorf("%d namespaces, the last %+v", len(told), told[len(told)-1])
	}
	ui.tell("nobody watches", func() []any { t.Error("made for nobody"); return nil })
	ui.watch()
	done := make(chan struct{})
	go func() { // more than any page takes; it must not wait
		defer close(done)
		for range 10 * maxWaiting {
			ui.tell("detail", func() []any { return nil })
		}
	}()
	<-done
}
