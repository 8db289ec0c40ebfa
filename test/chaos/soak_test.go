package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// aside does something when a text with a word in it is written.
type aside struct {
	word string
	do   func()
}

func (a aside) Write(p []byte) (int, error) {
	if strings.Contains(string(p), a.word) {
		a.do()
	}
	return len(p), nil
}

// A soak that did not last is no success, and what was seen until then is plotted.
func TestSoakThatEndsEarly(t *testing.T) {
	mortal, kill := mortalEdges(t)
	for _, test := range []struct {
		name, bin string
		end       func(interrupt func())
		is        func(error) bool
	}{
		{"an edge dies", mortal, func(func()) { kill() }, func(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "edge-") }},
		{"an interrupt", bin, func(interrupt func()) { interrupt() }, func(err error) bool { return errors.Is(err, errInterrupted) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			page, table := filepath.Join(t.TempDir(), "soak.html"), &bytes.Buffer{}
			_, err := soak(ctx, soakOptions{Minutes: 5, Every: time.Second, Clients: 10, Stay: time.Second, Guilds: 2, Event: 100 * time.Millisecond,
				Report: page, Bin: test.bin}, table, aside{"come and go", func() { test.end(cancel) }})
			if !test.is(err) {
				t.Errorf("ended with %v", err)
			}
			plots, err := os.ReadFile(page)
			if err != nil || !bytes.Contains(plots, []byte("fanout-2")) {
				t.Errorf("nothing is plotted: %v", err)
			}
			if !strings.Contains(table.String(), "too short to say") {
				t.Errorf("the table judges:\n%s", table)
			}
		})
	}
}

// mortalEdges is a folder of programs whose edges end without a word when kill is called.
func mortalEdges(t *testing.T) (folder string, kill func()) {
	t.Helper()
	folder = t.TempDir()
	paths := map[string]string{}
	for _, name := range []string{"edge", "fanout", "nats-server"} {
		path, err := filepath.Abs(filepath.Join(bin, name))
		if err == nil && name != "edge" {
			err = os.Symlink(path, filepath.Join(folder, name))
		}
		if err != nil {
			t.Fatal(err)
		}
		paths[name] = path
	}
	pipe := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(pipe, os.O_RDWR, 0) // so that it opens without a reader
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	// Whoever reads a line kills its edge; who reads the pipe's end has none any more.
	script := fmt.Sprintf("#!/bin/bash\n%q \"$@\" & edge=$!\ntrap 'kill $edge' TERM\n{ read -r && kill -9 $edge; } <%q &\nwait $edge\n", paths["edge"], pipe)
	if err := os.WriteFile(filepath.Join(folder, "edge"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder, func() { _, _ = end.WriteString("\n\n") }
}
