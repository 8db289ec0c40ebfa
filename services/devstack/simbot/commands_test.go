package simbot

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// ask makes a command of a name and its arguments, a JSON array.
func ask(name, args string) command {
	c := command{user: 42, name: name}
	if err := json.Unmarshal([]byte(args), &c.args); err != nil {
		panic(err)
	}
	return c
}

func join(g Guild, channel string) command {
	return ask("join", fmt.Sprintf(`["%d","%s"]`, g.ID, channel))
}

func kinds(p *player) string {
	var names []string
	for _, e := range p.take() {
		names = append(names, kindName(e))
	}
	return strings.Join(names, " ")
}

func TestCommandsAreObeyed(t *testing.T) {
	for _, tt := range []struct {
		name, args string
		events     string
	}{
		{"join", `["100000000000000001","200000000000000001"]`, "MemberStateUpdated"},
		{"join", `["100000000000000001","200000000000000009"]`, "ChannelUpdated MemberStateUpdated"},
		{"pause", `[]`, "PauseUpdated"},
		{"pause", `[null]`, "PauseUpdated"},
		{"play", `[]`, "PauseUpdated"},
		{"seek", `[0]`, "PositionUpdated"},
		{"seek", `[1234.5]`, "PositionUpdated"},
		{"next", `[]`, "TrackStarted"},
		{"previous", `[]`, "TrackStarted"},
		{"skipto", `[0]`, "TrackStarted"},
		{"skipto", `[7]`, "TrackStarted"},
		{"move", `[1,7]`, "TrackMoved QueueUpdated"},
		{"rm", `["100000000000000001-3"]`, "TrackRemoved QueueUpdated"},
		{"repeat", `["queue"]`, "RepeatUpdated"},
		{"add", `["sim://bloom","sim"]`, "QueueUpdating QueueUpdated"},
		{"add", `["some <song> & \"more\"","youtube"]`, "QueueUpdating QueueUpdated"},
		{"add-playlist", `[["a","b"],{"title":"mine","author":"me","thumbnails":[]}]`, "QueueUpdating QueueUpdated"},
	} {
		t.Run(tt.name+tt.args, func(t *testing.T) {
			p := newTestPlayer(0)
			p.take()
			if err := p.obey(ask(tt.name, tt.args), midnight.Add(2*time.Second)); err != nil {
				t.Fatal(err)
			}
			if got := kinds(p); got != tt.events {
				t.Errorf("events %q, want %q", got, tt.events)
			}
			if !json.Valid(p.queueJSON()) {
				t.Errorf("queue is no JSON: %s", p.queueJSON())
			}
		})
	}
}

