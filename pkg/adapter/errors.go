package adapter

import (
	"fmt"
	"strings"
)

// Incomplete is the error of a request that not everybody has answered. What was answered is returned
// beside it.
type Incomplete struct {
	Request  string   // fetchSockets, allRooms, serverSideEmit or emitWithAck
	Answered int      // other nodes that answered
	Expected int      // other nodes that there are
	Missing  []string // uids of those that answered the last complete request and not this one; nil where they are not as many as did not answer

	Clients        int // clients of the other nodes that answered, for emitWithAck
	ExpectedClient int // clients that the nodes which answered have asked

	Err error // why no more is waited for
}

func (e *Incomplete) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "adapter: %s: %d of %d other nodes answered", e.Request, e.Answered, e.Expected)
	if e.ExpectedClient > 0 {
		fmt.Fprintf(&b, ", and %d of %d clients", e.Clients, e.ExpectedClient)
	}
	if len(e.Missing) > 0 {
		fmt.Fprintf(&b, ", missing: %s", strings.Join(e.Missing, ", "))
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

func (e *Incomplete) Unwrap() error { return e.Err }
