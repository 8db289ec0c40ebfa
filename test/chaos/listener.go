package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"
)

// listener is a client in Go that behaves as the official one does: it comes back by itself, after
// half a second to a second and a half and then more slowly, with the ticket and the offset it has.
type listener struct {
	*verifier
	number int
	target func() string
	polls  bool
	small  bool // a small receive window

	edge        string // that the connection goes to; empty while it polls at all of them
	pid, offset string

	mu      sync.Mutex
	current transport
	silent  chan struct{} // not nil: it does not read until this is closed
}

// run listens until ctx ends.
func (l *listener) run(ctx context.Context) {
	delay := time.Second
	for ctx.Err() == nil {
		joined, err := l.session(ctx)
		l.disconnect()
		if joined {
			delay = time.Second
		}
		var wait retryAfter
		pause := time.Duration(float64(delay) * (0.5 + rand.Float64()))
		if errors.As(err, &wait) {
			pause = max(pause, time.Duration(wait))
		}
		delay = min(delay*2, 5*time.Second)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// visit listens for a random time, stays away for another, and comes back until ctx ends: every other time as
// the same user with what it has, or else as one who was never there, whose number is larger by others.
func (l *listener) visit(ctx context.Context, stay time.Duration, others int) {
	for ctx.Err() == nil {
		there, leave := context.WithTimeout(ctx, time.Duration(rand.ExpFloat64()*float64(stay)))
		l.run(there)
		leave()
		if rand.IntN(2) == 0 {
			l.pid, l.offset = "", ""
			l.number += others
		}
		pause(ctx, time.Duration(rand.ExpFloat64()*float64(stay)))
	}
}

// retryAfter is a refusal that says when to come again.
type retryAfter time.Duration

func (r retryAfter) Error() string { return "refused for " + time.Duration(r).String() }

// session is one connection from its start to its end.
func (l *listener) session(ctx context.Context) (joined bool, err error) {
	t, err := l.dial(ctx)
	if err != nil {
		return false, err
	}
	defer t.close()
	l.hold(t)
	defer l.hold(nil)
	var missed []string // events before the answer to CONNECT are held back until it is known what it says
	for {
		if l.stalled(ctx); ctx.Err() != nil {
			return joined, ctx.Err()
		}
		packets, err := t.read(ctx)
		if err != nil {
			return joined, err
		}
		for _, p := range packets {
			kind, data := p[:min(1, len(p))], p[min(1, len(p)):]
			switch kind {
			case "0":
				err = t.write(ctx, "40"+l.namespace()+l.auth())
			case "2":
				err = t.write(ctx, "3")
			case "1":
				err = errEnded
			case "4":
				switch {
				case strings.HasPrefix(data, "0"):
					l.accepted(data)
					joined = true
					for _, m := range missed {
						l.take(m)
					}
					missed = nil
				case strings.HasPrefix(data, "2") && !joined:
					missed = append(missed, data)
				case strings.HasPrefix(data, "2"):
					l.take(data)
				default:
					err = refused(data)
				}
			}
			if err != nil {
				return joined, err
			}
		}
	}
}

func (l *listener) dial(ctx context.Context) (transport, error) {
	if l.polls {
		return &polling{target: l.target}, nil
	}
	l.edge = l.target()
	return dialWebSocket(ctx, l.edge, l.small)
}

func (l *listener) namespace() string { return "/guild/" + strconv.FormatUint(l.guild, 10) + "," }

func (l *listener) auth() string {
	credentials := map[string]string{"type": "Bearer", "key": "user:" + strconv.Itoa(100000+l.number)}
	if l.pid != "" {
		credentials["pid"] = l.pid
		if l.offset != "" {
			credentials["offset"] = l.offset
		}
	}
	text, _ := json.Marshal(credentials) // strings always have a form
	return string(text)
}

// accepted takes the answer to CONNECT.
func (l *listener) accepted(data string) {
	var answer struct{ PID string }
	_ = json.Unmarshal([]byte(data[strings.Index(data, "{"):]), &answer) // a bad one has no ticket
	l.connect(l.pid != "" && answer.PID == l.pid, l.edge)
	l.pid = answer.PID
}

// refused makes an error of CONNECT_ERROR and DISCONNECT.
func refused(data string) error {
	var body struct {
		Message string
		Data    struct{ RetryAfterMs int }
	}
	if i := strings.Index(data, "{"); i >= 0 && json.Unmarshal([]byte(data[i:]), &body) == nil && body.Data.RetryAfterMs > 0 {
		return retryAfter(time.Duration(body.Data.RetryAfterMs) * time.Millisecond)
	}
	return fmt.Errorf("refused: %.100s", data)
}

// take holds an event against the promise.
func (l *listener) take(data string) {
	var event []json.RawMessage
	if json.Unmarshal([]byte(data[strings.Index(data, "["):]), &event) != nil || len(event) < 2 {
		return
	}
	if last := event[len(event)-1]; l.pid != "" && last[0] == '"' {
		_ = json.Unmarshal(last, &l.offset) // a JSON string, as the parser said
	}
	var name, text string
	if json.Unmarshal(event[0], &name) != nil || json.Unmarshal(event[1], &text) != nil {
		return
	}
	observe(l.verifier, name, text)
}

// observe tells a verifier of an event whose argument is base64 of JSON.
func observe(v *verifier, name, text string) {
	if name != "handshake" && name != "track_started" {
		return
	}
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return
	}
	var shown struct {
		N    int
		Pona struct{ Current struct{ N int } }
	}
	if json.Unmarshal(body, &shown) != nil {
		return
	}
	if name == "handshake" {
		v.snapshot(shown.Pona.Current.N)
	} else {
		v.event(shown.N)
	}
}

func (l *listener) hold(t transport) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = t
}

// cut ends the connection as a change of networks does.
func (l *listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil {
		l.current.close()
	}
}

// stall stops reading until the returned function is called.
func (l *listener) stall() (resume func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	silent := make(chan struct{})
	l.silent = silent
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.silent = nil
		close(silent)
	}
}

func (l *listener) stalled(ctx context.Context) {
	l.mu.Lock()
	silent := l.silent
	l.mu.Unlock()
	if silent == nil {
		return
	}
	select {
	case <-silent:
	case <-ctx.Done():
	}
}
