package engineio

import (
	"errors"
	"io"
	"sync"
)

// lightMessage is the size up to which a message is received without further ado. Beyond it computing over it
// takes a turn, and it counts as intake until it has been handled: all sessions together hold so much, and no
// more.
const lightMessage = 64 << 10

// received is a message that has arrived. Its bytes go back to where they are used again.
type received struct {
	data  []byte
	in    *intake
	share *arrival // nil for a light message
}

// lightBuffers and largeBuffers hold *[]byte up to lightMessage, and beyond. The collector empties them when
// they have not been used for a while.
var (
	lightBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}
	largeBuffers sync.Pool
)

// receive reads r, which the sender sends, to its end, at most limit bytes and one. What was read must be
// released in any case.
func (i *intake) receive(r io.Reader, limit int64, from sender) (received, error) {
	m := received{in: i, data: (*lightBuffers.Get().(*[]byte))[:0]}
	err := m.read(r, limit, from)
	if m.share != nil && !i.arrived(m.share) {
		err = errBusy
	}
	return m, err
}

func (m *received) read(r io.Reader, limit int64, from sender) error {
	for int64(len(m.data)) <= limit {
		if len(m.data) == cap(m.data) {
			if cap(m.data) == lightMessage {
				from.large()
			}
			if !m.grow(limit, from) {
				return errBusy
			}
		}
		n, err := r.Read(m.data[len(m.data):min(int64(cap(m.data)), limit+1)])
		m.data = m.data[:len(m.data)+n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// grow makes room; false where the intake has none.
func (m *received) grow(limit int64, from sender) bool {
	switch had := int64(cap(m.data)); {
	case had < lightMessage:
		m.data = append(make([]byte, 0, min(2*had, lightMessage)), m.data...)
	case m.share != nil:
		more := min(had, limit+1-had)
		if !m.in.reserve(m.share, more, true) {
			return false
		}
		m.data = append(make([]byte, 0, had+more), m.data...)
	default:
		share := &arrival{from: from}
		large, _ := largeBuffers.Get().(*[]byte)
		if large == nil || !m.in.reserve(share, int64(cap(*large)), false) {
			fresh := make([]byte, 0, 2*lightMessage)
			if large = &fresh; !m.in.reserve(share, int64(cap(fresh)), true) {
				return false
			}
		}
		light := m.data
		m.data, m.share = append((*large)[:0], light...), share
		lightBuffers.Put(&light)
	}
	return true
}

// release ends the use of the data.
func (m *received) release() {
	switch {
	case m.share != nil:
		largeBuffers.Put(&m.data)
		m.in.release(m.share)
	case 0 < cap(m.data) && cap(m.data) <= lightMessage:
		lightBuffers.Put(&m.data)
	}
}
