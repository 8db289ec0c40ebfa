package edgetest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Packet types of Socket.IO.
const (
	Connect      = '0'
	Disconnect   = '1'
	Event        = '2'
	Ack          = '3'
	ConnectError = '4'
)

// Packet is a packet that the server has sent.
type Packet struct {
	Type      byte
	Namespace string
	ID        int // of an Ack; -1 for none
	Data      json.RawMessage
	Offset    string // of an Event in a namespace that the client can come back to; cut off Data
}

// String shows the packet as it was on the wire.
func (p Packet) String() string { return fmt.Sprintf("%c%s %d %s", p.Type, p.Namespace, p.ID, p.Data) }

// Client is a session. It speaks Engine.IO v4 and Socket.IO v5, text packets only, over one transport.
type Client struct {
	t       testing.TB
	sid     string
	packets chan Packet
	write   func(message string) error // an Engine.IO message, without its type
	nextAck atomic.Int64
	closed  chan struct{} // closed when the session has ended

	resumable sync.Map          // namespaces of which a pid has come
	pids      map[string]string // by namespace; the test's own, as is offsets
	offsets   map[string]string
	recovered bool
}

// SID is the Engine.IO session's id.
func (c *Client) SID() string { return c.sid }

// Closed is closed when the session has ended.
func (c *Client) Closed() <-chan struct{} { return c.closed }

// options of a dial.
type options struct {
	header http.Header
	unread int // packets
}

func optionsOf(with []func(*options)) options {
	o := options{header: http.Header{}, unread: 4096}
	for _, set := range with {
		set(&o)
	}
	return o
}

// With sends HTTP header fields with the handshake.
func With(header http.Header) func(*options) { return func(o *options) { o.header = header } }

// Expecting says that no more packets come than that before they are waited for, which saves memory where
// there are many clients.
func Expecting(packets int) func(*options) { return func(o *options) { o.unread = packets } }

// Connect asks for a namespace, with a payload or "" for none.
func (c *Client) Connect(namespace, payload string) {
	c.t.Helper()
	c.send(string(Connect) + prefix(namespace) + payload)
}

// ConnectAgain asks for a namespace as a stock client does that was there on an earlier session, as
// far as that one's packets have been waited for. The payload is an object, or "".
func (c *Client) ConnectAgain(earlier *Client, namespace, payload string) {
	c.t.Helper()
	c.offsets = map[string]string{namespace: earlier.offsets[namespace]}
	c.pids = map[string]string{namespace: earlier.pids[namespace]}
	c.resumable.Store(namespace, true)
	shown := fmt.Sprintf(`{"pid":%q,"offset":%q`, earlier.pids[namespace], earlier.offsets[namespace])
	if payload == "" {
		c.Connect(namespace, shown+"}")
		return
	}
	c.Connect(namespace, shown+","+payload[1:])
}

// Leave leaves a namespace.
func (c *Client) Leave(namespace string) {
	c.t.Helper()
	c.send(string(Disconnect) + prefix(namespace))
}

// Emit emits an event; args are JSON texts.
func (c *Client) Emit(namespace, event string, args ...string) {
	c.t.Helper()
	c.send(string(Event) + prefix(namespace) + list(event, args))
}

// EmitWithAck emits an event with a callback, and returns the id that its Ack will have.
func (c *Client) EmitWithAck(namespace, event string, args ...string) int {
	c.t.Helper()
	id := int(c.nextAck.Add(1))
	c.send(string(Event) + prefix(namespace) + strconv.Itoa(id) + list(event, args))
	return id
}

// Next waits for the next packet.
func (c *Client) Next() Packet {
	c.t.Helper()
	select {
	case p, ok := <-c.packets:
		if !ok {
			c.t.Fatal("the session has ended")
		}
		if p.Offset != "" {
			c.offsets[p.Namespace] = p.Offset
		}
		return p
	case <-time.After(Patience):
		c.t.Fatal("waiting for a packet")
		return Packet{}
	}
}

// Rest gives the packets that have come and were not waited for, when the session has ended.
func (c *Client) Rest() iter.Seq[Packet] {
	return func(yield func(Packet) bool) {
		for p := range c.packets {
			if p.Offset != "" {
				c.offsets[p.Namespace] = p.Offset
			}
			if !yield(p) {
				return
			}
		}
	}
}

