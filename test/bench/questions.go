package main

import (
	"fmt"
	"time"

	"github.com/pona-realtime/pona/test/load/stamp"
)

// questions are events with an acknowledgement that a crowd's members send in turn, each when its last
// one has been answered.
type questions struct {
	every  time.Duration // between two of the crowd; 0: none are asked
	closed bool          // no more are asked
	due    int64         // CLOCK_MONOTONIC, ns
	turn   int           // member
	open   int           // not answered yet
}

// ask sends what is due.
func (c *crowd) ask() {
	q := &c.questions
	if q.every == 0 || q.closed || c.joined < len(c.members) {
		return
	}
	for now := stamp.Now(); q.due <= now; q.due += int64(q.every) {
		if q.due == 0 {
			q.due = now
		}
		m := c.members[q.turn%len(c.members)]
		q.turn++
		if m.asked != 0 {
			continue
		}
		if err := m.write(frame(opText, fmt.Sprintf(`42/guild/%d,0["echo"]`, m.guild()))); err != nil && c.lost == nil {
			c.lost = fmt.Errorf("client %d: %w", m.number, err)
			return
		}
		m.asked = stamp.Now()
		q.open++
	}
}

// answered takes the answer to the member's question. One that came late stands for the questions too
// that were due meanwhile and have not been asked: each would have waited for the rest of that time.
func (m *member) answered(at int64) {
	if m.asked == 0 {
		return
	}
	q := &m.crowd.questions
	again := int64(q.every) * int64(len(m.crowd.members))
	for took := at - m.asked; took > 0; took -= again {
		m.crowd.tally.answers = append(m.crowd.tally.answers, took)
	}
	m.asked = 0
	q.open--
}
