// Package stamp marks measured events with when and where in a run they were emitted, so that whoever receives
// one can tell its latency and what is missing. Both ends are on one machine.
package stamp

import (
	"bytes"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// Size is what a stamp takes. Every measured event holds one, written at the moment of the emit:
//
//	@T<19 digits: CLOCK_MONOTONIC, ns>R<2 digits: run>S<8 digits: number of the event>;
const Size = 34 // bytes

var start = []byte("@T")

// Stamp is what an event says of itself.
type Stamp struct {
	At       int64 // CLOCK_MONOTONIC, ns; one clock for every process of the machine
	Run      int   // emission it belongs to
	Sequence int   // from 0 within the run
}

// String is the stamp as it stands in an event; it needs no escapes in JSON.
func (s Stamp) String() string {
	return fmt.Sprintf("@T%019dR%02dS%08d;", s.At, s.Run, s.Sequence)
}

// Read finds the stamp in a packet; ok is false where there is none.
func Read(packet []byte) (s Stamp, ok bool) {
	i := bytes.Index(packet, start)
	if i < 0 || len(packet) < i+Size {
		return s, false
	}
	p := packet[i : i+Size]
	if p[21] != 'R' || p[24] != 'S' || p[33] != ';' {
		return s, false
	}
	at, err1 := strconv.ParseInt(string(p[2:21]), 10, 64)
	run, err2 := strconv.Atoi(string(p[22:24]))
	sequence, err3 := strconv.Atoi(string(p[25:33]))
	return Stamp{at, run, sequence}, err1 == nil && err2 == nil && err3 == nil
}

// Now is CLOCK_MONOTONIC in ns.
func Now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // Linux has this clock
	}
	return t.Nano()
}
