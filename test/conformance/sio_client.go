package main

import (
	"context"
	"net/http"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
	"github.com/pona-realtime/pona/pkg/socketio"
)

// newSocketClient serves the official Socket.IO client's suite.
func newSocketClient() peer {
	server := socketio.NewServer(socketio.Options{
		Engine: engineio.Options{
			PingInterval: 2 * time.Second,
			AllowRequest: func(*http.Request) error { time.Sleep(10 * time.Millisecond); return nil },
		},
		Recovery: socketio.NewMemoryRecovery(socketio.MemoryRecoveryOptions{}),
	})
	for _, name := range []string{"/timeout_socket", "/valid", "/asd"} {
		server.Of(name)
	}
	getID := func(s *socketio.Socket) {
		s.On("getId", func(e *socketio.Event) { _ = e.Ack(s.ID()) })
	}
	server.Of("/foo").OnConnection(getID)
	server.Of("/abc").OnConnection(func(s *socketio.Socket) { _ = s.Emit("handshake", s.Handshake()) })
	server.Of("/no").Use(func(*socketio.Socket) error { return &socketio.ConnectError{Message: "Auth failed (custom namespace)"} })
	main := server.Of("/")
	main.Use(func(s *socketio.Socket) error {
		if _, fail := s.Handshake().Query()["fail"]; fail {
			return &socketio.ConnectError{Message: "Auth failed (main namespace)"}
		}
		return nil
	})
	main.OnConnection(getID)
	main.OnConnection(answer)
	return peer{clients: server, close: server.Close}
}

func answer(s *socketio.Socket) {
	const iso = "2006-01-02T15:04:05.000Z"
	now := func() string { return time.Now().UTC().Format(iso) }
	reply := func(on, event string, args ...any) {
		s.On(on, func(*socketio.Event) { _ = s.Emit(event, args...) })
	}
	reply("hi", "hi")
	reply("false", "false", false)
	reply("doge", "doge", []byte("asdfasdf"))
	reply("getbin", "takebin", []byte("asdfasdf"))
	answerBinary(s)
	s.On("echo", func(e *socketio.Event) { _ = e.Ack(values(e.Args[:min(1, len(e.Args))])...) })
	s.On("getAckDate", func(e *socketio.Event) { _ = e.Ack(now()) })
	s.On("getDate", func(*socketio.Event) { _ = s.Emit("takeDate", now()) })
	s.On("getDateObj", func(*socketio.Event) { _ = s.Emit("takeDateObj", map[string]any{"date": now()}) })
	s.On("getUtf8", func(*socketio.Event) {
		for _, text := range []string{"てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"} {
			_ = s.Emit("takeUtf8", text)
		}
	})
	s.On("getHandshake", func(e *socketio.Event) { _ = e.Ack(s.Handshake()) })
	s.On("ack", func(*socketio.Event) { go askAck(s) })
}

// askAck runs beside the listener, which must return for the answer to be read.
func askAck(s *socketio.Socket) {
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Second)
	defer cancel()
	got, err := s.EmitWithAck(ctx, "ack")
	if err != nil || len(got) != 2 {
		return
	}
	var n int
	var object struct{ Test bool }
	if got[0].Decode(&n) == nil && got[1].Decode(&object) == nil && n == 5 && object.Test {
		_ = s.Emit("got it")
	}
}
