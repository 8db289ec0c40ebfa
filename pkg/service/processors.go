package service

import (
	"context"
	"os"
	"runtime"
	"time"
)

// Scheduling is how a service uses the machine's processors; it is embedded in the service's settings.
//
// Where messages come one by one, a second processor finds nothing to do: Go wakes a thread for it
// with each goroutine that gets ready, and that thread looks around and goes back to sleep. One
// processor spares a quarter of the CPU then. See PERFORMANCE.md.
type Scheduling struct {
	Processors string `default:"adaptive" enum:"adaptive,all" group:"Program" help:"Processors that the program uses: one while that suffices and all as soon as it does not (adaptive), or always all. The variable GOMAXPROCS, where it is set, decides instead."`
}

// scheduled are settings that say how processors are used.
type scheduled interface{ adaptive() bool }

func (s Scheduling) adaptive() bool {
	return s.Processors == "adaptive" && os.Getenv("GOMAXPROCS") == ""
}

const (
	lookEvery = 20 * time.Millisecond
	calmAfter = time.Second // without need of more than one processor
)

// pace says whether a process needs more than one processor. The zero value says that it does.
type pace struct{ calm time.Duration }

// needsAll takes the CPU time that the process used since the last look, and how long ago that was.
// More than one processor is needed when it used half of one, and when the look came late: then the
// one is held by somebody, within the process or without.
func (p *pace) needsAll(used, passed time.Duration) bool {
	if used >= lookEvery/2 || passed >= 2*lookEvery {
		p.calm = 0
	} else {
		p.calm += passed
	}
	return p.calm < calmAfter
}

// adaptProcessors lets Go use one processor while needsAll says that this suffices, and otherwise as many
// as it would, until ctx ends. It is run once in a process.
func adaptProcessors(ctx context.Context, needsAll func(used, passed time.Duration) bool) {
	last, measurable := cpuTime()
	if !measurable || runtime.GOMAXPROCS(0) == 1 {
		return
	}
	defer runtime.SetDefaultGOMAXPROCS()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	at, all := time.Now(), true
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		now := time.Now()
		cpu, _ := cpuTime()
		needed := needsAll(cpu-last, now.Sub(at))
		last, at = cpu, now
		if needed == all {
			continue
		}
		if all = needed; all {
			runtime.SetDefaultGOMAXPROCS()
		} else {
			runtime.GOMAXPROCS(1)
		}
	}
}
