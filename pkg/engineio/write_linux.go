package engineio

import (
	"sync"
	"syscall"
	"unsafe"
)

// nowWriter writes to a socket without ever waiting. It lives in a pool because its callback must
// live on the heap: one for each writing goroutine, none for each session.
type nowWriter struct {
	b    []byte
	n    int
	err  error
	call func(fd uintptr) bool
}

var nowWriters = sync.Pool{New: func() any {
	w := new(nowWriter)
	w.call = w.write
	return w
}}

// write is one write(2). The scheduler is not told of the system call: the descriptor is
// non-blocking, so the call takes microseconds, and telling costs as much as the user part of it.
func (w *nowWriter) write(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(w.b))), uintptr(len(w.b)))
		switch errno {
		case 0:
			w.n = int(n)
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			w.err = errno
		}
		return true
	}
}

// writeNow writes as much of b as the kernel takes at once.
func writeNow(raw syscall.RawConn, b []byte) (int, error) {
	w := nowWriters.Get().(*nowWriter)
	w.b, w.n, w.err = b, 0, nil
	err := raw.Write(w.call)
	n := w.n
	if err == nil {
		err = w.err
	}
	w.b = nil
	nowWriters.Put(w)
	return n, err
}
