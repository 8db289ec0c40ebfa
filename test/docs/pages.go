// Package docs holds the documentation to what it describes: generated pages to the programs, and
// commands to what they say they do.
package docs

import "strings"

// block is a fenced block of a page.
type block struct {
	line int
	info []string // the words after the fence: language, then a file's name or "run"
	text string
}

// blocks cuts a page into its fenced blocks.
func blocks(page string) (found []block) {
	var open *block
	for i, line := range strings.Split(page, "\n") {
		switch {
		case open == nil && strings.HasPrefix(line, "```"):
			open = &block{line: i + 1, info: strings.Fields(strings.TrimPrefix(line, "```"))}
		case open != nil && line == "```":
			found = append(found, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return found
}

// is tells whether the block has a language and, where given, a second word.
func (b block) is(language string, rest ...string) bool {
	if len(b.info) == 0 || b.info[0] != language {
		return false
	}
	return len(rest) == 0 || len(b.info) == 2 && b.info[1] == rest[0]
}

// lines are the block's lines without empty ones.
func (b block) lines() (lines []string) {
	for line := range strings.Lines(b.text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
