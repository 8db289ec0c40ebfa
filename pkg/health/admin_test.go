package health

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, handler http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestAnswers(t *testing.T) {
	h := New()
	mux := h.AdminMux()
	c := h.Condition("nats")
	for _, test := range []struct {
		path, want string
		code       int
		before     func()
	}{
		{"/healthz", `{"status":"alive"}` + "\n", 200, nil},
		{"/readyz", `{"status":"not ready","missing":[{"name":"nats","reason":"not yet up"}]}` + "\n", 503, nil},
		{"/readyz", `{"status":"not ready","missing":[{"name":"nats","reason":"no servers \"x\""}]}` + "\n", 503, func() { c.Down(`no servers "x"`) }},
		{"/healthz", `{"status":"alive"}` + "\n", 200, nil},
		{"/readyz", `{"status":"ready"}` + "\n", 200, c.Up},
		{"/other", "404 page not found\n", 404, nil},
	} {
		if test.before != nil {
			test.before()
		}
		if code, body := get(t, mux, test.path); code != test.code || body != test.want {
			t.Errorf("%s: %d %q, want %d %q", test.path, code, body, test.code, test.want)
		}
	}
	for _, path := range []string{"/debug/pprof/goroutine", "/debug/vars"} {
		if code, body := get(t, mux, path); code != 200 || body == "" {
			t.Errorf("%s: %d, %d bytes", path, code, len(body))
		}
	}
}

// TestTheCommandLineIsNotShown: it may hold secrets, as does the test's own argument.
func TestTheCommandLineIsNotShown(t *testing.T) {
	old := os.Args
	os.Args = append(slices.Clone(old), "--discord-bot-token=swordfish")
	t.Cleanup(func() { os.Args = old })
	mux := New().AdminMux()
	for _, test := range []struct {
		path string
		code int
	}{
		{"/debug/vars", 200}, {"/debug/pprof/", 200}, {"/debug/pprof/cmdline", 404}, {"/debug/pprof/goroutine?debug=2", 200},
		{"/debug/pprof/heap?debug=1", 200}, {"/debug/pprof/symbol", 200},
	} {
		code, body := get(t, mux, test.path)
		if code != test.code || strings.Contains(body, "swordfish") || strings.Contains(body, filepath.Base(old[0])+"\x00") {
			t.Errorf("%s: %d %.200q", test.path, code, body)
		}
	}
	var shown map[string]json.RawMessage
	_, body := get(t, mux, "/debug/vars")
	if err := json.Unmarshal([]byte(body), &shown); err != nil || len(shown) != 1 {
		t.Errorf("/debug/vars: %v in %s", err, body)
	}
	var memory struct{ HeapAlloc uint64 }
	if err := json.Unmarshal(shown["memstats"], &memory); err != nil || memory.HeapAlloc == 0 {
		t.Errorf("memstats: %+v, %v", memory, err)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Serve(ctx, listener, New().AdminMux()) }()

	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://" + listener.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(response.Body); err != nil || response.StatusCode != 200 {
		t.Errorf("%d, %v", response.StatusCode, err)
	}
	_ = response.Body.Close()

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("still listens")
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	if err := Serve(t.Context(), listener, New()); err == nil {
		t.Error("no error")
	}
}
