package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// stages are the Dockerfile's, by name.
func stages(t *testing.T) map[string]instructions.Stage {
	t.Helper()
	file, err := os.Open("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("line %d: %s", w.Location.Start.Line, w.Short)
	}
	all, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]instructions.Stage{}
	for _, s := range all {
		byName[s.Name] = s
	}
	return byName
}

func TestDockerfile(t *testing.T) {
	targets := stages(t)
	if base := targets["service"].BaseName; base != "scratch" {
		t.Errorf("services stand on %s", base)
	}
	for name, s := range compose(t).Services {
		if s.Build == nil {
			continue
		}
		if _, is := targets[s.Build.Target]; !is {
			t.Errorf("%s: the Dockerfile has no target %s", name, s.Build.Target)
		}
	}
	for _, name := range []string{"edge", "fanout"} {
		if targets[name].BaseName != "service" {
			t.Errorf("%s stands on %s", name, targets[name].BaseName)
		}
	}
	for _, name := range []string{"service", "player", "bot", "nats"} {
		user := ""
		for _, c := range targets[name].Commands {
			if u, is := c.(*instructions.UserCommand); is {
				user = u.User
			}
		}
		if user == "" || strings.HasPrefix(user, "0") || user == "root" {
			t.Errorf("%s runs as %q", name, user)
		}
	}
}

// TestImagesAreOfWholeVersions: what is built and run today is so tomorrow.
func TestImagesAreOfWholeVersions(t *testing.T) {
	targets, bases := stages(t), map[string]string{}
	for name, s := range targets {
		if _, ours := targets[s.BaseName]; ours || s.BaseName == "scratch" {
			continue
		}
		if !wholeVersion.MatchString(s.BaseName) {
			t.Errorf("the Dockerfile builds %s of %s", name, s.BaseName)
		}
		image, version, _ := strings.Cut(s.BaseName, ":")
		bases[image] = version
	}
	for name, s := range compose(t, "traces.yaml").Services {
		if !strings.HasPrefix(s.Image, "pona/") && !wholeVersion.MatchString(s.Image) {
			t.Errorf("%s is of %s", name, s.Image)
		}
	}
	for image, is := range map[string]struct{ file, line string }{
		"golang": {"../../go.work", `(?m)^go (\S+)$`},
		"nats":   {"../../test/go.mod", `(?m)^\tgithub.com/nats-io/nats-server/v2 v(\d+\.\d+\.)`}, // images come some days after releases
	} {
		text, err := os.ReadFile(is.file)
		if err != nil {
			t.Fatal(err)
		}
		if version := regexp.MustCompile(is.line).FindStringSubmatch(string(text)); version == nil || !strings.HasPrefix(bases[image], version[1]) {
			t.Errorf("the image of %s is %s, and %s has %q", image, bases[image], is.file, version)
		}
	}
}

// TestImagesKnowTheirCommit builds as the Dockerfile does, of what it is given: this repository without what .dockerignore
// names, which is not in it anyway.
func TestImagesKnowTheirCommit(t *testing.T) {
	folder := t.TempDir()
	source, out := filepath.Join(folder, "src"), filepath.Join(folder, "out")
	said, err := exec.CommandContext(t.Context(), "git", "clone", "-q", "--depth=1", "file://"+root(t), source).CombinedOutput()
	if err != nil {
		t.Skipf("not in a repository: %s", said)
	}
	commit, err := exec.CommandContext(t.Context(), "git", "-C", source, "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	runBuildStage(t, source, out)
	for _, program := range []string{"edge", "fanout"} {
		said, err := exec.CommandContext(t.Context(), filepath.Join(out, program), "--version").Output()
		if want := ", commit " + string(commit[:12]) + ", "; err != nil || !strings.Contains(string(said), want) {
			t.Errorf("%s --version: %q, %v; want %q", program, said, err, want)
		}
	}
	ignored, err := os.ReadFile("../../.dockerignore")
	if err != nil || strings.Contains("\n"+string(ignored), "\n.git\n") {
		t.Errorf("the images are built without the repository: %v", err)
	}
}

// runBuildStage has the Dockerfile's stage "build" leave its programs in out instead of /out.
func runBuildStage(t *testing.T, source, out string) {
	t.Helper()
	environment := os.Environ()
	for _, c := range stages(t)["build"].Commands {
		switch c := c.(type) {
		case *instructions.EnvCommand:
			for _, variable := range c.Env {
				environment = append(environment, variable.Key+"="+variable.Value)
			}
		case *instructions.RunCommand:
			script := strings.Join(c.CmdLine, " ")
			if !strings.Contains(script, "/out/") {
				continue // what prepares the image
			}
			build := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(script, "/out/", out+"/"))
			build.Dir, build.Env = source, environment
			if said, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, said)
			}
		}
	}
}

// root is the repository's.
func root(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
