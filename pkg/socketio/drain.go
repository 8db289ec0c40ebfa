package socketio

import (
	"context"
	"math"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// Drain moves all connections away, paced and jittered, so that stock clients reconnect by themselves:
// no client is sent a disconnect packet, which would keep it away. New handshakes are refused with 503,
// or still accepted, by opts. It returns how many connections it has ended, and an error when ctx
// ends first; see engineio.Server.Drain. Close comes after it.
func (s *Server) Drain(ctx context.Context, opts engineio.DrainOptions) (moved int, err error) {
	return s.engine.Drain(ctx, opts)
}

// Close ends all connections, after what was sent before, with the reason "server shutting down", and
// returns when no goroutine of the server is left, or with ctx.
func (s *Server) Close(ctx context.Context) error {
	_, _ = s.engine.Drain(ctx, engineio.DrainOptions{Rate: math.Inf(1)}) // what is left, Close discards
	err := s.engine.Close(ctx)
	if m, ok := s.opts.Recovery.(*MemoryRecovery); ok {
		m.close()
	}
	s.forgetAll()
	return err
}
