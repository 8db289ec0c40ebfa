package guild

import (
	"encoding/base64"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/socketio"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// run is packets for one room that are never split.
type run struct {
	room    string
	packets []*socketio.Packet
}

// encode makes packets of what an event emits, in order; each is encoded once, for all listeners. With
// a sequence, each has its offset.
func encode(event *playerv1.Event, sequence uint64) ([]run, error) {
	emits, err := player.Emits(event)
	if err != nil {
		return nil, err
	}
	var runs []run
	for i, emit := range emits {
		args := make([]any, len(emit.Args))
		for j, arg := range emit.Args {
			args[j] = argument(arg)
		}
		packet, err := socketio.NewPacket(emit.Name, args...)
		if err != nil {
			return nil, err
		}
		if emit.Conflate != "" {
			packet = packet.Conflate(emit.Conflate)
		}
		if sequence != 0 {
			packet = packet.WithOffset(position{sequence, (i + 1) % len(emits)}.String()) // all: 0
		}
		if last := len(runs) - 1; last >= 0 && runs[last].room == emit.Room {
			runs[last].packets = append(runs[last].packets, packet)
			continue
		}
		runs = append(runs, run{room: emit.Room, packets: []*socketio.Packet{packet}})
	}
	return runs, nil
}

// argument is an argument's JSON as the client gets it: the bot's bytes, or a string of their base64.
func argument(arg player.Arg) socketio.Raw {
	if !arg.Base64 {
		return socketio.Raw(arg.JSON)
	}
	text := make([]byte, 0, base64.StdEncoding.EncodedLen(len(arg.JSON))+2)
	text = append(text, '"')
	text = base64.StdEncoding.AppendEncode(text, arg.JSON)
	return append(text, '"')
}

// handshake is the packet that shows a user the guild's state. Called with mu held.
func (g *guild) handshake(userID uint64) *socketio.Packet {
	packet, err := socketio.NewPacket("handshake", argument(player.Arg{
		JSON: player.Handshake(g.state, userID), Base64: true,
	}))
	if err != nil {
		panic(err) // base64 is always a JSON string
	}
	return packet.WithOffset(position{sequence: g.sequence}.String())
}
