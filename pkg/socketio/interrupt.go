package socketio

import "github.com/pona-realtime/pona/pkg/engineio"

// Interrupt closes the socket's connection as a loss would, after what was sent before: a stock client
// connects again by itself, and comes back to all its namespaces.
func (s *Socket) Interrupt() { s.conn.session.CloseTransport(engineio.ReasonForcedClose) }
