package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/socketio"
)

const (
	keptPrefix  = "pona:rooms:"  // of keys in Redis; a socket's id follows
	keptFor     = 24 * time.Hour // after the socket has been seen last; told anew in a third of that
	keptTimeout = time.Second    // of one call to Redis
	keptPause   = time.Second    // before Redis is tried again that has failed
	keptBatch   = 500            // lists in one call
	maxKept     = 100            // rooms of one socket; those beyond are not kept
	maxUntold   = 10_000         // lists that wait for Redis; changes of further ones are not kept
)

// KeptRooms remembers in Redis which rooms listeners are in beside those that every listener is in, so that they
// are in them again on whichever edge they come back to. They were let into them by way of Redis, so where there
// is none there is nothing to keep. While Redis is away listeners come back without such rooms.
//
// Redis is told moments after a change. A socket's list outlives it by a day, unless its client or a server has
// disconnected it. Rooms named as those of users are nobody else's, and are not kept.
type KeptRooms struct {
	client redis.UniversalClient
	log    *slog.Logger
	cancel context.CancelFunc
	ended  sync.WaitGroup

	wake      chan struct{}
	questions chan question

	mu     sync.Mutex
	untold map[*socketio.Socket][]string // what Redis is to be told; nil stands for what is so then
	told   map[*socketio.Socket]struct{} // those that are here and have had a list in Redis
}

// KeepRooms begins to remember; Close must follow.
func KeepRooms(client redis.UniversalClient, log *slog.Logger) *KeptRooms {
	ctx, cancel := context.WithCancel(context.Background())
	k := &KeptRooms{client: client, log: log, cancel: cancel, wake: make(chan struct{}, 1), questions: make(chan question),
		untold: make(map[*socketio.Socket][]string), told: make(map[*socketio.Socket]struct{})}
	k.ended.Go(func() { k.run(ctx) })
	k.ended.Go(func() { k.answer(ctx) })
	return k
}

// Close tells Redis what it has not been told yet, once, and ends. The server has been closed before. A nil
// KeptRooms may be closed.
func (k *KeptRooms) Close() {
	if k != nil {
		k.cancel()
		k.ended.Wait()
	}
}

// watch hears of a server's rooms.
func (k *KeptRooms) watch(server *socketio.Server) {
	server.OnRoom(func(s *socketio.Socket, room string, _ bool) {
		if isKept(room) && strings.HasPrefix(s.Namespace().Name(), guildPrefix) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.tell(s, nil)
		}
	})
}

// left takes the rooms that a socket was in whose client may come back.
func (k *KeptRooms) left(s *socketio.Socket, rooms []string) {
	if rooms = kept(s, rooms); len(rooms) > 0 {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.told, s)
		k.tell(s, rooms)
	}
}

// gone has a list dropped, unless the socket has left it.
func (k *KeptRooms) gone(s *socketio.Socket) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, is := k.told[s]; is {
		delete(k.told, s)
		k.tell(s, []string{})
	}
}

// tell has Redis told soon of a socket's rooms; nil stands for those that it is in then. The caller holds mu.
func (k *KeptRooms) tell(s *socketio.Socket, rooms []string) {
	if _, is := k.untold[s]; is || len(k.untold) < maxUntold {
		k.untold[s] = rooms
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// question asks for the rooms that were kept of a socket.
type question struct {
	socketID string
	answer   chan []string // buffered
}

// of are the rooms that were kept of a socket.
func (k *KeptRooms) of(ctx context.Context, socketID string) []string {
	if k == nil {
		return nil
	}
	q := question{socketID, make(chan []string, 1)}
	select {
	case k.questions <- q:
		return <-q.answer
	case <-ctx.Done():
		return nil
	}
}

// answer asks Redis until ctx ends. Questions that come meanwhile are the next call's, all in one.
func (k *KeptRooms) answer(ctx context.Context) {
	var rest time.Time // until when Redis is not asked
	for {
		var asked []question
		select {
		case q := <-k.questions:
			asked = append(asked, q)
		case <-ctx.Done():
			return
		}
		for waits := true; waits && len(asked) < keptBatch; {
			select {
			case q := <-k.questions:
				asked = append(asked, q)
			default:
				waits = false
			}
		}
		lists := make([]*redis.StringCmd, len(asked))
		if time.Now().After(rest) && !k.read(ctx, asked, lists) {
			rest = time.Now().Add(keptPause)
		}
		for i, q := range asked {
			var rooms []string
			if lists[i] != nil {
				text, _ := lists[i].Bytes()
				_ = json.Unmarshal(text, &rooms) // what is no list holds no room
			}
			q.answer <- rooms[:min(len(rooms), maxKept)]
		}
	}
}

// read is false when Redis does not answer.
func (k *KeptRooms) read(ctx context.Context, asked []question, lists []*redis.StringCmd) bool {
	ctx, cancel := context.WithTimeout(ctx, keptTimeout)
	defer cancel()
	_, err := k.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, q := range asked {
			lists[i] = p.Get(ctx, keptPrefix+q.socketID)
		}
		return nil
	})
	return err == nil || errors.Is(err, redis.Nil) // some have none
}

