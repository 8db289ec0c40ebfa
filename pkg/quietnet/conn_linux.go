//go:build !386 && !s390x

package quietnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// large is the size in bytes from which on a write is told to the scheduler: copying so much takes
// long enough for others to need the processor.
const large = 64 << 10

// Quiet makes a TCP connection quiet. The caller uses only what it returns from then on.
func Quiet(c net.Conn) net.Conn {
	tcp, is := c.(*net.TCPConn)
	if !is {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	q := &conn{TCPConn: tcp, raw: raw}
	q.reading.call, q.writing.call = q.reading.read, q.writing.write
	return q
}

// conn is a quiet connection. What it does not say differently, its *net.TCPConn does.
type conn struct {
	*net.TCPConn
	raw              syscall.RawConn
	reading, writing transfer
}

// borrowed holds what WriteTo has read while it is written.
var borrowed = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// WriteTo is how io.Copy reads. It holds a buffer only while there is something to copy.
func (c *conn) WriteTo(w io.Writer) (copied int64, err error) {
	var b *[16 << 10]byte
	var n int
	var errno syscall.Errno
	read := func(fd uintptr) bool {
		b = borrowed.Get().(*[16 << 10]byte)
		if n, errno = quietly(syscall.SYS_READ, fd, b[:]); errno == syscall.EAGAIN {
			borrowed.Put(b)
			return false
		}
		return true
	}
	for {
		if err := c.raw.Read(read); err != nil {
			return copied, err
		}
		written := 0
		if n > 0 {
			written, err = w.Write(b[:n])
		}
		borrowed.Put(b)
		copied += int64(written)
		switch {
		case err != nil:
			return copied, err
		case errno != 0:
			return copied, c.failed("read", errno)
		case n == 0:
			return copied, nil
		}
	}
}

// failed is net's error for that of a system call.
func (c *conn) failed(op string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
}

// transfer is one direction, of which one call is under way at a time.
type transfer struct {
	call func(fd uintptr) bool // read or write; made once, because it lives on the heap

	mu    sync.Mutex
	b     []byte
	n     int
	errno syscall.Errno
}

func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 || len(b) >= large {
		return c.TCPConn.Read(b)
	}
	n, err := c.reading.do("read", c, c.raw.Read, b)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if len(b) == 0 || len(b) >= large {
		return c.TCPConn.Write(b)
	}
	return c.writing.do("write", c, c.raw.Write, b)
}

// do runs call where it may run, as often as it asks for that, and says what became of it.
func (t *transfer) do(op string, c *conn, run func(func(uintptr) bool) error, b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b, t.n, t.errno = b, 0, 0
	err := run(t.call)
	t.b = nil
	if err == nil && t.errno != 0 {
		err = c.failed(op, t.errno)
	}
	return t.n, err
}

// read is one read(2). It is false when nothing is there yet.
func (t *transfer) read(fd uintptr) bool {
	n, errno := quietly(syscall.SYS_READ, fd, t.b)
	t.n, t.errno = n, errno
	if errno == syscall.EAGAIN {
		t.errno = 0
		return false
	}
	return true
}

// write is write(2) until all is written. It is false when the kernel takes no more for now.
func (t *transfer) write(fd uintptr) bool {
	for len(t.b) > 0 {
		n, errno := quietly(syscall.SYS_WRITE, fd, t.b)
		if errno == syscall.EAGAIN {
			return false
		}
		if errno != 0 {
			t.errno = errno
			return true
		}
		t.n, t.b = t.n+n, t.b[n:]
	}
	return true
}

// quietly makes a system call on a non-blocking descriptor without a word to the scheduler.
func quietly(call, fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
