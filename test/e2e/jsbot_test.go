package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/service/tlstest"
)

// TestTheBotInJavaScriptShowsWhoItIs has a fanout demand what it can, TLS, a certificate and a token, and looks at the bot as its
// health check does.
func TestTheBotInJavaScriptShowsWhoItIs(t *testing.T) {
	authority := tlstest.NewAuthority(t)
	authority.Issue("fanout")
	authority.Issue("bot")
	nats := startNATS(t)
	const token = "of the only bot that there is"
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fanout := start(t, "fanout", program(t, "fanout"), "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--nats-url", nats.URL(),
		"--tls-cert", authority.File("fanout.pem"), "--tls-key", authority.File("fanout.key"), "--tls-client-ca", authority.File("ca.pem"), "--bot-tokens", tokens)
	line, _ := fanout.await(t, 0, "where it listens", fanoutLine.MatchString)
	at := fanoutLine.FindStringSubmatch(line)[1]

	right := map[string]string{"PONA_CA": authority.File("ca.pem"), "PONA_CERT": authority.File("bot.pem"), "PONA_KEY": authority.File("bot.key"), "PONA_TOKEN": token}
	for name, value := range right {
		t.Setenv(name, value)
	}
	alive := filepath.Join(t.TempDir(), "alive")
	bot := func(name string) *process {
		return node(t, name, "services/devstack/bots/js/bot.js", "--fanout", at, "--guild", fmt.Sprint(newGuild()), "--alive", alive)
	}
	for _, missing := range []struct{ variables, refusal string }{
		{"PONA_TOKEN", "not connected: 16 "}, // UNAUTHENTICATED
		{"PONA_CERT PONA_KEY", "not connected: 14 "},
		{"PONA_CA PONA_CERT PONA_KEY", "not connected: 14 "}, // UNAVAILABLE
	} {
		for _, name := range strings.Fields(missing.variables) {
			t.Setenv(name, "")
		}
		b := bot("bot without " + missing.variables)
		b.await(t, 0, "that it is refused", func(line string) bool { return strings.HasPrefix(line, missing.refusal) })
		b.kill()
		for name, value := range right {
			t.Setenv(name, value)
		}
	}
	if err := isAlive(alive); err == nil {
		t.Error("a refused bot is alive")
	}

	b := bot("bot")
	b.await(t, 0, "that it serves commands", func(line string) bool { return strings.HasPrefix(line, "serving guild") })
	for deadline := time.Now().Add(patience); isAlive(alive) != nil; {
		if time.Now().After(deadline) {
			t.Fatalf("the bot serves, and is not alive: %v", isAlive(alive))
		}
	}
	fanout.kill()
	lost := func(line string) bool { return strings.HasPrefix(line, "not connected") }
	_, read := b.await(t, 0, "that it has lost the fanout", lost)
	before := time.Now().Add(-11 * time.Second)
	if err := os.Chtimes(alive, before, before); err != nil {
		t.Fatal(err)
	}
	for range 6 { // the sixth comes later than the bot renews the file
		_, read = b.await(t, read, "that it tries again", lost)
	}
	if err := isAlive(alive); err == nil {
		t.Error("the bot was not connected for 11 s, and is alive")
	}
	if code, took := b.terminate(t); code != 0 {
		t.Errorf("the bot ended with %d after %v", code, took)
	}
}

// isAlive is the health check of a bot that renews a file.
func isAlive(file string) error {
	said, err := exec.Command("node", filepath.Join(root(), "services/devstack/bots/js/alive.js"), file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}
