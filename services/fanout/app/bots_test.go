package app

import (
	"bytes"
	"crypto/sha256"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTokensThatCannotBeRead replaces a file of tokens by one with a mistake, and by a good one: the log says once that it has not
// been taken, and that it has.
func TestTokensThatCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	written := time.Now().Add(-time.Hour)
	write := func(text string) {
		t.Helper()
		written = written.Add(time.Second) // whatever the file system's clock resolves
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, written, written); err != nil {
			t.Fatal(err)
		}
	}
	const first, second = "the first bot's token", "the second bot's token"
	write(first)
	var log bytes.Buffer
	tokens, err := newBotTokens(file, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	logged := func(want ...string) {
		t.Helper()
		for range 3 {
			if !tokens.knows(sha256.Sum256([]byte(first)), 0) {
				t.Error("the token is not known any more")
			}
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(want) == 0 && log.Len() == 0 {
			return
		}
		if len(lines) != len(want) {
			t.Fatalf("logged %q", lines)
		}
		for i, line := range lines {
			if !strings.Contains(line, want[i]) {
				t.Errorf("logged %q, want %q", line, want[i])
			}
		}
	}
	const bad, good = "those of before hold", "have been read again"
	logged()
	write(first + "\nshort")
	logged(bad)
	write(first + "\n" + second)
	logged(bad, good)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	logged(bad, good, bad)
	write(first)
	logged(bad, good, bad, good)
}
