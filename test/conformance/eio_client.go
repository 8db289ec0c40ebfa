package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// newEngineClient serves the official Engine.IO client's suite.
func newEngineClient() peer {
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
	return peer{clients: server, close: server.Close}
}

// clientEcho answers some texts in a way of their own.
type clientEcho struct{ echo }

func (e clientEcho) ReceiveMessage(m engineio.Message) {
	switch {
	case m.Binary:
	case bytes.Equal(m.Data, []byte("give binary")):
		m = engineio.Message{Binary: true, Data: []byte{0, 1, 2, 3, 4}}
	case bytes.Equal(m.Data, []byte("give utf8")):
		m.Data = []byte("пойду спать всем спокойной ночи")
	case bytes.Equal(m.Data, []byte("sendHeaders")):
		m.Data = headers(e.session.Posting())
	case bytes.Equal(m.Data, []byte("lose me")): // ours: what a drained client sees
		m.Data = []byte("farewell")
		defer e.session.CloseTransport(engineio.ReasonServerShuttingDown)
	}
	e.echo.ReceiveMessage(m)
}

// headers are a request's as Node shows them: an object of lower-case names; {} without a request.
func headers(r *http.Request) []byte {
	object := map[string]string{}
	if r != nil {
		object["host"] = r.Host
		for name, values := range r.Header {
			object[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	text, _ := json.Marshal(object) // strings always have a JSON form
	return text
}
