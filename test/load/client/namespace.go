package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// joined is the answer to a CONNECT.
type joined struct {
	pid string
	err error
}

// Resumption is what a client needs to come back to a namespace with nothing lost; the zero value is
// that of a new client.
type Resumption struct {
	PID    string // empty where the server offers no recovery
	Offset string // of the last event that had one
}

type resumption struct{ Resumption }

// Refusal is a CONNECT_ERROR.
type Refusal struct{ Message string }

func (r *Refusal) Error() string { return "refused: " + r.Message }

// Join enters a namespace; auth is a JSON object, or "". With a resumption the server is asked to
// restore the session of an earlier client; recovered tells whether it did. A *Refusal is the server's no.
func (c *Client) Join(ctx context.Context, namespace, auth string, from Resumption) (recovered bool, err error) {
	payload, err := from.payload(auth)
	if err != nil {
		return false, err
	}
	answer := make(chan joined, 1)
	c.mu.Lock()
	c.joining[namespace] = answer
	if from.PID != "" { // missed events come before the answer, and carry offsets
		c.resuming[namespace] = &resumption{from}
	}
	c.mu.Unlock()
	if err := c.transport.write("40" + prefix(namespace) + payload); err != nil {
		return false, err
	}
	got, err := await(ctx, c, answer, "answer to CONNECT")
	if err != nil {
		return false, err
	}
	return got.pid != "" && got.pid == from.PID, got.err
}

// Leave leaves a namespace. Nothing answers it.
func (c *Client) Leave(namespace string) error {
	c.mu.Lock()
	delete(c.resuming, namespace)
	c.mu.Unlock()
	return c.transport.write("41" + prefix(namespace))
}

// Resumption is what a later client needs to take this one's place in a namespace.
func (c *Client) Resumption(namespace string) Resumption {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.resuming[namespace]; r != nil {
		return r.Resumption
	}
	return Resumption{}
}

// payload puts pid and offset in front of what stands in auth.
func (r Resumption) payload(auth string) (string, error) {
	if r.PID == "" {
		return auth, nil
	}
	fields := map[string]json.RawMessage{}
	if auth != "" {
		if err := json.Unmarshal([]byte(auth), &fields); err != nil {
			return "", fmt.Errorf("payload of CONNECT: %w", err)
		}
	}
	for name, value := range map[string]string{"pid": r.PID, "offset": r.Offset} {
		fields[name], _ = json.Marshal(value) // a string has a JSON form
	}
	text, err := json.Marshal(fields)
	return string(text), err
}

// welcomed takes the answer to a CONNECT.
func (c *Client) welcomed(namespace string, data []byte) error {
	var welcome struct{ SID, PID string }
	if err := json.Unmarshal(data, &welcome); err != nil || welcome.SID == "" {
		return fmt.Errorf("welcome to %s: %.100q", namespace, data)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.resuming[namespace]; welcome.PID == "" {
		delete(c.resuming, namespace)
	} else if r == nil || r.PID != welcome.PID {
		c.resuming[namespace] = &resumption{Resumption{PID: welcome.PID}}
	}
	c.answer(namespace, joined{pid: welcome.PID})
	return nil
}

// refused takes a CONNECT_ERROR.
func (c *Client) refused(namespace string, data []byte) {
	var refusal struct{ Message string }
	if err := json.Unmarshal(data, &refusal); err != nil {
		refusal.Message = string(data)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer(namespace, joined{err: &Refusal{refusal.Message}})
}

// answer tells who waits in Join; the lock is held.
func (c *Client) answer(namespace string, j joined) {
	if waiting := c.joining[namespace]; waiting != nil {
		delete(c.joining, namespace)
		waiting <- j
	}
}

// remember keeps an event's offset: with recovery, the string that stands last (§ Connection state recovery).
func (c *Client) remember(namespace string, text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.resuming[namespace]
	if r == nil || !bytes.HasSuffix(text, []byte(`"]`)) {
		return
	}
	body := text[:len(text)-2]
	if at := bytes.LastIndexByte(body, '"'); at > 0 && body[at-1] == ',' {
		r.Offset = string(body[at+1:])
	}
}

// IsRefusal tells whether a server said no, rather than nothing.
func IsRefusal(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal)
}
