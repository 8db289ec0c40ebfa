package settings

import (
	"fmt"
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
)

// Bytes is a size in bytes. As a setting it is written 15000000, 15MB (powers of 1000) or 15MiB
// (powers of 1024).
type Bytes int64

// UnmarshalText reads a size, never a negative one.
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf("%q is no size in bytes, such as 15000000, 15MB or 15MiB", text)
	}
	*b = Bytes(n)
	return nil
}

// String gives the shortest text that reads back as the same number.
func (b Bytes) String() string {
	n, unit := int64(b), ""
	for _, u := range []struct {
		size int64
		name string
	}{{1e12, "TB"}, {1 << 40, "TiB"}, {1e9, "GB"}, {1 << 30, "GiB"}, {1e6, "MB"}, {1 << 20, "MiB"}, {1e3, "kB"}, {1 << 10, "KiB"}} {
		if n != 0 && n%u.size == 0 {
			n, unit = n/u.size, u.name
			break
		}
	}
	return strconv.FormatInt(n, 10) + unit
}
