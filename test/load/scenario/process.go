package scenario

import (
	"errors"
	"fmt"

	"github.com/prometheus/procfs"

	"github.com/pona-realtime/pona/test/load/report"
)

// processes are the server's, and what they had used at some moment.
type processes struct {
	pids     []int
	cpu      float64 // seconds, user and system
	resident int     // bytes
}

func readProcesses(pids []int) (processes, error) {
	all := processes{pids: pids}
	var failed error
	for _, pid := range pids {
		p, err := procfs.NewProc(pid)
		var stat procfs.ProcStat
		if err == nil {
			stat, err = p.Stat()
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("pid %d: %w", pid, err))
			continue
		}
		all.cpu += stat.CPUTime()
		all.resident += stat.ResidentMemory()
	}
	return all, failed
}

// addSince adds what they have used since.
func (p processes) addSince(figures *report.Figures) error {
	if len(p.pids) == 0 {
		return nil
	}
	now, err := readProcesses(p.pids)
	if err == nil {
		figures.Add("server_cpu_s", now.cpu-p.cpu)
		figures.Add("server_memory_growth_bytes", float64(now.resident-p.resident))
	}
	return err
}
