package settings

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// hidden stands in place of a secret's value.
const hidden = "(hidden)"

// Setting is one setting, as shown in help, documentation and the log.
type Setting struct {
	Name    string // ping-interval: the flag without dashes and the file's key
	Env     string // PONA_EDGE_PING_INTERVAL; empty for flags that are only flags
	Group   string // heading it stands under; empty for none
	Help    string // a sentence
	Unit    string // duration, bytes, "true or false", "a | b", …
	Default string // empty means none
	Value   string // what the struct holds now, or (hidden)
	Secret  bool
}

// List describes the settings in into, in the struct's order but each group in one piece, with the
// values it holds now. Those of secrets are hidden, so that the list can be logged and shown.
func List(p Program, into any) ([]Setting, error) {
	parser, err := newParser(p, into)
	if err != nil {
		return nil, err
	}
	return list(parser.Model), nil
}

// Changed gives the settings in into that are not the default, by name, with the values it holds now; those of secrets
// are hidden. Flags that are only flags are left out.
func Changed(p Program, into any) (map[string]string, error) {
	defaults := reflect.New(reflect.TypeOf(into).Elem()).Interface()
	if err := Defaults(defaults); err != nil {
		return nil, err
	}
	before, err := List(p, defaults)
	if err != nil {
		return nil, err
	}
	now, err := List(p, into)
	if err != nil {
		return nil, err
	}
	changed := map[string]string{}
	for i, s := range now {
		if s.Env != "" && (s.Value != before[i].Value || s.Value == hidden) {
			changed[s.Name] = s.Value
		}
	}
	return changed, nil
}

func list(model *kong.Application) []Setting {
	var own, builtin []Setting
	for _, flag := range model.Flags {
		if flag.Hidden {
			continue
		}
		s := describe(flag)
		switch flag.Target.Interface().(type) {
		case configFlag, helpFlag, versionFlag:
			builtin = append(builtin, s)
		default:
			own = append(own, s)
		}
	}
	all := append(own, builtin...)
	at := map[string]int{} // where a group begins
	for i, s := range slices.Backward(all) {
		at[s.Group] = i
	}
	slices.SortStableFunc(all, func(a, b Setting) int { return at[a.Group] - at[b.Group] })
	return all
}

func describe(flag *kong.Flag) Setting {
	s := Setting{
		Name:    flag.Name,
		Env:     strings.Join(flag.Envs, ""),
		Help:    flag.Help,
		Unit:    unit(flag),
		Default: flag.Default,
		Secret:  flag.Tag.Has("secret"),
	}
	if flag.Group != nil {
		s.Group = flag.Group.Title
	}
	s.Value = fmt.Sprint(flag.Target.Interface())
	if s.Secret && !flag.Target.IsZero() {
		s.Value = hidden
	}
	return s
}

// unit says how a setting's value is written: the tag's word, or what follows from the type.
func unit(flag *kong.Flag) string {
	if word := flag.Tag.Get("unit"); word != "" {
		return word
	}
	if flag.Enum != "" {
		return strings.ReplaceAll(flag.Enum, ",", " | ")
	}
	switch flag.Target.Interface().(type) {
	case time.Duration:
		return "duration"
	case Bytes:
		return "bytes"
	case helpFlag, versionFlag:
		return ""
	}
	switch flag.Target.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list, comma separated"
	case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16:
		return "whole number"
	case reflect.Float64:
		return "number"
	}
	return "text"
}

// Markdown writes the settings of a program as a section of documentation, a table for each group.
func Markdown(w io.Writer, p Program, into any) error {
	all, err := List(p, into)
	if err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "## %s\n\n%s\n", p.Name, p.Description)
	group := "\x00"
	for _, s := range all {
		if s.Group != group {
			group = s.Group
			if group != "" {
				fmt.Fprintf(&out, "\n### %s\n", group)
			}
			out.WriteString("\n| flag | variable | unit | default | |\n|---|---|---|---|---|\n")
		}
		fmt.Fprintf(&out, "| `--%s` | %s | %s | %s | %s |\n",
			s.Name, code(s.Env), strings.ReplaceAll(s.Unit, "|", `\|`), code(s.Default), strings.ReplaceAll(s.Help, "|", `\|`))
	}
	_, err = io.WriteString(w, out.String())
	return err
}

// code is text in backquotes, nothing where there is no text.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}
