package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
)

// container is what an engine is told of one, and once it runs by runc, how to reach it.
type container struct {
	program     string // edge, fanout, bot or nats, which is its image too
	arguments   []string
	environment map[string]string
	user        string // uid:gid; empty is the image's
	readOnly    bool
	noEscalate  bool
	unable      bool     // without any capability
	tmpfs       []string // where it may write until it ends
	volume      string   // where it may write
	memory      int64
	processors  float64 // 0 is unlimited
	grace       time.Duration

	id, state string // runc's
	test      []string
	run       *exec.Cmd
	said      bytes.Buffer // while it does not run any more
}

// ofService is what Docker would be told of a service of the compose file.
func ofService(program string, s types.ServiceConfig) *container {
	c := &container{
		program: program, arguments: s.Command, environment: map[string]string{}, user: s.User, readOnly: s.ReadOnly,
		noEscalate: slices.Contains(s.SecurityOpt, "no-new-privileges:true"), unable: slices.Contains(s.CapDrop, "ALL"),
		tmpfs: s.Tmpfs, memory: int64(s.MemLimit), processors: float64(s.CPUS), grace: time.Duration(*s.StopGracePeriod),
		test: s.HealthCheck.Test,
	}
	for _, v := range s.Volumes {
		c.volume = v.Target
	}
	for key, value := range s.Environment {
		c.environment[key] = *value
	}
	return c
}

// ofPod is what Kubernetes would tell of a pod's container whose variables have these values.
func ofPod(program string, pod corev1.PodSpec, environment map[string]string) *container {
	one := pod.Containers[0]
	return &container{
		program: program, arguments: one.Args, environment: environment,
		user:     fmt.Sprintf("%d:%d", *pod.SecurityContext.RunAsUser, *pod.SecurityContext.RunAsGroup),
		readOnly: *one.SecurityContext.ReadOnlyRootFilesystem, noEscalate: !*one.SecurityContext.AllowPrivilegeEscalation,
		unable: slices.Contains(one.SecurityContext.Capabilities.Drop, "ALL"),
		memory: one.Resources.Limits.Memory().Value(), processors: one.Resources.Limits.Cpu().AsApproximateFloat64(),
		grace: time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second,
	}
}

// start runs it until the test ends, with the programs in out, where hosts are found as the file of that name says. Node is this
// machine's.
func (c *container) start(t *testing.T, out, hosts string) {
	t.Helper()
	bundle := t.TempDir()
	made := layOut(t, c.program, out, filepath.Join(bundle, "rootfs"))
	copyFile(t, hosts, filepath.Join(made.folder, "etc/hosts"))
	if c.program == "nats" {
		copyFile(t, filepath.Join(out, "nats-server"), filepath.Join(made.folder, "usr/local/bin/nats-server"))
	}
	if said, err := exec.CommandContext(t.Context(), "runc", "spec", "--bundle", bundle).CombinedOutput(); err != nil {
		t.Fatalf("runc spec: %v: %s", err, said)
	}
	edit(t, filepath.Join(bundle, "config.json"), func(spec *specs.Spec) { c.fill(t, spec, made) })

	c.id, c.state = "pona-"+c.program+"-"+filepath.Base(bundle)+strconv.Itoa(os.Getpid()), filepath.Join(bundle, "state")
	if c.test == nil {
		c.test = made.test
	}
	c.run = exec.Command("runc", "--root", c.state, "run", "--bundle", bundle, c.id)
	c.run.Stdout, c.run.Stderr = &c.said, &c.said
	c.run.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // runc passes it on and tidies up
	if err := c.run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("runc", "--root", c.state, "delete", "--force", c.id).Run() // mostly there is none any more
		_ = c.run.Wait()
		if t.Failed() {
			t.Logf("%s: %s", c.program, c.said.String())
		}
	})
}

// edit changes a runc configuration.
func edit(t *testing.T, config string, change func(*specs.Spec)) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	change(&spec)
	if text, err = json.Marshal(spec); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fill has runc's usual container be this one, in the network of who runs it.
