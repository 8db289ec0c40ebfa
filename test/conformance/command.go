package main

import (
	"time"

	"github.com/pona-realtime/pona/pkg/socketio"
)

// A client's arguments; those that are missing or of another kind count as empty.

// target is whom the first argument addresses: {rooms, except, flags: {local, volatile, timeout}}.
func target(n *socketio.Namespace, e *socketio.Event) socketio.Broadcast {
	var t struct {
		Rooms, Except []string
		Flags         struct {
			Local, Volatile bool
			Timeout         int64 // ms
		}
	}
	decode(e, 0, &t)
	b := n.To(t.Rooms...).Except(t.Except...)
	if t.Flags.Local {
		b = b.Local()
	}
	if t.Flags.Volatile {
		b = b.Volatile()
	}
	if t.Flags.Timeout > 0 {
		b = b.Timeout(time.Duration(t.Flags.Timeout) * time.Millisecond)
	}
	return b
}

func text(e *socketio.Event, i int) (s string) {
	decode(e, i, &s)
	return s
}

func texts(e *socketio.Event, i int) (all []string) {
	decode(e, i, &all)
	return all
}

func truth(e *socketio.Event, i int) (b bool) {
	decode(e, i, &b)
	return b
}

func decode(e *socketio.Event, i int, v any) {
	if i < len(e.Args) {
		_ = e.Args[i].Decode(v)
	}
}

// list are the elements of a list, to be sent on as they came.
func list(e *socketio.Event, i int) []any {
	if i >= len(e.Args) {
		return nil
	}
	elements, _ := e.Args[i].List()
	return values(elements)
}

// values are arguments to be sent on as they came.
func values(args socketio.Args) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = a
	}
	return out
}

// outcome is {err, responses}; err is null or a text.
func outcome(err error, responses []any) map[string]any {
	var message any
	if err != nil {
		message = err.Error()
	}
	return map[string]any{"err": message, "responses": responses}
}
