//go:build !386 && !s390x

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

// awaitReadable returns when something can be read, be it the peer's end. It holds no buffer, and its
// callback captures nothing. Looking first costs one system call, and is what makes the wait safe: an
// arrival that nobody waited for is announced only once.
func awaitReadable(raw syscall.RawConn) error { return raw.Read(readable) }

// readableNow tells whether awaitReadable would return at once.
func readableNow(raw syscall.RawConn) (now bool) {
	_ = raw.Read(func(fd uintptr) bool {
		now = readable(fd)
		return true
	})
	return now
}

func readable(fd uintptr) bool {
	var b [1]byte
	for {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK, 0, 0)
		if errno != syscall.EINTR {
			return errno != syscall.EAGAIN
		}
	}
}
