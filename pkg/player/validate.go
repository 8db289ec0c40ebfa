package player

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Bounds of single fields, in bytes. The whole event is bounded by whoever stores it.
const (
	MaxEventID = 128 // event_id
	MaxName    = 128 // generic.name
	MaxRoom    = 256 // generic.room
	maxNumber  = 64  // position, volume
)

// reserved are the event names that Socket.IO keeps for itself (socket.io-protocol, and the
// EventEmitter it stands on).
var reserved = []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}

// shape is what a JSON field is demanded to be.
type shape string

const (
	anything shape = "a JSON value"
	array    shape = "a JSON array"
	anObject shape = "a JSON object"
	orNull   shape = "a JSON object or null"
	aChannel shape = "a JSON string, an object with an id, or null"
)

// Validate tells whether ev is an event that may be stored and sent on. The error is one line and
// starts with the name of the first bad field, such as "track_started.queue: not a JSON array".
func Validate(ev *playerv1.Event) error {
	if err := validateID(ev.GetEventId()); err != nil {
		return fmt.Errorf("event_id: %w", err)
	}
	if ev.GetGuildId() == 0 {
		return errors.New("guild_id: must not be 0")
	}
	switch kind := ev.GetKind().(type) {
	case *playerv1.Event_TrackStarted:
		if err := checkJSON("track_started.track", kind.TrackStarted.GetTrack(), anObject); err != nil {
			return err
		}
		return checkJSON("track_started.queue", kind.TrackStarted.GetQueue(), array)
	case *playerv1.Event_QueueUpdated:
		return checkJSON("queue_updated.queue", kind.QueueUpdated.GetQueue(), array)
	case *playerv1.Event_TrackUpdated:
		return checkJSON("track_updated.track", kind.TrackUpdated.GetTrack(), orNull)
	case *playerv1.Event_PositionUpdated:
		return checkNumber("position_updated.position", kind.PositionUpdated.GetPosition())
	case *playerv1.Event_VolumeUpdated:
		return checkNumber("volume_updated.volume", kind.VolumeUpdated.GetVolume())
	case *playerv1.Event_ChannelUpdated:
		return checkJSON("channel_updated.channel", kind.ChannelUpdated.GetChannel(), aChannel)
	case *playerv1.Event_PlayerCreated:
		return checkPlayer("player_created.state", kind.PlayerCreated.GetState())
	case *playerv1.Event_PlayerDestroyed:
		return checkPlayer("player_destroyed.state", kind.PlayerDestroyed.GetState())
	case *playerv1.Event_TrackMoved:
		return checkJSON("track_moved.member", kind.TrackMoved.GetMember(), anything)
	case *playerv1.Event_TrackRemoved:
		return checkJSON("track_removed.member", kind.TrackRemoved.GetMember(), anything)
	case *playerv1.Event_MemberStateUpdated:
		if kind.MemberStateUpdated.GetUserId() == 0 {
			return errors.New("member_state_updated.user_id: must not be 0")
		}
		return checkJSON("member_state_updated.state", kind.MemberStateUpdated.GetState(), anObject)
	case *playerv1.Event_Generic:
		return checkGeneric(kind.Generic)
	case *playerv1.Event_PauseUpdated, *playerv1.Event_AutoplayUpdated, *playerv1.Event_RepeatUpdated,
		*playerv1.Event_ConnectionUpdated, *playerv1.Event_QueueEnded, *playerv1.Event_QueueUpdating,
		*playerv1.Event_UnknownUpdated:
		return nil
	}
	return errors.New("kind: missing, or not known to this version")
}

func validateID(id string) error {
	if len(id) == 0 || len(id) > MaxEventID {
		return fmt.Errorf("%d bytes, must be 1 to %d", len(id), MaxEventID)
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return fmt.Errorf("byte %d is not visible ASCII", i)
		}
	}
	return nil
}

func checkGeneric(ev *playerv1.GenericEvent) error {
	if err := CheckEmit("name", ev.GetName(), ev.GetRoom(), ev.GetArgs()); err != nil {
		return fmt.Errorf("generic.%w", err)
	}
	return nil
}

// CheckEmit tells whether an event of that name may be sent to a room, empty for everybody, with a JSON array of arguments,
// empty for none. The error starts with the bad field: room, args, or what the caller calls the name.
func CheckEmit(nameField, name, room string, args []byte) error {
	switch {
	case len(name) == 0 || len(name) > MaxName:
		return fmt.Errorf("%s: %d bytes, must be 1 to %d", nameField, len(name), MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%s: not valid UTF-8", nameField)
	case slices.Contains(reserved, name):
		return fmt.Errorf("%s: %q is reserved by Socket.IO", nameField, name)
	case len(room) > MaxRoom:
		return fmt.Errorf("room: %d bytes, must be at most %d", len(room), MaxRoom)
	case !utf8.ValidString(room):
		return errors.New("room: not valid UTF-8")
	case len(args) == 0:
		return nil
	}
	return checkJSON("args", args, array)
}

// checkPlayer demands a player state or null, and of its known parts the kind that Fold takes.
func checkPlayer(name string, raw []byte) error {
	if err := checkJSON(name, raw, orNull); err != nil {
		return err
	}
	state := scan(raw)
	for _, part := range []struct {
		name string
		want shape
		fits func(gjson.Result) bool
	}{
		{"pona", orNull, gjson.Result.IsObject},
		{"current", orNull, gjson.Result.IsObject},
		{"queue", array, gjson.Result.IsArray},
	} {
		if v := field(state, part.name); v.Type != gjson.Null && !part.fits(v) {
			return fmt.Errorf("%s.%s: not %s", name, part.name, part.want)
		}
	}
	return nil
}

// checkJSON demands one JSON value of that shape in valid UTF-8.
func checkJSON(name string, raw []byte, want shape) error {
	switch {
	case len(raw) == 0:
		return fmt.Errorf("%s: missing, must be %s", name, want)
	case !utf8.Valid(raw):
		return fmt.Errorf("%s: not valid UTF-8", name)
	case tooDeep(raw):
		return fmt.Errorf("%s: nests deeper than %d", name, maxDepth)
	case !gjson.Valid(unsafe.String(unsafe.SliceData(raw), len(raw))):
		return fmt.Errorf("%s: not valid JSON", name)
	case !fits(scan(raw), want):
		return fmt.Errorf("%s: not %s", name, want)
	}
	return nil
}

func fits(v gjson.Result, want shape) bool {
	switch want {
	case array:
		return v.IsArray()
	case anObject:
		return v.IsObject()
	case orNull:
		return v.IsObject() || v.Type == gjson.Null
	case aChannel:
		return v.Type == gjson.String || v.Type == gjson.Null ||
			v.IsObject() && field(v, "id").Type == gjson.String
	default:
		return true
	}
}

// checkNumber demands the text of one JSON number and nothing around it.
func checkNumber(name, text string) error {
	switch {
	case len(text) == 0:
		return fmt.Errorf("%s: missing, must be a JSON number", name)
	case len(text) > maxNumber:
		return fmt.Errorf("%s: %d bytes, must be at most %d", name, len(text), maxNumber)
	case text[0] != '-' && (text[0] < '0' || text[0] > '9'),
		text[len(text)-1] < '0' || text[len(text)-1] > '9',
		!gjson.Valid(text):
		return fmt.Errorf("%s: not a JSON number", name)
	}
	return nil
}