// Want waits for the next packet, which must be that one.
func (c *Client) Want(kind byte, namespace, data string) {
	c.t.Helper()
	if p := c.Next(); p.Type != kind || p.Namespace != namespace || string(p.Data) != data {
		c.t.Fatalf("got %s, want %c%s %s", p, kind, namespace, data)
	}
}

// Joined waits for the answer to Connect, which must be a welcome, and returns the socket's id.
func (c *Client) Joined(namespace string) string {
	c.t.Helper()
	p := c.Next()
	var welcome struct{ SID, PID string }
	if err := json.Unmarshal(p.Data, &welcome); err != nil || p.Type != Connect || p.Namespace != namespace {
		c.t.Fatalf("got %s instead of a welcome to %s", p, namespace)
	}
	c.recovered = welcome.PID != "" && welcome.PID == c.pids[namespace]
	c.pids[namespace] = welcome.PID
	return welcome.SID
}

// Recovered tells whether the last welcome said that nothing was lost.
func (c *Client) Recovered() bool { return c.recovered }

// Handshake waits for the event handshake, which must be next, and returns its JSON.
func (c *Client) Handshake(namespace string) string {
	c.t.Helper()
	event, args := c.Event(namespace)
	if event != "handshake" || len(args) != 1 {
		c.t.Fatalf("got %s %s instead of handshake", event, args)
	}
	return Decode(c.t, args[0])
}

// Event waits for an event, which must be next.
func (c *Client) Event(namespace string) (name string, args []json.RawMessage) {
	c.t.Helper()
	p := c.Next()
	var all []json.RawMessage
	if err := json.Unmarshal(p.Data, &all); p.Type != Event || p.Namespace != namespace || err != nil {
		c.t.Fatalf("got %s instead of an event of %s", p, namespace)
	}
	if err := json.Unmarshal(all[0], &name); err != nil {
		c.t.Fatal(err)
	}
	return name, all[1:]
}

// Decode gives the text behind a JSON string of base64.
func Decode(t testing.TB, argument json.RawMessage) string {
	t.Helper()
	var encoded string
	if err := json.Unmarshal(argument, &encoded); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func newClient(t testing.TB, o options) *Client {
	return &Client{
		t: t, packets: make(chan Packet, o.unread), closed: make(chan struct{}),
		pids: make(map[string]string), offsets: make(map[string]string),
	}
}

func (c *Client) send(message string) {
	c.t.Helper()
	if err := c.write(message); err != nil {
		c.t.Fatal(err)
	}
}

// receive takes an Engine.IO packet; it answers pings.
func (c *Client) receive(packet string, pong func() error) error {
	switch {
	case packet == "2":
		return pong()
	case strings.HasPrefix(packet, "4"):
		c.packets <- c.parse(packet[1:])
	case strings.HasPrefix(packet, "0"):
		var opened struct{ SID string }
		if err := json.Unmarshal([]byte(packet[1:]), &opened); err != nil {
			return err
		}
		c.sid = opened.SID
	case packet != "6" && packet != "1":
		return fmt.Errorf("packet %q", packet)
	}
	return nil
}

// offsetAtEnd is what an event ends with that has an offset.
var offsetAtEnd = regexp.MustCompile(`,"([0-9.]+)"\]$`)

func (c *Client) parse(text string) Packet {
	p := Packet{Type: text[0], Namespace: "/", ID: -1}
	rest := text[1:]
	if strings.HasPrefix(rest, "/") {
		p.Namespace, rest, _ = strings.Cut(rest, ",")
	}
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	if digits > 0 {
		p.ID, _ = strconv.Atoi(rest[:digits])
	}
	p.Data = json.RawMessage(rest[digits:])
	_, resumable := c.resumable.Load(p.Namespace)
	switch {
	case p.Type == Connect && strings.Contains(rest, `"pid"`):
		c.resumable.Store(p.Namespace, true)
	case p.Type == Event && resumable:
		if at := offsetAtEnd.FindSubmatchIndex(p.Data); at != nil {
			p.Offset = string(p.Data[at[2]:at[3]])
			p.Data = append(p.Data[:at[0]], ']')
		}
	}
	return p
}

func prefix(namespace string) string {
	if namespace == "/" {
		return ""
	}
	return namespace + ","
}

func list(event string, args []string) string {
	return "[" + strings.Join(append([]string{strconv.Quote(event)}, args...), ",") + "]"
}
