package docs

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"

	"github.com/pona-realtime/pona/pkg/player"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// member is a user that the samples speak of.
const member = 42

// before is what has happened when a sample happens: no field of the handshake is what a sample makes of it.
var before = []string{
	`player_created { state: '{"pona":{"position":5,"voiceChannel":"1","volume":50,"equalizer":[1],"repeat":{"queue":true},"isAutoplay":true,"paused":true,"playing":false},"current":{"duration":1},"queue":[{"duration":2}]}' }`,
	`member_state_updated { user_id: 42 state: '{"newVC":"1"}' }`,
}

// then separates an event from one that happens first.
const then = "\n"

// samples are events of each kind, which together change all that the kind can change.
var samples = []string{
	`track_started { track: '{"duration":3}' queue: '[{"duration":3}]' }`,
	`queue_updated { queue: '[{"duration":3}]' }`,
	`track_updated { track: '{"duration":3}' }`,
	`pause_updated { paused: false }` + then + `track_updated { track: 'null' }`,
	`position_updated { position: "6" }`,
	`pause_updated { paused: false }`,
	`volume_updated { volume: "60" }`,
	`autoplay_updated { autoplay: false }`,
	`repeat_updated { track: true }`,
	`channel_updated { channel: '"2"' }`,
	`connection_updated {}`,
	`queue_ended {}`,
	`queue_updating {}`,
	`unknown_updated {}`,
	`player_created { state: '{"pona":{"position":6,"voiceChannel":"2","volume":60,"equalizer":[2],"repeat":{"track":true},"isAutoplay":false,"paused":false,"playing":true},"current":{"duration":3},"queue":[]}' }`,
	`player_created { state: 'null' }`,
	`player_destroyed { state: 'null' }`,
	`track_moved { member: '{}' }`,
	`track_removed { member: '{}' }`,
	`member_state_updated { user_id: 42 state: '{"newVC":null}' }`,
	`generic { name: "festival" }`,
}

// TestEventsPage holds docs/events.md to the kinds of player.proto and to what package player makes of each.
func TestEventsPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	events, kinds := table(t, page, "| event | sent to | argument | |"), table(t, page, "| kind | clients get | changes in `handshake` |")
	known := []string{"handshake", "revoked"} // package gateway's
	changes := map[string][]string{}
	for _, sample := range samples {
		story := append(slices.Clone(before), strings.Split(sample, then)...)
		happened, sample := story[:len(story)-1], story[len(story)-1]
		ev, kind := parsed(t, sample), strings.Fields(sample)[0]
		row := kinds[kind]
		if row == nil {
			t.Errorf("the page has no kind %s", kind)
			continue
		}
		emits, err := player.Emits(ev)
		if err != nil {
			t.Fatal(err)
		}
		changes[kind] = append(changes[kind], changed(t, folded(t, happened...), ev)...)
		if kind == "generic" {
			continue
		}
		var names []string
		for _, e := range emits {
			names = append(names, e.Name)
			checkEvent(t, events[e.Name], e)
		}
		known = append(known, names...)
		if !slices.Equal(spans(row[1]), names) {
			t.Errorf("%s: clients get %q, not %s", kind, names, row[1])
		}
	}
	for name := range events {
		if !slices.Contains(known, name) {
			t.Errorf("the page has %s, which nobody sends", name)
		}
	}
	for kind, row := range kinds {
		told := slices.DeleteFunc(spans(row[2]), func(span string) bool { return span == "null" })
		slices.Sort(told)
		slices.Sort(changes[kind])
		if is := slices.Compact(changes[kind]); !slices.Equal(told, is) {
			t.Errorf("%s changes %q, not %q", kind, is, told)
		}
	}
	all := (&playerv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range all.Len() {
		if _, has := changes[string(all.Get(i).Name())]; !has {
			t.Errorf("there is no sample of %s", all.Get(i).Name())
		}
	}
	if len(kinds) != all.Len() {
		t.Errorf("the page has %d kinds, player.proto %d", len(kinds), all.Len())
	}
}

