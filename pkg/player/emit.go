package player

import (
	"fmt"
	"strconv"

	"github.com/tidwall/gjson"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// MusicRoom is the room of a guild's namespace that every accepted socket is in.
const MusicRoom = "pona! music"

// UserRooms is what the names of users' rooms begin with.
const UserRooms = "stream:"

// UserRoom is the room of a guild's namespace that the sockets of one user are in.
func UserRoom(userID uint64) string {
	return UserRooms + strconv.FormatUint(userID, 10)
}

// Emit is one Socket.IO event for clients in a guild's namespace.
type Emit struct {
	Room string // empty: every socket of the namespace
	Name string // the event's name
	Args []Arg

	// Conflate names what this emit is the newest value of: among emits of one guild that still wait
	// for a client, one with the same name that came earlier is superseded. Empty: supersedes
	// nothing, is superseded by nothing.
	Conflate string
}

// Arg is one argument of an Emit.
type Arg struct {
	JSON    []byte // one JSON value, as the bot wrote it; read only
	Encoded bool   // true: clients get it in their Encoding; false: all get JSON itself
}

// Emits says what clients are sent when ev happens, in order. The emits of one event are never
// split. Args refer to ev's bytes. The error names a kind this build does not know.
func Emits(ev *playerv1.Event) ([]Emit, error) {
	music := func(name string, args ...Arg) []Emit {
		return []Emit{{Room: MusicRoom, Name: name, Args: args}}
	}
	newest := func(name string, arg Arg) []Emit {
		return []Emit{{Room: MusicRoom, Name: name, Args: []Arg{arg}, Conflate: name}}
	}
	switch kind := ev.GetKind().(type) {
	case *playerv1.Event_TrackStarted:
		return append(music("track_started", encoded(kind.TrackStarted.GetTrack())),
			music("queue_updated", encoded(kind.TrackStarted.GetQueue()))...), nil
	case *playerv1.Event_QueueUpdated:
		return newest("queue_updated", encoded(kind.QueueUpdated.GetQueue())), nil
	case *playerv1.Event_TrackUpdated:
		return music("track_updated", encoded(kind.TrackUpdated.GetTrack())), nil
	case *playerv1.Event_PositionUpdated:
		return newest("track_pos_updated", plain(kind.PositionUpdated.GetPosition())), nil
	case *playerv1.Event_PauseUpdated:
		return music("pause_updated", flag(kind.PauseUpdated.GetPaused())), nil
	case *playerv1.Event_VolumeUpdated:
		return music("volume_updated", plain(kind.VolumeUpdated.GetVolume())), nil
	case *playerv1.Event_AutoplayUpdated:
		return music("autoplay_updated", flag(kind.AutoplayUpdated.GetAutoplay())), nil
	case *playerv1.Event_RepeatUpdated:
		return music("repeat_updated", encoded(repeat(kind.RepeatUpdated))), nil
	case *playerv1.Event_ChannelUpdated:
		return music("channel_updated", encoded(kind.ChannelUpdated.GetChannel())), nil
	case *playerv1.Event_ConnectionUpdated:
		return music("connection_updated"), nil
	case *playerv1.Event_QueueEnded:
		return music("queue_ended"), nil
	case *playerv1.Event_QueueUpdating:
		return music("queue_updating"), nil
	case *playerv1.Event_UnknownUpdated:
		return music("unknown_updated"), nil
	case *playerv1.Event_PlayerCreated:
		return music("player_created", encoded(kind.PlayerCreated.GetState())), nil
	case *playerv1.Event_PlayerDestroyed:
		return music("player_destroyed", encoded(kind.PlayerDestroyed.GetState())), nil
	case *playerv1.Event_TrackMoved:
		return []Emit{{Name: "track_moved", Args: []Arg{encoded(kind.TrackMoved.GetMember())}}}, nil
	case *playerv1.Event_TrackRemoved:
		return []Emit{{Name: "track_removed", Args: []Arg{encoded(kind.TrackRemoved.GetMember())}}}, nil
	case *playerv1.Event_MemberStateUpdated:
		member := kind.MemberStateUpdated
		return []Emit{{
			Room: UserRoom(member.GetUserId()),
			Name: "member_state_updated",
			Args: []Arg{encoded(member.GetState())},
		}}, nil
	case *playerv1.Event_Generic:
		return []Emit{{
			Room: kind.Generic.GetRoom(),
			Name: kind.Generic.GetName(),
			Args: arguments(kind.Generic.GetArgs()),
		}}, nil
	}
	return nil, fmt.Errorf("kind: %T is not known", ev.GetKind())
}

func encoded(raw []byte) Arg { return Arg{JSON: raw, Encoded: true} }

func plain(number string) Arg { return Arg{JSON: []byte(number)} }

func flag(on bool) Arg {
	if on {
		return plain("1")
	}
	return plain("0")
}

// arguments cuts the elements out of a JSON array; empty stands for an array without any.
func arguments(array []byte) (args []Arg) {
	list := scan(array)
	if !list.IsArray() {
		return nil
	}
	list.ForEach(func(_, value gjson.Result) bool {
		args = append(args, Arg{JSON: cut(value)})
		return true
	})
	return args
}

// repeat is the argument of `repeat_updated`, and what a state keeps of it.
func repeat(ev *playerv1.RepeatUpdated) []byte {
	out := append([]byte(`{"track":`), boolean(ev.GetTrack())...)
	out = append(append(out, `,"queue":`...), boolean(ev.GetQueue())...)
	out = append(append(out, `,"dynamic":`...), boolean(ev.GetDynamic())...)
	return append(out, '}')
}

func boolean(on bool) []byte { return strconv.AppendBool(nil, on) }
