package simbot

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

var midnight = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// happen lets a player live for d and returns what happened, each with when.
func happen(p *player, now time.Time, d time.Duration) (events []*playerv1.Event) {
	events = p.take()
	for end := now.Add(d); ; {
		due := p.due()
		if due.IsZero() || due.After(end) {
			return events
		}
		p.advance(due)
		for _, e := range p.take() {
			e.PublishedAtNs = due.UnixNano()
			events = append(events, e)
		}
	}
}

func newTestPlayer(guild int) *player {
	c := loadCatalogue()
	return newPlayer(c, c.guilds[guild], 1, midnight)
}

func TestMusicPlaysOn(t *testing.T) {
	for i, g := range Guilds() {
		t.Run(g.Name, func(t *testing.T) {
			p := newTestPlayer(i)
			if !g.Joined {
				if err := p.obey(join(g, g.Channel), midnight); err != nil {
					t.Fatal(err)
				}
			}
			count := map[string]int{}
			var position float64
			for _, e := range happen(p, midnight, 10*time.Minute) {
				count[kindName(e)]++
				switch k := e.GetKind().(type) {
				case *playerv1.Event_TrackStarted:
					position = 0
					if !bytes.HasPrefix(k.TrackStarted.GetQueue()[1:], k.TrackStarted.GetTrack()) {
						t.Fatalf("queue does not start with the track: %s", k.TrackStarted.GetQueue())
					}
					if !json.Valid(k.TrackStarted.GetQueue()) {
						t.Fatalf("queue is no JSON: %s", k.TrackStarted.GetQueue())
					}
				case *playerv1.Event_PlayerCreated:
					if !json.Valid(k.PlayerCreated.GetState()) {
						t.Fatalf("state is no JSON: %s", k.PlayerCreated.GetState())
					}
				case *playerv1.Event_PositionUpdated:
					at, err := strconv.ParseFloat(k.PositionUpdated.GetPosition(), 64)
					if err != nil || at <= position {
						t.Fatalf("position %s after %v (%v)", k.PositionUpdated.GetPosition(), position, err)
					}
					position = at
				}
				if e.GetGuildId() != g.ID {
					t.Fatalf("event of guild %d", e.GetGuildId())
				}
			}
			if count["PositionUpdated"] < 500 {
				t.Errorf("%d positions in ten minutes of music", count["PositionUpdated"])
			}
			if g.Name == "Miniature Hall" && count["TrackStarted"] < 15 {
				t.Errorf("%d tracks in ten minutes of miniatures", count["TrackStarted"])
			}
			if count["QueueUpdated"] < 5 {
				t.Errorf("members changed the queue %d times", count["QueueUpdated"])
			}
		})
	}
}

func TestSameSeedSameMusic(t *testing.T) {
	a := happen(newTestPlayer(0), midnight, 30*time.Minute)
	b := happen(newTestPlayer(0), midnight, 30*time.Minute)
	if len(a) != len(b) {
		t.Fatalf("%d events, then %d", len(a), len(b))
	}
	for i := range a {
		if !proto.Equal(a[i], b[i]) {
			t.Fatalf("event %d differs:\n%v\n%v", i, a[i], b[i])
		}
	}
}

func TestTracksKeepTheirBytes(t *testing.T) {
	for _, want := range []string{
		`"duration": 9223372036854776000, "isSeekable": false`,
		`"duration": 31500.25`,
		`"title": "Größenwahn & Söhne", "author": "Die <Klammer>"`,
		`{"html": "<b>&amp;</b>", "slash": "a\/b", "quote": "\u201ehm\u201c"}`,
		`{"z": 1, "a": 1.50, "m": 1e3}`,
		`"夜の電車"`, `🎈`, `"ليلة هادئة"`,
	} {
		found := false
		for i := range Guilds() {
			p := newTestPlayer(i)
			found = found || strings.Contains(string(p.queueJSON()), want)
		}
		if !found {
			t.Errorf("no queue has %s", want)
		}
	}
}

func TestLyricsArriveOnce(t *testing.T) {
	p := newTestPlayer(0)
	updates := 0
	for _, e := range happen(p, midnight, 10*time.Second) {
		if u := e.GetTrackUpdated(); u != nil {
			updates++
			if !json.Valid(u.GetTrack()) || !bytes.Contains(u.GetTrack(), []byte(`"lyrics":{"source"`)) {
				t.Errorf("track without lyrics: %s", u.GetTrack())
			}
			if at := time.Unix(0, e.GetPublishedAtNs()).Sub(midnight); at != lyricsDelay {
				t.Errorf("lyrics after %v, want %v", at, lyricsDelay)
			}
		}
	}
	if updates != 1 {
		t.Errorf("%d updates, want 1", updates)
	}
}

func TestQueueEndsWithoutAutoplay(t *testing.T) {
	p := newTestPlayer(0)
	p.autoplay, p.upcoming = false, nil
	p.memberAt = midnight.Add(time.Hour)
	p.take()
	events := happen(p, midnight, 30*time.Second)
	last := events[len(events)-3:]
	if string(last[0].GetTrackUpdated().GetTrack()) != "null" || string(last[1].GetQueueUpdated().GetQueue()) != "[null]" || last[2].GetQueueEnded() == nil {
		t.Errorf("ended with %v", last)
	}
	if at := time.Unix(0, last[2].GetPublishedAtNs()).Sub(midnight); at != 24*time.Second {
		t.Errorf("ended after %v, the track takes 24 s", at)
	}
}

// kindName is the name of an event's kind, such as TrackStarted.
func kindName(e *playerv1.Event) string {
	m := e.ProtoReflect()
	return string(m.WhichOneof(m.Descriptor().Oneofs().ByName("kind")).Message().Name())
}
