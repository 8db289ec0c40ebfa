package seal

import (
	"bytes"
	"encoding/base64"
	"testing"
)

var (
	secretA = bytes.Repeat([]byte("a"), MinSecret)
	secretB = bytes.Repeat([]byte("b"), MinSecret)
)

// golden is an address sealed under secretA for the purpose sid: what a release seals, the next one opens.
const golden = "XChYIb9e4Mbl4_dUoDPgrRkV86n8itwZVSd0br0XczsWwiZFLq6eL4-HMcafLRz_pwjWPDaB"

func TestGolden(t *testing.T) {
	if content, ok := sealer(t, "sid", secretA).Open(golden, ""); !ok || content != "10.0.0.1:8080" {
		t.Errorf("%q, %v", content, ok)
	}
}

func sealer(t testing.TB, purpose string, secrets ...[]byte) *Sealer {
	t.Helper()
	s, err := New(purpose, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedOpensForItsPurposeAndContextOnly(t *testing.T) {
	s := sealer(t, "sid", secretA)
	text := s.Seal("10.0.0.1:8080", "here")
	if content, ok := s.Open(text, "here"); !ok || content != "10.0.0.1:8080" {
		t.Errorf("%q, %v", content, ok)
	}
	if again := s.Seal("10.0.0.1:8080", "here"); again == text {
		t.Error("two seals are the same")
	}
	for name, open := range map[string]func() (string, bool){
		"another context": func() (string, bool) { return s.Open(text, "there") },
		"another purpose": func() (string, bool) { return sealer(t, "pass", secretA).Open(text, "here") },
		"another secret":  func() (string, bool) { return sealer(t, "sid", secretB).Open(text, "here") },
		"nothing":         func() (string, bool) { return s.Open("", "here") },
		"the reference's": func() (string, bool) { return s.Open("lv_VI97HAXpY6yYWAAAC", "here") },
	} {
		if content, ok := open(); ok || content != "" {
			t.Errorf("%s: opened as %q", name, content)
		}
	}
}

func TestSecretsChange(t *testing.T) {
	before, during, after := sealer(t, "sid", secretA), sealer(t, "sid", secretB, secretA), sealer(t, "sid", secretB)
	old, young := before.Seal("x", ""), during.Seal("x", "")
	for name, opened := range map[string]bool{
		"old, during": opens(during, old), "new, during": opens(during, young), "new, after": opens(after, young),
	} {
		if !opened {
			t.Errorf("%s: does not open", name)
		}
	}
	if opens(after, old) {
		t.Error("opens after its secret has gone")
	}
}

func opens(s *Sealer, text string) bool { _, ok := s.Open(text, ""); return ok }

func TestShortSecretsAreRefused(t *testing.T) {
	if _, err := New("sid"); err == nil {
		t.Error("none: accepted")
	}
	if _, err := New("sid", secretA, secretB[:MinSecret-1]); err == nil {
		t.Error("short: accepted")
	}
}

// FuzzOpen changes sealed texts: only the very one that was sealed may open.
func FuzzOpen(f *testing.F) {
	s := sealer(f, "sid", secretA, secretB)
	f.Add(golden)
	f.Add(golden[:len(golden)-1])
	f.Add(golden + "A")
	f.Add(golden + "=")
	f.Add("A" + golden[1:])
	f.Add(golden[:40] + "\n" + golden[40:])
	f.Add(s.Seal("", "x")) // of another context
	f.Add("")
	f.Add("lv_VI97HAXpY6yYWAAAC")
	f.Add(base64.RawURLEncoding.EncodeToString(make([]byte, 64)))
	f.Fuzz(func(t *testing.T, forged string) {
		content, ok := s.Open(forged, "")
		switch {
		case !ok && content != "":
			t.Errorf("content %q of what does not open", content)
		case ok && forged != golden:
			t.Errorf("%q opens as %q", forged, content)
		}
	})
}
