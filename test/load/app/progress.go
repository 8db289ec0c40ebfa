package app

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/pona-realtime/pona/test/load/report"
)

// quietTime is between two lines where there is no terminal.
const quietTime = 5 * time.Second

// progress shows how far a run is: as a bar on a terminal, else as a line now and then.
type progress struct {
	out      io.Writer
	terminal bool

	mu     sync.Mutex
	doing  string
	bar    *progressbar.ProgressBar
	lately time.Time
}

func newProgress(out io.Writer) *progress {
	file, isFile := out.(*os.File)
	return &progress{out: out, terminal: isFile && term.IsTerminal(int(file.Fd()))}
}

// step is a scenario.Progress.
func (p *progress) step(scenario, doing string, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := scenario + ": " + doing
	if now != p.doing {
		p.end()
		p.doing, p.lately = now, time.Now()
		if p.terminal {
			p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(now),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30))
		}
	}
	switch {
	case p.bar != nil:
		_ = p.bar.Set(done) // it is only shown
	case time.Since(p.lately) >= quietTime:
		p.lately = time.Now()
		fmt.Fprintf(p.out, "%s %d of %d\n", now, done, total)
	}
}

// finished ends a scenario's.
func (p *progress) finished(r *report.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	switch {
	case r.Skipped != "":
		fmt.Fprintf(p.out, "%s: skipped\n", r.Scenario)
	case r.Error != "":
		fmt.Fprintf(p.out, "%s: %s\n", r.Scenario, r.Error)
	default:
		fmt.Fprintf(p.out, "%s: done in %.1f s\n", r.Scenario, r.Seconds)
	}
}

// end takes the bar away; the lock is held.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear() // it is only shown
	}
	p.bar, p.doing = nil, ""
}
