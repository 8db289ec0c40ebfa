package settings

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Help is 100 columns wide: flag and default on the left, what they do on the right.
const (
	helpWidth  = 100
	flagIndent = 2
	textColumn = 38
)

// helpFlag is --help.
type helpFlag bool

// BeforeReset prints before anything else is looked at.
func (helpFlag) BeforeReset(k *kong.Kong, p Program) error {
	if err := writeHelp(k.Stdout, p, list(k.Model)); err != nil {
		return err
	}
	return errShown
}

func writeHelp(w io.Writer, p Program, all []Setting) error {
	var out strings.Builder
	out.WriteString(wrap(p.Description, 0))
	fmt.Fprintf(&out, "\nUsage: %s [flags]\n\n", p.Name)
	out.WriteString(wrap("Each setting is a flag, an environment variable (in brackets) or a key of the file; "+
		"the first that is there wins. A duration is written 500ms, 25s or 2m; a size 15000000, 15MB or 15MiB.", 0))
	group := "none yet"
	for _, s := range all {
		if s.Group != group {
			group = s.Group
			out.WriteString("\n" + strings.TrimLeft(group+"\n", "\n"))
		}
		out.WriteString(helpEntry(s))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// helpEntry is a flag's lines, such as
//
//	--ping-interval=25s               Between two pings of the server.
//	                                  duration [PONA_EDGE_PING_INTERVAL]
func helpEntry(s Setting) string {
	flag := strings.Repeat(" ", flagIndent) + "--" + s.Name
	switch {
	case s.Default != "":
		flag += "=" + s.Default
	case s.Name == "help":
		flag += ", -h"
	}
	text := wrap(s.Help, textColumn)
	if kind := strings.TrimSpace(s.Unit + " " + bracketed(s.Env)); kind != "" {
		text += wrap(kind, textColumn)
	}
	if len(flag)+2 > textColumn {
		return flag + "\n" + text
	}
	return flag + text[len(flag):]
}

func bracketed(name string) string {
	if name == "" {
		return ""
	}
	return "[" + name + "]"
}

// wrap breaks text into lines that start at the column and end before helpWidth.
func wrap(text string, column int) string {
	indent := strings.Repeat(" ", column)
	var out strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line) > column && len(line)+1+len(word) > helpWidth {
			out.WriteString(line + "\n")
			line = indent
		}
		if len(line) > column {
			line += " "
		}
		line += word
	}
	return out.String() + line + "\n"
}
