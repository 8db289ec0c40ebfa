package link

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// parseTarget reads host:port, which is dialled as it stands, or dns:///name:port, of which every
// address is dialled.
func parseTarget(target string) (host, port string, resolve bool, err error) {
	rest, resolve := strings.CutPrefix(target, "dns:///")
	host, port, err = net.SplitHostPort(rest)
	if err == nil && host == "" {
		err = fmt.Errorf("missing host")
	}
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", "", false, fmt.Errorf("fanout %q: must be host:port or dns:///name:port", target)
	}
	return host, port, resolve, nil
}

// discover finds all addresses. It is not complete when a name could not be looked up, which is no
// reason to give up what it stood for.
func (l *Links) discover(ctx context.Context) (found map[string]bool, complete bool) {
	found, complete = make(map[string]bool), true
	for _, target := range l.options.Fanouts {
		host, port, resolve, _ := parseTarget(target)
		if !resolve {
			found[net.JoinHostPort(host, port)] = true
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		addresses, err := l.options.LookUp(bounded, host)
		cancel()
		if err != nil {
			complete = false
			if ctx.Err() == nil {
				l.options.Log.Warn("looking up fanouts; those known stay", "name", host, "error", err)
			}
		}
		for _, address := range addresses {
			found[net.JoinHostPort(address, port)] = true
		}
	}
	return found, complete
}
