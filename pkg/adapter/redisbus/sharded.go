package redisbus

import (
	"context"
	"encoding/json"
	"unicode/utf16"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// sharded is the wire of createShardedAdapter:
//
//	KEY#NSP#        everything, counted by PUBSUB SHARDNUMSUB
//	KEY#NSP#ROOM#   broadcasts to exactly one room, in the dynamic modes; in the private one also where it looks like a socket's id
//	KEY#NSP#UID#    responses to one node
//
// Messages are JSON, and MessagePack where binary is inside.
type sharded struct {
	key     string
	dynamic bool
	private bool // sockets' rooms have channels too
}

// Types of messages.
const (
	shardedBroadcast        = 3
	shardedJoin             = 4
	shardedLeave            = 5
	shardedDisconnect       = 6
	shardedFetch            = 7
	shardedFetchAnswer      = 8
	shardedServerSide       = 9
	shardedServerSideAnswer = 10
	shardedClientCount      = 11
	shardedClientAnswer     = 12
)

type shardedMessage struct {
	Type *int   `json:"type"`
	Data any    `json:"data"`
	UID  string `json:"uid"`
	NSP  string `json:"nsp"`
}

// What messages hold, in the reference's order.
type (
	shardedEvent struct {
		Packet    packet   `json:"packet"`
		RequestID string   `json:"requestId,omitempty"`
		Opts      *options `json:"opts"`
	}
	shardedOrder struct {
		Opts      *options `json:"opts"`
		RequestID string   `json:"requestId,omitempty"`
		Rooms     *names   `json:"rooms,omitempty"`
		Close     *bool    `json:"close,omitempty"`
	}
	shardedValue struct {
		RequestID string          `json:"requestId,omitempty"`
		Packet    json.RawMessage `json:"packet,omitempty"`
		Sockets   json.RawMessage `json:"sockets,omitempty"`
		Count     *int            `json:"clientCount,omitempty"`
	}
)

func (sharded) asksRooms() bool { return false }
func (sharded) sharded() bool   { return true }
func (sharded) newID() string   { return longID() }

func (w sharded) countChannel(namespace string) string { return w.key + "#" + namespace + "#" }

func (w sharded) memberChannels(namespace string) []string {
	return []string{w.countChannel(namespace)}
}

func (w sharded) answerChannels(namespace, uid string) []string {
	return []string{w.countChannel(namespace) + uid + "#"}
}

const idLength = 20 // of a socket, as JavaScript counts: in units of UTF-16

func (w sharded) roomChannel(namespace, room string) (string, bool) {
	return w.countChannel(namespace) + room + "#", w.dynamic && (w.private || len(utf16.Encode([]rune(room))) != idLength)
}

func (w sharded) encode(l *line, m *adapter.Message) (channel string, payload []byte, err error) {
	channel = w.countChannel(l.namespace)
	out := shardedMessage{Type: new(int), UID: l.uid, NSP: l.namespace}
	switch m.Kind {
	case adapter.Broadcast:
		*out.Type = shardedBroadcast
		out.Data = shardedEvent{packet{Type: eventPacket, Data: m.Value.JSON}, m.RequestID, optionsOf(m.Target, flagsOf(m.Flags))}
		if room, ok := l.onlyRoom(m.Target); ok && m.RequestID == "" {
			if of, ok := w.roomChannel(l.namespace, room); ok {
				channel = of
			}
		}
	case adapter.Join, adapter.Leave:
		*out.Type = shardedJoin
		if m.Kind == adapter.Leave {
			*out.Type = shardedLeave
		}
		out.Data = shardedOrder{Opts: optionsOf(m.Target, &flags{}), Rooms: (*names)(&m.Rooms)}
	case adapter.Disconnect:
		*out.Type = shardedDisconnect
		out.Data = shardedOrder{Opts: optionsOf(m.Target, &flags{}), Close: &m.Close}
	case adapter.Fetch:
		*out.Type = shardedFetch
		out.Data = shardedOrder{Opts: optionsOf(m.Target, &flags{}), RequestID: m.RequestID}
	case adapter.ServerSide:
		*out.Type = shardedServerSide
		out.Data = shardedValue{RequestID: m.RequestID, Packet: m.Value.JSON}
	default:
		return "", nil, errKind
	}
	payload, err = write(out, m.Value.Attachments, false)
	return channel, payload, err
}

func (w sharded) encodeAnswer(l *line, question, answer *adapter.Message) (channel string, payload []byte, err error) {
	out := shardedMessage{Type: new(int), UID: l.uid, NSP: l.namespace}
	v := shardedValue{RequestID: answer.RequestID}
	switch answer.Kind {
	case adapter.FetchAnswer:
		*out.Type = shardedFetchAnswer
		if v.Sockets, err = encodeSockets(answer.Sockets); err != nil {
			return "", nil, err
		}
	case adapter.ServerSideAnswer:
		*out.Type, v.Packet = shardedServerSideAnswer, orNull(answer.Value.JSON)
	case adapter.ClientCount:
		*out.Type, v.Count = shardedClientCount, &answer.Count
	case adapter.ClientAnswer:
		*out.Type, v.Packet = shardedClientAnswer, orNull(answer.Value.JSON)
	default:
		return "", nil, errKind
	}
	out.Data = v
	payload, err = write(out, answer.Value.Attachments, false)
	return w.countChannel(l.namespace) + question.From + "#", payload, err
}

func (w sharded) decode(l *line, channel string, payload []byte) (*adapter.Message, error) {
	v := read(payload)
	var data json.RawMessage
	in := shardedMessage{Data: &data}
	if json.Unmarshal(v.JSON, &in) != nil || in.Type == nil || in.UID == "" || data == nil {
		return nil, errMalformed
	}
	if in.NSP != l.namespace {
		return nil, nil
	}
	m := &adapter.Message{From: in.UID}
	var err error
	switch *in.Type {
	case shardedBroadcast:
		err = decodeShardedEvent(m, data, v.Attachments)
	case shardedJoin, shardedLeave, shardedDisconnect, shardedFetch:
		m.Kind = [...]adapter.Kind{adapter.Join, adapter.Leave, adapter.Disconnect, adapter.Fetch}[*in.Type-shardedJoin]
		err = decodeShardedOrder(m, data)
	case shardedServerSide, shardedFetchAnswer, shardedServerSideAnswer, shardedClientCount, shardedClientAnswer:
		err = decodeShardedValue(m, *in.Type, data, v.Attachments)
	default:
		err = errMalformed
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func decodeShardedEvent(m *adapter.Message, data json.RawMessage, attachments [][]byte) error {
	var e shardedEvent
	if json.Unmarshal(data, &e) != nil || e.Opts == nil || !isList(e.Packet.Data) {
		return errMalformed
	}
	m.Kind, m.RequestID = adapter.Broadcast, e.RequestID
	m.Target, m.Flags = e.Opts.target(), e.Opts.flags()
	m.Value = adapter.Value{JSON: e.Packet.Data, Attachments: attachments}
	return nil
}

func decodeShardedOrder(m *adapter.Message, data json.RawMessage) error {
	var o shardedOrder
	if json.Unmarshal(data, &o) != nil || o.Opts == nil || m.Kind == adapter.Fetch && o.RequestID == "" {
		return errMalformed
	}
	m.Target = o.Opts.target()
	if m.Kind == adapter.Fetch {
		m.RequestID = o.RequestID
	}
	if o.Rooms != nil {
		m.Rooms = *o.Rooms
	}
	m.Close = o.Close != nil && *o.Close
	return nil
}

func decodeShardedValue(m *adapter.Message, kind int, data json.RawMessage, attachments [][]byte) (err error) {
	var o shardedValue
	if json.Unmarshal(data, &o) != nil || o.RequestID == "" && kind != shardedServerSide {
		return errMalformed
	}
	m.RequestID = o.RequestID
	value := adapter.Value{JSON: orNull(o.Packet), Attachments: attachments}
	switch {
	case kind == shardedServerSide && isList(o.Packet):
		m.Kind, m.Value = adapter.ServerSide, value
	case kind == shardedServerSideAnswer:
		m.Kind, m.Value = adapter.ServerSideAnswer, value
	case kind == shardedClientAnswer:
		m.Kind, m.Value = adapter.ClientAnswer, value
	case kind == shardedClientCount && o.Count != nil:
		m.Kind, m.Count = adapter.ClientCount, *o.Count
	case kind == shardedFetchAnswer && o.Sockets != nil:
		m.Kind = adapter.FetchAnswer
		m.Sockets, err = decodeSockets(buffers(o.Sockets, attachments))
	default:
		err = errMalformed
	}
	return err
}

func (sharded) publishes() string { return "spublish" }

func (sharded) subscribe(ctx context.Context, p *redis.PubSub, channels ...string) error {
	return p.SSubscribe(ctx, channels...)
}

func (sharded) unsubscribe(ctx context.Context, p *redis.PubSub, channels ...string) error {
	return p.SUnsubscribe(ctx, channels...)
}

func (sharded) numSub(ctx context.Context, c *redis.Client, channel string) *redis.MapStringIntCmd {
	return c.PubSubShardNumSub(ctx, channel)
}
