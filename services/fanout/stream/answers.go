package stream

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tidwall/gjson"
)

// answers are what JetStream says to events that have been published. Each is handled by the goroutine that
// takes it from NATS: one that waits for every event would be two wake-ups more on the way of a lone one.
//
// jetstream's PublishMsgAsync is the same for programs that publish much and hear later; it tells of errors
// under its own lock, so that nothing could be published then.
type answers struct {
	mu     sync.Mutex
	inbox  string           // ends with a dot; empty as long as nothing has been asked
	last   uint64           // number of the reply subject that was given last
	awaits map[string]await // by reply subject
}

// await is an event without an answer.
type await struct {
	done  func(sequence uint64, duplicate bool, err error)
	timer *time.Timer
}

// expect gives the subject to which the answer must come. Then, or after so long, done is called, once.
func (a *answers) expect(nc *nats.Conn, within time.Duration, done func(uint64, bool, error)) (reply string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inbox == "" {
		inbox := nc.NewInbox() + "."
		if _, err := nc.Subscribe(inbox+"*", a.hear); err != nil { // ends with the connection
			return "", err
		}
		a.inbox, a.awaits = inbox, make(map[string]await)
	}
	a.last++
	reply = a.inbox + strconv.FormatUint(a.last, 36)
	a.awaits[reply] = await{done, time.AfterFunc(within, func() { a.settle(reply, 0, false, errUnanswered) })}
	return reply, nil
}

var errUnanswered = errors.New("no answer in time")

// hear takes one answer.
func (a *answers) hear(msg *nats.Msg) {
	sequence, duplicate, err := stored(msg)
	a.settle(msg.Subject, sequence, duplicate, err)
}

// settle tells of an answer, unless the time is over.
func (a *answers) settle(reply string, sequence uint64, duplicate bool, err error) {
	if done := a.forget(reply); done != nil {
		done(sequence, duplicate, err)
	}
}

// forget ends the waiting for an answer. It is nil where nobody waits any more.
func (a *answers) forget(reply string) (done func(uint64, bool, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	waits, there := a.awaits[reply]
	if !there {
		return nil
	}
	delete(a.awaits, reply)
	waits.timer.Stop()
	return waits.done
}

// stored reads an answer (nats.go, jetstream.PubAck). A server without a stream for the subject answers with
// an empty message.
func stored(msg *nats.Msg) (sequence uint64, duplicate bool, err error) {
	if len(msg.Data) == 0 {
		return 0, false, jetstream.ErrNoStreamResponse
	}
	answer := gjson.ParseBytes(msg.Data)
	if refusal := answer.Get("error"); refusal.Exists() {
		return 0, false, errors.New(refusal.Get("description").String())
	}
	sequence = answer.Get("seq").Uint()
	if sequence == 0 {
		return 0, false, jetstream.ErrInvalidJSAck
	}
	return sequence, answer.Get("duplicate").Bool(), nil
}
