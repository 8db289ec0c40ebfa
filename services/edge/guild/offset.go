package guild

import (
	"strconv"
	"strings"
)

// position is how far a listener has come in its guild's events. Its text is the offset that clients
// carry, and show when they come back.
type position struct {
	sequence uint64 // of the last event of which the listener has had something
	emits    int    // how many of that event's emits it has had; 0 means all
}

// String is "<sequence>", or "<sequence>.<emits>" in the midst of an event.
func (p position) String() string {
	text := strconv.FormatUint(p.sequence, 10)
	if p.emits > 0 {
		text += "." + strconv.Itoa(p.emits)
	}
	return text
}

// parse reads what String wrote, and says whether it was that.
func (p *position) parse(text string) bool {
	sequence, emits, partly := strings.Cut(text, ".")
	var err error
	if p.sequence, err = strconv.ParseUint(sequence, 10, 64); err != nil || !partly {
		return err == nil
	}
	p.emits, err = strconv.Atoi(emits)
	return err == nil && p.emits > 0 && p.sequence > 0
}

// whole is a sequence up to which the listener has had everything.
func (p position) whole() uint64 {
	if p.emits > 0 {
		return p.sequence - 1
	}
	return p.sequence
}
