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
	lookEvery = 10 * time.Millisecond // of CPU time: a process that does little is seldom looked at
	calmAfter = time.Second           // without need of more than one processor
)

// pace says whether a process needs more than one processor. The zero value says that it does.
type pace struct{ calm time.Duration }

// needsAll takes how much CPU time the process used in which time. More than one processor is needed when
// that was half of one or more.
func (p *pace) needsAll(used, passed time.Duration) bool {
	if used >= passed/2 {
		p.calm = 0
	} else {
		p.calm += passed
	}
	return p.calm < calmAfter
}

// adaptProcessors lets Go use one processor while needsAll says that this suffices, and otherwise as many
// as it would, until ctx ends. It is run once in a process.
func adaptProcessors(ctx context.Context, needsAll func(used, passed time.Duration) bool) {
	if runtime.GOMAXPROCS(0) == 1 {
		return
	}
	looks, stop, err := cpuAlarm(lookEvery)
	if err != nil {
		return // all processors will do
	}
	defer stop()
	defer runtime.SetDefaultGOMAXPROCS()
	at, cpu, all := time.Now(), cpuTime(), true
	for {
		select {
		case <-ctx.Done():
			return
		case <-looks:
		}
		used := cpuTime() - cpu
		if used < lookEvery {
			continue // the alarm before this one came late, as the kernel looks seldom at who sleeps often
		}
		needed := needsAll(used, time.Since(at))
		at, cpu = time.Now(), cpu+used
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
