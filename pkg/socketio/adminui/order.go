package adminui

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/socketio"
)

// takeOrders has the page's buttons do what they say.
func (a *AdminUI) takeOrders(s *socketio.Socket) {
	s.On("emit", a.order(func(t target, args socketio.Args) error {
		var event string
		if len(args) == 0 || args[0].Decode(&event) != nil {
			return errors.New("no event")
		}
		return t.emit(event, args[1:])
	}, 1))
	s.On("join", a.order(func(t target, args socketio.Args) error {
		room, err := text(args)
		if err != nil {
			return err
		}
		return t.do(func(b socketio.Broadcast) error { return b.SocketsJoin(room) },
			func(c *adapter.Cluster, to adapter.Target) error { return c.SocketsJoin(to, []string{room}) })
	}, 2))
	s.On("leave", a.order(func(t target, args socketio.Args) error {
		room, err := text(args)
		if err != nil {
			return err
		}
		return t.do(func(b socketio.Broadcast) error { return b.SocketsLeave(room) },
			func(c *adapter.Cluster, to adapter.Target) error { return c.SocketsLeave(to, []string{room}) })
	}, 2))
	s.On("_disconnect", a.order(func(t target, args socketio.Args) error {
		var whole bool
		if len(args) == 0 || args[0].Decode(&whole) != nil {
			return errors.New("it is not said whether to close the connection")
		}
		return t.do(func(b socketio.Broadcast) error { return b.DisconnectSockets(whole) },
			func(c *adapter.Cluster, to adapter.Target) error { return c.DisconnectSockets(to, whole) })
	}, 2))
}

// order reads an order's namespace, which is its first argument, and its filter, which stands at the given
// place, or does not: a room or a socket's id. It hands on the other arguments, and logs.
func (a *AdminUI) order(do func(target, socketio.Args) error, filterAt int) func(*socketio.Event) {
	return func(e *socketio.Event) {
		t := target{a: a}
		var err error
		rest := e.Args
		if len(rest) == 0 || rest[0].Decode(&t.namespace) != nil {
			err = errors.New("no namespace")
		} else {
			if len(rest) > filterAt {
				_ = rest[filterAt].Decode(&t.filter) // null stays empty
				rest = append(append(socketio.Args{}, rest[:filterAt]...), rest[filterAt+1:]...)
			}
			err = do(t, rest[1:])
		}
		log := a.options.Log.With("order", e.Name, "namespace", t.namespace, "filter", t.filter, "address", a.options.Address(e.Socket))
		if err != nil {
			log.Warn("admin ui: order refused", "error", err)
			return
		}
		log.Info("admin ui: order")
	}
}

func text(args socketio.Args) (s string, err error) {
	if len(args) == 0 || args[0].Decode(&s) != nil || s == "" {
		return "", errors.New("no room")
	}
	return s, nil
}

// target is whom an order means.
type target struct {
	a                 *AdminUI
	namespace, filter string
}

// do does something to the sockets meant on every server; visit is for a namespace that lives on others only.
func (t target) do(here func(socketio.Broadcast) error, visit func(*adapter.Cluster, adapter.Target) error) error {
	var rooms []string
	if t.filter != "" {
		rooms = []string{t.filter}
	}
	if n := t.a.server.Lookup(t.namespace); n != nil {
		return here(n.To(rooms...))
	}
	if t.a.options.Cluster == nil {
		return fmt.Errorf("no namespace %s", t.namespace)
	}
	cluster := t.a.options.Cluster.Visit(t.namespace)
	defer cluster.Leave()
	return visit(cluster, adapter.Target{Rooms: rooms})
}

func (t target) emit(event string, args socketio.Args) error {
	values := make([]any, len(args))
	name, _ := json.Marshal(event) // a text has a JSON form
	list := append([]byte{'['}, name...)
	for i, arg := range args {
		values[i] = arg
		list = append(append(list, ','), arg.JSON()...)
	}
	if _, err := socketio.NewPacket(event, values...); err != nil { // a reserved name, say
		return err
	}
	return t.do(func(b socketio.Broadcast) error { return b.Emit(event, values...) },
		func(c *adapter.Cluster, to adapter.Target) error {
			return c.Broadcast(to, adapter.Flags{}, adapter.Value{JSON: append(list, ']')})
		})
}
