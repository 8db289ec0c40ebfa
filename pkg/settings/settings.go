// Package settings fills a program's settings from its command line, its environment and a file.
//
// A program describes its settings as one struct with the tags of github.com/alecthomas/kong and
// hands it to [Parse]. A setting named ping-interval of a program with EnvPrefix PONA_EDGE is the
// flag --ping-interval, the variable PONA_EDGE_PING_INTERVAL and the key ping-interval of the YAML
// file named by --config. The first of flag, variable, file and default that is there wins.
//
// Nothing is ignored: a setting that does not exist, exists twice, or has an impossible value is
// refused with one line that names it, wherever it came from. So a misspelt variable stops a
// program at its start, not its operator at night.
//
// Tags of our own, beside kong's: unit:"…" says what a number counts, where the type does not;
// secret:"" keeps the value out of [List]. The package prints help and version and nothing else.
package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Program is what a command says of itself.
type Program struct {
	Name        string // as in "Usage: edge"
	Description string // a sentence or two, shown by --help
	EnvPrefix   string // PONA_EDGE: each variable that starts with it and an underscore must be a setting
	Version     string // v1.2.3; empty means what the linker or Go recorded in the binary
}

// builtin is what every program understands beside its own settings.
type builtin struct {
	Config  configFlag  `placeholder:"FILE" unit:"path" group:"Program" help:"YAML file with settings; a key is a flag's name without the dashes, and nested keys are joined with a hyphen."`
	Help    helpFlag    `short:"h" env:"-" group:"Program" help:"Show this text."`
	Version versionFlag `env:"-" group:"Program" help:"Show version, commit and Go version."`
}

// errShown ends parsing after --help or --version.
var errShown = errors.New("shown")

// Parse fills into, a pointer to a struct, from args (without the program's name), the environment
// and the file, then calls Validate() error of into and of the structs embedded in it.
//
// After --help and --version, which go to stdout, proceed is false and err nil: the program should
// end with code 0. An error is one line that names the setting, without the program's name.
//
//	var s app.Settings
//	proceed, err := settings.Parse(program, &s, os.Args[1:], os.Stdout)
func Parse(p Program, into any, args []string, stdout io.Writer) (proceed bool, err error) {
	parser, err := newParser(p, into,
		kong.Writers(stdout, io.Discard),
		kong.Bind(p),
		kong.WithBeforeResolve(func(k *kong.Kong, trace *kong.Path) error {
			if trace.App == nil { // the hook is called for each flag as well
				return nil
			}
			return refuseUnknownVariables(p.EnvPrefix, k.Model, os.Environ())
		}),
	)
	if err != nil {
		return false, err
	}
	switch _, err = parser.Parse(args); {
	case errors.Is(err, errShown):
		return false, nil
	case err != nil:
		return false, oneLine(err, parser.Model)
	}
	return true, nil
}

// Defaults gives each setting of into that is zero its default, whatever the environment says: for
// programs that run another one within themselves. It does not validate.
func Defaults(into any) error {
	parser, err := kong.New(into)
	if err != nil {
		return err
	}
	trace, err := kong.Trace(parser, nil)
	if err != nil {
		return err
	}
	return trace.ApplyDefaults() // kong's own function of that name validates, too
}

func newParser(p Program, into any, options ...kong.Option) (*kong.Kong, error) {
	parser, err := kong.New(into, append(options,
		kong.Name(p.Name),
		kong.Description(p.Description),
		kong.NoDefaultHelp(),
		kong.Embed(&builtin{}),
		kong.PostBuild(func(k *kong.Kong) error {
			nameVariables(p.EnvPrefix, k.Model)
			return nil
		}),
	)...)
	if err != nil {
		return nil, fmt.Errorf("settings of %s: %w", p.Name, err)
	}
	return parser, nil
}

// oneLine keeps what an error says and drops line breaks and the values of secrets.
func oneLine(err error, model *kong.Application) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, flag := range model.Flags {
		value := os.Getenv(strings.Join(flag.Envs, ""))
		if flag.Tag.Has("secret") && value != "" {
			text = strings.ReplaceAll(text, value, hidden)
		}
	}
	return errors.New(text)
}
