package socketio

import (
	"context"
	"errors"
	"fmt"
)

// maxPendingAcks bounds the acknowledgements one socket can owe.
const maxPendingAcks = 1024

// EmitWithAck sends an event and waits for the client's acknowledgement, for ctx, or for the
// socket's end.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	p, err := NewPacket(event, args...)
	if err != nil {
		return nil, err
	}
	answer := make(chan Args, 1)
	q, err := s.ask(p, answer)
	if err != nil {
		return nil, err
	}
	defer q.forget()
	select {
	case a := <-answer:
		return a, nil
	default: // an answer that is there counts, though ctx has ended too
	}
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return nil, timedOut(ctx)
	case <-s.Context().Done():
		return nil, errGone
	}
}

var errGone = errors.New("socketio: the socket has been disconnected")

func timedOut(ctx context.Context) error {
	return fmt.Errorf("operation has timed out: %w", ctx.Err())
}

// question is an event whose acknowledgement is awaited.
type question struct {
	socket *Socket
	id     uint64
}

// ask sends an event and lets its acknowledgement go to answer, which must have room for it. The question
// must be forgotten in the end.
func (s *Socket) ask(p *Packet, answer chan Args) (*question, error) {
	s.mu.Lock()
	if len(s.acks) >= maxPendingAcks {
		s.mu.Unlock()
		return nil, fmt.Errorf("socketio: %d acknowledgements are pending", maxPendingAcks)
	}
	q := &question{socket: s, id: s.nextAck}
	s.nextAck++
	if s.acks == nil {
		s.acks = map[uint64]chan Args{}
	}
	s.acks[q.id] = answer
	s.mu.Unlock()
	f, err := s.conn.format.frame(typeEvent, s.nsp.name, &q.id, p.body)
	if err != nil {
		q.forget()
		return nil, err
	}
	s.send(f, false)
	s.tellOutgoing(p.event, p.args)
	return q, nil
}

// forget tells whether the question was still without answer.
func (q *question) forget() bool {
	q.socket.mu.Lock()
	defer q.socket.mu.Unlock()
	_, waiting := q.socket.acks[q.id]
	delete(q.socket.acks, q.id)
	return waiting
}

// ask sends an event to the addressed sockets of this node and gives each answer to answered, one at a
// time. It returns when each has answered or gone, or with ctx.
func (b Broadcast) ask(ctx context.Context, p *Packet, asked func(int), answered func(Args)) error {
	sockets := b.sockets()
	answers, gone := make(chan Args, len(sockets)), make(chan struct{}, len(sockets))
	var failed error
	left := 0
	for _, s := range sockets {
		q, err := s.ask(p, answers)
		if err != nil {
			failed = err
			continue
		}
		left++
		defer q.forget()
		defer context.AfterFunc(s.Context(), func() {
			if q.forget() {
				gone <- struct{}{}
			}
		})()
	}
	asked(left)
	for ; left > 0; left-- {
		select {
		case a := <-answers:
			answered(a)
			continue
		default: // an answer that is there counts, though ctx has ended too
		}
		select {
		case a := <-answers:
			answered(a)
		case <-gone:
			failed = errGone
		case <-ctx.Done():
			return timedOut(ctx)
		}
	}
	return failed
}
