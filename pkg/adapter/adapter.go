// Package adapter joins the namespaces of several Socket.IO servers into one cluster. It says what nodes
// tell each other, and keeps the promises that Socket.IO makes of a cluster; how messages travel is a
// [Bus]'s affair: package memory within a process, package redisbus between processes, Node's among them.
//
//	this node                                                other nodes
//	Cluster ── Message ──▶ Line ┄┄┄┄┄┄┄ Bus ┄┄┄┄┄┄┄▶ Line ──▶ Cluster ──▶ Local
//	   ▲                                                         │
//	   └──────────────── answers ◀┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┘
//
// Names are those of npm socket.io-adapter. Everything is safe for concurrent use. The package never logs.
package adapter

import (
	"context"
	"encoding/json"
	"time"

	"github.com/pona-realtime/pona/pkg/msgpack"
)

// Value is a JSON value with its binary leaves: the list [event, arguments…] of an event, or one answer.
// It is never changed once it has been handed on.
type Value = msgpack.Value

// Target says which sockets of a namespace are meant. A socket's id is a room of its own.
type Target struct {
	Rooms  []string // those in any of them; none means every socket
	Except []string // but not those in any of these
}

// Flags say how an event is to be sent.
type Flags struct {
	Volatile     bool          // not to sockets whose transport cannot take it now
	Uncompressed bool          // without compression
	Timeout      time.Duration // for the clients' answers, whole milliseconds on the wire; 0: none was given
}

// Socket is what the others are told of a socket.
type Socket struct {
	ID        string          `json:"id"`
	Handshake json.RawMessage `json:"handshake"`
	Rooms     []string        `json:"rooms"`
	Data      json.RawMessage `json:"data,omitempty"` // absent: undefined
}

// Local is a namespace on this node, for the others to reach. Its methods concern the sockets of this node
// only and must not wait, but for Ask. An error says that the event is none that clients may be sent, and was dropped.
type Local interface {
	// Broadcast sends an event to the sockets meant.
	Broadcast(Target, Flags, Value) error
	// Ask sends an event to the sockets meant, tells asked how many they are, and answered the first
	// argument of each acknowledgement. It returns when all have answered, or with ctx.
	Ask(ctx context.Context, t Target, f Flags, event Value, asked func(int), answered func(Value)) error
	// Sockets returns the sockets meant.
	Sockets(Target) []Socket
	// Join and Leave move the sockets meant into rooms and out of them.
	Join(t Target, rooms []string)
	Leave(t Target, rooms []string)
	// Disconnect ends the sockets meant, with close their whole connections.
	Disconnect(t Target, close bool)
	// ServerSideEvent takes an event of another server; answer is nil where none is wanted, counts once
	// and may be called later.
	ServerSideEvent(event Value, answer func(Value)) error
	// Rooms returns the rooms that have members.
	Rooms() []string
}
