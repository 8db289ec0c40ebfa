package check

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// image is what the last stages of the Dockerfile make.
type image struct {
	folder           string // its root file system
	user             string
	entrypoint, test []string // test is the health check's command
}

// layOut makes the image of a stage and those it stands on, in folder. What the stage "build" leaves in /out is in out; its
// certificates are this machine's.
func layOut(t *testing.T, name, out, folder string) (i image) {
	t.Helper()
	stage, is := stages(t)[name]
	if !is { // scratch
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		return image{folder: folder}
	}
	i = layOut(t, stage.BaseName, out, folder)
	for _, c := range stage.Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			for _, source := range c.SourcePaths {
				target := filepath.Join(folder, c.DestPath)
				if strings.HasSuffix(c.DestPath, "/") {
					target = filepath.Join(target, filepath.Base(source))
				}
				if built, is := strings.CutPrefix(source, "/out/"); is {
					source = filepath.Join(out, built)
				}
				copyFile(t, source, target)
			}
		case *instructions.UserCommand:
			i.user = c.User
		case *instructions.EntrypointCommand:
			i.entrypoint = c.CmdLine
		case *instructions.HealthCheckCommand:
			i.test = c.Health.Test
		}
	}
	return i
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	source, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	about, err := source.Stat()
	if err != nil {
		t.Fatal(err)
	}
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, about.Mode())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(target, source); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
}
