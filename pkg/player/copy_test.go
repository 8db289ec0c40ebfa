package player_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pona-realtime/pona/pkg/player"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

func TestCopyStaysAsItIsWhileItsOriginalIsFoldedOn(t *testing.T) {
	state := &playerv1.GuildState{
		Exists: true, Position: "1", VoiceChannel: []byte(`"2"`), Volume: "3", Equalizer: []byte(`[4]`), Repeat: []byte(`{"track":true}`),
		Autoplay: []byte("true"), Paused: true, Playing: true, Current: []byte(`{"title":"5"}`), Upcoming: []byte(`[6]`),
		VoiceChannels: map[uint64][]byte{7: []byte(`"8"`), 42: []byte(`"9"`)},
	}
	fields := state.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if !state.ProtoReflect().Has(fields.Get(i)) {
			t.Fatalf("this test leaves %s out", fields.Get(i).Name())
		}
	}
	want := proto.CloneOf(state)
	got := player.Copy(state)
	for _, ev := range kinds() {
		if err := player.Fold(state, ev); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got, want) {
			t.Fatalf("%T changed the copy to %v", ev.Kind, got)
		}
	}
}
