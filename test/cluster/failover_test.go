package cluster

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
	edge "github.com/pona-realtime/pona/services/edge/app"
	"github.com/pona-realtime/pona/services/edge/edgetest"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// TestPlayerEventsDoNotNeedRedis lets the bot play on while a master dies, behind a Sentinel and of a Redis Cluster: no event is
// missed, late comers are let in, room operations fail clearly, and work again within five seconds of the failover.
func TestPlayerEventsDoNotNeedRedis(t *testing.T) {
	t.Parallel()
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		redises := redistest.StartFailover(t, redistest.Login{})
		playsOn(t, "sentinel", fmt.Sprintf("redis://%s?master_name=%s", redises.Sentinel.Addr(), redises.Name), redises.Master.Kill, func() { redises.AwaitFailover(t) })
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		timeout := []string{"--cluster-node-timeout", "1000"} // ms until an election
		masters := redistest.StartCluster(t, redistest.Login{}, timeout...)
		replica := redistest.AddReplica(t, masters, masters[0], timeout...)
		playsOn(t, "cluster", fmt.Sprintf("redis://%s?addr=%s", masters[0].Addr(), masters[1].Addr()), masters[0].Kill, func() { replica.AwaitMaster(t) })
	})
}

func playsOn(t *testing.T, mode, url string, kill, await func()) {
	discord := edgetest.StartDiscord(t)
	address, _ := startFanout(t, fanouttest.StartNATS(t).URL(), "127.0.0.1:0", func(f *fanout.Settings) { f.Redis, f.RedisMode = url, mode })
	var addresses []string
	clients := map[string]*edgetest.Client{}
	for i := range 2 {
		at, _ := startEdge(t, address, discord, func(s *edge.Settings) { s.Redis, s.RedisMode = url, mode })
		addresses = append(addresses, at)
		clients[fmt.Sprint("edge ", i+1)] = listen(t, at, i+1)
	}
	rooms, bot := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, address)), fanouttest.NewBot(t, address)
	counted(t, rooms, 2, 2)

	var want []string
	stop := make(chan struct{})
	var playing sync.WaitGroup
	playing.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			bot.Publish(fanouttest.Volume(guild, i))
			want = append(want, fmt.Sprintf(`["volume_updated",%d]`, i))
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	kill()
	eventually(t, func() error {
		began := time.Now()
		_, err := rooms.Count(t.Context(), &roomsv1.CountRequest{GuildId: guild})
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("without Redis, a request took %s to fail: %v", took, err)
		}
		if code := status.Code(err); code != codes.Unavailable {
			return fmt.Errorf("without Redis: %v", err)
		}
		return nil
	})
	listen(t, addresses[0], 3)
	await()
	began := time.Now()
	counted(t, rooms, 3, 2)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("room operations work again %s after the failover", took)
	}
	close(stop)
	playing.Wait()
	last := edgetest.Generic("", "last", "[1]")
	last.EventId, last.GuildId = "last", guild
	bot.Publish([]*playerv1.Event{last}...)
	for name, c := range clients {
		expect(t, "through the failover", name, c, `["last",1]`, want)
	}
}