// run tells Redis what changes until ctx ends, and all of it from time to time.
func (k *KeptRooms) run(ctx context.Context) {
	again := time.NewTicker(keptFor / 3)
	defer again.Stop()
	var pause <-chan time.Time // nil while Redis answers
	for {
		wake := k.wake
		if pause != nil {
			wake = nil
		}
		select {
		case <-wake:
		case <-pause:
		case <-again.C:
			k.mu.Lock()
			for s := range k.told {
				if _, is := k.untold[s]; !is {
					k.tell(s, nil)
				}
			}
			k.mu.Unlock()
		case <-ctx.Done():
			_ = k.flush(context.WithoutCancel(ctx)) // what it does not take now is lost
			return
		}
		switch err := k.flush(ctx); {
		case err == nil:
			pause = nil
		case ctx.Err() == nil:
			if pause == nil {
				k.log.Warn("rooms are not kept for clients that come back: Redis does not answer", "error", err)
			}
			pause = time.After(keptPause)
		}
	}
}

// list is what Redis is told of a socket; without rooms it is dropped.
type list struct {
	of    *socketio.Socket
	rooms []string
}

// flush tells Redis what it has not been told. What it does not take stays to be told.
func (k *KeptRooms) flush(ctx context.Context) (failed error) {
	k.mu.Lock()
	untold := k.untold
	k.untold = make(map[*socketio.Socket][]string)
	k.mu.Unlock()
	lists := make([]list, 0, len(untold))
	for s, rooms := range untold {
		if rooms == nil {
			if s.Context().Err() != nil {
				continue // left or gone will say
			}
			rooms = kept(s, s.Rooms())
		}
		lists = append(lists, list{s, rooms})
	}
	for some := range slices.Chunk(lists, keptBatch) {
		if failed == nil {
			failed = k.send(ctx, some)
		}
		for _, l := range some {
			if k.settle(l, untold[l.of], failed == nil) {
				l.of.OnDisconnect(func(string) { k.gone(l.of) })
			}
		}
	}
	return failed
}

func (k *KeptRooms) send(ctx context.Context, lists []list) error {
	ctx, cancel := context.WithTimeout(ctx, keptTimeout)
	defer cancel()
	_, err := k.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, l := range lists {
			if len(l.rooms) == 0 {
				p.Del(ctx, keptPrefix+l.of.ID())
				continue
			}
			text, _ := json.Marshal(l.rooms) // strings always have a JSON form
			p.Set(ctx, keptPrefix+l.of.ID(), text, keptFor)
		}
		return nil
	})
	return err
}

// settle notes that Redis has been told of a list, or is to be told again. It says whether the socket is here and
// this was its first.
func (k *KeptRooms) settle(l list, said []string, taken bool) (first bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, newer := k.untold[l.of]
	switch {
	case newer:
	case !taken:
		k.tell(l.of, said)
	case said == nil && len(l.rooms) > 0:
		_, is := k.told[l.of]
		k.told[l.of] = struct{}{}
		return !is
	}
	return false
}

// kept are those among a socket's rooms that are kept.
func kept(s *socketio.Socket, rooms []string) (some []string) {
	for _, room := range rooms {
		if isKept(room) && room != s.ID() && len(some) < maxKept {
			some = append(some, room)
		}
	}
	return some
}

func isKept(room string) bool {
	return room != everybody && room != player.MusicRoom && !strings.HasPrefix(room, player.UserRooms)
}
