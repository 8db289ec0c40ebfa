package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// packet takes one Engine.IO packet.
func (c *Client) packet(p []byte) error {
	if len(p) == 0 {
		return errors.New("empty packet")
	}
	c.options.Traffic.received(len(p))
	switch p[0] {
	case '4':
		return c.message(p[1:])
	case '2':
		c.pings.Add(1)
		return c.transport.write("3" + string(p[1:]))
	case '1':
		return errors.New("closed by the server")
	default: // noop, an attachment, a late pong
		return nil
	}
}

// message takes one Socket.IO packet (§ Packet encoding).
func (c *Client) message(p []byte) error {
	if len(p) == 0 {
		return errors.New("empty Socket.IO packet")
	}
	kind, rest := p[0], p[1:]
	if kind == '5' || kind == '6' { // the number of attachments
		_, after, found := bytes.Cut(rest, []byte("-"))
		if !found {
			return fmt.Errorf("malformed packet %.100q", p)
		}
		kind, rest = kind-3, after
	}
	namespace := "/"
	if len(rest) > 0 && rest[0] == '/' {
		name, after, _ := bytes.Cut(rest, []byte(","))
		namespace, rest = string(name), after
	}
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	id, _ := strconv.ParseUint(string(rest[:digits]), 10, 64)
	rest = rest[digits:]
	switch kind {
	case '0':
		return c.welcomed(namespace, rest)
	case '1':
		return fmt.Errorf("disconnected from %s by the server", namespace)
	case '2':
		c.remember(namespace, rest)
		if c.options.Event != nil {
			c.options.Event(namespace, rest)
		}
	case '3':
		c.acknowledged(id)
	case '4':
		c.refused(namespace, rest)
	default:
		return fmt.Errorf("packet of unknown type %.100q", p)
	}
	return nil
}

func (c *Client) acknowledged(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered := c.asked[id]; answered != nil {
		delete(c.asked, id)
		close(answered)
	}
}

func prefix(namespace string) string {
	if namespace == "/" {
		return ""
	}
	return namespace + ","
}

// list is an event's JSON array.
func list(event string, args []string) string {
	name, _ := json.Marshal(event) // a string has a JSON form
	return "[" + strings.Join(append([]string{string(name)}, args...), ",") + "]"
}

// EventName is the name in an event's JSON array, as far as it is written without escapes.
func EventName(text []byte) string {
	_, rest, _ := bytes.Cut(text, []byte(`"`))
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(name)
}
