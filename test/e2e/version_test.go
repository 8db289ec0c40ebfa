package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var versionLine = regexp.MustCompile(`^(\S+) \S+, commit ([0-9a-f]{12})(?: with changes)?, go1\.\S+\n$`)

// Every program that is built for operators says which commit it was made of.
func TestVersionNamesTheCommit(t *testing.T) {
	if at, err := os.Stat(filepath.Join(root(), ".git")); err != nil || !at.IsDir() {
		t.Skip("Go stamps no commit outside of a repository, nor in a linked worktree")
	}
	for _, name := range []string{"edge", "fanout", "devstack", "pona-bench"} {
		out, err := exec.Command(program(t, name), "--version").Output()
		found := versionLine.FindStringSubmatch(string(out))
		if err != nil || found == nil || found[1] != name {
			t.Errorf("%s --version says %q, %v", name, out, err)
			continue
		}
		if err := gitKnows(found[2]); err != nil {
			t.Errorf("%s: there is no commit %s: %v", name, found[2], err)
		}
	}
}

func gitKnows(commit string) error {
	git := exec.Command("git", "cat-file", "-e", commit+"^{commit}")
	git.Dir = root()
	return git.Run()
}