// checkEvent holds an event's row to an emit.
func checkEvent(t *testing.T, row []string, e player.Emit) {
	t.Helper()
	if row == nil {
		t.Errorf("the page has no event %s", e.Name)
		return
	}
	room := map[string]string{"": "everybody", player.UserRoom(member): "`stream:<user id>`", player.MusicRoom: "`" + player.MusicRoom + "`"}[e.Room]
	encoding := ""
	if len(e.Args) > 0 {
		encoding = map[bool]string{true: "encoded", false: "plain"}[e.Args[0].Encoded]
	}
	if row[1] != room || row[3] != encoding {
		t.Errorf("%s: sent to %s, %s; the page says %s, %s", e.Name, room, encoding, row[1], row[3])
	}
}

// TestHandshakePage holds the example on docs/events.md to what a listener gets.
func TestHandshakePage(t *testing.T) {
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	all := blocks(string(text))
	i := slices.IndexFunc(all, func(b block) bool { return b.is("json") })
	if i < 0 {
		t.Fatal("the page has no example")
	}
	state := folded(t, `channel_updated { channel: '"200000000000000001"' }`,
		`track_started { track: '{"title":"Autumn Leaves","duration":365000}' queue: '[{"title":"Autumn Leaves","duration":365000}]' }`)
	var is, told any
	if err := json.Unmarshal(player.Handshake(state, member), &is); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(all[i].text), &told); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(is, told) {
		t.Errorf("a handshake is %v, not %v", is, told)
	}
}

// TestCommandsPage holds docs/events.md to the commands of the simulated bot, which are the web player's.
func TestCommandsPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../services/devstack/simbot/commands.go")
	if err != nil {
		t.Fatal(err)
	}
	commands := table(t, string(text), "| command | arguments | asks the bot to |")
	obeyed := regexp.MustCompile(`(?m)^\t"([a-z-]+)":`).FindAllStringSubmatch(string(source), -1)
	for _, m := range obeyed {
		if commands[m[1]] == nil {
			t.Errorf("the page has no command %s", m[1])
		}
	}
	if len(commands) != len(obeyed) || len(obeyed) < 10 {
		t.Errorf("the page has %d commands, the bot %d", len(commands), len(obeyed))
	}
}

// table gives the rows under a header, cut into cells, by the name in their first.
func table(t *testing.T, page, header string) map[string][]string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n"+header+"\n")
	if !found {
		t.Fatalf("there is no table %s", header)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if name := spans(cells[0]); len(name) == 1 {
			rows[name[0]] = cells
		}
	}
	return rows
}

// spans are what stands in backticks.
func spans(text string) (found []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

func parsed(t *testing.T, sample string) *playerv1.Event {
	t.Helper()
	ev := &playerv1.Event{}
	if err := prototext.Unmarshal([]byte(sample+` event_id: "e" guild_id: 1`), ev); err != nil {
		t.Fatalf("%s: %v", sample, err)
	}
	if err := player.Validate(ev); err != nil {
		t.Fatalf("%s: %v", sample, err)
	}
	return ev
}

// folded is a guild's state after some events.
func folded(t *testing.T, events ...string) *playerv1.GuildState {
	t.Helper()
	state := &playerv1.GuildState{}
	for _, e := range events {
		if err := player.Fold(state, parsed(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	return state
}

// changed are the fields of the handshake that an event changes; pona where there is none after it, or all of it is new.
func changed(t *testing.T, state *playerv1.GuildState, ev *playerv1.Event) (names []string) {
	t.Helper()
	was := fields(t, player.Handshake(state, member))
	if err := player.Fold(state, ev); err != nil {
		t.Fatal(err)
	}
	is := fields(t, player.Handshake(state, member))
	for name := range was {
		if !reflect.DeepEqual(was[name], is[name]) {
			names = append(names, name)
		}
	}
	if len(is) == 1 || len(names) == len(was)-1 && !slices.Contains(names, "isMemberInVC") {
		return []string{"pona"}
	}
	return names
}

// fields are the handshake's, without the objects they stand in.
func fields(t *testing.T, handshake []byte) map[string]any {
	t.Helper()
	var whole struct {
		Pona *struct {
			Pona           map[string]any
			Current, Queue any
		}
		IsMemberInVC any
	}
	if err := json.Unmarshal(handshake, &whole); err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"isMemberInVC": whole.IsMemberInVC}
	if whole.Pona != nil {
		all["current"], all["queue"] = whole.Pona.Current, whole.Pona.Queue
		for name, value := range whole.Pona.Pona {
			all[name] = value
		}
	}
	return all
}
