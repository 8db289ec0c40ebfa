package commands

import (
	"errors"
	"testing"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
)

func all() *botv1.Registration {
	return &botv1.Registration{Scope: &botv1.Registration_All{All: &botv1.AllGuilds{}}}
}

func shard(index, count uint32) *botv1.Registration {
	return &botv1.Registration{Scope: &botv1.Registration_Shard{Shard: &botv1.Shard{Index: index, Count: count}}}
}

func list(ids ...uint64) *botv1.Registration {
	return &botv1.Registration{Scope: &botv1.Registration_Guilds{Guilds: &botv1.GuildList{GuildIds: ids}}}
}

func TestScopes(t *testing.T) {
	const inShardTwo = 5 << 22 // 5 % 3
	for _, test := range []struct {
		registration *botv1.Registration
		guild        uint64
		want         bool
	}{
		{all(), 1, true}, {all(), inShardTwo, true},
		{list(7, 8), 8, true}, {list(7, 8), 9, false},
		{shard(2, 3), inShardTwo, true}, {shard(1, 3), inShardTwo, false}, {shard(2, 3), inShardTwo + 1<<22 - 1, true},
		{shard(0, 1), inShardTwo, true},
	} {
		if got := scopeOf(test.registration).serves(test.guild); got != test.want {
			t.Errorf("%v serves %d: %v", test.registration, test.guild, got)
		}
	}
}

func TestRegistry(t *testing.T) {
	var r registry
	old, young := newBot("old"), newBot("young")
	nothing := func() error { return nil }
	if r.find(1, runsCommands) != nil {
		t.Error("an empty registry has a bot")
	}
	if err := errors.Join(r.register(old, scopeOf(all()), false, nothing), r.register(young, scopeOf(list(1)), true, nothing)); err != nil {
		t.Fatal(err)
	}
	if r.find(1, runsCommands) != young || r.find(2, runsCommands) != old {
		t.Error("of two that serve a guild, the one registered last should be found")
	}
	if err := r.register(young, scopeOf(list(2)), true, nothing); err != nil {
		t.Fatal(err)
	}
	if r.find(1, runsCommands) != old || r.find(2, runsCommands) != young {
		t.Error("a later registration should replace the one before")
	}
	if r.find(1, findsMembers) != nil || r.find(2, findsMembers) != young {
		t.Error("a bot that does not answer for members was found for them, or one that does was not")
	}
	refused := errors.New("refused")
	if err := r.register(young, scopeOf(list(3)), true, func() error { return refused }); !errors.Is(err, refused) || r.find(3, runsCommands) == young {
		t.Errorf("a refused registration changed something: %v", err)
	}
	r.deregister(young)
	if r.find(2, runsCommands) != old {
		t.Error("a bot that left is still found")
	}
}
