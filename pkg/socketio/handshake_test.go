package socketio

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHandshakeAsTheReferenceShowsIt(t *testing.T) {
	before := time.Now().UnixMilli()
	_, address := listen(t, Options{}, func(s *Server) {
		s.Of("/").OnConnection(func(s *Socket) { _ = s.Emit("handshake", s.Handshake()) })
	})
	c := newClient(t, dialWebSocketWith(t, address+"&%26a=%26%3D%3Fa", http.Header{
		"Origin": {"https://player.example"}, "X-Twice": {"one", "two"}, "Cookie": {"a=1", "b=2"},
	}))
	c.send(`0{"token":12.50,"EIO":"not in the query"}`)
	c.receive() // the answer to CONNECT
	text, ok := strings.CutPrefix(c.receive(), `2["handshake",`)
	if !ok {
		t.Fatalf("received %s", text)
	}
	var got struct {
		Headers, Query     map[string]string
		Time, Address, URL string
		XDomain, Secure    bool
		Issued             int64
		Auth               json.RawMessage
	}
	decoder := json.NewDecoder(strings.NewReader(strings.TrimSuffix(text, "]")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"host": strings.Split(address, "/")[2], "origin": "https://player.example", "x-twice": "one, two", "cookie": "a=1; b=2",
	} {
		if got.Headers[name] != want {
			t.Errorf("header %s is %q, want %q", name, got.Headers[name], want)
		}
	}
	if want := map[string]string{"EIO": "4", "transport": "websocket", "q": "1", "&a": "&=?a"}; !maps.Equal(got.Query, want) {
		t.Errorf("query %v, want %v", got.Query, want)
	}
	if string(got.Auth) != `{"token":12.50,"EIO":"not in the query"}` {
		t.Errorf("auth %s", got.Auth)
	}
	if got.Address != "127.0.0.1" || !got.XDomain || got.Secure || !strings.HasPrefix(got.URL, "/socket.io/?EIO=4") {
		t.Errorf("address %q, xdomain %v, secure %v, url %q", got.Address, got.XDomain, got.Secure, got.URL)
	}
	now := time.Now().UnixMilli()
	if !slices.IsSorted([]int64{before, got.Issued, now}) {
		t.Errorf("issued %d, not between %d and %d", got.Issued, before, now)
	}
	at, err := time.Parse("Mon Jan 02 2006 15:04:05 GMT-0700 (MST)", got.Time)
	if err != nil || at.UnixMilli()/1000 != got.Issued/1000 {
		t.Errorf("time %q, %v", got.Time, err)
	}
}
