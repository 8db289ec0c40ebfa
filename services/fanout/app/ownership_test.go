package app_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// guilds are enough to be in every one of the 8 partitions.
const guilds = 40

// follower is an edge as design § 4 has it: it believes the owner with the highest epoch,
// re-subscribes there after the last sequence it has, and drops what it has seen.
type follower struct {
	t  testing.TB
	mu sync.Mutex

	streams map[string]*fanouttest.Edge
	owner   map[uint32]string // fanout's address by partition
	epoch   map[uint32]uint64
	last    map[uint64]uint64 // sequence by guild
	numbers map[uint64][]int  // what came, by guild
	resets  int
	changed chan struct{}
}

func follow(t testing.TB, addresses ...string) *follower {
	f := &follower{
		t: t, streams: make(map[string]*fanouttest.Edge), owner: make(map[uint32]string), epoch: make(map[uint32]uint64),
		last: make(map[uint64]uint64), numbers: make(map[uint64][]int), changed: make(chan struct{}, 1),
	}
	for _, address := range addresses {
		f.dial(address)
	}
	return f
}

func (f *follower) dial(address string) {
	edge := fanouttest.NewEdge(f.t, address, "follower")
	f.mu.Lock()
	f.streams[address] = edge
	f.mu.Unlock()
	edge.OnMessage(func(r *edgev1.DeliverResponse) { f.take(address, edge, r) })
}

func (f *follower) take(address string, edge *fanouttest.Edge, r *edgev1.DeliverResponse) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range r.GetOwned().GetPartitions() {
		if p.GetEpoch() <= f.epoch[p.GetNumber()] {
			continue
		}
		f.epoch[p.GetNumber()], f.owner[p.GetNumber()] = p.GetEpoch(), address
		for g := uint64(1); g <= guilds; g++ {
			if player.Partition(g, 8) != p.GetNumber() {
				continue
			}
			if after, known := f.last[g]; known {
				edge.Resume(g, after)
			} else {
				edge.Subscribe(g)
			}
		}
	}
	if r.GetReset_() != nil {
		f.resets++
	}
	if s := r.GetSnapshot(); s != nil && f.believes(address, s.GetGuildId()) {
		if _, known := f.last[s.GetGuildId()]; known {
			f.t.Errorf("a snapshot of guild %d came unasked", s.GetGuildId())
		}
		f.last[s.GetGuildId()] = s.GetSequence()
		for n := range number(f.t, s.GetState().GetVolume()) { // what it holds has been told
			f.numbers[s.GetGuildId()] = append(f.numbers[s.GetGuildId()], n+1)
		}
	}
	for _, d := range r.GetBatch().GetDeliveries() {
		if !f.believes(address, d.GetGuildId()) || d.GetSequence() <= f.last[d.GetGuildId()] {
			continue
		}
		f.last[d.GetGuildId()] = d.GetSequence()
		f.numbers[d.GetGuildId()] = append(f.numbers[d.GetGuildId()], volumeOf(f.t, d))
	}
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *follower) believes(address string, guildID uint64) bool {
	return f.owner[player.Partition(guildID, 8)] == address
}

// awaitOwners waits until every partition has an owner for which is says true.
func (f *follower) awaitOwners(what string, is func(owners map[uint32]string) bool) {
	f.t.Helper()
	f.await(what, func() bool { return len(f.owner) == 8 && is(f.owner) })
}

