package e2e

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Official clients that ask for another encoding, beside one that asks for none: each gets every event in
// its own, in the same order, the texts byte for byte where their bytes travel.
func TestEncodingsSideBySide(t *testing.T) {
	s := devstack(t)
	guild := newGuild()
	open := func(encoding, parser string) *listener {
		return listenWith(t, map[string]any{
			"url": s.url, "guild": fmt.Sprint(guild), "key": "user:77", "transports": []string{"websocket"}, "encoding": encoding, "parser": parser,
		})
	}
	const nothing = `{"pona":null,"isMemberInVC":null}`
	plain := listen(t, s.url, guild, "user:77", nil)
	if got := plain.payload(t, "handshake"); got != nothing {
		t.Errorf("handshake %s", got)
	}
	listeners := map[string]*listener{}
	for _, encoding := range []string{"base64", "json", "binary"} {
		for _, parser := range []string{"", "msgpack"} {
			l := open(encoding, parser)
			listeners[encoding+" "+parser] = l
			if got := decoded(t, encoding, l.event(t, "handshake")); got != nothing {
				t.Errorf("%s %s: handshake %s", encoding, parser, got)
			}
		}
	}

	queue := "[" + liveTrack + ", " + nextTrack + "]"
	newBot(t, s.grpc, guild).publish(t,
		&playerv1.Event{Kind: &playerv1.Event_TrackStarted{TrackStarted: &playerv1.TrackStarted{Track: []byte(nextTrack), Queue: []byte(queue)}}},
		&playerv1.Event{Kind: &playerv1.Event_PauseUpdated{PauseUpdated: &playerv1.PauseUpdated{Paused: true}}},
		&playerv1.Event{Kind: &playerv1.Event_ChannelUpdated{ChannelUpdated: &playerv1.ChannelUpdated{Channel: []byte(`"42"`)}}},
		&playerv1.Event{Kind: &playerv1.Event_MemberStateUpdated{MemberStateUpdated: &playerv1.MemberStateUpdated{UserId: 77, State: []byte(seat)}}},
		&playerv1.Event{Kind: &playerv1.Event_QueueEnded{QueueEnded: &playerv1.QueueEnded{}}},
	)
	wants := []struct{ event, payload string }{
		{"track_started", nextTrack}, {"queue_updated", queue}, {"pause_updated", "1"}, {"channel_updated", `"42"`}, {"member_state_updated", seat}, {"queue_ended", ""},
	}
	for name, l := range listeners {
		encoding, parser, _ := strings.Cut(name, " ")
		for _, want := range wants {
			got := l.event(t, want.event)
			switch {
			case want.event == "pause_updated":
			case want.payload == "": // with the offset alone
				continue
			default:
				got = decoded(t, encoding, got)
			}
			exact := encoding != "json" // what JavaScript has decoded and encoded again is the same value
			if exact && got != want.payload || !exact && !sameJSON(t, got, want.payload) {
				t.Errorf("%s: %s\n got %s\nwant %s", name, want.event, got, want.payload)
			}
		}
		if encoding == "json" && parser == "" {
			l.read = 0
			l.next(t, "the bot's own bytes", func(s said) bool {
				var packet string
				return s.What == "packet" && json.Unmarshal(s.Data, &packet) == nil && strings.Contains(packet, `["queue_updated",`+queue+`,`)
			})
		}
	}
	for _, want := range wants[:2] {
		if got := plain.payload(t, want.event); got != want.payload {
			t.Errorf("without encoding: %s %s", want.event, got)
		}
	}
}

func TestUnknownEncodingIsRefused(t *testing.T) {
	s := devstack(t)
	l := listenWith(t, map[string]any{"url": s.url, "guild": fmt.Sprint(newGuild()), "key": "user:77", "encoding": "xml"})
	got := l.next(t, "its refusal", func(s said) bool { return s.What == "refused" })
	if got.Message != `encoding must be "base64", "json" or "binary"` {
		t.Errorf("refused with %q", got.Message)
	}
}

// decoded is the JSON text that an argument stands for.
func decoded(t *testing.T, encoding, argument string) string {
	t.Helper()
	switch encoding {
	case "json":
		return argument
	case "binary":
		var of struct{ Bytes *string }
		if err := json.Unmarshal([]byte(argument), &of); err != nil || of.Bytes == nil {
			t.Fatalf("%s are no bytes", argument)
		}
		return *of.Bytes
	}
	return base64Text(t, argument)
}

// sameJSON compares as JavaScript reads numbers.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var values [2]any
	for i, text := range []string{a, b} {
		if err := json.Unmarshal([]byte(text), &values[i]); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}
