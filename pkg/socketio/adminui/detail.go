package adminui

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/pona-realtime/pona/pkg/socketio"
)

// What pages are told in development mode is bounded: a page draws each of it.
const (
	maxSockets   = 1000    // in all_sockets, of the whole cluster and of each server
	maxWaiting   = 1024    // details on their way; what is more is not told
	maxPerSecond = 500     // details of one server
	maxArguments = 4 << 10 // bytes of an event's; a larger one is told by its size
)

// details are what is on its way to the pages.
type details struct{ waiting chan detail }

// detail is an event for the pages.
type detail struct {
	event string
	args  []any
}

// observe has every socket of the server told of.
func (a *AdminUI) observe() {
	a.details.waiting = make(chan detail, maxWaiting)
	a.server.OnSocket(func(s *socketio.Socket) {
		nsp, id := s.Namespace().Name(), s.ID()
		var told string
		a.tell("socket_connected", func() []any {
			seen := describe(s, a.options.Address(s))
			told = seen.Transport
			return []any{seen, now()}
		})
		if told != "" && told != s.Transport() { // it has upgraded meanwhile, and a page knew no such socket yet
			a.tellTransport(s)
		}
		s.OnDisconnect(func(reason string) {
			a.tell("socket_disconnected", func() []any { return []any{nsp, id, reason, now()} })
		})
		if s.Namespace() == a.admin { // telling pages of what they are told would never end
			return
		}
		s.OnAny(func(e *socketio.Event) {
			a.tell("event_received", func() []any { return []any{nsp, id, received(e), now()} })
		})
		s.OnAnyOutgoing(func(event string, args []any) {
			a.tell("event_sent", func() []any { return []any{nsp, id, sent(event, args), now()} })
		})
	})
	a.server.OnUpgrade(a.tellTransport)
	a.server.OnRoom(func(s *socketio.Socket, room string, in bool) {
		event := map[bool]string{true: "room_joined", false: "room_left"}[in]
		a.tell(event, func() []any { return []any{s.Namespace().Name(), room, s.ID(), now()} })
	})
}

// tellTransport tells of the transport that a socket uses now.
func (a *AdminUI) tellTransport(s *socketio.Socket) {
	a.tell("socket_updated", func() []any { return []any{updated{s.ID(), s.Namespace().Name(), s.Transport()}} })
}

// tell leaves a detail for the pages, if there are any and they can take it; it never waits.
func (a *AdminUI) tell(event string, args func() []any) {
	if !a.isWatched() {
		return
	}
	select {
	case a.details.waiting <- detail{event, args()}:
	default:
	}
}

// tellDetails brings details to the pages until ctx ends.
func (a *AdminUI) tellDetails(ctx context.Context) {
	limit := rate.NewLimiter(maxPerSecond, maxPerSecond)
	for {
		select {
		case d := <-a.details.waiting: // never, in production mode
			if limit.Wait(ctx) == nil {
				_ = a.admin.Emit(d.event, d.args...) // Redis is away: pages connected here see it
			}
		case <-ctx.Done():
			return
		}
	}
}

// now is how a page reads a time.
func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

// received is an event of a client for a page, the name first.
func received(e *socketio.Event) []any {
	args := make([]any, len(e.Args))
	for i, arg := range e.Args {
		args[i] = arg.JSON()
	}
	return sent(e.Name, args)
}

// sent is an event for a page, the name first.
func sent(event string, args []any) []any {
	list := []any{event}
	size := 0
	for _, arg := range args {
		text, err := json.Marshal(plain(arg))
		if size += len(text); err != nil || size > maxArguments {
			return []any{event, "(arguments too large to show)"}
		}
		list = append(list, json.RawMessage(text))
	}
	return list
}

// plain is an argument as encoding/json knows it.
func plain(arg any) any {
	switch arg := arg.(type) {
	case socketio.Raw:
		return json.RawMessage(arg)
	case socketio.Arg:
		return arg.JSON()
	}
	return arg
}

// described is a socket as a page knows it.
type described struct {
	ID        string         `json:"id"`
	ClientID  string         `json:"clientId"` // the same for the sockets of one connection
	Transport string         `json:"transport"`
	Namespace string         `json:"nsp"`
	Data      map[string]any `json:"data"` // what an application keeps is not for pages
	Handshake any            `json:"handshake"`
	Rooms     []string       `json:"rooms"`
}

// updated is what has changed of a socket: a page merges it into what it knows. The reference also tells of changed
// data, which are not for pages here.
type updated struct {
	ID        string `json:"id"`
	Namespace string `json:"nsp"`
	Transport string `json:"transport"`
}

// describe tells of a socket what does not let anybody speak for its client.
func describe(s *socketio.Socket, address string) described {
	sid := sha256.Sum256([]byte(s.SessionID()))
	var handshake map[string]any
	if text, err := s.Handshake().WithoutCredentials(); err == nil {
		_ = json.Unmarshal(text, &handshake) // it is a JSON object
		delete(handshake, "auth")
		handshake["address"] = address
	}
	return described{
		ID: s.ID(), ClientID: hex.EncodeToString(sid[:6]), Transport: s.Transport(), Namespace: s.Namespace().Name(),
		Data: map[string]any{}, Handshake: handshake, Rooms: s.Rooms(),
	}
}

// sockets are this server's for a page that has come, some of them where they are many.
func (a *AdminUI) sockets() []described {
	all := []described{}
	for _, n := range a.server.Namespaces() {
		for _, s := range n.Sockets() {
			if len(all) == maxSockets {
				return all
			}
			all = append(all, describe(s, a.options.Address(s)))
		}
	}
	return all
}

// sendSockets tells a page of the sockets of all servers, as far as they answer. The page forgets then what it was told
// before: this server looks at its own last, so that it says nothing older.
func (a *AdminUI) sendSockets(page *socketio.Socket) {
	answers, err := a.admin.ServerSideEmitWithAck(a.life, eventTell)
	if err != nil && a.options.Cluster != nil {
		a.options.Log.Warn("admin ui: not all servers told of their sockets", "error", err)
	}
	own := a.sockets()
	all := make([]any, 0, len(own))
	for _, s := range own {
		all = append(all, s)
	}
	for _, answer := range answers {
		if list, ok := answer.List(); ok {
			for _, s := range list {
				all = append(all, s)
			}
		}
	}
	_ = page.Emit("all_sockets", slices.Clip(all[:min(len(all), maxSockets)])) // has a JSON form
}
