package auth

// Stats is what a [Gate] has done so far.
type Stats struct {
	Users, Members MemoryStats
}

// MemoryStats counts what became of questions.
type MemoryStats struct {
	Hits    int64 // answered from this process' memory
	Misses  int64 // not; of simultaneous ones one goes on
	Shared  int64 // answered from Redis
	Asked   int64 // of upstream
	Refused int64 // answered no, of Asked
	Failed  int64 // not answered, of Asked
	Stale   int64 // answered from memory though not fresh, for upstream had failed
	Entries int   // remembered now, yes and no
}

// Stats is a snapshot; it may be called at any time.
func (g *Gate) Stats() Stats { return Stats{Users: g.users.stats(), Members: g.members.stats()} }

func (m *memory[K, V]) stats() MemoryStats {
	c := &m.counts
	return MemoryStats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Shared: c.shared.Load(), Asked: c.asked.Load(),
		Refused: c.refused.Load(), Failed: c.failed.Load(), Stale: c.stale.Load(), Entries: m.known.EstimatedSize() + m.refused.EstimatedSize(),
	}
}
