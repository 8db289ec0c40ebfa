package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// TestWhoIsMissing stops one of three servers with listeners after a request that all have answered: a bot hears which it is,
// on the wire that tells, and when it is back that nobody is missing.
func TestWhoIsMissing(t *testing.T) {
	t.Parallel()
	s := setGuildStage(t, "sharded", false)
	for i, name := range []string{"edge 1", "edge 2", "node", "node"} {
		listen(t, s.addresses[name], i+1)
	}
	address, _ := startFanout(t, fanouttest.StartNATS(t).URL(), "127.0.0.1:0", func(f *fanout.Settings) {
		f.Redis, f.Adapter, f.AdapterTimeout = s.redisURL, s.mode, time.Second
	})
	rooms := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, address))
	counted(t, rooms, 4, 3)
	uid := s.node.do(t, command{Op: "uid", NSP: namespace}).Result.(string)
	missing := func(sockets int, reach *roomsv1.Reach, err error) error {
		if err != nil || sockets != 2 || reach.GetAnswered() != 2 || reach.GetExpected() != 3 || !reach.GetPartial() || !slices.Equal(reach.GetMissing(), []string{uid}) {
			return fmt.Errorf("%d sockets, %v, %v, want %s missing", sockets, reach, err, uid)
		}
		return nil
	}
	redistest.Stop(t, s.node.cmd.Process)
	eventually(t, func() error { // the others may be late, too
		count, err := rooms.Count(t.Context(), &roomsv1.CountRequest{GuildId: guild})
		return missing(int(count.GetSockets()), count.GetReach(), err)
	})
	eventually(t, func() error {
		list, err := rooms.List(t.Context(), &roomsv1.ListRequest{GuildId: guild, Room: "pona! music"})
		return missing(len(list.GetListeners()), list.GetReach(), err)
	})
	wake(t, s.node.cmd.Process)
	counted(t, rooms, 4, 3) // of whom none is missing
}
