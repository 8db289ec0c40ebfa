package settings

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// configFlag names the settings file.
type configFlag string

// BeforeResolve reads the file as soon as flag and variable have been read.
func (configFlag) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	path := string(ctx.FlagValue(trace.Flag).(configFlag))
	if path == "" {
		return nil
	}
	file, err := readFile(path)
	if err != nil {
		return err
	}
	ctx.AddResolver(file)
	return file.Validate(ctx.Model)
}

// file holds the settings of a YAML file by flag name.
type file struct {
	path   string
	values map[string]any // string, or []any of string
}

func readFile(path string) (*file, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("settings file %s: %s", path, yaml.FormatError(err, false, false))
	}
	f := &file{path: path, values: make(map[string]any)}
	return f, f.flatten("", tree)
}

// flatten turns {redis: {addr: x}} into {redis-addr: x}.
func (f *file) flatten(prefix string, tree map[string]any) error {
	for key, value := range tree {
		name := prefix + key
		switch value := value.(type) {
		case map[string]any:
			if err := f.flatten(name+"-", value); err != nil {
				return err
			}
			continue
		case nil:
			return fmt.Errorf("settings file %s: %s has no value", f.path, name)
		}
		if _, twice := f.values[name]; twice {
			return fmt.Errorf("settings file %s: %s is set twice", f.path, name)
		}
		f.values[name] = scalar(value)
	}
	return nil
}

// scalar gives values the form they would have on the command line.
func scalar(value any) any {
	list, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	texts := make([]any, len(list))
	for i, v := range list {
		texts[i] = fmt.Sprint(v)
	}
	return texts
}

// Validate refuses keys that are no setting; it is part of kong.Resolver.
func (f *file) Validate(model *kong.Application) error {
	var known []string
	for _, flag := range model.Flags {
		if len(flag.Envs) > 0 && flag.Name != "config" {
			known = append(known, flag.Name)
		}
	}
	for name := range f.values {
		if !slices.Contains(known, name) {
			return fmt.Errorf("settings file %s: unknown setting %s%s", f.path, name, suggest("", name, known))
		}
	}
	return nil
}

// Resolve gives kong the file's value for a flag that the command line does not set; kong would
// let it win over the environment, we don't.
func (f *file) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := f.values[flag.Name]
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	if !ok {
		return nil, nil
	}
	// A first try on a scratch value, for an error that names the file.
	scratch := reflect.New(flag.Target.Type()).Elem()
	if err := flag.Parse(kong.Scan().PushTyped(value, kong.FlagValueToken), scratch); err != nil {
		text := strings.TrimPrefix(err.Error(), flag.ShortSummary()+": ") // kong will put it in front again
		return nil, fmt.Errorf("%s (from settings file %s)", text, f.path)
	}
	return value, nil
}
