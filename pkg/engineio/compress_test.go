package engineio

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestAcceptedCoding(t *testing.T) {
	tests := []struct{ header, want string }{
		{"", ""},
		{"gzip", "gzip"},
		{"gzip, deflate, br", "gzip"},
		{"deflate, gzip", "deflate"},
		{"deflate;q=0.5, gzip;q=0.8", "gzip"},
		{"gzip;q=0, deflate", "deflate"},
		{"GZIP", "gzip"},
		{"br, zstd", ""},
		{"*", "gzip"},
		{"*, gzip;q=0.1", "deflate"},
		{"*;q=0", ""},
		{"identity;q=1, *;q=0", ""},
	}
	for _, tt := range tests {
		if got := acceptedCoding(tt.header); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.header, got, tt.want)
		}
	}
}

// TestUncompressedFramesInPolls: an answer is compressed when one of its packets may be, as the
// reference's is.
func TestUncompressedFramesInPolls(t *testing.T) {
	s := serve(t, Options{})
	plain := NewFrame(Message{Data: bytes.Repeat([]byte("p"), 2000)}).Uncompressed()
	other := NewFrame(Message{Data: bytes.Repeat([]byte("o"), 2000)})
	tests := []struct {
		name   string
		frames []*Frame
		want   string
	}{
		{"one that may not be", []*Frame{plain}, ""},
		{"joined", []*Frame{JoinFrames(plain, plain)}, ""},
		{"one that may be", []*Frame{other}, "gzip"},
		{"both", []*Frame{plain, other}, "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			query := s.open(t)
			session := s.engine.lookup(query[strings.LastIndex(query, "=")+1:])
			for _, f := range tt.frames {
				session.Send(f)
			}
			res, _ := s.do(t, "GET", query, "", "Accept-Encoding", "gzip")
			expectHeaders(t, "poll", res, "Content-Encoding", tt.want)
		})
	}
}

// TestHTTPCompression: "gzip/deflate as accepted from 1024 bytes". The payload is the message and its
// type.
func TestHTTPCompression(t *testing.T) {
	tests := []struct {
		name, accept string
		size         int
		opts         *HTTPCompression
		want         string
	}{
		{"at the threshold", "gzip, deflate", 1024, nil, "gzip"},
		{"below it", "gzip, deflate", 1023, nil, ""},
		{"deflate", "deflate", 2000, nil, "deflate"},
		{"nothing accepted", "br", 2000, nil, ""},
		{"another threshold", "gzip", 100, &HTTPCompression{Threshold: 100, Level: 9}, "gzip"},
		{"switched off", "gzip", 2000, &HTTPCompression{Disabled: true}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, Options{HTTPCompression: tt.opts})
			query := s.open(t)
			text := "4" + strings.Repeat("a", tt.size-1)
			s.expect(t, "POST", query, text, reply{200, "ok"})
			res, got := s.do(t, "GET", query, "", "Accept-Encoding", tt.accept)
			expectHeaders(t, "poll", res, "Content-Encoding", tt.want)
			var r io.Reader = strings.NewReader(got.body)
			var err error
			switch tt.want {
			case "gzip":
				r, err = gzip.NewReader(r)
			case "deflate":
				r, err = zlib.NewReader(r)
			}
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := io.ReadAll(r); err != nil || string(plain) != text {
				t.Errorf("%d bytes, %v", len(plain), err)
			}
		})
	}
}

// deflated dials as browsers do, and counts what comes over the wire.
func (s *site) deflated(t *testing.T) (*websocket.Conn, *countedConn) {
	t.Helper()
	counted := &countedConn{}
	dialer := websocket.Dialer{EnableCompression: true, NetDial: func(network, addr string) (net.Conn, error) {
		conn, err := net.Dial(network, addr)
		counted.Conn = conn
		return counted, err
	}}
	conn, res, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/engine.io/?"+fresh, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if got := res.Header.Get("Sec-Websocket-Extensions"); got != "permessage-deflate; server_no_context_takeover; client_no_context_takeover" {
		t.Fatalf("extensions %q", got)
	}
	next(t, conn)
	return conn, counted
}

type countedConn struct {
	net.Conn
	read atomic.Int64
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func TestPerMessageDeflate(t *testing.T) {
	s := serve(t, Options{PerMessageDeflate: &PerMessageDeflate{}, MaxPayload: 1e6})
	conn, counted := s.deflated(t)
	tests := []struct {
		name       string
		size       int
		compressed bool
	}{
		{"below the threshold", 1023, false},
		{"at the threshold", 1024, true},
		{"as large as allowed", 1e6, true},
	}
	for _, tt := range tests {
		for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
			data := bytes.Repeat([]byte("4"), tt.size)
			before := counted.read.Load()
			if err := conn.WriteMessage(kind, data); err != nil { // gorilla's client compresses each
				t.Fatal(err)
			}
			_, got, err := conn.ReadMessage()
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%s: %d bytes, %v", tt.name, len(got), err)
			}
			wire := counted.read.Load() - before
			if compressed := wire < int64(tt.size)/2; compressed != tt.compressed {
				t.Errorf("%s: %d bytes came as %d", tt.name, tt.size, wire)
			}
		}
	}
}

func TestDeflateIsOffByDefault(t *testing.T) {
	s := quietSite(t)
	dialer := websocket.Dialer{EnableCompression: true}
	conn, res, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/engine.io/?"+fresh, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	expectHeaders(t, "101", res, "Sec-Websocket-Extensions", "")
}

