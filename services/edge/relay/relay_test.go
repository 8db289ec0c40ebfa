package relay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/edge/seal"
)

var (
	secretA = bytes.Repeat([]byte("a"), seal.MinSecret)
	secretB = bytes.Repeat([]byte("b"), seal.MinSecret)
)

// edge is a relay before an engine that says what it is asked.
type edge struct {
	*Relay
	address string
	asked   chan *http.Request
	engine  http.HandlerFunc // answers instead, if set
}

func newEdge(t testing.TB, secrets ...[]byte) *edge {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{address: listener.Addr().String(), asked: make(chan *http.Request, 16)}
	e.Relay, err = New(Options{Self: e.address, Secrets: secrets, Next: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			e.asked <- r
			if e.engine != nil {
				e.engine(w, r)
				return
			}
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s %s", r.Method, body)
		})})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(e.Relay)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(func() { e.Close(); server.CloseClientConnections(); server.Close() })
	return e
}

func (e *edge) id(t testing.TB) string {
	t.Helper()
	sid, err := e.GenerateID(nil)
	if err != nil {
		t.Fatal(err)
	}
	return sid
}

// ask asks that edge about a session.
func (e *edge) ask(t *testing.T, method, sid, body string, header http.Header) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method,
		"http://"+e.address+"/socket.io/?EIO=4&transport=polling&sid="+url.QueryEscape(sid), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func (e *edge) wasAsked(t *testing.T) *http.Request {
	t.Helper()
	select {
	case r := <-e.asked:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("nobody asked")
		return nil
	}
}

func TestRequestsReachTheOwner(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	for _, test := range []struct {
		name      string
		at, owner *edge
		sid       string
	}{
		{"one's own", a, a, a.id(t)},
		{"another's", a, b, b.id(t)},
		{"none", a, a, ""},
		{"forged", b, b, "lv_VI97HAXpY6yYWAAAC"},
	} {
		for method, body := range map[string]string{"GET": "", "POST": "40/guild/1,"} {
			code, answer := test.at.ask(t, method, test.sid, body, http.Header{
				"X-Forwarded-For": {"203.0.113.7"}, "Accept-Encoding": {"br"}, "Authorization": {"Bearer abc"},
			})
			if code != 200 || answer != method+" "+body {
				t.Errorf("%s: %d %q", test.name, code, answer)
			}
			r := test.owner.wasAsked(t)
			for name, want := range map[string]string{
				"X-Forwarded-For": "203.0.113.7", "Accept-Encoding": "br", "Authorization": "Bearer abc", passHeader: "",
			} {
				if got := strings.Join(r.Header.Values(name), ", "); got != want {
					t.Errorf("%s: %s is %q, want %q", test.name, name, got, want)
				}
			}
			if r.Host != test.at.address || r.URL.Query().Get("sid") != test.sid {
				t.Errorf("%s: %s %s", test.name, r.Host, r.URL)
			}
		}
	}
}

func TestTheOwnerSeesTheClientsAddress(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	conn, err := net.Dial("tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test's
	_, _ = fmt.Fprintf(conn, "GET /socket.io/?sid=%s HTTP/1.1\r\nHost: a\r\n\r\n", b.id(t))
	if r := b.wasAsked(t); r.RemoteAddr != conn.LocalAddr().String() {
		t.Errorf("%s, want %s", r.RemoteAddr, conn.LocalAddr())
	}
}

func TestNothingIsRelayedTwice(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	b.options.Self = "elsewhere:1" // what b seals as a's stays b's business when it comes relayed
	if code, answer := a.ask(t, "GET", sealedFor(t, b.address), "", nil); code != 200 || answer != "GET " {
		t.Errorf("%d %q", code, answer)
	}
	b.wasAsked(t)
}

func sealer(t *testing.T, purpose string, secret []byte) *seal.Sealer {
	t.Helper()
	s, err := seal.New(purpose, secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealedFor(t *testing.T, address string) string {
	return sealer(t, "sid", secretA).Seal(address, "")
}

func TestAForgedPassIsWorthNothing(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	sid := b.id(t)
	for name, pass := range map[string]string{
		"made up":           "203.0.113.7:1",
		"another session's": sealer(t, "relay pass", secretA).Seal("203.0.113.7:1", "other"),
		"a sid":             sid,
	} {
		a.ask(t, "GET", sid, "", http.Header{passHeader: {pass}})
		if r := b.wasAsked(t); strings.HasPrefix(r.RemoteAddr, "203.") {
			t.Errorf("%s: believed", name)
		}
	}
}

func TestAnotherClustersSessionIsUnknown(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretB)
	a.ask(t, "GET", b.id(t), "", nil)
	a.wasAsked(t)
}

func TestTheOwnerIsGone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := listener.Addr().String()
	_ = listener.Close()
	a := newEdge(t, secretA)
	a.engine = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"code":1,"message":"Session ID unknown"}`)
	}
	code, answer := a.ask(t, "POST", sealedFor(t, gone), "40", nil)
	if code != 400 || answer != `{"code":1,"message":"Session ID unknown"}` {
		t.Errorf("%d %s", code, answer)
	}
}

func TestAbortsPropagate(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	ended := make(chan struct{})
	b.engine = func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(ended)
	}
	ctx, abort := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "GET", "http://"+a.address+"/socket.io/?sid="+b.id(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { b.wasAsked(t); abort() }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if response, err := client.Do(request); err == nil {
		_ = response.Body.Close()
		t.Error("answered")
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the owner still waits")
	}
}

func TestAClosedRelayRelaysNothing(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	a.Close()
	a.ask(t, "GET", b.id(t), "", nil)
	a.wasAsked(t) // the local engine, which knows no such session
}
