package owner

import (
	"fmt"
	"slices"
	"testing"
)

func TestRendezvousMovesOnlyWhatItMust(t *testing.T) {
	const partitions = 1024
	ids := []string{"a", "b", "c", "d"}
	share := make(map[string]int)
	for p := range uint32(partitions) {
		winner := rendezvous(ids, p)
		share[winner]++
		reversed := slices.Clone(ids)
		slices.Reverse(reversed)
		if other := rendezvous(reversed, p); other != winner {
			t.Errorf("partition %d: %s or %s, by the order of ids", p, winner, other)
		}
		if without := rendezvous(ids[:3], p); winner != "d" && without != winner {
			t.Errorf("partition %d moved from %s to %s when d left", p, winner, without)
		}
	}
	for id, n := range share {
		if n < partitions/4*3/4 || n > partitions/4*5/4 {
			t.Errorf("%s has %d of %d", id, n, partitions)
		}
	}
	if len(share) != 4 {
		t.Errorf("shares %v", share)
	}
	if got := rendezvous(nil, 0); got != "" {
		t.Errorf("nobody is %q", got)
	}
	if fmt.Sprint(rendezvous([]string{"only"}, 3)) != "only" {
		t.Error("one has not all")
	}
}
