package settings

import "testing"

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "1": 1, "15000000": 15e6, "15MB": 15e6, "15 MB": 15e6, "15mb": 15e6, "1.5kB": 1500, "15MiB": 15 << 20, "64KiB": 65536, "2GB": 2e9,
	} {
		var got Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1 parsec", "10EB0", "9EiB9", "16EiB"} {
		var got Bytes
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken for %d", text, got)
		}
	}
	for size, want := range map[Bytes]string{0: "0", 1: "1", 1500: "1500", 15e6: "15MB", 15 << 20: "15MiB", 65536: "64KiB", 2000: "2kB"} {
		if got := size.String(); got != want {
			t.Errorf("%d is written %s, want %s", int64(size), got, want)
		}
	}
}

func FuzzBytes(f *testing.F) {
	f.Add("15MB")
	f.Add("1.5 GiB")
	f.Fuzz(func(t *testing.T, text string) {
		var size, again Bytes
		if size.UnmarshalText([]byte(text)) != nil {
			return
		}
		if size < 0 {
			t.Fatalf("%q is %d", text, int64(size))
		}
		if size > 1<<53 {
			return // beyond what the parser's float holds exactly
		}
		if err := again.UnmarshalText([]byte(size.String())); err != nil || again != size {
			t.Fatalf("%q is %d, written %s, read back %d, %v", text, int64(size), size, int64(again), err)
		}
	})
}
