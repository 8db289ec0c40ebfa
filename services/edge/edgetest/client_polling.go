package edgetest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// DialPolling opens a session over long-polling; it ends with the test. The requests go to the addresses
// in turn, as by a balancer without sticky sessions.
func DialPolling(t testing.TB, addresses []string, with ...func(*options)) *Client {
	t.Helper()
	o := optionsOf(with)
	ctx, stop := context.WithCancel(context.Background())
	transport := &http.Transport{}
	client := &http.Client{Transport: transport}
	var turn atomic.Int64
	c := newClient(t, o)
	request := func(method, body string) (string, error) {
		address := addresses[int(turn.Add(1))%len(addresses)]
		target := "http://" + address + "/socket.io/?EIO=4&transport=polling"
		if c.sid != "" {
			target += "&sid=" + url.QueryEscape(c.sid)
		}
		r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
		if err != nil {
			return "", err
		}
		for name, values := range o.header {
			r.Header[name] = values
		}
		response, err := client.Do(r)
		if err != nil {
			return "", err
		}
		defer response.Body.Close() //nolint:errcheck // only read from
		answer, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d: %s", response.StatusCode, answer)
		}
		return string(answer), err
	}
	post := func(packet string) error {
		_, err := request(http.MethodPost, packet)
		return err
	}
	poll := func() error {
		payload, err := request(http.MethodGet, "")
		if err != nil {
			return err
		}
		for packet := range strings.SplitSeq(payload, "\x1e") {
			if err := c.receive(packet, func() error { return post("3") }); err != nil {
				return err
			}
		}
		return nil
	}
	c.write = func(message string) error { return post("4" + message) }
	if err := poll(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.closed)
		defer close(c.packets)
		for poll() == nil { //nolint:revive // polls until the session ends
		}
	}()
	t.Cleanup(func() {
		stop()
		<-c.closed
		transport.CloseIdleConnections()
	})
	return c
}
