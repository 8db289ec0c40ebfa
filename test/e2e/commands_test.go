package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A listener pauses, the bot in JavaScript obeys, and the listener sees the effect before the answer.
func TestCommandsReachTheBotInJavaScript(t *testing.T) {
	s := devstack(t)
	guild := newGuild()
	l := listen(t, s.url, guild, "user:4711", nil)
	l.payload(t, "handshake")
	js := node(t, "bot.js", "services/devstack/bots/js/bot.js", "--fanout", s.grpc, "--guild", fmt.Sprint(guild))
	js.await(t, 0, "that it serves commands", func(line string) bool { return strings.HasPrefix(line, "serving guild") })
	l.payload(t, "player_created")
	if track := l.payload(t, "track_started"); !strings.Contains(track, `"author":"Anker & Söhne <live>"`) {
		t.Errorf("track_started has %s", track)
	}
	l.payload(t, "queue_updated")

	paused := l.ask(t, "pause")
	if got := l.event(t, "pause_updated"); got != "1" {
		t.Errorf("pause_updated %s, want 1", got)
	}
	if got := l.answer(t, paused); got != (answer{Status: "ok"}) {
		t.Errorf("pause was answered %+v", got)
	}
	js.await(t, 0, "who paused", func(line string) bool { return line == "command pause from 4711" })

	for _, tt := range []struct {
		command []any
		want    answer
	}{
		{[]any{"pause", "x"}, answer{"error", "pause takes 0 arguments, got 1"}},
		{[]any{"seek", -1}, answer{"error", "-1 is no position in this track"}},
		{[]any{"seek", "x"}, answer{"error", `"x" is no position in this track`}},
		{[]any{"constructor"}, answer{"error", "this bot knows no constructor"}},
		{[]any{"seek", 1500.5}, answer{Status: "ok"}},
	} {
		if got := l.answer(t, l.ask(t, tt.command...)); got != tt.want {
			t.Errorf("%v was answered %+v, want %+v", tt.command, got, tt.want)
		}
	}

	next := l.ask(t, "next")
	if track := l.payload(t, "track_started"); !strings.Contains(track, `"duration":9223372036854776000`) {
		t.Errorf("track_started has %s", track)
	}
	l.payload(t, "queue_updated")
	if got := l.answer(t, next); got != (answer{Status: "ok"}) {
		t.Errorf("next was answered %+v", got)
	}

	if code, took := js.terminate(t); code != 0 {
		t.Errorf("the bot ended with %d after %v", code, took)
	}
	if got := l.answer(t, l.ask(t, "pause")); got.Status != "error" || got.Reason == "" {
		t.Errorf("with the bot gone, pause was answered %+v", got)
	}
}

func TestCommandWithoutBotIsRefusedAtOnce(t *testing.T) {
	s := devstack(t)
	l := listen(t, s.url, newGuild(), "user:1", nil)
	l.payload(t, "handshake")
	asked := time.Now()
	got := l.answer(t, l.ask(t, "pause"))
	if got.Status != "error" || got.Reason == "" {
		t.Errorf("answered %+v, want an error with its reason", got)
	}
	if took := time.Since(asked); took > 2*time.Second { // a command may wait five seconds for a bot that is there
		t.Errorf("answered after %v", took)
	}
}
