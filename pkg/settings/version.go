package settings

import (
	"cmp"
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

var version string // set by the linker: what git describe says

// versionFlag is --version.
type versionFlag bool

// BeforeReset prints before anything else is looked at.
func (versionFlag) BeforeReset(k *kong.Kong, p Program) error {
	if _, err := fmt.Fprintf(k.Stdout, "%s %s\n", p.Name, BuildOf(p)); err != nil {
		return err
	}
	return errShown
}

// Build says what a binary was built from.
type Build struct {
	Version string `json:"version"` // v1.2.3, (devel) when nothing is known
	Commit  string `json:"commit"`  // twelve digits, " with changes" where there were some; or unknown
	Go      string `json:"go"`      // go1.26.8
}

func (b Build) String() string { return fmt.Sprintf("%s, commit %s, %s", b.Version, b.Commit, b.Go) }

// BuildOf says what the running program was built from.
func BuildOf(p Program) Build {
	info, _ := debug.ReadBuildInfo()
	return describeBuild(p, info)
}

func describeBuild(p Program, info *debug.BuildInfo) Build {
	if info == nil {
		info = &debug.BuildInfo{}
	}
	commit, changed := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with changes"
		}
	}
	return Build{cmp.Or(p.Version, version, info.Main.Version, "(devel)"), commit + changed, info.GoVersion}
}
