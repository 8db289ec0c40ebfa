package docs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// elsewhere are the commands that TestCommands cannot run: what begins a line, who runs it instead, and
// what of the line can be checked without running it.
var elsewhere = []struct {
	begins, why string
	check       func(words []string) error
}{
	{"make ", "each target is run by continuous integration or, where it takes long, by hand", makes},
	{"npm install ", "takes packages from the network; test/docs/package.json has them", packages},
	{"go get ", "takes a released version from the network; TestLibraryElsewhere takes this one", gets},
	{"docker compose ", "starts containers; deploy/check loads the files and the Dockerfile", composes},
	{"kubectl ", "needs a cluster; deploy/check and make k8s-verify take the overlays", kubectls},
}

// TestEveryCommandIsHeldToSomething fails for a command on a page that is neither run nor known to be
// run elsewhere, and for one of the latter that cannot be right.
func TestEveryCommandIsHeldToSomething(t *testing.T) {
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks(string(text)) {
			switch {
			case b.is("sh", "run"):
			case b.is("sh"):
				for _, line := range b.lines() {
					if err := held(line); err != nil {
						t.Errorf("%s, block at line %d: %q: %v", filepath.Base(page), b.line, line, err)
					}
				}
			case b.is("bash"), b.is("shell"), b.is("console"), b.is("zsh"):
				t.Errorf("%s, line %d: commands stand in blocks of sh", filepath.Base(page), b.line)
			}
		}
	}
}

// TestWrongCommandsAreFound shows that the checks can fail.
func TestWrongCommandsAreFound(t *testing.T) {
	for _, line := range []string{
		"curl http://127.0.0.1:9090/healthz", "make no-such-target", "npm install socket.io-client@3", "npm install left-pad",
		"docker compose upp", "docker compose up --no-such-flag", "go get github.com/pona-realtime/pona/pkg/nothing", "docker compose -f nothing.yml up --build", "kubectl apply -k deploy/k8s/overlays/nowhere",
		"kubectl -n pona create secret generic unknown --from-env-file=unknown.env", "kubectl -n pona create secret generic unknown --from-file=unknown",
		"kubectl -n pona create secret generic other-ca --from-file=ca.crt=other.crt --from-file=tls.crt=other.crt",
		"kubectl -n pona create secret generic other-tls --from-file=tls.crt=other.crt --from-file=tls.key=other.key --from-file=ca.crt=other.crt",
		"kubectl -n pona create secret tls other --cert=other.crt --key=other.key", "kubectl label namespace other pona.dev/bots=maybe",
		"kubectl -n pona rollout restart deployment other", "kubectl apply -f deploy/k8s/base/edge.yaml",
		"kubectl label namespace other pona.dev/role=guest", "kubectl -n pona port-forward service/door 8080:80", "kubectl delete namespace pona",
	} {
		if held(line) == nil {
			t.Errorf("nobody minds %q", line)
		}
	}
}

// pages are the paths of all that is written for readers.
func pages(t *testing.T) (found []string) {
	t.Helper()
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../deploy/*.md", "../../deploy/*/*.md"} {
		some, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, some...)
	}
	return found
}

// held says what is wrong with a command that is not run here.
func held(line string) error {
	line, _, _ = strings.Cut(line, " #")
	if strings.HasPrefix(line, "#") {
		return nil
	}
	for _, known := range elsewhere {
		if strings.HasPrefix(line, known.begins) {
			return known.check(strings.Fields(line))
		}
	}
	return errors.New("nobody runs it: mark the block sh run")
}

// gets knows packages that are here.
func gets(words []string) error {
	command := exec.Command("go", append([]string{"list"}, words[2:]...)...)
	command.Dir = "../.."
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

// TestLibraryElsewhere builds the library in a module outside the workspace, where the project's own replacements do
// not count.
func TestLibraryElsewhere(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	program := "package main\n\nimport (\n\t_ \"" + library + "/adapter/redisbus\"\n\t_ \"" + library + "/socketio\"\n)\n\nfunc main() {}\n"
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{
		{"mod", "init", "example.com/elsewhere"}, {"mod", "edit", "-replace=" + library + "=" + filepath.Join(root, "pkg")}, {"mod", "tidy"}, {"vet", "."},
	} {
		command := exec.CommandContext(t.Context(), "go", words...)
		command.Dir, command.Env = folder, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		if said, err := command.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v: %s", strings.Join(words, " "), err, said)
		}
	}
}

const library = "github.com/pona-realtime/pona/pkg"

