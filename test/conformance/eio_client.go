package main

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// newEngineClient serves the official Engine.IO client's suite, but for `sendHeaders`: a receiver
// does not see the POST that carried its message.
func newEngineClient() suite {
	server := engineio.NewServer(engineio.Options{
		PingInterval: 500 * time.Millisecond,
		MaxPayload:   100,
		AllowRequest: func(r *http.Request) error {
			if r.URL.Query().Has("deny") {
				return errors.New("Forbidden")
			}
			return nil
		},
		InitialHeaders: func(h http.Header, _ *http.Request) {
			h["Set-Cookie"] = []string{
				"1=1; Max-Age=86400",
				"2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
				"3=3; Max-Age=0",
				"4=4; Expires=" + time.Now().UTC().Format(http.TimeFormat),
			}
		},
	}, func(s *engineio.Session) engineio.Receiver {
		s.Send(engineio.NewFrame(engineio.Message{Data: []byte("hi")}))
		return clientEcho{echo{s}}
	})
	return suite{clients: server, close: server.Close}
}

type clientEcho struct{ echo }

func (e clientEcho) ReceiveMessage(m engineio.Message) {
	switch {
	case m.Binary:
	case bytes.Equal(m.Data, []byte("give binary")):
		m = engineio.Message{Binary: true, Data: []byte{0, 1, 2, 3, 4}}
	case bytes.Equal(m.Data, []byte("give utf8")):
		m.Data = []byte("пойду спать всем спокойной ночи")
	}
	e.echo.ReceiveMessage(m)
}
