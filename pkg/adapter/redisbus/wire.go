package redisbus

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/msgpack"
)

// wire is one of the two forms in which messages travel.
type wire interface {
	asksRooms() bool
	sharded() bool
	newID() string // of nodes and requests

	// Channels of a namespace: those of every member; the one whose subscribers are counted; those on
	// which a node is answered; the one of a room, where there is one.
	memberChannels(namespace string) []string
	countChannel(namespace string) string
	answerChannels(namespace, uid string) []string
	roomChannel(namespace, room string) (string, bool)

	encode(*line, *adapter.Message) (channel string, payload []byte, err error)
	encodeAnswer(l *line, question, answer *adapter.Message) (channel string, payload []byte, err error)
	// decode returns nil for a message that is not meant for the line.
	decode(l *line, channel string, payload []byte) (*adapter.Message, error)

	publishes() string // the command
	subscribe(ctx context.Context, p *redis.PubSub, channels ...string) error
	unsubscribe(ctx context.Context, p *redis.PubSub, channels ...string) error
	numSub(ctx context.Context, c *redis.Client, channel string) *redis.MapStringIntCmd
}

var (
	errMalformed = errors.New("redisbus: no message of an adapter")
	errKind      = errors.New("redisbus: the wire has no such message")
)

// packet is an event; the classic wire gives it a namespace.
type packet struct {
	Type int             `json:"type"`
	Data json.RawMessage `json:"data"`
	NSP  *string         `json:"nsp,omitempty"`
}

const eventPacket = 2 // whatever is inside

// options say whom something is for.
type options struct {
	Rooms  names  `json:"rooms"`
	Except names  `json:"except"`
	Flags  *flags `json:"flags,omitempty"`
}

// flags of others than these, such as expectSingleResponse, are the asker's own affair.
type flags struct {
	Volatile bool     `json:"volatile,omitempty"`
	Compress *bool    `json:"compress,omitempty"`
	Timeout  *float64 `json:"timeout,omitempty"` // milliseconds
}

func optionsOf(t adapter.Target, f *flags) *options {
	return &options{names(t.Rooms), names(t.Except), f}
}

func flagsOf(f adapter.Flags) *flags {
	out := &flags{Volatile: f.Volatile}
	if f.Uncompressed {
		out.Compress = new(bool)
	}
	if f.Timeout > 0 {
		ms := float64(f.Timeout.Milliseconds())
		out.Timeout = &ms
	}
	return out
}

func (o *options) target() adapter.Target {
	return adapter.Target{Rooms: o.Rooms, Except: o.Except}
}

// maxTimeout bounds what another node can make this one wait for its clients.
const maxTimeout = 10 * time.Minute

func (o *options) flags() (f adapter.Flags) {
	if o.Flags == nil {
		return f
	}
	f.Volatile = o.Flags.Volatile
	f.Uncompressed = o.Flags.Compress != nil && !*o.Flags.Compress
	if ms := o.Flags.Timeout; ms != nil && *ms > 0 {
		f.Timeout = time.Duration(min(*ms, float64(maxTimeout/time.Millisecond)) * float64(time.Millisecond))
	}
	return f
}

// names are rooms; some programs name rooms by numbers.
type names []string

func (n names) MarshalJSON() ([]byte, error) {
	if n == nil {
		return []byte("[]"), nil
	}
	return encodeJSON([]string(n))
}

func (n *names) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	*n = make(names, len(list))
	for i, element := range list {
		if err := (*name)(&(*n)[i]).UnmarshalJSON(element); err != nil {
			return err
		}
	}
	return nil
}

// name of a number is what JavaScript makes of it, in whatever digits it has travelled.
type name string

func (n *name) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return json.Unmarshal(text, (*string)(n))
	}
	var number *float64
	if err := json.Unmarshal(text, &number); err != nil || number == nil {
		return errMalformed
	}
	digits, err := json.Marshal(*number)
	*n = name(digits)
	return err
}

// encodeJSON is json.Marshal without HTML escapes.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}

// read takes a message in either form and returns it as JSON, with its attachments beside it. What is neither is no JSON
// either: whoever goes on to read it finds out.
func read(payload []byte) msgpack.Value {
	if len(payload) > 0 && payload[0] == '{' {
		return msgpack.Value{JSON: payload}
	}
	v, rest, err := msgpack.Read(payload)
	if err != nil || len(rest) > 0 {
		return msgpack.Value{}
	}
	return v
}

// write makes the payload of a message: JSON, or MessagePack where it must be or has attachments.
func write(v any, attachments [][]byte, packed bool) ([]byte, error) {
	text, err := encodeJSON(v)
	if err != nil || !packed && len(attachments) == 0 {
		return text, err
	}
	return msgpack.Append(nil, msgpack.Value{JSON: text, Attachments: attachments})
}

// isList tells whether JSON is a list, as events are.
func isList(text json.RawMessage) bool { return len(text) > 0 && text[0] == '[' }

// orNull is a value that may be absent.
func orNull(text json.RawMessage) json.RawMessage {
	if text == nil {
		return json.RawMessage("null")
	}
	return text
}

const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// shortID has 36 bits of chance in 6 characters.
func shortID() string {
	var b [6]byte
	rand.Read(b[:])
	for i := range b {
		b[i] = idAlphabet[b[i]%64]
	}
	return string(b[:])
}

// longID has 64 bits of chance in 16 hex digits.
func longID() string {
	var b [8]byte
	rand.Read(b[:])
	id := make([]byte, 0, 16)
	for _, c := range b {
		id = append(id, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
	}
	return string(id)
}
