package adapter

import (
	"context"
	"errors"
	"sync"
)

// request is a question on its way; the answers gather until the asker takes them.
type request struct {
	kinds [2]Kind // of its answers

	mu      sync.Mutex
	answers []*Message
	more    chan struct{} // has one element while there may be answers
}

// answersTo says which messages answer one.
var answersTo = map[Kind][2]Kind{
	Broadcast: {ClientCount, ClientAnswer}, Fetch: {FetchAnswer}, ServerSide: {ServerSideAnswer}, AllRooms: {AllRoomsAnswer},
}

func (r *request) add(answer *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, answer)
	select {
	case r.more <- struct{}{}:
	default:
	}
}

func (r *request) take() []*Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	answers := r.answers
	r.answers = nil
	return answers
}

// request asks the other nodes and gives each answer to collect, which says whether its node has now
// answered. It ends when every node and every client has, with ctx, or when the question is known to be lost.
// The number is that of the nodes.
func (c *Cluster) request(ctx context.Context, name string, question *Message, collect func(*Message, *Incomplete) bool) (int, error) {
	nodes, err := c.ask(ctx, name, question, collect)
	var incomplete *Incomplete
	switch {
	case err == nil:
		c.node.complete.Add(1)
	case errors.As(err, &incomplete):
		c.node.incomplete.Add(1)
	default:
		c.node.unreachable.Add(1)
	}
	return nodes, err
}

func (c *Cluster) ask(ctx context.Context, name string, question *Message, collect func(*Message, *Incomplete) bool) (int, error) {
	nodes, err := c.line.Others(ctx)
	if err != nil || nodes == 0 {
		return nodes, err
	}
	state := &Incomplete{Request: name, Expected: nodes}
	r := &request{kinds: answersTo[question.Kind], more: make(chan struct{}, 1)}
	question.RequestID = c.node.bus.NewID()
	c.mu.Lock()
	c.waiting[question.RequestID] = r
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, question.RequestID)
	}()
	lost := make(chan error, 1)
	if err := c.line.Publish(question, func(err error) {
		if err != nil {
			lost <- err
		}
	}); err != nil {
		return nodes, err
	}
	heard := map[string]struct{}{} // uids that answered, where the wire tells them
	for {
		select {
		case <-r.more:
		case <-ctx.Done():
			state.Err = ctx.Err()
			state.Missing = c.missing(heard, state)
			return nodes, state
		case state.Err = <-lost:
			return nodes, state
		case <-c.node.ctx.Done():
			state.Err = ErrUnreachable
			return nodes, state
		}
		for _, answer := range r.take() {
			if collect(answer, state) {
				state.Answered++
				if answer.From != "" {
					heard[answer.From] = struct{}{}
				}
			}
		}
		if state.Answered >= state.Expected && state.Clients == state.ExpectedClient {
			c.mu.Lock()
			c.peers = heard
			c.mu.Unlock()
			return nodes, nil
		}
	}
}

// missing names the nodes that did not answer; see Incomplete.Missing.
func (c *Cluster) missing(heard map[string]struct{}, state *Incomplete) (uids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for uid := range c.peers {
		if _, answered := heard[uid]; !answered {
			uids = append(uids, uid)
		}
	}
	if len(heard) != state.Answered || len(uids) != state.Expected-state.Answered {
		return nil
	}
	return distinct(uids)
}

// noteAnswer hands an answer to the one who waits for it; the rest is late or nobody's.
func (c *Cluster) noteAnswer(answer *Message) {
	c.mu.Lock()
	r := c.waiting[answer.RequestID]
	c.mu.Unlock()
	if r != nil && (answer.Kind == r.kinds[0] || answer.Kind == r.kinds[1]) {
		r.add(answer)
	}
}
