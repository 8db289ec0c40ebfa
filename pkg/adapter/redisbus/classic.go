package redisbus

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// classic is the wire of createAdapter:
//
//	KEY#NSP#            broadcasts: [uid, packet, options], MessagePack
//	KEY#NSP#ROOM#       the same, when exactly one room is meant, and that is no new one
//	KEY-request#NSP#    requests, counted by PUBSUB NUMSUB
//	KEY-response#NSP#   responses; with UID# behind it those to one node
//
// Requests and responses are JSON, or MessagePack where clients are asked and where binary is inside.
type classic struct {
	key      string
	specific bool
}

// Types of requests and responses.
const (
	classicSockets = iota // of old versions
	classicAllRooms
	classicJoin
	classicLeave
	classicDisconnect
	classicFetch
	classicServerSide
	classicBroadcast
	classicClientCount
	classicClientAnswer
)

// classicRequest has its fields in the reference's order.
type classicRequest struct {
	UID       string          `json:"uid,omitempty"`
	RequestID string          `json:"requestId,omitempty"`
	Type      *int            `json:"type"`
	Packet    *packet         `json:"packet,omitempty"`
	Opts      *options        `json:"opts,omitempty"`
	SID       name            `json:"sid,omitempty"` // of old versions, as Room
	Room      name            `json:"room,omitempty"`
	Rooms     *names          `json:"rooms,omitempty"`
	Close     *bool           `json:"close,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
}

type classicResponse struct {
	Type        *int            `json:"type,omitempty"`
	RequestID   string          `json:"requestId"`
	Rooms       *names          `json:"rooms,omitempty"`
	Sockets     json.RawMessage `json:"sockets,omitempty"` // of objects, or of ids
	ClientCount *int            `json:"clientCount,omitempty"`
	Packet      json.RawMessage `json:"packet,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
}

func (classic) asksRooms() bool { return true }
func (classic) sharded() bool   { return false }
func (classic) newID() string   { return shortID() }

func (w classic) broadcasts(namespace string) string { return w.key + "#" + namespace + "#" }
func (w classic) requests(namespace string) string   { return w.key + "-request#" + namespace + "#" }
func (w classic) responses(namespace string) string  { return w.key + "-response#" + namespace + "#" }

func (w classic) memberChannels(namespace string) []string {
	return []string{w.broadcasts(namespace), w.requests(namespace)}
}

func (w classic) countChannel(namespace string) string { return w.requests(namespace) }

func (w classic) answerChannels(namespace, uid string) []string {
	return []string{w.responses(namespace), w.responses(namespace) + uid + "#"}
}

func (w classic) roomChannel(namespace, room string) (string, bool) {
	return w.broadcasts(namespace) + room + "#", true
}

func (w classic) encode(l *line, m *adapter.Message) (channel string, payload []byte, err error) {
	if m.Kind == adapter.Broadcast && m.RequestID == "" {
		channel = w.broadcasts(l.namespace)
		if room, ok := l.onlyRoom(m.Target); ok {
			channel, _ = w.roomChannel(l.namespace, room)
		}
		p := packet{eventPacket, m.Value.JSON, &l.namespace}
		payload, err = write([]any{l.uid, p, optionsOf(m.Target, flagsOf(m.Flags))}, m.Value.Attachments, true)
		return channel, payload, err
	}
	r := classicRequest{UID: l.uid, RequestID: m.RequestID, Type: new(int)}
	switch m.Kind {
	case adapter.Broadcast:
		*r.Type = classicBroadcast
		r.Packet = &packet{eventPacket, m.Value.JSON, &l.namespace}
		r.Opts = optionsOf(m.Target, flagsOf(m.Flags))
	case adapter.Join, adapter.Leave:
		*r.Type = classicJoin
		if m.Kind == adapter.Leave {
			*r.Type = classicLeave
		}
		r.Opts, r.Rooms = optionsOf(m.Target, nil), (*names)(&m.Rooms)
	case adapter.Disconnect:
		*r.Type = classicDisconnect
		r.Opts, r.Close = optionsOf(m.Target, nil), &m.Close
	case adapter.Fetch:
		*r.Type = classicFetch
		r.Opts = optionsOf(m.Target, nil)
	case adapter.AllRooms:
		*r.Type = classicAllRooms
	case adapter.ServerSide:
		*r.Type = classicServerSide
		r.Data = m.Value.JSON
	default:
		return "", nil, errKind
	}
	payload, err = write(r, m.Value.Attachments, m.Kind == adapter.Broadcast)
	return w.requests(l.namespace), payload, err
}