// TestBroadcastIsCompressedOnce, however many sessions get it; one that did not offer compression gets
// it plain.
func TestBroadcastIsCompressedOnce(t *testing.T) {
	s := serve(t, Options{PerMessageDeflate: &PerMessageDeflate{}})
	text := strings.Repeat("a queue of tracks ", 1000)
	var conns []*websocket.Conn
	for range 8 {
		conn, _ := s.deflated(t)
		conns = append(conns, conn)
	}
	conns = append(conns, s.connect(t))
	frame := NewFrame(Message{Data: []byte(text)})
	for range conns {
		go (<-s.opened).Send(frame)
	}
	for _, conn := range conns {
		if got := next(t, conn); got != "4"+text {
			t.Errorf("%d bytes", len(got))
		}
	}
	if got := s.engine.Stats().Deflates; got != 1 {
		t.Errorf("compressed %d times", got)
	}
}

// TestPollsAreCompressedOnce: what goes to many polling clients at the same moment is, beside what goes to one alone.
func TestPollsAreCompressedOnce(t *testing.T) {
	s := serve(t, Options{})
	const clients = 8
	queue := NewFrame(Message{Data: []byte(strings.Repeat("a queue of tracks ", 1000))})
	start := NewFrame(Message{Data: []byte(strings.Repeat("the track that starts ", 100))})
	for name, sent := range map[string]*Frame{"one": queue, "two": JoinFrames(start, queue)} {
		t.Run(name, func(t *testing.T) {
			var queries []string
			var frames []*Frame // one more for some of them
			for i := range clients {
				queries, frames = append(queries, s.open(t)), []*Frame{sent}
				if i == 0 {
					frames = append(frames, NewFrame(Message{Data: []byte("alone")}))
				}
				session := <-s.opened
				for _, f := range frames {
					session.Send(f)
				}
			}
			before := s.engine.Stats()
			// A weak pointer must not be lost between two of the requests.
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			for i, query := range queries {
				coding := []string{"gzip", "deflate"}[i%2]
				res, got := s.do(t, "GET", query, "", "Accept-Encoding", coding)
				expectHeaders(t, "poll", res, "Content-Encoding", coding, "Vary", "Accept-Encoding")
				var r io.Reader
				var err error
				if coding == "gzip" {
					r, err = gzip.NewReader(strings.NewReader(got.body))
				} else {
					r, err = zlib.NewReader(strings.NewReader(got.body))
				}
				if err != nil {
					t.Fatal(err)
				}
				want := string(sent.polling())
				if i == 0 {
					want += "\x1e4alone"
				}
				if plain, err := io.ReadAll(r); err != nil || string(plain) != want {
					t.Errorf("client %d: %d bytes, %v, want %d", i, len(plain), err, len(want))
				}
			}
			after := s.engine.Stats()
			if n := after.PollsCompressed - before.PollsCompressed; n != 3 {
				t.Errorf("compressed %d times, want once in either coding, and for the one with more", n)
			}
			if in := after.PollIn - before.PollIn; in != 3*uint64(len(sent.polling()))+uint64(len("\x1e4alone")) {
				t.Errorf("%d bytes compressed", in)
			}
		})
	}
	forever := make([]*compressedAnswer, 0, 100)
	for range cap(forever) {
		forever = append(forever, s.engine.answers.of([]entry{{frame: queue}, {frame: NewFrame()}}, "gzip"))
	}
	if again := s.engine.answers.of([]entry{{frame: queue}, {frame: forever[99].frames[1]}}, "gzip"); again != forever[99] {
		t.Error("the last one is not found")
	}
	ping := []entry{{frame: queue}, {packet: PacketPing}}
	if one := s.engine.answers.of(ping, "gzip"); one == s.engine.answers.of(ping, "gzip") {
		t.Error("a ping is nobody else's")
	}
}

// TestBomb inflates to more than MaxPayload and is cut there, with 1009.
func TestBomb(t *testing.T) {
	s := serve(t, Options{PerMessageDeflate: &PerMessageDeflate{}, MaxPayload: 100_000})
	for name, size := range map[string]int{"one byte over": 100_001, "two hundred times": 20_000_000} {
		t.Run(name, func(t *testing.T) {
			conn, _ := s.deflated(t)
			<-s.opened
			bomb := bytes.Repeat([]byte("4"), size)
			allocated := allocatedBytes()
			if err := conn.WriteMessage(websocket.TextMessage, bomb); err != nil {
				t.Fatal(err)
			}
			expectClose(t, conn, websocket.CloseMessageTooBig)
			if reason := <-s.ended; reason != ReasonTransportError {
				t.Errorf("ended with %q", reason)
			}
			if grown := allocatedBytes() - allocated; grown > 5_000_000 { // the client's compressor is in it
				t.Errorf("%d bytes allocated", grown)
			}
		})
	}
}

// TestPostsAreNotInflated: a compressed body is no packet.
func TestPostsAreNotInflated(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	_, _ = w.Write([]byte("4hello"))
	_ = w.Close()
	s.expect(t, "POST", query, body.String(), reply{200, "ok"}, "Content-Encoding", "gzip")
	if reason := <-s.ended; reason != ReasonParseError {
		t.Errorf("ended with %q", reason)
	}
	s.expect(t, http.MethodGet, query, "", reply{400, unknownSession})
}
