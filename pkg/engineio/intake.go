package engineio

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// lightMessage is the size up to which a message is received without further ado. Beyond it computing over it
// takes a turn, and it counts as intake until it has been handled: all sessions together hold so much, and no
// more.
const lightMessage = 64 << 10

var errBusy = errors.New("engineio: too many large messages at the same time")

// intake counts the bytes of large messages that arrive or are being handled.
type intake struct {
	held  atomic.Int64
	bound int64
}

// reserve is false where the bound is reached.
func (i *intake) reserve(n int64) bool {
	if i.held.Add(n) > i.bound {
		i.held.Add(-n)
		return false
	}
	return true
}

// received is a message that has arrived. Its bytes go back to where they are used again.
type received struct {
	data     []byte
	in       *intake
	reserved int64 // the capacity of data, where it is more than a light message's
}

// lightBuffers and largeBuffers hold *[]byte up to lightMessage, and beyond. The collector empties them when
// they have not been used for a while.
var (
	lightBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}
	largeBuffers sync.Pool
)

// receive reads r to its end, at most limit bytes and one. It calls begin before more than a light message is
// read. What was read must be released in any case.
func (i *intake) receive(r io.Reader, limit int64, begin func()) (received, error) {
	m := received{in: i, data: (*lightBuffers.Get().(*[]byte))[:0]}
	for int64(len(m.data)) <= limit {
		if len(m.data) == cap(m.data) {
			if cap(m.data) == lightMessage {
				begin()
			}
			if !m.grow(limit) {
				return m, errBusy
			}
		}
		n, err := r.Read(m.data[len(m.data):min(int64(cap(m.data)), limit+1)])
		m.data = m.data[:len(m.data)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

// grow makes room; false where the intake has none.
func (m *received) grow(limit int64) bool {
	switch had := int64(cap(m.data)); {
	case had < lightMessage:
		m.data = append(make([]byte, 0, min(2*had, lightMessage)), m.data...)
	case m.reserved > 0:
		more := min(had, limit+1-had)
		if !m.in.reserve(more) {
			return false
		}
		m.reserved += more
		m.data = append(make([]byte, 0, had+more), m.data...)
	default:
		large, _ := largeBuffers.Get().(*[]byte)
		if large == nil || !m.in.reserve(int64(cap(*large))) {
			fresh := make([]byte, 0, 2*lightMessage)
			if large = &fresh; !m.in.reserve(int64(cap(fresh))) {
				return false
			}
		}
		light := m.data
		m.data, m.reserved = append((*large)[:0], light...), int64(cap(*large))
		lightBuffers.Put(&light)
	}
	return true
}

// release ends the use of the data.
func (m *received) release() {
	switch {
	case m.reserved > 0:
		largeBuffers.Put(&m.data)
		m.in.held.Add(-m.reserved)
	case 0 < cap(m.data) && cap(m.data) <= lightMessage:
		lightBuffers.Put(&m.data)
	}
}
