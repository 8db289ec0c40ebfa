package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// listener is listener.js: the official client in a guild's namespace.
type listener struct {
	*process
	read int // lines taken so far
	asks int // commands emitted so far
}

// said is one line of listener.js.
type said struct {
	What      string            `json:"what"`
	Name      string            `json:"name"`
	ID        any               `json:"id"`
	Recovered bool              `json:"recovered"`
	Message   string            `json:"message"`
	Data      json.RawMessage   `json:"data"`
	Args      []json.RawMessage `json:"args"`
}

// node runs a script of this folder.
func node(t *testing.T, name, script string, args ...string) *process {
	return start(t, name, "node", append([]string{filepath.Join(root(), script)}, args...)...)
}

// listen opens a guild as a user; transports nil means the client's default.
func listen(t *testing.T, url string, guild uint64, key string, transports []string) *listener {
	t.Helper()
	return listenWith(t, map[string]any{"url": url, "guild": fmt.Sprint(guild), "key": key, "transports": transports})
}

// listenWith opens a guild with listener.js's options.
func listenWith(t *testing.T, all map[string]any) *listener {
	t.Helper()
	options, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return &listener{process: node(t, "listener", "test/e2e/listener.js", string(options))}
}

// next waits for the next line that wanted accepts, and passes over the others.
func (l *listener) next(t *testing.T, what string, wanted func(said) bool) said {
	t.Helper()
	var found said
	_, l.read = l.await(t, l.read, what, func(line string) bool {
		var s said
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("listener said %q", line)
		}
		found = s
		return wanted(s)
	})
	return found
}

// event waits for the next event of that name, and returns its first argument; nothing else of the
// guild but positions may come before it.
func (l *listener) event(t *testing.T, name string) string {
	t.Helper()
	s := l.next(t, name, func(s said) bool {
		if s.What == "refused" || s.What == "disconnect" {
			t.Fatalf("waiting for %s: %+v", name, s)
		}
		if s.What != "event" || s.Name == "track_pos_updated" && name != s.Name {
			return false
		}
		if s.Name != name {
			t.Fatalf("got %s, want %s", s.Name, name)
		}
		return true
	})
	if len(s.Args) == 0 {
		return ""
	}
	return string(s.Args[0])
}

// payload is event for those whose argument is base64: it returns the bytes below.
func (l *listener) payload(t *testing.T, name string) string {
	t.Helper()
	return base64Text(t, l.event(t, name))
}

// base64Text is what a JSON string stands for.
func base64Text(t *testing.T, argument string) string {
	t.Helper()
	var text string
	if err := json.Unmarshal([]byte(argument), &text); err != nil {
		t.Fatalf("%s is no base64", argument)
	}
	payload, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		t.Fatalf("%s: %v", argument, err)
	}
	return string(payload)
}

// number waits for an event whose argument is a number, as its text on the wire.
func (l *listener) number(t *testing.T, name string) string {
	t.Helper()
	s := l.next(t, name, func(s said) bool {
		return s.What == "packet" && strings.Contains(string(s.Data), `[\"`+name+`\",`)
	})
	var packet string
	if err := json.Unmarshal(s.Data, &packet); err != nil {
		t.Fatal(err)
	}
	var arguments []json.RawMessage
	if err := json.Unmarshal([]byte(packet[strings.Index(packet, "["):]), &arguments); err != nil {
		t.Fatalf("packet %q: %v", packet, err)
	}
	return string(arguments[1])
}

// cut breaks the connection; the client reconnects by itself.
func (l *listener) cut(t *testing.T) {
	t.Helper()
	if _, err := fmt.Fprintln(l.stdin, `{"cut": true}`); err != nil {
		t.Fatal(err)
	}
}

// ask emits a command with a callback, and returns its number.
func (l *listener) ask(t *testing.T, command ...any) float64 {
	t.Helper()
	l.asks++
	line, err := json.Marshal(map[string]any{"id": l.asks, "emit": command})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(l.stdin, "%s\n", line); err != nil {
		t.Fatal(err)
	}
	return float64(l.asks)
}

// answer is what a callback was called with.
type answer struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
}

// answer waits for the callback of a command.
func (l *listener) answer(t *testing.T, id float64) answer {
	t.Helper()
	s := l.next(t, fmt.Sprintf("the answer to command %v", id), func(s said) bool { return s.What == "ack" && s.ID == id })
	var a answer
	if len(s.Args) != 1 {
		t.Fatalf("callback got %d arguments, want 1", len(s.Args))
	}
	if err := json.Unmarshal(s.Args[0], &a); err != nil {
		t.Fatalf("callback got %s: %v", s.Args[0], err)
	}
	return a
}
