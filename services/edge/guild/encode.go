package guild

import (
	"slices"
	"weak"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/socketio"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// run is packets for one room that are never split.
type run struct {
	room    string
	packets []*socketio.Packet
}

// encode makes packets of what an event emits, in order; each is encoded once for all listeners with
// the same player.Encoding, their socket's variant. With a sequence, each has its offset.
func encode(event *playerv1.Event, sequence uint64) ([]run, error) {
	emits, err := player.Emits(event)
	if err != nil {
		return nil, err
	}
	var runs []run
	for i, emit := range emits {
		packet, err := packetOf(emit)
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

// packetOf has a variant for each encoding, unless the emit is the same in all.
func packetOf(emit player.Emit) (*socketio.Packet, error) {
	if !slices.ContainsFunc(emit.Args, func(a player.Arg) bool { return a.Encoded }) {
		return socketio.NewPacket(emit.Name, emit.ArgsIn(player.Base64)...)
	}
	return socketio.NewVariants(emit.Name, func(variant uint8) []any { return emit.ArgsIn(player.Encoding(variant)) })
}

// mostShown bounds the different handshakes of one state.
const mostShown = 64

// handshake is the packet that shows a user the guild's state. Those who see the same get the same packet, so that
// it is encoded and compressed once for all who come at the same time; nothing keeps it beyond that. Called with
// mu held.
func (g *guild) handshake(userID uint64) *socketio.Packet {
	channel := string(g.state.GetVoiceChannels()[userID])
	if packet := g.shown[channel].Value(); packet != nil {
		return packet
	}
	packet, err := packetOf(player.Emit{
		Name: "handshake", Args: []player.Arg{{JSON: player.Handshake(g.state, userID), Encoded: true}},
	})
	if err != nil {
		panic(err) // the name is not reserved
	}
	packet = packet.WithOffset(position{sequence: g.sequence}.String())
	if g.shown == nil || len(g.shown) == mostShown {
		g.shown = make(map[string]weak.Pointer[socketio.Packet])
	}
	g.shown[channel] = weak.Make(packet)
	return packet
}
