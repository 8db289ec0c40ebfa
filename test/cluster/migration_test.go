package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// happening is an event of the bot, and what listeners are sent for it.
type happening struct {
	event *playerv1.Event
	emits []string
	user  int // the only one who is; 0: all are
}

// happenings are of every kind of room, one with two emits, many in a row.
func happenings() (all []happening) {
	for i := range 50 {
		all = append(all, happening{event: fanouttest.Volume(guild, i), emits: []string{fmt.Sprintf(`["volume_updated",%d]`, i)}},
			happening{event: edgetest.Generic("", "forall", `[1.25]`), emits: []string{`["forall",1.25]`}})
	}
	started := &playerv1.TrackStarted{Track: []byte(`{"duration":9223372036854776000}`), Queue: []byte(`[]`)}
	moved := &playerv1.MemberStateUpdated{UserId: 1, State: []byte(`{}`)}
	return append(all,
		happening{event: &playerv1.Event{Kind: &playerv1.Event_TrackStarted{TrackStarted: started}},
			emits: []string{`["track_started","eyJkdXJhdGlvbiI6OTIyMzM3MjAzNjg1NDc3NjAwMH0="]`, `["queue_updated","W10="]`}},
		happening{event: &playerv1.Event{Kind: &playerv1.Event_MemberStateUpdated{MemberStateUpdated: moved}},
			emits: []string{`["member_state_updated","e30="]`}, user: 1})
}

// TestMigration takes the way of docs/migration.md with a guild that has listeners on edges and on Node: each
// of them gets every event once and in order, whoever emits it, as long as fanouts mirror; without, those on
// Node get none.
func TestMigration(t *testing.T) {
	for _, mode := range []string{"classic", "sharded"} {
		t.Run(mode, func(t *testing.T) {
			s := setGuildStage(t, mode, true)
			users := map[string]int{"node": 1, "node, too": 2, "edge 1": 2, "edge 2": 1}
			clients := map[string]*edgetest.Client{}
			for name, user := range users {
				server, _, _ := strings.Cut(name, ",")
				clients[name] = listen(t, s.addresses[server], user)
			}
			published := 0
			step := func(what string, mirrored bool) {
				t.Helper()
				rooms, bot := s.rooms(t, 4), fanouttest.NewBot(t, s.fanout)
				want := map[string][]string{}
				for _, h := range happenings() {
					published++
					h.event.EventId, h.event.GuildId = fmt.Sprint("event-", published), guild
					elsewhere := fanouttest.Volume(guild+1, published)
					bot.Publish(h.event, elsewhere)
					for name, user := range users {
						if h.user == 0 || h.user == user {
							want[name] = append(want[name], h.emits...)
						}
					}
				}
				last := edgetest.Generic("", "last", fmt.Sprintf("[%d]", published))
				last.EventId, last.GuildId = fmt.Sprint("last-", published), guild
				bot.Publish(last)
				for name, c := range clients {
					if !strings.HasPrefix(name, "node") || mirrored {
						expect(t, what, name, c, fmt.Sprintf(`["last",%d]`, published), want[name])
					}
				}
				end := fmt.Sprintf(`["end",%d]`, published)
				if _, err := rooms.Emit(t.Context(), &roomsv1.EmitRequest{GuildId: guild, Event: "end", Args: fmt.Appendf(nil, "[%d]", published)}); err != nil {
					t.Fatal(err)
				}
				for name, c := range clients {
					expect(t, what+", and then", name, c, end, nil)
				}
			}
			step("mirrored", true)
			fanouttest.NewBot(t, s.fanout).Publish(fanouttest.Position(guild, "12.25"))
			for name, c := range clients {
				expect(t, "a position", name, c, `["track_pos_updated",12.25]`, nil)
			}
			var old server = s.node
			if mode == "classic" { // what the emitter speaks
				old = emitter{s.node}
			}
			for _, args := range [][]any{{"volume_updated", 7}, {"end", 0}} {
				old.do(t, command{Op: "emit", NSP: namespace, Rooms: []string{"pona! music"}, Args: args})
			}
			for name, c := range clients {
				expect(t, "emitted in the old way", name, c, `["end",0]`, []string{`["volume_updated",7]`})
			}
			s.startFanout(t, false)
			step("not mirrored", false)
			s.startFanout(t, true)
			step("mirrored again", true)
		})
	}
}

// expect takes packets until one is the event awaited; before it must have come what is wanted, and nothing else.
func expect(t *testing.T, what, name string, c *edgetest.Client, last string, want []string) {
	t.Helper()
	var got []string
	defer func() {
		t.Helper()
		if slices.Equal(got, want) {
			return
		}
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		t.Errorf("%s: %s got %d of %d events, and from number %d on %q, want %q", what, name, len(got), len(want), at, got[at:], want[at:])
	}()
	for {
		p := c.Next()
		if string(p.Data) == last {
			return
		}
		got = append(got, string(p.Data))
	}
}
