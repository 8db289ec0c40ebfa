package main

import (
	"bytes"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// Every measured event's argument starts with a stamp, written at the moment of the emit:
//
//	@T<19 digits: CLOCK_MONOTONIC, ns>R<2 digits: run>S<8 digits: number of the event>;
const stampSize = 34

var stampStart = []byte("@T")

// stamp is what an event says of itself.
type stamp struct {
	at       int64 // CLOCK_MONOTONIC, ns; one clock for every process of the machine
	run      int   // emission it belongs to
	sequence int   // from 0 within the run
}

func (s stamp) String() string {
	return fmt.Sprintf("@T%019dR%02dS%08d;", s.at, s.run, s.sequence)
}

// readStamp finds the stamp in a packet; ok is false where there is none.
func readStamp(packet []byte) (s stamp, ok bool) {
	i := bytes.Index(packet, stampStart)
	if i < 0 || len(packet) < i+stampSize {
		return s, false
	}
	p := packet[i : i+stampSize]
	if p[21] != 'R' || p[24] != 'S' || p[33] != ';' {
		return s, false
	}
	at, err1 := strconv.ParseInt(string(p[2:21]), 10, 64)
	run, err2 := strconv.Atoi(string(p[22:24]))
	sequence, err3 := strconv.Atoi(string(p[25:33]))
	return stamp{at, run, sequence}, err1 == nil && err2 == nil && err3 == nil
}

// monotonic is CLOCK_MONOTONIC in ns.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // Linux has this clock
	}
	return t.Nano()
}
