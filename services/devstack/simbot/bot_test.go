package simbot

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// peer is the fanout's side of the conversation, in memory, so that time can be faked around it.
type peer struct {
	botv1.UnimplementedBotServiceServer
	commands chan *botv1.Command // to the bot
	answers  chan *botv1.Answer  // from the bot

	mu       sync.Mutex
	events   []*playerv1.Event // every one that arrived, repeated ones too
	stored   map[string]uint64
	loseFrom int // the stream breaks when this many requests have come, unanswered ones included; 0 means never
	requests int
	refuse   string // an event with this id is refused
}

func (p *peer) PublishStream(stream grpc.BidiStreamingServer[botv1.PublishStreamRequest, botv1.PublishStreamResponse]) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		answer, err := p.store(request.GetEvents())
		if err != nil {
			return err
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

// store keeps events and breaks the stream where the test wants it.
func (p *peer) store(events []*playerv1.Event) (*botv1.PublishStreamResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := &botv1.PublishStreamResponse{}
	for _, e := range events {
		if e.GetEventId() == p.refuse {
			return nil, status.Error(codes.InvalidArgument, "events[0]: refused by the test")
		}
		p.events = append(p.events, e)
		_, duplicate := p.stored[e.GetEventId()]
		if !duplicate {
			p.stored[e.GetEventId()] = uint64(len(p.stored) + 1)
		}
		answer.Results = append(answer.Results, &botv1.PublishResult{Sequence: p.stored[e.GetEventId()], Duplicate: duplicate})
	}
	if p.requests++; p.requests == p.loseFrom {
		return nil, status.Error(codes.Unavailable, "broken by the test after storing")
	}
	return answer, nil
}

func (p *peer) ServeCommands(stream grpc.BidiStreamingServer[botv1.ServeCommandsRequest, botv1.ServeCommandsResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if first.GetRegistration().GetGuilds() == nil {
		return status.Error(codes.InvalidArgument, "registration")
	}
	go func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			p.answers <- m.GetAnswer()
		}
	}()
	for {
		select {
		case c := <-p.commands:
			if err := stream.Send(&botv1.ServeCommandsResponse{Message: &botv1.ServeCommandsResponse_Command{Command: c}}); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}

// arrived is a copy of what has arrived so far.
func (p *peer) arrived() []*playerv1.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*playerv1.Event(nil), p.events...)
}

// withBot runs a bot against a peer while f runs, in a bubble in which time is faked.
func withBot(t *testing.T, p *peer, f func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		p.commands, p.answers, p.stored = make(chan *botv1.Command), make(chan *botv1.Answer, 16), map[string]uint64{}
		listener := bufconn.Listen(1 << 20)
		server := grpc.NewServer()
		botv1.RegisterBotServiceServer(server, p)
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		conn, err := grpc.NewClient("passthrough:peer", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- New(conn, Options{Seed: 1, EventIDs: "test"}).Run(ctx) }()
		f(t)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestBotPlaysAMinute(t *testing.T) {
	p := &peer{}
	withBot(t, p, func(t *testing.T) {
		time.Sleep(time.Minute) // takes no real time
		synctest.Wait()
		started, positions := 0, 0
		for _, e := range p.arrived() {
			if e.GetGuildId() != 100000000000000001 {
				continue
			}
			switch e.GetKind().(type) {
			case *playerv1.Event_TrackStarted:
				started++
			case *playerv1.Event_PositionUpdated:
				positions++
			}
		}
		if started != 3 { // 24 s, 31.5 s, and the third one plays
			t.Errorf("%d tracks started in the first minute, want 3", started)
		}
		if positions < 50 || positions > 60 {
			t.Errorf("%d positions in the first minute", positions)
		}
	})
}

func TestBotAnswersWithTheSequenceOfTheEffect(t *testing.T) {
	p := &peer{}
	withBot(t, p, func(t *testing.T) {
		synctest.Wait()
		p.commands <- &botv1.Command{CommandId: "a", GuildId: 100000000000000001, UserId: 7, Name: "pause"}
		a := <-p.answers
		var want uint64
		for _, e := range p.arrived() {
			if e.GetPauseUpdated().GetPaused() {
				want = p.stored[e.GetEventId()]
			}
		}
		if a.GetCommandId() != "a" || a.GetStatus() != botv1.Status_STATUS_OK || want == 0 || a.GetSequence() != want {
			t.Errorf("answer %v, want ok with sequence %d", a, want)
		}
		p.commands <- &botv1.Command{CommandId: "b", GuildId: 100000000000000001, Name: "pause", Args: [][]byte{[]byte(`"x"`)}}
		if a := <-p.answers; a.GetStatus() != botv1.Status_STATUS_ERROR || a.GetReason() == "" {
			t.Errorf("answer %v, want an error with its reason", a)
		}
		p.commands <- &botv1.Command{CommandId: "c", GuildId: 5, Name: "pause"}
		if a := <-p.answers; a.GetStatus() != botv1.Status_STATUS_ERROR || a.GetReason() != "guild 5 is not served by this bot" {
			t.Errorf("answer %v, want a refusal of the guild", a)
		}
	})
}

// The fanout goes away after storing and before answering: the bot must send that again under the
// same ids, and everything else once and in order.
func TestBotRetriesWithTheSameEventIDs(t *testing.T) {
	for _, loseFrom := range []int{1, 2, 5, 30} {
		t.Run(fmt.Sprint(loseFrom), func(t *testing.T) {
			p := &peer{loseFrom: loseFrom}
			withBot(t, p, func(t *testing.T) {
				time.Sleep(time.Minute)
				synctest.Wait()
				last := map[uint64]int{} // newest event of each guild
				repeated, seen := 0, map[string]bool{}
				for _, e := range p.arrived() {
					var n int
					if _, err := fmt.Sscanf(e.GetEventId(), "test-%d", &n); err != nil {
						t.Fatalf("event id %q", e.GetEventId())
					}
					if seen[e.GetEventId()] {
						repeated++
						continue
					}
					seen[e.GetEventId()] = true
					if n <= last[e.GetGuildId()] {
						t.Errorf("event %d after %d", n, last[e.GetGuildId()])
					}
					last[e.GetGuildId()] = n
				}
				started := 0
				for _, e := range p.arrived() {
					if e.GetGuildId() == 100000000000000001 && e.GetTrackStarted() != nil && p.stored[e.GetEventId()] != 0 {
						started++
					}
				}
				if started < 3 {
					t.Errorf("%d tracks started, want 3 or the repeated ones too", started)
				}
				if loseFrom == 1 && repeated == 0 {
					t.Error("the first publication was not sent again")
				}
			})
		})
	}
}

func TestRefusedEventDoesNotStopTheMusic(t *testing.T) {
	p := &peer{refuse: "test-2"}
	withBot(t, p, func(t *testing.T) {
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(p.arrived()); n < 20 {
			t.Errorf("%d events in ten seconds after a refusal", n)
		}
	})
}
