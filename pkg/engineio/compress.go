package engineio

import (
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// compressor is what gzip and zlib writers have in common.
type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

// compressors keeps idle writers by coding and level.
var compressors sync.Map // compressorKey → *sync.Pool

type compressorKey struct {
	coding string
	level  int
}

// compress encodes body in a coding that acceptedCoding has given.
func compress(body []byte, coding string, level int) []byte {
	v, _ := compressors.LoadOrStore(compressorKey{coding, level}, new(sync.Pool))
	pool := v.(*sync.Pool)
	out := sliceWriter{make([]byte, 0, len(body)/2+64)}
	c, _ := pool.Get().(compressor)
	if c == nil {
		c = newCompressor(coding, level)
	}
	c.Reset(&out)
	_, _ = c.Write(body) // a sliceWriter takes everything
	_ = c.Close()
	pool.Put(c)
	return out.b
}

func newCompressor(coding string, level int) compressor {
	if coding == "gzip" {
		if w, err := gzip.NewWriterLevel(io.Discard, level); err == nil {
			return w
		}
		return gzip.NewWriter(io.Discard)
	}
	if w, err := zlib.NewWriterLevel(io.Discard, level); err == nil {
		return w
	}
	return zlib.NewWriter(io.Discard)
}

// acceptedCoding picks gzip or deflate from an Accept-Encoding header (RFC 9110, § 12.5.3): what the client prefers, of
// equals what it names first. "" means neither is accepted.
func acceptedCoding(header string) string {
	var best string
	var highest float64
	named := map[string]bool{}
	consider := func(coding string, q float64) {
		if q > highest {
			best, highest = coding, q
		}
	}
	var others float64 // for what is not named
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(item, ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			if parsed, err := strconv.ParseFloat(v, 64); err == nil {
				q = parsed
			}
		}
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "gzip", "deflate":
			named[name] = true
			consider(name, q)
		case "*":
			others = q
		}
	}
	for _, coding := range []string{"gzip", "deflate"} {
		if !named[coding] {
			consider(coding, others)
		}
	}
	return best
}
