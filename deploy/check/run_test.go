package check

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestContainersRun runs the images of edge and fanout as the compose file and the overlay dev have them run, by runc, at
// first without NATS and Redis, then with them: compose's NATS, which has an image of ours, and its bot.
func TestContainersRun(t *testing.T) {
	for _, command := range []string{"runc", "redis-server"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("no %s is installed (Debian: %s)", command, command)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("runc needs root")
	}
	out := t.TempDir()
	runBuildStage(t, root(t), out)
	if err := tryContainers(t, filepath.Join(out, "edge")); err != nil {
		t.Skipf("this machine runs no containers: %v", err)
	}
	nats := exec.CommandContext(t.Context(), "go", "-C", "test", "build", "-trimpath", "-o", out, "github.com/nats-io/nats-server/v2")
	nats.Dir, nats.Env = root(t), append(os.Environ(), "CGO_ENABLED=0")
	if said, err := nats.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}

	services := compose(t).Services
	dev := render(t, "dev")
	pod := func(program string) *container {
		spec := pods(dev)[program].Spec
		return ofPod(program, spec, environment(t, dev, spec))
	}
	for name, containers := range map[string][]*container{
		"compose": {ofService("fanout", services["fanout-1"]), ofService("edge", services["edge-1"]), ofService("bot", services["bot"])},
		"pods":    {pod("fanout"), pod("edge")},
	} {
		t.Run(name, func(t *testing.T) {
			comeAndGo(t, out, ofService("nats", services["nats"]), containers[0], containers[1], containers[2:]...)
		})
	}
}

func comeAndGo(t *testing.T, out string, nats, fanout, edge *container, others ...*container) {
	ownNetwork(t)
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost nats redis fanout-1 fanout-2 fanout-peers\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*container{edge, fanout} {
		missing := map[string]string{"edge": `"fanout"`, "fanout": `"nats"`}[c.program]
		c.start(t, out, hosts)
		c.until(t, "names what is missing", func(healthy bool, said string) bool {
			return !healthy && strings.Contains(said, missing) && strings.Contains(said, `"redis"`)
		})
		isConfined(t, c)
		trustsAuthorities(t, c)
		knowsItsLimits(t, c)
	}
	background(t, "redis-server", "--save", "", "--dir", t.TempDir())
	nats.start(t, out, hosts)
	for _, c := range append([]*container{fanout, edge}, others...) {
		if c.run == nil {
			c.start(t, out, hosts)
		}
		c.until(t, "is healthy", func(healthy bool, _ string) bool { return healthy })
	}
	for _, c := range append(others, nats) {
		isConfined(t, c)
	}
	for _, c := range append(others, edge, fanout, nats) {
		c.stop(t)
	}
}

// until asks the health check, which engines do every few seconds, again and again.
func (c *container) until(t *testing.T, what string, is func(healthy bool, said string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		healthy, said := c.isHealthy(ctx)
		if is(healthy, said) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s never %s; now: %s", c.program, what, said)
		}
	}
}

// isConfined looks at the container's process from outside.
func isConfined(t *testing.T, c *container) {
	t.Helper()
	process := fmt.Sprintf("/proc/%d/", c.process(t))
	status, err := os.ReadFile(process + "status")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534", "CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000",
		"NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(string(status), "\n"+want+"\n") {
			t.Errorf("%s has not %q: %s", c.program, want, status)
		}
	}
	if err := os.WriteFile(process+"root/file", nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("%s: writing to its root: %v", c.program, err)
	}
}

func trustsAuthorities(t *testing.T, c *container) {
	t.Helper()
	trusted, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/etc/ssl/certs/ca-certificates.crt", c.process(t)))
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(trusted) {
		t.Errorf("%s trusts nobody: %v", c.program, err)
	}
}

// knowsItsLimits asks Go in the container for its bounds.
func knowsItsLimits(t *testing.T, c *container) {
	t.Helper()
	address := map[string]string{"edge": ":9090", "fanout": ":9091"}[c.program]
	if set, is := c.environment["PONA_"+strings.ToUpper(c.program)+"_ADMIN"]; is {
		address = set
	}
	conn, err := net.Dial("tcp", "127.0.0.1"+address) // by hand, since a client would dial from a thread in another network
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "GET /metrics HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) (number float64) {
		_, after, _ := strings.Cut(string(metrics), "\n"+name+" ")
		if _, err := fmt.Sscan(after, &number); err != nil {
			t.Errorf("%s: %s: %v", c.program, name, err)
		}
		return number
	}
	if bound := value("go_gc_gomemlimit_bytes"); bound < float64(c.memory)*0.85 || bound > float64(c.memory)*0.95 {
		t.Errorf("%s: %.0f bytes of memory, of %d", c.program, bound, c.memory)
	}
	most := float64(runtime.NumCPU())
	if c.processors > 0 {
		most = min(most, max(2, math.Ceil(c.processors))) // Go uses two though one is allowed
	}
	if processors := value("go_sched_gomaxprocs_threads"); processors < 1 || processors > most {
		t.Errorf("%s: %.0f processors, of %.0f", c.program, processors, most)
	}
}

// ownNetwork gives the test's goroutine, and whatever it starts, a network of its own, where no port is taken.
func ownNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for ever: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); errors.Is(err, unix.EPERM) {
		t.Skip("runc needs root that may make namespaces, which is not so in most containers")
	} else if err != nil {
		t.Fatal(err)
	}
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	loopback.SetUint16(unix.IFF_UP)
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback); err != nil {
		t.Fatal(err)
	}
}

// background runs a program until the test ends.
func background(t *testing.T, path string, arguments ...string) {
	t.Helper()
	command := exec.Command(path, arguments...)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}

// tryContainers runs a container of nothing but a program that is static, as runc would have it, with a limit. Where that
// fails, as it may inside another container, it is not for what is tested here.
func tryContainers(t *testing.T, program string) error {
	t.Helper()
	bundle := t.TempDir()
	copyFile(t, program, filepath.Join(bundle, "rootfs/program"))
	if said, err := exec.CommandContext(t.Context(), "runc", "spec", "--bundle", bundle).CombinedOutput(); err != nil {
		return fmt.Errorf("runc spec: %w: %s", err, said)
	}
	limit := int64(256 << 20)
	edit(t, filepath.Join(bundle, "config.json"), func(spec *specs.Spec) {
		spec.Process.Terminal, spec.Process.Args = false, []string{"/program", "--version"}
		spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
	})
	said, err := exec.CommandContext(t.Context(), "runc", "--root", filepath.Join(bundle, "state"), "run", "--bundle", bundle,
		"pona-try-"+filepath.Base(bundle)+strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("runc run: %w: %s", err, said)
	}
	return nil
}
