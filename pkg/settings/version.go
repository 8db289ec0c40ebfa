package settings

import (
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// versionFlag is --version.
type versionFlag bool

// BeforeReset prints before anything else is looked at.
func (versionFlag) BeforeReset(k *kong.Kong, p Program) error {
	info, _ := debug.ReadBuildInfo()
	if _, err := fmt.Fprintln(k.Stdout, describeBuild(p, info)); err != nil {
		return err
	}
	return errShown
}

// describeBuild says what a binary was built from: "edge v1.2.3, commit 0123456789ab, go1.26.8".
func describeBuild(p Program, info *debug.BuildInfo) string {
	if info == nil {
		info = &debug.BuildInfo{}
	}
	version, commit, changed := p.Version, "unknown", ""
	if version == "" {
		version = info.Main.Version
	}
	if version == "" {
		version = "(devel)"
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with changes"
		}
	}
	return fmt.Sprintf("%s %s, commit %s%s, %s", p.Name, version, commit, changed, info.GoVersion)
}