// makes has make say what it would do: it refuses a target that is not there.
func makes(words []string) error {
	command := exec.Command("make", append([]string{"--dry-run"}, words[1:]...)...)
	command.Dir = "../.."
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

var packageAtMajor = regexp.MustCompile(`^((?:@[a-z.-]+/)?[a-z.-]+)@(\d+)$`)

// packages compares packages and their major versions with those that the examples are run with.
func packages(words []string) error {
	text, err := os.ReadFile("package.json")
	if err != nil {
		return err
	}
	var with struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &with); err != nil {
		return err
	}
	for _, word := range words[2:] {
		m := packageAtMajor.FindStringSubmatch(word)
		switch {
		case word == "--no-save":
		case m == nil:
			return fmt.Errorf("%s is no package@major", word)
		case !strings.HasPrefix(with.Dependencies[m[1]], m[2]+"."):
			return fmt.Errorf("%s: the examples are run with %q", word, with.Dependencies[m[1]])
		}
	}
	return nil
}

// installed is a script without its npm install lines, of packages that are there.
func installed(script string) (string, error) {
	var rest strings.Builder
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(line, "npm install ") {
			rest.WriteString(line)
		} else if err := packages(strings.Fields(line)); err != nil {
			return "", err
		}
	}
	return rest.String(), nil
}

// composes knows one command, with files that are there.
func composes(words []string) error {
	files := []string{"docker-compose.yml"}
	if words[2] == "-f" {
		files = nil
	}
	at := 2
	for ; at+1 < len(words) && words[at] == "-f"; at += 2 {
		files = append(files, words[at+1])
	}
	if strings.Join(words[at:], " ") != "up --build" {
		return errors.New("not what deploy/check prepares for")
	}
	for _, file := range files {
		if _, err := os.Stat(filepath.Join("../..", file)); err != nil {
			return err
		}
	}
	return nil
}

// kubectlCommands are the commands of kubectl that pages have, and what must stand in a manifest for their names.
var kubectlCommands = []struct {
	is     *regexp.Regexp
	stands string
}{
	{regexp.MustCompile(`^kubectl -n pona create secret generic ([a-z-]+) --from-env-file=[a-z.]+$`), `secretRef: {name: %s}`},
	{regexp.MustCompile(`^kubectl -n pona create secret generic ([a-z-]+) --from-file=[a-z]+$`), `secret: {secretName: %s}`},
	{regexp.MustCompile(`^kubectl -n pona create secret generic ([a-z]+-ca)( --from-file=(ca|tls)\.crt=[a-z-]+\.crt){2}$`), `secure-verify-ca-secret: %s`},
	{regexp.MustCompile(`^kubectl -n pona create secret generic ([a-z-]+) --from-file=tls\.crt=[a-z-]+\.crt --from-file=tls\.key=[a-z-]+\.key --from-file=ca\.crt=[a-z-]+\.crt$`), `secret: {secretName: %s}`},
	{regexp.MustCompile(`^kubectl -n pona create secret tls ([a-z-]+) --cert=[a-z]+\.crt --key=[a-z]+\.key$`), `, secretName: %s}`},
	{regexp.MustCompile(`^kubectl label namespace [a-z-]+ pona.dev/role=([a-z]+)$`), `matchLabels: {pona.dev/role: %s}`},
	{regexp.MustCompile(`^kubectl label namespace [a-z-]+ pona.dev/bots=([a-z]+)$`), `matchLabels: {pona.dev/bots: "%s"}`},
	{regexp.MustCompile(`^kubectl -n pona rollout (?:restart|status) deployment ([a-z]+)$`), "kind: Deployment\nmetadata:\n  name: %s\n"},
	{regexp.MustCompile(`^kubectl -n pona port-forward service/([a-z]+) \d+:80$`), "kind: Service\nmetadata:\n  name: %s\n"},
}

// kubectls knows those, and that an overlay is applied, or the namespace before it.
func kubectls(words []string) error {
	line := strings.Join(words, " ")
	if overlay, found := strings.CutPrefix(line, "kubectl apply -k "); found {
		_, err := os.Stat(filepath.Join("../..", overlay, "kustomization.yaml"))
		return err
	}
	if line == "kubectl apply -f deploy/k8s/base/namespace.yaml" { // the one that Secrets wait for
		_, err := os.Stat("../../deploy/k8s/base/namespace.yaml")
		return err
	}
	base, err := filepath.Glob("../../deploy/k8s/*/*.yaml")
	if err != nil {
		return err
	}
	overlays, err := filepath.Glob("../../deploy/k8s/overlays/*/*.yaml")
	if err != nil {
		return err
	}
	for _, command := range kubectlCommands {
		m := command.is.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		for _, file := range append(base, overlays...) {
			if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), fmt.Sprintf(command.stands, m[1])) {
				return nil
			}
		}
		return fmt.Errorf("nothing in deploy/k8s has %s", fmt.Sprintf(command.stands, m[1]))
	}
	return errors.New("none that deploy/k8s is prepared for")
}
