package stream

import (
	"strconv"
	"strings"

	"github.com/pona-realtime/pona/pkg/player"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// incoming is the subject that an event is published to.
func incoming(ev *playerv1.Event) string {
	return "player." + strconv.FormatUint(ev.GetGuildId(), 10) + "." + Kind(ev)
}

// Kind is the name of the event's field in the proto, such as track_started.
func Kind(ev *playerv1.Event) string {
	m := ev.ProtoReflect()
	if field := m.WhichOneof(m.Descriptor().Oneofs().ByName("kind")); field != nil {
		return string(field.Name())
	}
	return "unknown"
}

// ofPartition matches the stored events of a partition.
func ofPartition(partition uint32) string {
	return "events." + strconv.FormatUint(uint64(partition), 10) + ".>"
}

// everything matches all stored events; to NATS it is no filter at all.
const everything = ">"

// ofGuild matches the stored events of a guild.
func (s *Stream) ofGuild(guildID uint64) string {
	return "events." + strconv.FormatUint(uint64(player.Partition(guildID, s.partitions)), 10) + "." + strconv.FormatUint(guildID, 10) + ".*"
}

// positionsOf matches the positions of a partition's guilds.
func positionsOf(partition uint32) string {
	return "position." + strconv.FormatUint(uint64(partition), 10) + ".*"
}

// positionOf is the subject of a guild's positions.
func (s *Stream) positionOf(guildID uint64) string {
	return "position." + strconv.FormatUint(uint64(player.Partition(guildID, s.partitions)), 10) + "." + strconv.FormatUint(guildID, 10)
}

// placeOf reads partition and guild out of events.<partition>.<guild>.<kind> or
// position.<partition>.<guild>; a guild of 0 is none.
func placeOf(subject string) (partition uint32, guildID uint64) {
	_, rest, _ := strings.Cut(subject, ".")
	number, rest, _ := strings.Cut(rest, ".")
	id, _, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return 0, 0
	}
	if guildID, err = strconv.ParseUint(id, 10, 64); err != nil {
		guildID = 0
	}
	return uint32(n), guildID
}