func (c *container) fill(t *testing.T, spec *specs.Spec, made image) {
	t.Helper()
	user := c.user
	if user == "" {
		user = made.user
	}
	p := spec.Process
	if _, err := fmt.Sscanf(user, "%d:%d", &p.User.UID, &p.User.GID); err != nil {
		t.Fatalf("user %q: %v", user, err)
	}
	arguments := c.arguments
	if len(arguments) == 0 {
		arguments = made.command
	}
	p.Terminal, p.Args, p.Rlimits, p.NoNewPrivileges = false, append(made.entrypoint, arguments...), nil, c.noEscalate
	p.Cwd = made.workdir
	if c.unable {
		p.Capabilities = &specs.LinuxCapabilities{}
	}
	for key, value := range c.environment {
		p.Env = append(p.Env, key+"="+value)
	}
	spec.Root.Readonly = c.readOnly
	for _, at := range c.tmpfs {
		spec.Mounts = append(spec.Mounts, specs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "mode=1777"}})
	}
	if c.volume != "" {
		spec.Mounts = append(spec.Mounts, specs.Mount{Destination: c.volume, Type: "bind", Source: newVolume(t, filepath.Join(made.folder, c.volume)), Options: []string{"bind", "rw"}})
	}
	if p.Args[0] == "node" {
		for _, at := range []string{"/usr", "/lib", "/lib64"} {
			if _, err := os.Stat(at); err == nil {
				spec.Mounts = append(spec.Mounts, specs.Mount{Destination: at, Type: "bind", Source: at, Options: []string{"rbind", "ro"}})
			}
		}
	}
	l := spec.Linux
	l.Namespaces = slices.DeleteFunc(l.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace })
	l.Resources.Memory = &specs.LinuxMemory{Limit: &c.memory}
	if c.processors > 0 {
		period := uint64(100_000) // microseconds
		quota := int64(c.processors * float64(period))
		l.Resources.CPU = &specs.LinuxCPU{Quota: &quota, Period: &period}
	}
	var err error
	if l.Seccomp, err = seccomp.GetDefaultProfile(spec); err != nil {
		t.Fatal(err)
	}
}

// newVolume is an empty folder like the image's, as Docker makes one.
func newVolume(t *testing.T, like string) string {
	t.Helper()
	folder := t.TempDir()
	about, err := os.Stat(like)
	if err != nil {
		t.Fatal(err)
	}
	owner := about.Sys().(*syscall.Stat_t)
	if err := os.Chown(folder, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, about.Mode()); err != nil {
		t.Fatal(err)
	}
	return folder
}

// isHealthy runs the health check in the container, and returns what it says if it fails.
func (c *container) isHealthy(ctx context.Context) (bool, string) {
	arguments := append([]string{"--root", c.state, "exec", c.id}, c.test[1:]...) // the first says that it is a command
	said, err := exec.CommandContext(ctx, "runc", arguments...).CombinedOutput()
	return err == nil, string(said)
}

// process is the number of the container's process.
func (c *container) process(t *testing.T) int {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), "runc", "--root", c.state, "state", c.id).Output()
	if err != nil {
		t.Fatal(err)
	}
	var state specs.State
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	return state.Pid
}

// stop is what engines do first, and waits for the end.
func (c *container) stop(t *testing.T) {
	t.Helper()
	begun := time.Now()
	if said, err := exec.CommandContext(t.Context(), "runc", "--root", c.state, "kill", c.id, "TERM").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", c.program, err, said)
	}
	late := time.AfterFunc(c.grace, func() { _ = c.run.Process.Kill() })
	err := c.run.Wait()
	late.Stop()
	ours := c.program == "edge" || c.program == "fanout"
	if err != nil || ours && !strings.Contains(c.said.String(), c.program+" stops") {
		t.Errorf("%s: ended with %v, %s after SIGTERM", c.program, err, time.Since(begun))
	}
}
