package service

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// machine is what the program runs on, what it uses of it, and what it may use. What cannot be known, as most of it
// elsewhere than on Linux, and bounds that are none, are left out.
type machine struct {
	OS     string `json:"os"`
	Kernel string `json:"kernel,omitempty"` // its release

	CPUs        int       `json:"cpus"`
	CPULimit    float64   `json:"cpuLimit,omitempty"`    // of the container, in processors
	MaxProcs    int       `json:"maxProcs"`              // GOMAXPROCS
	CPUSeconds  float64   `json:"cpuSeconds,omitempty"`  // used by the process since it began, user and system
	LoadAverage []float64 `json:"loadAverage,omitempty"` // of the machine: of the last minute, 5, 15

	Goroutines  int    `json:"goroutines"`
	HeapBytes   uint64 `json:"heapBytes"`
	SysBytes    uint64 `json:"sysBytes"`                   // taken from the system
	MemoryLimit uint64 `json:"memoryLimitBytes,omitempty"` // of the container
	Files       int    `json:"files"`                      // descriptors open; -1 where unknown
	FilesLimit  int    `json:"filesLimit,omitempty"`
}

// readMachine reads proc(5) and cgroups(7) below root.
func readMachine(root fs.FS, memory memlimit.Provider) machine {
	var used runtime.MemStats
	runtime.ReadMemStats(&used)
	m := machine{
		OS: runtime.GOOS + "/" + runtime.GOARCH, Kernel: strings.TrimSpace(read(root, "proc/sys/kernel/osrelease")),
		CPUs: runtime.NumCPU(), CPULimit: cpuLimit(root), MaxProcs: runtime.GOMAXPROCS(0), CPUSeconds: cpuTime().Seconds(),
		Goroutines: runtime.NumGoroutine(), HeapBytes: used.HeapAlloc, SysBytes: used.Sys, Files: openFiles(),
	}
	average := make([]float64, 3)
	if _, err := fmt.Sscan(read(root, "proc/loadavg"), &average[0], &average[1], &average[2]); err == nil {
		m.LoadAverage = average
	}
	if bytes, err := memory(); err == nil && bytes < 1<<62 { // see limitMemory
		m.MemoryLimit = bytes
	}
	if _, rest, found := strings.Cut(read(root, "proc/self/limits"), "Max open files"); found {
		_, _ = fmt.Sscan(rest, &m.FilesLimit) // 0 where it is "unlimited"
	}
	return m
}

// groups is where control groups are.
const groups = "sys/fs/cgroup"

// cpuLimit is how many processors the process's control group may use, or one that it is in; 0 where no bound is seen. A
// container sees its own as the root.
func cpuLimit(root fs.FS) (least float64) {
	bound := func(text string) {
		var quota, period float64 // microseconds; "max" and -1 are no quota
		if _, err := fmt.Sscan(text, &quota, &period); err == nil && quota > 0 && period > 0 && (least == 0 || quota/period < least) {
			least = quota / period
		}
	}
	bound(read(root, groups+"/cpu/cpu.cfs_quota_us") + read(root, groups+"/cpu/cpu.cfs_period_us")) // version 1
	_, own, _ := strings.Cut("\n"+read(root, "proc/self/cgroup"), "\n0::")
	own, _, _ = strings.Cut(own, "\n")
	for group := path.Join(groups, own); group == groups || strings.HasPrefix(group, groups+"/"); group = path.Dir(group) {
		bound(read(root, group+"/cpu.max"))
	}
	return least
}

// read is a file's text, "" where there is none.
func read(root fs.FS, name string) string {
	text, _ := fs.ReadFile(root, name)
	return string(text)
}

func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}
