package quietnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/quietnet"
)

// pair gives the two ends of a connection.
func pair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := quietnet.Listener{Listener: plain}
	defer listener.Close() //nolint:errcheck // nothing to lose
	if a, err = (quietnet.Dialer{}).Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.Close()
		_ = b.Close()
	})
	return a, b
}

// What is far more than the kernel takes at once arrives whole, whatever the sizes of its writes.
func TestWhatIsWrittenIsRead(t *testing.T) {
	a, b := pair(t)
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20)
	var writing sync.WaitGroup
	writing.Go(func() {
		defer a.Close() //nolint:errcheck // the reader sees it
		rest := sent
		for size := 1; len(rest) > 0; size = size*3 + 1 {
			n, err := a.Write(rest[:min(size, len(rest))])
			if err != nil {
				t.Errorf("after %d bytes: %v", len(sent)-len(rest), err)
				return
			}
			if rest = rest[n:]; size > 1<<20 {
				size = 1000
			}
		}
	})
	got, err := io.ReadAll(b)
	writing.Wait()
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes came, or others, and %v", len(got), len(sent), err)
	}
}

// io.Copy has its way of reading, which is like the other.
func TestCopy(t *testing.T) {
	a, b := pair(t)
	sent := bytes.Repeat([]byte("0123456789"), 100_000)
	var writing sync.WaitGroup
	writing.Go(func() {
		if _, err := a.Write(sent); err != nil {
			t.Error(err)
		}
		_ = a.(interface{ CloseWrite() error }).CloseWrite()
	})
	var got bytes.Buffer
	n, err := io.Copy(struct{ io.Writer }{&got}, b)
	writing.Wait()
	if err != nil || n != int64(len(sent)) || !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("%d bytes of %d came, or others, and %v", n, len(sent), err)
	}
	go b.Write([]byte("more")) //nolint:errcheck // the reader sees it
	refused := errors.New("refused")
	if n, err := io.Copy(refusing{refused}, a); n != 0 || err != refused { //nolint:errorlint // it is handed on
		t.Errorf("to who refuses: %d, %v", n, err)
	}
	_ = a.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := io.Copy(io.Discard, struct {
		io.WriterTo
		io.Reader
	}{a.(io.WriterTo), a}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	_ = a.SetReadDeadline(time.Time{})
	_ = b.(interface{ SetLinger(int) error }).SetLinger(0)
	_ = b.Close()
	var op *net.OpError
	if _, err := io.Copy(refusing{}, a); !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "read" {
		t.Errorf("from who breaks off: %v", err)
	}
}

type refusing struct{ err error }

func (r refusing) Write([]byte) (int, error) { return 0, r.err }

func TestErrorsAreThoseOfNet(t *testing.T) {
	a, b := pair(t)
	small := make([]byte, 10)
	if err := a.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if n, err := a.Read(small); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("after the deadline: %d, %v", n, err)
	}
	if err := a.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Read(nil); n != 0 || err != nil {
		t.Errorf("reading nothing: %d, %v", n, err)
	}

	read := make(chan error)
	go func() {
		_, err := a.Read(make([]byte, 10))
		read <- err
	}()
	_ = a.Close()
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading while it is closed: %v", err)
	}
	if _, err := a.Write(small); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing after it: %v", err)
	}
	if n, err := b.Read(small); n != 0 || err != io.EOF { //nolint:errorlint // readers compare
		t.Errorf("at the peer's end: %d, %v", n, err)
	}
	var err error
	for err == nil { // the peer's kernel refuses the first one or the second
		_, err = b.Write(small)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "write" || !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("writing to who has gone: %v", err)
	}
}

func TestOtherConnectionsStayWhatTheyAre(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close() //nolint:errcheck // in memory
	defer b.Close() //nolint:errcheck // in memory
	if quietnet.Quiet(a) != a {
		t.Error("a pipe was changed")
	}
}

func TestNothingIsAllocated(t *testing.T) {
	a, b := pair(t)
	small := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		_, errWrite := a.Write(small)
		_, errRead := io.ReadFull(b, small)
		if err := errors.Join(errWrite, errRead); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations for a write and a read", n)
	}
}
