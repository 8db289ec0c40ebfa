package player_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pona-realtime/pona/pkg/player"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// line writes an emit as room|name|arguments|conflate; b64() is around arguments that clients get so.
func line(emit player.Emit) string {
	var args []string
	for _, arg := range emit.Args {
		if arg.Encoded {
			args = append(args, "b64("+string(arg.JSON)+")")
		} else {
			args = append(args, string(arg.JSON))
		}
	}
	return fmt.Sprintf("%s|%s|%s|%s", emit.Room, emit.Name, strings.Join(args, ";"), emit.Conflate)
}

func TestEmitsOfEveryKind(t *testing.T) {
	want := [][]string{
		{"pona! music|track_started|b64(" + liveTrack + ")|",
			"pona! music|queue_updated|b64([" + liveTrack + "," + fastTrack + "])|"},
		{"pona! music|queue_updated|b64([null," + fastTrack + "])|queue_updated"},
		{"pona! music|track_updated|b64(" + fastTrack + ")|"},
		{"pona! music|track_pos_updated|1234.5678|track_pos_updated"},
		{"pona! music|pause_updated|1|"},
		{"pona! music|volume_updated|1e2|"},
		{"pona! music|autoplay_updated|1|"},
		{`pona! music|repeat_updated|b64({"track":false,"queue":true,"dynamic":false})|`},
		{`pona! music|channel_updated|b64({"name":"🎶","id":"42"})|`},
		{"pona! music|connection_updated||"},
		{"pona! music|queue_ended||"},
		{"pona! music|queue_updating||"},
		{"pona! music|unknown_updated||"},
		{"pona! music|player_created|b64(" + createdState + ")|"},
		{"pona! music|player_destroyed|b64(null)|"},
		{`|track_moved|b64({"id":"7"})|`},
		{`|track_removed|b64({"id":"7"})|`},
		{`stream:7|member_state_updated|b64({"oldVC":null,"newVC":{"id":"42", "name":"é"}})|`},
		{`r|lyrics|1.50;{"b":1,"a":2};"\u2028";null|`},
	}
	all := kinds()
	if len(all) != len(want) {
		t.Fatalf("%d kinds, %d wanted", len(all), len(want))
	}
	for i, ev := range all {
		emits, err := player.Emits(ev)
		if err != nil {
			t.Errorf("%T: %v", ev.Kind, err)
		}
		var got []string
		for _, emit := range emits {
			got = append(got, line(emit))
		}
		if strings.Join(got, "\n") != strings.Join(want[i], "\n") {
			t.Errorf("%T emits\n%s\nwant\n%s", ev.Kind, strings.Join(got, "\n"), strings.Join(want[i], "\n"))
		}
	}
}

func TestEmitsOfNoKnownKindIsAnError(t *testing.T) {
	if emits, err := player.Emits(event(nil)); err == nil {
		t.Errorf("emits %v", emits)
	}
}

func TestGenericEventWithoutArguments(t *testing.T) {
	emits, err := player.Emits(event(&playerv1.GenericEvent{Name: "x"}))
	if err != nil || len(emits) != 1 || line(emits[0]) != "|x||" {
		t.Errorf("%v, %v", emits, err)
	}
}
