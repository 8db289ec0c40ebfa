package engineio

import "slices"

// queue holds what could not be sent at once, for one session. It is guarded by its owner's lock.
//
// Bounds: Options.MaxQueueBytes and MaxQueueFrames. Past half of either, a frame with a conflation
// key takes out older frames with that key; at the bound push refuses, and the owner closes the
// session with ReasonSlowConsumer.
type queue struct {
	entries []entry
	bytes   int
}

// entry is one frame, or one packet that is no message, or the unsent end of a frame.
type entry struct {
	frame  *Frame
	packet PacketType // when frame and rest are nil
	rest   []byte     // bytes of the current transport
}

func (e *entry) size() int {
	if e.frame != nil {
		return e.frame.size
	}
	return len(e.rest) + 1
}

// push appends a frame, part by part, and says whether it fitted.
func (q *queue) push(f *Frame, opts *Options) bool {
	if f.parts != nil {
		for _, part := range f.parts {
			if !q.push(part, opts) {
				return false
			}
		}
		return true
	}
	if f.conflate != "" && (q.bytes > opts.MaxQueueBytes/2 || len(q.entries) > opts.MaxQueueFrames/2) {
		opts.counters.countConflated(q.conflate(f.conflate))
	}
	// A lone frame may be larger than the bound: it has to travel somehow.
	if len(q.entries) >= opts.MaxQueueFrames || q.bytes > 0 && q.bytes+f.size > opts.MaxQueueBytes {
		return false
	}
	q.append(entry{frame: f})
	return true
}

// takes says whether push would take all parts of a frame, however much the client reads meanwhile.
func (q *queue) takes(f *Frame, opts *Options) bool {
	n := f.leaves()
	return len(q.entries)+n <= opts.MaxQueueFrames && (q.bytes+f.size <= opts.MaxQueueBytes || q.bytes == 0 && n == 1)
}

func (q *queue) append(e entry) {
	q.entries = append(q.entries, e)
	q.bytes += e.size()
}

// conflate takes out all frames with the key, and says how many.
func (q *queue) conflate(key string) (taken int) {
	kept := q.entries[:0]
	for _, e := range q.entries {
		if e.frame != nil && e.frame.conflate == key {
			q.bytes -= e.size()
			taken++
			continue
		}
		kept = append(kept, e)
	}
	clear(q.entries[len(kept):])
	q.entries = kept
	return taken
}

// take removes entries from the front, at least one if there is any, until they exceed limit bytes.
func (q *queue) take(limit int) []entry {
	n, bytes := 0, 0
	for n < len(q.entries) && (n == 0 || bytes+q.entries[n].size() <= limit) {
		bytes += q.entries[n].size()
		n++
	}
	taken := q.entries[:n:n]
	q.bytes -= bytes
	q.entries = q.entries[n:]
	if len(q.entries) == 0 {
		q.entries = nil // an idle session keeps no buffer
	}
	return taken
}

// takeLast takes what a session that has ended leaves for its last polls: messages, and when there are none
// the close packet, which never comes in one payload with them. The official client handles messages a
// moment after it has decoded them: those beside a close packet it would take for messages that came
// before its next connection, and have twice when it is recovered.
func (q *queue) takeLast() []entry {
	n := len(q.entries)
	for n > 0 && q.entries[n-1].frame == nil {
		n--
	}
	if n == 0 {
		n = len(q.entries)
	}
	taken := q.entries[:n:n]
	q.entries = q.entries[n:]
	for _, e := range taken {
		q.bytes -= e.size()
	}
	return taken
}

func (q *queue) empty() bool { return len(q.entries) == 0 }

// worthCompressing tells whether a payload of the entries may be compressed: as in the reference, when one of
// them may be, though others ask not to.
func worthCompressing(entries []entry) bool {
	return slices.ContainsFunc(entries, func(e entry) bool {
		if e.frame != nil {
			return !e.frame.uncompressed
		}
		return e.packet == PacketPing
	})
}

// payload is the entries as a polling payload. It must not be changed: that of a lone frame is all sessions'.
func payload(entries []entry) (dst []byte) {
	if len(entries) == 1 && entries[0].frame != nil {
		return entries[0].frame.polling()
	}
	for i := range entries {
		if i > 0 {
			dst = append(dst, separator)
		}
		if f := entries[i].frame; f != nil {
			dst = append(dst, f.polling()...)
		} else {
			dst = append(dst, byte(entries[i].packet))
		}
	}
	return dst
}
