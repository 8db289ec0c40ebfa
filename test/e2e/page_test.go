package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Chromium opens the player of the simulated bot's first guild. Pictures stay in artifacts/.
func TestWebPlayerInChromium(t *testing.T) {
	s := devstack(t)
	folder := filepath.Join(root(), "artifacts")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	p := node(t, "player-page.js", "test/e2e/player-page.js", s.url+"/#100000000000000001", folder)
	select {
	case <-p.ended:
	case <-time.After(4 * patience):
		t.Fatal("the page's test did not end")
	}
	if p.err != nil {
		t.Errorf("%v", p.err)
	}
	for _, name := range []string{"web-player.png", "web-player-paused.png", "web-player-phone.png"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() < 20_000 {
			t.Errorf("picture %s: %v", name, err)
		}
	}
}
