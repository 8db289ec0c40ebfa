package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
)

// cluster is an etcd and a kube-apiserver, in a folder of their own.
type cluster struct {
	config  *rest.Config // of an administrator
	folder  string
	running []*server // in the order of their start
}

// startCluster returns when the apiserver is ready.
func startCluster(ctx context.Context, bin string) (c *cluster, err error) {
	c = &cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	if c.folder, err = os.MkdirTemp("", "pona-verify-"); err != nil {
		return c, err
	}
	file := func(name string) string { return filepath.Join(c.folder, name) }
	pki, err := newCertificates(c.folder)
	if err != nil {
		return c, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return c, err
	}
	store, peers := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	if err := c.start(bin, "etcd", "--data-dir", file("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", store, "--advertise-client-urls", store,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers); err != nil {
		return c, err
	}
	if err := c.start(bin, "kube-apiserver", "--etcd-servers", store, "--bind-address", "127.0.0.1", "--secure-port", ports[2],
		"--cert-dir", c.folder, "--tls-cert-file", file("server.crt"), "--tls-private-key-file", file("server.key"),
		"--client-ca-file", file("ca.crt"), "--authorization-mode", "RBAC",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-signing-key-file", file("server.key"),
		"--service-account-key-file", file("server.key"), "--service-cluster-ip-range", "10.0.0.0/24"); err != nil {
		return c, err
	}
	c.config = &rest.Config{Host: "https://127.0.0.1:" + ports[2], TLSClientConfig: pki}
	return c, c.await(ctx)
}

// await asks for readiness until it is given, or a server ends.
func (c *cluster) await(ctx context.Context) error {
	client, err := rest.HTTPClientFor(c.config)
	if err != nil {
		return err
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.Host+"/readyz", nil)
		if err != nil {
			return err
		}
		if answer, err := client.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		for _, s := range c.running {
			select {
			case <-s.exited:
				return fmt.Errorf("%s ended at its start: %s", s.name, s.lastWords())
			default:
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the apiserver is not ready: %w: %s", ctx.Err(), c.running[len(c.running)-1].lastWords())
		}
	}
}

// stop ends the servers, the last first, and removes what they wrote.
func (c *cluster) stop() error {
	for i := len(c.running) - 1; i >= 0; i-- {
		c.running[i].stop()
	}
	return os.RemoveAll(c.folder)
}

// server is a process.
type server struct {
	name    string
	command *exec.Cmd
	log     string
	exited  chan struct{}
}

func (c *cluster) start(bin, name string, args ...string) error {
	s := &server{name: name, command: exec.Command(filepath.Join(bin, name), args...), log: filepath.Join(c.folder, name+".log"), exited: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		return err
	}
	defer log.Close() // the process has it for its own
	s.command.Stdout, s.command.Stderr = log, log
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // main holds its thread
	if err := s.command.Start(); err != nil {
		return fmt.Errorf("%w: make k8s-verify builds it", err)
	}
	go func() {
		_ = s.command.Wait() // how it ended stands in its log
		close(s.exited)
	}()
	c.running = append(c.running, s)
	return nil
}

// stop is polite for ten seconds.
func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(10 * time.Second):
		_ = s.command.Process.Kill()
		<-s.exited
	}
}

func (s *server) lastWords() string {
	text, _ := os.ReadFile(s.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(len(lines)-3, 0):], "\n")
}

func freePorts(n int) ([]string, error) {
	ports := make([]string, n)
	for i := range ports {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // after the last is found, or one could be found twice
		_, ports[i], _ = net.SplitHostPort(listener.Addr().String())
	}
	return ports, nil
}
