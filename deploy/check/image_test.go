package check

import (
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// image is what the last stages of the Dockerfile make.
type image struct {
	folder                    string // its root file system
	user, workdir             string
	entrypoint, command, test []string // test is the health check's
}

// layOut makes the image of a stage and those it stands on, in folder, but for what others' images hold. What the stage "build"
// leaves in /out is in out; its certificates are this machine's.
func layOut(t *testing.T, name, out, folder string) (i image) {
	t.Helper()
	stage, is := stages(t)[name]
	if !is { // scratch, or another's
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		return image{folder: folder, workdir: "/"}
	}
	i = layOut(t, stage.BaseName, out, folder)
	for _, c := range stage.Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			for _, source := range c.SourcePaths {
				target := filepath.Join(folder, i.path(c.DestPath))
				if strings.HasSuffix(c.DestPath, "/") {
					target = filepath.Join(target, filepath.Base(source))
				}
				if built, is := strings.CutPrefix(source, "/out/"); is {
					source = filepath.Join(out, built)
				} else if c.From == "" {
					source = filepath.Join(root(t), source)
				}
				copyTree(t, source, target)
			}
		case *instructions.WorkdirCommand:
			i.workdir = i.path(c.Path)
		case *instructions.RunCommand:
			run := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(strings.Join(c.CmdLine, " "), " /data", " "+folder+"/data"))
			run.Dir, run.Env = filepath.Join(folder, i.workdir), append(os.Environ(), "npm_config_prefer_offline=true")
			if said, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", name, err, said)
			}
		case *instructions.UserCommand:
			i.user = c.User
		case *instructions.EntrypointCommand:
			i.entrypoint = c.CmdLine
		case *instructions.CmdCommand:
			i.command = c.CmdLine
		case *instructions.HealthCheckCommand:
			i.test = c.Health.Test
		}
	}
	return i
}

// path is where one of an instruction is.
func (i image) path(named string) string {
	if filepath.IsAbs(named) {
		return named
	}
	return filepath.Join(i.workdir, named)
}

// copyTree copies a file, or what a folder holds but for node_modules, as .dockerignore has it.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "node_modules":
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		_ = os.Remove(target) // by an earlier instruction
		copyFile(t, path, target)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
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
