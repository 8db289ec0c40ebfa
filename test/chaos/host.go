package main

import (
	"context"
	"fmt"
	"time"

	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
)

// host takes the listeners of each guild in turn, so many guilds a second, from one room into a new one, and tells those in it
// and who they are: so there is always something to keep for a listener that comes back, and to forget.
func (b *bot) host(ctx context.Context, perSecond int) {
	b.group.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if err := b.move(ctx, n); err != nil {
				b.judge(err)
			}
		}
	})
}

// move leads a guild's listeners into the next room; the guild and the fanout that is asked follow from the number of moves before.
func (b *bot) move(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	rooms := roomsv1.NewRoomsServiceClient(b.fanouts[n%len(b.fanouts)])
	guild := b.guilds[n%len(b.guilds)].guild
	visit := n / len(b.guilds)
	room, before := fmt.Sprint("room ", visit), fmt.Sprint("room ", visit-1)
	if _, err := rooms.Join(ctx, &roomsv1.JoinRequest{GuildId: guild, Rooms: []string{room}}); err != nil {
		return err
	}
	if _, err := rooms.Leave(ctx, &roomsv1.LeaveRequest{GuildId: guild, Of: []string{before}, Rooms: []string{before}}); err != nil {
		return err
	}
	if _, err := rooms.List(ctx, &roomsv1.ListRequest{GuildId: guild, Room: room}); err != nil {
		return err
	}
	_, err := rooms.Emit(ctx, &roomsv1.EmitRequest{GuildId: guild, Room: room, Event: "moved", Args: []byte(`["` + room + `"]`)})
	return err
}
