package adapter

import (
	"context"
	"errors"
)

// Bus carries messages between nodes.
type Bus interface {
	// Connect opens a namespace; there is at most one line for it at a time. The line's messages are handed
	// to deliver, one after another. A visitor is sent answers only, and does not count as a node.
	Connect(namespace string, visitor bool, deliver func(*Message)) Line
	// AsksRooms tells whether nodes answer AllRooms; where not, they are asked for their sockets.
	AsksRooms() bool
	// NewID makes a request's id, in the form that the wire is used to.
	NewID() string
}

// Line is a namespace on a bus, seen from one node. Its methods never wait for the network, but for Others.
type Line interface {
	// UID names this node in this namespace.
	UID() string
	// Publish tells all other nodes; the error says that it certainly does not reach them. Otherwise done hears, once, how it
	// went: nil when the bus has taken it, an error where it has not, or where nobody can tell. A nil done is nobody who waits.
	Publish(m *Message, done func(error)) error
	// Answer tells the node that sent the question.
	Answer(question, answer *Message) error
	// Others counts the other nodes and makes sure that their answers can come. After Close it is an error.
	Others(ctx context.Context) (int, error)
	// Enter says that a room has got a member on this node, Vacate that it has none any more.
	Enter(room string)
	Vacate(room string)
	// Close ends the line, whose rooms have been vacated.
	Close()
}

// ErrUnreachable means that the other nodes cannot be reached now.
var ErrUnreachable = errors.New("adapter: the other nodes cannot be reached")

// ErrTooLarge means that a message is larger than the other nodes can be sent; nothing was done.
var ErrTooLarge = errors.New("adapter: the message is too large for the other nodes")

// ErrFull means that what waits for the other nodes has reached its bound.
var ErrFull = errors.New("adapter: too much waits for the other nodes")
