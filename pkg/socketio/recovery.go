package socketio

import (
	"context"
	"encoding/json"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// Recovery lets a client whose connection was lost come back as the socket it was: with its id, its
// rooms, its data and the events it missed, which stock clients see as socket.recovered (the
// reference calls it connection state recovery). A MemoryRecovery is one; another may keep sessions
// in sealed tickets and take the events from a stream.
//
//	CONNECT ──▶ middleware ──▶ Ticket ──▶ 40{sid,pid} ──▶ events with offsets … Persist
//	CONNECT {pid,offset} ──▶ Restore ──▶ middleware ──▶ Replay: missed events, 40{sid,pid}, rooms
//
// Middleware always runs again, and so do the connection listeners. The methods may be called at the
// same time for different sockets. A panic in one is reported as a handler's.
type Recovery interface {
	// Ticket returns the pid for a socket that has passed the middleware and joins anew: the
	// client's secret, which it shows when it comes back. "" means that this socket cannot.
	Ticket(s *Socket) (pid string)

	// Persist hears that a socket with a pid has ended in a way its client may come back from: its
	// transport was lost, or the server stops; not after a namespace disconnect by either side. rooms
	// are those it was in, its id among them. It must not wait.
	Persist(s *Socket, rooms []string)

	// Restore finds what a returning client was. offset is that of the last event the client has
	// handled, "" when it has handled none. ctx ends when the client goes. nil means that the client
	// joins anew, with another id and pid.
	Restore(ctx context.Context, n *Namespace, pid, offset string) *Restored
}

// Restored is what a returning client gets back.
type Restored struct {
	ID    string   // the socket's id, 20 characters
	Rooms []string // joined besides the room of the id, when the socket enters
	Data  any      // Socket.Data, from before the middleware on; nil: none

	// Replay is called once, after the middleware has agreed. It calls enter once, with the missed
	// events in order, at a moment when no live event can fall between them and what follows: enter
	// sends them, then the answer to CONNECT, and puts the socket into its namespace and rooms, all
	// of it before any broadcast that starts later. enter does not block. If Replay returns without
	// calling it, because events are no longer kept, or when they are more than may wait for one
	// session (engineio.Options.MaxQueueBytes, MaxQueueFrames), the client joins anew, through the
	// middleware again, as another socket.
	Replay func(s *Socket, enter func(missed ...*Packet))

	// missed replaces Replay where the history is under the namespace's own lock.
	missed func(*Socket) (packets []*Packet, ok bool)
}

// resumable are the ends that a client may come back from: the reference's.
var resumable = map[string]bool{
	string(engineio.ReasonTransportError):     true,
	string(engineio.ReasonTransportClose):     true,
	string(engineio.ReasonForcedClose):        true,
	string(engineio.ReasonPingTimeout):        true,
	string(engineio.ReasonServerShuttingDown): true,
}

// Recovered tells whether the socket's client has come back with nothing lost: rooms and data are
// those it had, and it has been sent what it missed. It is true from the middleware on; where the
// missed events turn out to be gone, another socket joins in this one's place.
func (s *Socket) Recovered() bool { return s.recovered }

// returning reads pid and offset from a CONNECT's payload; anything but strings counts as none.
func returning(auth json.RawMessage) (pid, offset string) {
	var payload struct{ PID, Offset any }
	if json.Unmarshal(auth, &payload) != nil {
		return "", ""
	}
	pid, _ = payload.PID.(string)
	offset, _ = payload.Offset.(string)
	return pid, offset
}

// restore makes s what its client was, if it comes back; nil otherwise. Nobody else knows s yet.
func (c *connection) restore(s *Socket) *Restored {
	recovery := c.server.opts.Recovery
	pid, offset := returning(s.handshake.Auth)
	if recovery == nil || pid == "" {
		return nil
	}
	r := recovery.Restore(s.Context(), s.nsp, pid, offset)
	if r == nil {
		c.server.counters.unknownPID.Add(1)
		return nil
	}
	if old := s.nsp.Socket(r.ID); old != nil && !old.supersede(s.Context()) {
		return nil
	}
	s.nsp.mu.Lock() // remove reads the id
	defer s.nsp.mu.Unlock()
	s.id, s.pid, s.recovered, s.data = r.ID, pid, true, r.Data
	return r
}

// supersede ends a socket whose client is back on another connection before this one was seen to be
// lost, and waits until its last listener has returned. False when ctx ends first.
func (s *Socket) supersede(ctx context.Context) bool {
	s.end(string(engineio.ReasonTransportClose))
	s.conn.session.CloseTransport(engineio.ReasonTransportClose)
	select {
	case <-s.ending():
		return true
	case <-ctx.Done():
		return false
	}
}
