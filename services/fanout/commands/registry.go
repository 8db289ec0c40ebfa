package commands

import (
	"slices"
	"sync"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
)

// registry says which bots serve a guild. Its zero value is empty.
type registry struct {
	mu      sync.RWMutex
	entries []entry // the one registered last at the end: of several that serve a guild, it is asked
}

type entry struct {
	bot     *bot
	scope   scope
	members bool // answers for the guilds' members
}

// purpose is what a bot is looked for.
type purpose string

// What a bot can be found for; the texts go from fanout to fanout.
const (
	runsCommands purpose = ""
	findsMembers purpose = "members"
)

// scope is a set of guilds: the list if there is one, else those of the shard.
type scope struct {
	guilds       map[uint64]struct{}
	index, count uint64 // all guilds are shard 0 of 1
}

func scopeOf(r *botv1.Registration) scope {
	switch s := r.GetScope().(type) {
	case *botv1.Registration_Guilds:
		guilds := make(map[uint64]struct{}, len(s.Guilds.GetGuildIds()))
		for _, id := range s.Guilds.GetGuildIds() {
			guilds[id] = struct{}{}
		}
		return scope{guilds: guilds}
	case *botv1.Registration_Shard:
		return scope{index: uint64(s.Shard.GetIndex()), count: uint64(s.Shard.GetCount())}
	default:
		return scope{count: 1}
	}
}

// serves says whether the guild is in the scope. Discord's sharding: "(guild_id >> 22) % num_shards".
func (s scope) serves(guildID uint64) bool {
	if s.guilds != nil {
		_, listed := s.guilds[guildID]
		return listed
	}
	return (guildID>>22)%s.count == s.index
}

// register puts the bot in the place of its former entry. meanwhile runs before anybody can find it there.
func (r *registry) register(b *bot, s scope, members bool, meanwhile func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := meanwhile(); err != nil {
		return err
	}
	r.remove(b)
	r.entries = append(r.entries, entry{b, s, members})
	return nil
}

func (r *registry) deregister(b *bot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(b)
}

func (r *registry) remove(b *bot) {
	r.entries = slices.DeleteFunc(r.entries, func(e entry) bool { return e.bot == b })
}

func (r *registry) len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.entries)
}

// find gives the bot that serves the guild for that purpose, nil when there is none.
func (r *registry) find(guildID uint64, purpose purpose) *bot {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range slices.Backward(r.entries) {
		if (e.members || purpose == runsCommands) && e.scope.serves(guildID) {
			return e.bot
		}
	}
	return nil
}
