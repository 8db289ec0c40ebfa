package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// Chromium opens the official Admin UI, connected to one of two edges of a cluster. Pictures stay in artifacts/.
func TestAdminUIInChromium(t *testing.T) {
	folder := filepath.Join(root(), "artifacts")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	ui := filepath.Join(root(), "test/e2e/node_modules/@socket.io/admin-ui/ui/dist")
	if _, err := os.Stat(ui); err != nil {
		t.Fatalf("%v; make build installs it", err)
	}
	page := httptest.NewServer(http.FileServer(http.Dir(ui)))
	t.Cleanup(page.Close)
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	redis := redistest.Start(t)
	var edges []string
	for _, name := range []string{"edge one", "edge two"} {
		p := start(t, name, program(t, "edge"), "--id", name, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--fanout", "127.0.0.1:1",
			"--auth", "insecure-dev", "--redis-url", "redis://"+redis.Addr(), "--cluster-key", "of this test alone 32 bytes long",
			"--admin-ui-user", "operator", "--admin-ui-password", string(hash), "--admin-ui-origins", page.URL, "--admin-ui-development")
		line, _ := p.await(t, 0, "its start", edgeLine.MatchString)
		edges = append(edges, "http://"+edgeLine.FindStringSubmatch(line)[1])
	}
	p := node(t, "admin-page.js", "test/e2e/admin-page.js", page.URL, edges[0], edges[1], folder)
	select {
	case <-p.ended:
	case <-time.After(4 * patience):
		t.Fatal("the page's test did not end")
	}
	if p.err != nil {
		t.Errorf("%v\n%s", p.err, p.said())
	}
}
