package source

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pona-realtime/pona/test/load/client"
)

// relay is a client of its own whose event the server hands on.
type relay struct {
	client *client.Client
	o      Options
	event  string
}

// Relay emits the event as a client in the namespace: with the argument, or with room and argument where
// there is a room. The server relays the argument to the others. auth is the payload of its CONNECT.
func Relay(ctx context.Context, o Options, c client.Options, auth, event string) (Source, error) {
	c.Event, c.End, c.Traffic = nil, nil, nil
	sender, err := client.Dial(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("emitting client: %w", err)
	}
	if _, err := sender.Join(ctx, o.Namespace, auth, client.Resumption{}); err != nil {
		sender.Cut()
		return nil, fmt.Errorf("emitting client: %s: %w", o.Namespace, err)
	}
	return &relay{sender, o, event}, nil
}

func (r *relay) Emit(_ context.Context, argument string) error {
	args := []string{argument}
	if r.o.Room != "" {
		room, _ := json.Marshal(r.o.Room) // a string has a JSON form
		args = []string{string(room), argument}
	}
	return r.client.Emit(r.o.Namespace, r.event, args...)
}

func (r *relay) Close() error {
	err := r.client.Err()
	r.client.Close()
	return err
}
