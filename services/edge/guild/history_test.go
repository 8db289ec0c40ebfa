package guild

import (
	"testing"
	"testing/synctest"
	"time"
)

// kept gives the sequences that a history has of a guild after one.
func kept(h *history, guildID, after uint64) (sequences []uint64, known, gone bool) {
	entries, known, gone, _ := h.since(guildID, after)
	for _, e := range entries {
		sequences = append(sequences, e.sequence)
	}
	return sequences, known, gone
}

// of is an event of that size in the history's eyes.
func of(guildID, sequence uint64, size int) *entry {
	return newEntry(guildID, sequence, time.Now(), size-entryOverhead, volume(sequence))
}

func wantKept(t *testing.T, h *history, guildID, after uint64, first, n int) {
	t.Helper()
	got, known, _ := kept(h, guildID, after)
	if !known || len(got) != n || n > 0 && got[0] != uint64(first) {
		t.Errorf("guild %d after %d: %v, known %v; want %d from %d on", guildID, after, got, known, n, first)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(HistoryOptions{Window: time.Minute, GuildBytes: 10_000, Bytes: 25_000})
		for guildID := uint64(1); guildID <= 3; guildID++ {
			h.begin(guildID, 100)
			for sequence := uint64(101); sequence <= 120; sequence++ {
				h.add(of(guildID, sequence, 1000))
			}
		}
		if h.bytes != 25_000 || h.order.Len() != 25 {
			t.Errorf("%d bytes, %d events", h.bytes, h.order.Len())
		}
		wantKept(t, h, 1, 115, 116, 5) // the oldest of all had to go
		wantKept(t, h, 2, 110, 111, 10)
		wantKept(t, h, 3, 120, 0, 0)
		if _, known, gone := kept(h, 1, 114); known || gone {
			t.Errorf("of what was too much: known %v, gone %v", known, gone)
		}
		time.Sleep(59 * time.Second)
		h.add(of(3, 121, 1000))
		time.Sleep(2 * time.Second)
		wantKept(t, h, 3, 120, 121, 1)
		if _, known, gone := kept(h, 2, 119); known || !gone {
			t.Errorf("of what is too old: known %v, gone %v", known, gone)
		}
		wantKept(t, h, 2, 120, 0, 0) // has had everything
		h = newHistory(HistoryOptions{Guild: 3})
		h.begin(3, 100)
		for sequence := uint64(101); sequence <= 105; sequence++ {
			h.add(of(3, sequence, 1000))
		}
		wantKept(t, h, 3, 102, 103, 3)
		if h.forget(3); h.bytes != 0 || h.order.Len() != 0 {
			t.Errorf("%d bytes, %d events", h.bytes, h.order.Len())
		}
	})
}

func TestHistoryIsExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(HistoryOptions{Window: time.Minute, GuildBytes: 10_000})
		old := of(1, 91, 1000)
		time.Sleep(2 * time.Minute)
		h.begin(1, 100)
		h.add(of(1, 101, 1000))
		h.extend(1, 97, 99, nil) // leaves a gap
		h.extend(1, 100, 105, []*entry{of(1, 101, 1000)})
		if _, known, _ := kept(h, 1, 99); known {
			t.Error("a gap was not seen")
		}
		h.extend(1, 90, 101, []*entry{old, of(1, 95, 1000), of(1, 100, 1000), of(1, 101, 1000)})
		wantKept(t, h, 1, 91, 95, 3)
		if _, known, gone := kept(h, 1, 90); known || !gone {
			t.Errorf("of what is too old: known %v, gone %v", known, gone)
		}
		h.extend(1, 80, 91, []*entry{of(1, 91, 9000)}) // too much: the oldest goes
		wantKept(t, h, 1, 91, 95, 3)
		if h.bytes != 3000 {
			t.Errorf("%d bytes", h.bytes)
		}
	})
}

func TestPositionsAreText(t *testing.T) {
	for text, want := range map[string]position{"0": {}, "1731500000000000": {1731500000000000, 0}, "7.1": {7, 1}} {
		var got position
		if !got.parse(text) || got != want || got.String() != text {
			t.Errorf("%q: %v", text, got)
		}
	}
	for _, text := range []string{"", "x", "-1", "1.", "1.0", "1.-1", "0.1", "1.1.1", "99999999999999999999", " 1"} {
		if got := (position{}); got.parse(text) {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// Guilds that are extended all the time put young events in front of all; older ones of others must go nevertheless.
func TestExtendingKeepsNothingOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(HistoryOptions{Window: 10 * time.Second})
		h.begin(1, 0)
		seconds := time.NewTicker(time.Second)
		defer seconds.Stop()
		for second := range uint64(60) {
			h.add(newEntry(1, second+1, time.Now(), 1, nil))
			other := 2 + second
			h.begin(other, 1)
			h.extend(other, 0, 1, []*entry{newEntry(other, 1, time.Now(), 1, nil)})
			<-seconds.C
		}
		if n := len(h.guilds[1].entries); n > 11 {
			t.Errorf("%d events are kept, one a second for ten seconds", n)
		}
	})
}
