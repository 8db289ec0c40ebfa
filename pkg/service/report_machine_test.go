package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

func unbounded() (uint64, error) { return 0, errors.New("no limit") }

func TestMachine(t *testing.T) {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"proc/sys/kernel/osrelease": "6.1.0-13-amd64\n",
		"proc/loadavg":              "0.25 1.50 2.00 1/432 4711\n",
		"proc/self/limits":          "Limit                     Soft Limit           Hard Limit           Units     \nMax processes             63432                63432                processes \nMax open files            20000                65536                files     \n",
		"proc/self/cgroup":          "0::/\n",
		"sys/fs/cgroup/cpu.max":     "150000 100000\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	m := readMachine(files, func() (uint64, error) { return 512 << 20, nil })
	if m.Kernel != "6.1.0-13-amd64" || fmt.Sprint(m.LoadAverage) != "[0.25 1.5 2]" || m.FilesLimit != 20000 || m.CPULimit != 1.5 || m.MemoryLimit != 512<<20 {
		t.Errorf("%+v", m)
	}
	if runtime.GOOS == "linux" && m.CPUSeconds <= 0 {
		t.Errorf("used %g s", m.CPUSeconds)
	}

	text, err := json.Marshal(readMachine(fstest.MapFS{}, unbounded)) // as elsewhere
	if err != nil {
		t.Fatal(err)
	}
	for _, unknown := range []string{"kernel", "cpuLimit", "loadAverage", "memoryLimitBytes", "filesLimit"} {
		if strings.Contains(string(text), `"`+unknown+`"`) {
			t.Errorf("%s is unknown, but told: %s", unknown, text)
		}
	}
	if m := readMachine(fstest.MapFS{}, func() (uint64, error) { return 1<<63 - 4096, nil }); m.MemoryLimit != 0 {
		t.Errorf("what is no limit is told as %d", m.MemoryLimit)
	}
	if runtime.GOOS == "linux" {
		if m := readMachine(os.DirFS("/"), unbounded); m.Kernel == "" || len(m.LoadAverage) != 3 || m.Files <= 0 || m.FilesLimit <= 0 {
			t.Errorf("here: %+v", m)
		}
	}
}

func TestCPULimit(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  float64
	}{
		"no groups":       {nil, 0},
		"no limit":        {map[string]string{"proc/self/cgroup": "0::/\n", groups + "/cpu.max": "max 100000\n"}, 0},
		"container":       {map[string]string{"proc/self/cgroup": "0::/\n", groups + "/cpu.max": "50000 100000\n"}, 0.5},
		"group of a unit": {map[string]string{"proc/self/cgroup": "0::/system.slice/pona.service\n", groups + "/system.slice/pona.service/cpu.max": "200000 100000\n"}, 2},
		"the parent's is less": {map[string]string{"proc/self/cgroup": "0::/a/b\n",
			groups + "/a/cpu.max": "100000 100000\n", groups + "/a/b/cpu.max": "300000 100000\n"}, 1},
		"outside": {map[string]string{"proc/self/cgroup": "0::/../../../../elsewhere\n", "elsewhere/cpu.max": "1 100000\n"}, 0},
		"version 1": {map[string]string{"proc/self/cgroup": "2:cpu,cpuacct:/\n1:name=systemd:/\n",
			groups + "/cpu/cpu.cfs_quota_us": "250000\n", groups + "/cpu/cpu.cfs_period_us": "100000\n"}, 2.5},
		"version 1, no limit": {map[string]string{"proc/self/cgroup": "2:cpu,cpuacct:/\n0::/\n",
			groups + "/cpu/cpu.cfs_quota_us": "-1\n", groups + "/cpu/cpu.cfs_period_us": "100000\n"}, 0},
		"nonsense": {map[string]string{"proc/self/cgroup": "0::/\n", groups + "/cpu.max": "100000 0\n"}, 0},
	} {
		files := fstest.MapFS{}
		for name, text := range test.files {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := cpuLimit(files); got != test.want {
			t.Errorf("%s: %g, want %g", name, got, test.want)
		}
	}
}
