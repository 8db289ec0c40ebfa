package gateway

import (
	"fmt"

	"github.com/pona-realtime/pona/pkg/socketio"
)

const help = `Hello %s! General messages:
  help   this text
  ping   answered by pong
  hello  comes once, when you connect
To listen to a guild, connect to the namespace /guild/<guild id>.`

// greet serves a socket of the root namespace.
func greet(s *socketio.Socket) {
	_ = s.Emit("hello", "socket "+s.ID())
	s.OnAny(func(e *socketio.Event) {
		switch e.Name {
		case "help":
			reply(e, "help", fmt.Sprintf(help, s.ID()))
		case "ping":
			reply(e, "pong", "Pong!")
		default:
			_ = e.Ack(refused("unknown event"))
		}
	})
}

// reply answers with an event, and with the acknowledgement where one is wanted. A client that has
// gone hears neither.
func reply(e *socketio.Event, event, text string) {
	_ = e.Socket.Emit(event, text)
	_ = e.Ack(text)
}
