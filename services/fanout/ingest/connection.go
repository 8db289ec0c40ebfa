package ingest

import (
	"context"
	"sync"

	"google.golang.org/grpc/stats"
)

// maxRemembered bounds the guilds of one connection whose last sequence is remembered; beyond it
// all are forgotten, and an answer to a command then waits for nothing.
const maxRemembered = 100_000

// Connections gives each gRPC connection a memory of what it stored last. It must be the gRPC
// server's stats handler: an answer to a command comes on another call of the same connection.
type Connections struct{}

type connectionKey struct{}

// connection is the last sequence stored over it, by guild.
type connection struct {
	mu   sync.Mutex
	last map[uint64]uint64
}

// TagConn gives a new connection its memory.
func (Connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{last: make(map[uint64]uint64)})
}

// HandleConn does nothing.
func (Connections) HandleConn(context.Context, stats.ConnStats) {}

// TagRPC does nothing: a call's context descends from its connection's.
func (Connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC does nothing.
func (Connections) HandleRPC(context.Context, stats.RPCStats) {}

// remember keeps what a call's connection has stored.
func remember(ctx context.Context, guildID, sequence uint64) {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.last) >= maxRemembered {
		clear(c.last)
	}
	c.last[guildID] = max(c.last[guildID], sequence)
}

// LastStored is the sequence of the last event of the guild that the connection of this call has
// stored, 0 when there is none.
func LastStored(ctx context.Context, guildID uint64) uint64 {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last[guildID]
}