// awaitNumbers waits until every guild has had the numbers 1 to total, each once and in order.
func (f *follower) awaitNumbers(total int) {
	f.t.Helper()
	f.await("all events", func() bool {
		for g := uint64(1); g <= guilds; g++ {
			if len(f.numbers[g]) < total {
				return false
			}
		}
		return true
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	for g, numbers := range f.numbers {
		for i, n := range numbers {
			if n != i+1 {
				f.t.Errorf("guild %d: number %d is %d", g, i+1, n)
				break
			}
		}
	}
	if f.resets > 0 {
		f.t.Errorf("%d resets", f.resets)
	}
}

func (f *follower) await(what string, done func() bool) {
	f.t.Helper()
	deadline := time.NewTimer(2 * fanouttest.Patience)
	defer deadline.Stop()
	for {
		f.mu.Lock()
		is := done()
		f.mu.Unlock()
		if is {
			return
		}
		select {
		case <-f.changed:
		case <-deadline.C:
			f.mu.Lock()
			defer f.mu.Unlock()
			counts := make(map[uint64]int)
			for g, n := range f.numbers {
				counts[g] = len(n)
			}
			f.t.Fatalf("waited too long for %s; owners %v, events %v", what, f.owner, counts)
		}
	}
}

// publisher gives every guild the numbers 1, 2, … over the first of several fanouts that takes
// them; what one did not confirm is published again with the same id.
type publisher struct {
	t    testing.TB
	bots []*fanouttest.Bot
}

func (p publisher) publish(from, to int) {
	for n := from; n <= to; n++ {
		var events []*playerv1.Event
		for g := uint64(1); g <= guilds; g++ {
			events = append(events, fanouttest.Volume(g, n))
		}
		for try := 0; ; try++ {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			_, err := p.bots[try%len(p.bots)].Client.Publish(ctx, &botv1.PublishRequest{Events: events})
			cancel()
			if err == nil {
				break
			}
			if code := status.Code(err); code != codes.Unavailable && code != codes.DeadlineExceeded {
				p.t.Errorf("publishing: %v", err)
				return
			}
		}
	}
}

// keep publishes number after number until stop is called, which gives the last one.
func (p publisher) keep(from int) (stop func() (last int)) {
	enough, last := make(chan struct{}), make(chan int, 1)
	go func() {
		for n := from; ; n++ {
			p.publish(n, n)
			select {
			case <-enough:
				last <- n
				return
			default:
			}
		}
	}()
	return func() int { close(enough); return <-last }
}

func TestGracefulStopHandsPartitionsOver(t *testing.T) {
	t.Parallel() // it mostly waits
	url := fanouttest.StartNATS(t).URL()
	first, second := startReady(t, url), startReady(t, url)
	f := follow(t, first.GRPCAddr(), second.GRPCAddr())
	f.awaitOwners("both to own partitions", func(owners map[uint32]string) bool { return shares(owners) == 2 })

	p := publisher{t, []*fanouttest.Bot{fanouttest.NewBot(t, second.GRPCAddr())}}
	p.publish(1, 10)
	stop := p.keep(11)
	stopped := time.Now()
	first.stop(t)
	f.awaitOwners("the second to own all", func(owners map[uint32]string) bool {
		for _, address := range owners {
			if address != second.GRPCAddr() {
				return false
			}
		}
		return true
	})
	if took := time.Since(stopped); took > 2*time.Second {
		t.Errorf("the hand-over took %v: it waited for the leases to run out", took)
	}
	f.awaitNumbers(stop())
}

func TestKilledOwnerIsReplacedAndNothingIsLost(t *testing.T) {
	t.Parallel() // it mostly waits
	url := fanouttest.StartNATS(t).URL()
	doomed := startChild(t, url)
	heir := startReady(t, url)
	f := follow(t, doomed.address, heir.GRPCAddr())
	f.awaitOwners("both to own partitions", func(owners map[uint32]string) bool { return shares(owners) == 2 })
	// The bot asks the doomed one first, and repeats what was not confirmed at the heir, with the same ids.
	p := publisher{t, []*fanouttest.Bot{fanouttest.NewBot(t, doomed.address), fanouttest.NewBot(t, heir.GRPCAddr())}}
	p.publish(1, 10)
	f.awaitNumbers(10)

	stop := p.keep(11)
	doomed.kill()
	killed := time.Now()
	f.awaitOwners("the heir to own all", func(owners map[uint32]string) bool {
		return shares(owners) == 1 && owners[0] == heir.GRPCAddr()
	})
	t.Logf("the heir owned all %v after the kill", time.Since(killed))
	if took := time.Since(killed); took > 6*time.Second {
		t.Errorf("the takeover took %v, with leases of 3 s", took)
	}
	last := stop()
	f.awaitNumbers(last)
	edge := fanouttest.NewEdge(t, heir.GRPCAddr(), "late")
	edge.AwaitOwned(8)
	for g := uint64(1); g <= guilds; g++ {
		edge.Subscribe(g)
		if volume := edge.AwaitSnapshot(g).GetState().GetVolume(); volume != fmt.Sprint(last) {
			t.Errorf("guild %d: volume %s", g, volume)
		}
	}
}

func TestOwnerThatWakesUpTooLateDeliversNothing(t *testing.T) {
	t.Parallel() // it mostly waits
	url := fanouttest.StartNATS(t).URL()
	sleeper := startChild(t, url)
	heir := startReady(t, url)
	f := follow(t, sleeper.address, heir.GRPCAddr())
	f.awaitOwners("both to own partitions", func(owners map[uint32]string) bool { return shares(owners) == 2 })
	p := publisher{t, []*fanouttest.Bot{fanouttest.NewBot(t, heir.GRPCAddr())}}
	p.publish(1, 10)
	f.awaitNumbers(10)

	witness := fanouttest.NewEdge(t, sleeper.address, "witness")
	witness.Await("partitions", func(came []*edgev1.DeliverResponse) bool { return len(came) > 0 })
	owned := fanouttest.Owned(witness.Came())
	var sleeping uint64 // a guild of the sleeper
	for g := uint64(1); sleeping == 0; g++ {
		if _, is := owned[player.Partition(g, 8)]; is {
			sleeping = g
		}
	}
	witness.Subscribe(sleeping)
	witness.AwaitSnapshot(sleeping)

	sleeper.signal(syscall.SIGSTOP)
	f.awaitOwners("the heir to own all", func(owners map[uint32]string) bool { return shares(owners) == 1 })
	p.publish(11, 20)
	f.awaitNumbers(20)
	sleeper.signal(syscall.SIGCONT)
	witness.Await("the sleeper to let go", func(came []*edgev1.DeliverResponse) bool {
		for _, r := range came {
			for _, number := range r.GetReleased().GetPartitions() {
				if number == player.Partition(sleeping, 8) {
					return true
				}
			}
		}
		return false
	})
	if stale := fanouttest.Events(witness.Came(), sleeping); len(stale) > 0 {
		t.Errorf("after its sleep it delivered %v", sequences(stale))
	}
	p.publish(21, 30)
	f.awaitNumbers(30)
}

func TestFanoutThatJoinsGetsItsShare(t *testing.T) {
	t.Parallel() // it mostly waits
	url := fanouttest.StartNATS(t).URL()
	first := startReady(t, url)
	f := follow(t, first.GRPCAddr())
	f.awaitOwners("the first to own all", func(map[uint32]string) bool { return true })
	p := publisher{t, []*fanouttest.Bot{fanouttest.NewBot(t, first.GRPCAddr())}}
	p.publish(1, 10)
	second := startReady(t, url, func(s *app.Settings) { s.ID = "second" })
	f.dial(second.GRPCAddr())
	stop := p.keep(11)
	f.awaitOwners("both to own partitions", func(owners map[uint32]string) bool { return shares(owners) == 2 })
	f.awaitNumbers(stop())
}

// snapshotOf is what a fanout that owns all partitions tells an edge of a guild that it asks for now.
func snapshotOf(t *testing.T, f *fanout) *edgev1.Snapshot {
	t.Helper()
	edge := fanouttest.NewEdge(t, f.GRPCAddr(), "asks")
	edge.AwaitOwned(8)
	edge.Subscribe(guild)
	return edge.AwaitSnapshot(guild)
}

func TestStateOutlivesAllFanouts(t *testing.T) {
	url := fanouttest.StartNATS(t).URL()
	first := startReady(t, url)
	stored := fanouttest.NewBot(t, first.GRPCAddr()).Publish(fanouttest.Volume(guild, 7))
	edge := fanouttest.NewEdge(t, first.GRPCAddr(), "edge")
	edge.AwaitOwned(8)
	edge.AwaitHandled(guild, stored[0].GetSequence())
	want := snapshotOf(t, first)
	first.stop(t)

	if got := snapshotOf(t, startReady(t, url)); !proto.Equal(got, want) || got.GetState().GetVolume() != "7" {
		t.Errorf("snapshot %v, want %v", got, want)
	}
}

func TestStateLargerThanAMessageOutlivesItsFanout(t *testing.T) {
	url := fanouttest.StartNATS(t).URL() // takes messages of 8 MiB
	first := startReady(t, url)
	bot := fanouttest.NewBot(t, first.GRPCAddr())
	track := `{"title":"` + strings.Repeat("夜に駆ける", 400) + `"}`
	queue := "[" + strings.Repeat(track+",", 900) + track + "]"
	results := bot.Publish(
		&playerv1.Event{EventId: "q", GuildId: guild, Kind: &playerv1.Event_QueueUpdated{QueueUpdated: &playerv1.QueueUpdated{Queue: []byte(queue)}}},
		&playerv1.Event{EventId: "t", GuildId: guild, Kind: &playerv1.Event_TrackUpdated{TrackUpdated: &playerv1.TrackUpdated{
			Track: []byte(`{"lyrics":"` + strings.Repeat("ら", 1<<20) + `"}`),
		}}},
	)
	edge := fanouttest.NewEdge(t, first.GRPCAddr(), "edge")
	edge.AwaitOwned(8)
	edge.AwaitHandled(guild, results[1].GetSequence())
	want := snapshotOf(t, first)
	if size := proto.Size(want); size <= 8<<20 {
		t.Fatalf("the state has only %d bytes", size)
	}
	first.stop(t)

	if got := snapshotOf(t, startReady(t, url)); !proto.Equal(got, want) {
		t.Errorf("the state is another one: %d bytes, want %d", proto.Size(got), proto.Size(want))
	}
}

func shares(owners map[uint32]string) int {
	distinct := make(map[string]struct{})
	for _, address := range owners {
		distinct[address] = struct{}{}
	}
	return len(distinct)
}