func (w classic) encodeAnswer(l *line, question, answer *adapter.Message) (channel string, payload []byte, err error) {
	channel = w.responses(l.namespace)
	if w.specific && question.From != "" && answer.Kind != adapter.ServerSideAnswer {
		channel += question.From + "#"
	}
	r := classicResponse{RequestID: answer.RequestID}
	switch answer.Kind {
	case adapter.AllRoomsAnswer:
		r.Rooms = (*names)(&answer.Rooms)
	case adapter.FetchAnswer:
		if r.Sockets, err = encodeSockets(answer.Sockets); err != nil {
			return "", nil, err
		}
	case adapter.SocketIDsAnswer:
		ids := make(names, len(answer.Sockets))
		for i, s := range answer.Sockets {
			ids[i] = s.ID
		}
		r.Sockets, _ = ids.MarshalJSON() // are texts
	case adapter.ServerSideAnswer:
		r.Type, r.Data = new(classicServerSide), orNull(answer.Value.JSON)
	case adapter.ClientCount:
		r.Type, r.ClientCount = new(classicClientCount), &answer.Count
	case adapter.ClientAnswer:
		r.Type, r.Packet = new(classicClientAnswer), orNull(answer.Value.JSON)
	case adapter.Done:
	default:
		return "", nil, errKind
	}
	payload, err = write(r, answer.Value.Attachments, answer.Kind == adapter.ClientAnswer)
	return channel, payload, err
}

func (w classic) decode(l *line, channel string, payload []byte) (*adapter.Message, error) {
	switch {
	case channel == w.requests(l.namespace):
		return decodeClassicRequest(l, payload)
	case strings.HasPrefix(channel, w.responses(l.namespace)):
		return decodeClassicResponse(payload)
	default:
		return decodeClassicBroadcast(l, payload)
	}
}

func decodeClassicBroadcast(l *line, payload []byte) (*adapter.Message, error) {
	v := read(payload)
	var parts []json.RawMessage
	var p packet
	var o options
	m := &adapter.Message{Kind: adapter.Broadcast}
	if json.Unmarshal(v.JSON, &parts) != nil || len(parts) < 3 || json.Unmarshal(parts[0], &m.From) != nil ||
		json.Unmarshal(parts[1], &p) != nil || !isList(p.Data) || json.Unmarshal(parts[2], &o) != nil {
		return nil, errMalformed
	}
	if !sameNamespace(p.NSP, l.namespace) {
		return nil, nil
	}
	m.Target, m.Flags = o.target(), o.flags()
	m.Value = adapter.Value{JSON: p.Data, Attachments: v.Attachments}
	return m, nil
}

// sameNamespace takes a packet without a namespace for one of "/".
func sameNamespace(given *string, namespace string) bool {
	return given == nil && namespace == "/" || given != nil && *given == namespace
}

