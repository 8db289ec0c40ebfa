package service

import (
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is how much of a container's memory Go may take before its collector works harder: what is left
// is for the kernel's buffers of connections, which count as the container's.
const memoryShare = 0.9

// limitMemory has Go respect the memory that limit tells of, unless GOMEMLIMIT says another (runtime, Environment Variables).
// Without any limit nothing is done. Processors need no such care: GOMAXPROCS follows the container's by itself.
func limitMemory(limit memlimit.Provider, log *slog.Logger) {
	if text := os.Getenv("GOMEMLIMIT"); text != "" {
		log.Info("memory is bounded", "by", "GOMEMLIMIT", "limit", text)
		return
	}
	bytes, err := limit()
	if err != nil || bytes == 0 || bytes >= 1<<62 { // no cgroup, none that can be read, or none with a limit
		log.Debug("memory is not bounded", "reason", err)
		return
	}
	share := int64(float64(bytes) * memoryShare)
	debug.SetMemoryLimit(share)
	log.Info("memory is bounded", "by", "cgroup", "limit", share)
}
