package stamp

import "testing"

func TestStamp(t *testing.T) {
	want := Stamp{At: 1234567890123, Run: 7, Sequence: 42}
	text := want.String()
	if len(text) != Size {
		t.Fatalf("%q has %d bytes", text, len(text))
	}
	if got, ok := Read([]byte(`42/guild/1,["bench","` + text + `body"]`)); !ok || got != want {
		t.Errorf("read %+v, %v", got, ok)
	}
	for _, bad := range []string{"", "@T", text[:Size-1], "@T000000000000000000xR07S00000042;", `42["handshake","eyJ9"]`} {
		if got, ok := Read([]byte(bad)); ok {
			t.Errorf("read %+v from %q", got, bad)
		}
	}
	if a, b := Now(), Now(); a <= 0 || b < a {
		t.Errorf("the clock says %d, then %d", a, b)
	}
}