func decodeClassicRequest(l *line, payload []byte) (*adapter.Message, error) {
	v := read(payload)
	var r classicRequest
	if json.Unmarshal(v.JSON, &r) != nil || r.Type == nil {
		return nil, errMalformed
	}
	m := &adapter.Message{From: r.UID, RequestID: r.RequestID}
	switch *r.Type {
	case classicSockets:
		m.Kind = adapter.SocketIDs
		if r.Rooms != nil {
			m.Target.Rooms = *r.Rooms
		}
	case classicAllRooms:
		m.Kind = adapter.AllRooms
	case classicJoin, classicLeave, classicDisconnect:
		m.Kind = [...]adapter.Kind{adapter.Join, adapter.Leave, adapter.Disconnect}[*r.Type-classicJoin]
		return m, r.order(m)
	case classicFetch:
		m.Kind = adapter.Fetch
		if r.Opts == nil {
			return nil, errMalformed
		}
		m.Target = r.Opts.target()
	case classicServerSide:
		m.Kind = adapter.ServerSide
		if !isList(r.Data) {
			return nil, errMalformed
		}
		m.Value = adapter.Value{JSON: r.Data, Attachments: v.Attachments}
	case classicBroadcast:
		m.Kind = adapter.Broadcast
		if r.Packet == nil || r.Opts == nil || r.RequestID == "" || !isList(r.Packet.Data) {
			return nil, errMalformed
		}
		if !sameNamespace(r.Packet.NSP, l.namespace) {
			return nil, nil
		}
		m.Target, m.Flags = r.Opts.target(), r.Opts.flags()
		m.Value = adapter.Value{JSON: r.Packet.Data, Attachments: v.Attachments}
	default:
		return nil, errMalformed
	}
	return m, nil
}

// order fills in what is to be done to sockets; old versions name one socket and one room.
func (r *classicRequest) order(m *adapter.Message) error {
	m.Close = r.Close != nil && *r.Close
	if r.Opts != nil {
		m.Target, m.RequestID = r.Opts.target(), ""
		if r.Rooms != nil {
			m.Rooms = *r.Rooms
		}
		return nil
	}
	if r.SID == "" {
		return errMalformed // would mean every socket
	}
	m.Target.Rooms = []string{string(r.SID)}
	if r.Room != "" {
		m.Rooms = []string{string(r.Room)}
	}
	return nil
}

func decodeClassicResponse(payload []byte) (*adapter.Message, error) {
	v := read(payload)
	var r classicResponse
	if json.Unmarshal(v.JSON, &r) != nil || r.RequestID == "" {
		return nil, errMalformed
	}
	m := &adapter.Message{RequestID: r.RequestID}
	switch {
	case r.Type == nil:
		r.Sockets = buffers(r.Sockets, v.Attachments)
		return m, r.untyped(m)
	case *r.Type == classicServerSide:
		m.Kind = adapter.ServerSideAnswer
		m.Value = adapter.Value{JSON: orNull(r.Data), Attachments: v.Attachments}
	case *r.Type == classicClientCount && r.ClientCount != nil:
		m.Kind, m.Count = adapter.ClientCount, *r.ClientCount
	case *r.Type == classicClientAnswer:
		m.Kind = adapter.ClientAnswer
		m.Value = adapter.Value{JSON: orNull(r.Packet), Attachments: v.Attachments}
	default:
		return nil, errMalformed
	}
	return m, nil
}

// untyped tells responses apart by what they hold.
func (r *classicResponse) untyped(m *adapter.Message) (err error) {
	var ids names
	switch {
	case r.Rooms != nil:
		m.Kind, m.Rooms = adapter.AllRoomsAnswer, *r.Rooms
	case r.Sockets == nil:
		m.Kind = adapter.Done
	case json.Unmarshal(r.Sockets, &ids) == nil && len(ids) > 0:
		m.Kind = adapter.SocketIDsAnswer // which nobody here asks for
	default:
		m.Kind = adapter.FetchAnswer
		m.Sockets, err = decodeSockets(r.Sockets)
	}
	return err
}

func (classic) publishes() string { return "publish" }

func (classic) subscribe(ctx context.Context, p *redis.PubSub, channels ...string) error {
	return p.Subscribe(ctx, channels...)
}

func (classic) unsubscribe(ctx context.Context, p *redis.PubSub, channels ...string) error {
	return p.Unsubscribe(ctx, channels...)
}

func (classic) numSub(ctx context.Context, c *redis.Client, channel string) *redis.MapStringIntCmd {
	return c.PubSubNumSub(ctx, channel)
}
