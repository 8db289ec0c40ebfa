package socketio

import (
	"context"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// Drain moves all connections away, paced and jittered, so that stock clients reconnect by themselves:
// no client is sent a disconnect packet, which would keep it away. New handshakes are refused with 503,
// or still accepted, by opts. It returns how many connections it has ended, and an error when ctx
// ends first; see engineio.Server.Drain. Close comes after it.
func (s *Server) Drain(ctx context.Context, opts engineio.DrainOptions) (moved int, err error) {
	return s.engine.Drain(ctx, opts)
}
