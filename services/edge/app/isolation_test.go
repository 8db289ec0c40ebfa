package app

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// mark stands in everything that happens in a guild.
var mark = regexp.MustCompile(`mark(\d+)\.`)

// visitor is a client that checks all it is sent.
type visitor struct {
	*edgetest.Client
	t    *testing.T
	user int
	in   map[int]bool // guilds
	seen int          // marks
}

// until takes packets until one is what is awaited. Each must speak of its own guild only.
func (v *visitor) until(awaited func(edgetest.Packet) bool) {
	v.t.Helper()
	for {
		p := v.Next()
		text := string(p.Data)
		for _, word := range strings.Split(text, `"`) {
			if decoded, err := base64.StdEncoding.DecodeString(word); err == nil {
				text += string(decoded)
			}
		}
		for _, found := range mark.FindAllStringSubmatch(text, -1) {
			v.seen++
			if p.Namespace != "/guild/"+found[1] {
				v.t.Errorf("user %d got in %s what happened in guild %s: %s", v.user, p.Namespace, found[1], text)
			}
		}
		if awaited(p) {
			return
		}
	}
}

// TestNoSocketHearsOfAnotherGuild does what comes to mind, in many guilds at once, over connections that are
// in several of them, and has every packet checked.
func TestNoSocketHearsOfAnotherGuild(t *testing.T) {
	const visitors, guilds, operations = 4, 6, 600
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := local(t)
	s.Linger = 1 // nanosecond: guilds and namespaces come and go
	_, p := withFanout(t, &s)
	a := started(t, s)
	var all []*visitor
	for user := range visitors {
		all = append(all, &visitor{Client: edgetest.DialWebSocket(t, a.Addr()), t: t, user: user + 1, in: make(map[int]bool)})
	}
	n := 0
	happen := func(guild int) {
		n++
		text := fmt.Sprintf("mark%d.", guild)
		rooms := []string{"", "pona! music", fmt.Sprint("stream:", 1+random.IntN(visitors)), "of no meaning"}
		p.Publish(uint64(guild), []*playerv1.Event{ //nolint:gosec // small
			edgetest.Channel(text + fmt.Sprint(n)),
			edgetest.Generic(rooms[random.IntN(len(rooms))], "event", `["`+text+`"]`),
			edgetest.Generic("", text, `[]`),
			edgetest.Volume(fmt.Sprint(n)),
			edgetest.Position(fmt.Sprint(n)),
		}[random.IntN(5)])
	}
	settle := func(v *visitor) {
		for guild := range v.in {
			n++
			name := fmt.Sprintf("settled%d", n)
			p.Publish(uint64(guild), edgetest.Generic("", name, fmt.Sprintf(`["mark%d."]`, guild))) //nolint:gosec // small
			v.until(func(p edgetest.Packet) bool { return strings.Contains(string(p.Data), name) })
		}
	}
	for range operations {
		v, guild := all[random.IntN(visitors)], 1+random.IntN(guilds)
		namespace := fmt.Sprint("/guild/", guild)
		switch random.IntN(10) {
		case 0, 1:
			if v.in[guild] {
				v.Leave(namespace)
				delete(v.in, guild)
				break
			}
			v.Connect(namespace, as(v.user))
			v.until(func(p edgetest.Packet) bool { return p.Namespace == namespace && p.Type == edgetest.Connect })
			v.until(func(p edgetest.Packet) bool {
				return p.Namespace == namespace && strings.HasPrefix(string(p.Data), `["handshake"`)
			})
			v.in[guild] = true
		case 2:
			settle(v)
		case 3:
			if random.IntN(10) == 0 {
				p.Cut(nil) // what was missed comes again
			}
		case 4:
			p.Revoke(&edgev1.Revoked{GuildId: uint64(guild), UserIds: []uint64{uint64(v.user)}, Reason: "roles", Check: true}) //nolint:gosec // small
		default:
			happen(guild)
		}
	}
	seen := 0
	for _, v := range all {
		settle(v)
		seen += v.seen
	}
	if seen < operations/4 {
		t.Errorf("only %d marks were seen", seen)
	}
}
