package link

import (
	"fmt"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// maxPartitions bounds what a fanout may claim to have.
const maxPartitions = 1 << 16

// claims are what connected fanouts say they own. Of several claims for one partition the one with
// the highest epoch is believed; a fanout that is not connected claims nothing.
type claims struct {
	count      uint32 // partitions of the stream; 0 until a fanout has said it
	partitions map[uint32]map[*stream]uint64
}

// owner is the stream that delivers a partition; nil while nobody does.
func (c *claims) owner(partition uint32) (owner *stream) {
	highest := uint64(0)
	for claimant, epoch := range c.partitions[partition] {
		if owner == nil || epoch > highest {
			owner, highest = claimant, epoch
		}
	}
	return owner
}

// claim takes what s says it owns from now on.
func (c *claims) claim(s *stream, owned *edgev1.Owned) error {
	count := owned.GetPartitionCount()
	switch {
	case count == 0 && len(owned.GetPartitions()) > 0, count > maxPartitions:
		return fmt.Errorf("owned.partition_count: %d, must be 1 to %d", count, maxPartitions)
	case count != 0 && c.count != 0 && count != c.count && c.claimedByOthers(s):
		return fmt.Errorf("owned.partition_count: %d, but other fanouts say %d", count, c.count)
	case count != 0 && count != c.count:
		c.count = count
		c.partitions = make(map[uint32]map[*stream]uint64)
	}
	for _, partition := range owned.GetPartitions() {
		number := partition.GetNumber()
		if number >= count {
			return fmt.Errorf("owned.partitions.number: %d of %d", number, count)
		}
		if c.partitions[number] == nil {
			c.partitions[number] = make(map[*stream]uint64)
		}
		c.partitions[number][s] = partition.GetEpoch()
	}
	return nil
}

// release forgets that s owns a partition.
func (c *claims) release(s *stream, partition uint32) {
	delete(c.partitions[partition], s)
}

// leave forgets all that s owns.
func (c *claims) leave(s *stream) {
	for _, claimants := range c.partitions {
		delete(claimants, s)
	}
}

func (c *claims) claimedByOthers(s *stream) bool {
	for _, claimants := range c.partitions {
		for claimant := range claimants {
			if claimant != s {
				return true
			}
		}
	}
	return false
}