func TestNonsenseIsRefusedAndChangesNothing(t *testing.T) {
	for _, tt := range []struct{ name, args, reason string }{
		{"dance", `[]`, `unknown command "dance"`},
		{"pause", `["x"]`, "pause takes 0 arguments, got 1"},
		{"join", `["100000000000000002","1"]`, `guild "100000000000000002" is not this one`},
		{"join", `["100000000000000001","lobby"]`, `voice channel "lobby" is no id`},
		{"join", `[1,2]`, "argument 1 of join is no text"},
		{"seek", `[]`, "seek takes 1 arguments, got 0"},
		{"seek", `["x"]`, "argument 1 of seek is no number"},
		{"seek", `[1e999]`, "argument 1 of seek is no number"},
		{"seek", `[-1]`, "position -1 ms is outside the track of 24000 ms"},
		{"seek", `[24001]`, "position 24001 ms is outside the track of 24000 ms"},
		{"seek", `[[null,1]]`, "argument 1 of seek is no number"},
		{"skipto", `[8]`, "index 8 is outside the queue, which goes from 1 to 7"},
		{"skipto", `[-1]`, "index -1 is outside the queue, which goes from 1 to 7"},
		{"skipto", `[1.5]`, "argument 1 of skipto is no whole number"},
		{"move", `[0,1]`, "from 0 is outside the queue, which goes from 1 to 7"},
		{"move", `[1,99]`, "to 99 is outside the queue, which goes from 1 to 7"},
		{"move", `[null,1]`, "argument 1 of move is null"},
		{"rm", `["100000000000000001-1"]`, "this track is playing, skip it instead"},
		{"rm", `["nope"]`, `no track "nope" in the queue`},
		{"repeat", `["forever"]`, `repeat "forever" is none of none, track, queue`},
		{"repeat", `[{}]`, "argument 1 of repeat is no text"},
		{"add", `["","sim"]`, "uri 0 has 0 bytes, not 1 to 2048"},
		{"add", `["x"]`, "add takes 2 arguments, got 1"},
		{"add-playlist", `[[],{"title":"t"}]`, "the playlist is empty"},
		{"add-playlist", `["x",{"title":"t"}]`, "argument 1 of add-playlist is no list of texts"},
		{"add-playlist", `[["x"],7]`, "argument 2 of add-playlist is no object"},
		{"add-playlist", `[["x"],{}]`, "the playlist has no title"},
	} {
		t.Run(tt.name+tt.args, func(t *testing.T) {
			p := newTestPlayer(0)
			p.take()
			before := string(p.stateJSON())
			err := p.obey(ask(tt.name, tt.args), midnight)
			if err == nil || err.Error() != tt.reason {
				t.Fatalf("reason %q, want %q", err, tt.reason)
			}
			if got := kinds(p); got != "" {
				t.Errorf("a refusal made events: %s", got)
			}
			if after := string(p.stateJSON()); after != before {
				t.Errorf("state changed:\n%s\n%s", before, after)
			}
		})
	}
}

func TestWithoutPlayerOnlyJoinIsObeyed(t *testing.T) {
	p := newTestPlayer(3)
	if err := p.obey(ask("pause", `[]`), midnight); err != errNoPlayer {
		t.Errorf("pause: %v", err)
	}
	if !p.due().IsZero() {
		t.Error("something is due without a player")
	}
	if err := p.obey(join(p.guild, "77"), midnight); err != nil {
		t.Fatal(err)
	}
	if got := kinds(p); got != "PlayerCreated TrackStarted MemberStateUpdated" {
		t.Errorf("events %q", got)
	}
}

func TestPauseHoldsThePosition(t *testing.T) {
	p := newTestPlayer(0)
	now := midnight.Add(3 * time.Second)
	if err := p.obey(ask("pause", `[]`), now); err != nil {
		t.Fatal(err)
	}
	if got := p.position(now.Add(time.Hour)); got != 3*time.Second {
		t.Errorf("position %v while paused at 3s", got)
	}
	if err := p.obey(ask("play", `[]`), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if end, _ := p.end(); !end.Equal(now.Add(time.Hour + 21*time.Second)) {
		t.Errorf("ends %v after resuming, 21s of the track are left", end.Sub(now.Add(time.Hour)))
	}
}

func TestBackAndForthKeepsTheQueue(t *testing.T) {
	for _, mode := range []repeat{repeatNone, repeatTrack, repeatQueue} {
		p := newTestPlayer(0)
		p.repeat = mode
		first, length := p.current.id, len(p.upcoming)
		for range 20 {
			for _, name := range []string{"next", "previous"} {
				if err := p.obey(ask(name, `[]`), midnight); err != nil {
					t.Fatal(err)
				}
			}
		}
		if p.current.id != first || len(p.upcoming) != length {
			t.Errorf("repeat %s: at %s with %d waiting, want %s with %d", mode, p.current.id, len(p.upcoming), first, length)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	p := newTestPlayer(0)
	list, _ := json.Marshal(strings.Split(strings.Repeat("x,", maxPlaylist-1)+"x", ","))
	args := fmt.Sprintf(`[%s,{"title":"long"}]`, list)
	var err error
	for range 10 {
		if err = p.obey(ask("add-playlist", args), midnight); err != nil {
			break
		}
	}
	if err == nil || err.Error() != "the queue takes 500 tracks at most" || len(p.upcoming) > maxQueue {
		t.Errorf("%d tracks wait, refused with %v", len(p.upcoming), err)
	}
}
