package rooms

import (
	"encoding/json"
	"strconv"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/player"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Mirror publishes what listeners are sent on the adapter's channels, for those on Node servers. Its node's
// messages bear a uid that servers of ours leave out.
type Mirror struct{ node *adapter.Node }

// NewMirror makes a mirror out of a node.
func NewMirror(node *adapter.Node) *Mirror { return &Mirror{node} }

// Event publishes the emits of a valid event, in the encoding of web clients that choose none. What Redis does not
// take is lost, as it is among Node servers.
func (m *Mirror) Event(guildID uint64, ev *playerv1.Event) {
	emits, err := player.Emits(ev)
	if err != nil {
		return // of a newer kind; the edges say so
	}
	cluster := m.node.Visit("/guild/" + strconv.FormatUint(guildID, 10))
	defer cluster.Leave()
	for _, emit := range emits {
		text, _ := json.Marshal(append([]any{emit.Name}, emit.ArgsIn(player.Base64)...)) // is valid
		var target adapter.Target
		if emit.Room != "" {
			target.Rooms = []string{emit.Room}
		}
		_ = cluster.Broadcast(target, adapter.Flags{}, adapter.Value{JSON: text}) // counted by the bus
	}
}
