package player

import (
	"hash/fnv"
	"strconv"
)

// Partition is the number, 0 to count-1, of the partition that a guild's events are in: what the
// subject transform partition(count,1) of NATS makes of the guild's decimal id, FNV-1a in 32 bits
// modulo count. A count of 0 stands for 1.
func Partition(guildID uint64, count uint32) uint32 {
	hash := fnv.New32a()
	hash.Write(strconv.AppendUint(nil, guildID, 10)) //nolint:errcheck // a hash never fails
	return hash.Sum32() % max(count, 1)
}
