package main

import (
	"bytes"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// protocolEngine has the settings that the protocol suites expect.
func protocolEngine() engineio.Options {
	return engineio.Options{
		PingInterval: 300 * time.Millisecond,
		PingTimeout:  200 * time.Millisecond,
		MaxPayload:   1e6,
		CORS:         &engineio.CORS{Origins: []string{"*"}},
	}
}

// newEngineProtocol echoes each message.
func newEngineProtocol() peer {
	server := engineio.NewServer(protocolEngine(), func(s *engineio.Session) engineio.Receiver { return echo{s} })
	return peer{clients: server, close: server.Close}
}

type echo struct{ session *engineio.Session }

func (e echo) ReceiveMessage(m engineio.Message) {
	m.Data = bytes.Clone(m.Data)
	e.session.Send(engineio.NewFrame(m))
}

func (echo) ReceiveClose(engineio.Reason, error) {}
