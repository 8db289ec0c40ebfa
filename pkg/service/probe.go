package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Probing is the flag with which a program asks another of its kind how it is: what a container's
// health check runs where there is no other program. It is embedded in the service's settings.
type Probing struct {
	Probe bool `env:"-" group:"Program" help:"Ask the one that runs with these settings whether it is ready, and exit with 0 or 1."`
}

// probed are settings that say where a running service is asked.
type probed interface{ AdminAddress() string }

// wanted says whether to probe.
func (p Probing) wanted() bool { return p.Probe }

// errNotReady is what a probe finds out.
var errNotReady = errors.New("not ready")

// probe asks /readyz at the admin address; an address without host is this machine's.
func probe(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	if response.StatusCode == http.StatusOK {
		return nil
	}
	said, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // what came of it will do
	return fmt.Errorf("%w: %s", errNotReady, strings.TrimSpace(string(said)))
}
