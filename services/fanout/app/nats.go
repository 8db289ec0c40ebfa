package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"

	"github.com/pona-realtime/pona/pkg/health"
	"github.com/pona-realtime/pona/pkg/quietnet"
)

// natsWatch is the connection to NATS, and whether it is there.
type natsWatch struct {
	url, name string
	tls       func() *tls.Config // of the next connection; nil: as the URLs say
	condition *health.Condition
	log       *slog.Logger
	conn      atomic.Pointer[nats.Conn] // nil until it is there for the first time
	closed    chan struct{}             // closed after the connection
	closeOnce sync.Once
}

// validateNATS finds URLs that nats.go would not understand: it would say so at each attempt to connect, and show the password.
func validateNATS(urls string) error {
	none := true
	for i, text := range strings.Split(urls, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		none = false
		if !strings.Contains(text, "://") {
			text = "nats://" + text
		}
		switch u, err := url.Parse(text); {
		case err != nil:
			return fmt.Errorf("number %d is no URL; what is special to one (such as @ / %% in a password) must be escaped (%%40 %%2F %%25)", i+1)
		case u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
			return fmt.Errorf("number %d, must be like nats://host:4222, or begin with tls://, ws:// or wss://", i+1)
		}
	}
	if none {
		return errors.New("empty, must be a URL")
	}
	return nil
}

func newNATSWatch(url, id string, condition *health.Condition, log *slog.Logger) *natsWatch {
	return &natsWatch{url: url, name: "fanout " + id, condition: condition, log: log, closed: make(chan struct{})}
}

// connect tries until NATS is there or ctx ends. Afterwards the connection repairs itself; while it
// is away, requests and publishes fail at once instead of gathering.
func (w *natsWatch) connect(ctx context.Context) (nc *nats.Conn, err error) {
	err = w.insist(ctx, "NATS not reachable, trying again", func() error {
		nc, err = nats.Connect(w.url,
			nats.Name(w.name),
			w.security(),
			nats.SetCustomDialer(quietnet.Dialer{Dialer: net.Dialer{Timeout: nats.DefaultTimeout}}),
			nats.MaxReconnects(-1),
			nats.ReconnectBufSize(-1),
			nats.ReconnectWait(250*time.Millisecond),
			nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond),
			nats.PingInterval(5*time.Second),
			nats.MaxPingsOutstanding(2),
			nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
				if err == nil {
					return // it was us
				}
				w.condition.Down("disconnected: " + err.Error())
				w.log.Warn("NATS disconnected, trying again", "error", err)
			}),
			nats.ReconnectHandler(func(nc *nats.Conn) {
				w.log.Info("NATS connected", "server", nc.ConnectedUrlRedacted())
				w.condition.Up()
			}),
			nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
				subject := ""
				if sub != nil {
					subject = sub.Subject
				}
				w.log.Warn("NATS", "subject", subject, "error", err)
			}),
			nats.ClosedHandler(func(*nats.Conn) { w.closeOnce.Do(func() { close(w.closed) }) }),
		)
		return err
	})
	if err != nil {
		return nil, err
	}
	w.conn.Store(nc)
	w.log.Info("NATS connected", "server", nc.ConnectedUrlRedacted())
	w.condition.Up()
	return nc, nil
}

// version is that of the server that is connected, "" where none is.
func (w *natsWatch) version(context.Context) string { return w.conn.Load().ConnectedServerVersion() }

// security makes TLS of what the settings say about it.
func (w *natsWatch) security() nats.Option {
	return func(o *nats.Options) error {
		if w.tls == nil {
			return nil
		}
		o.RootCAsCB = func() (*x509.CertPool, error) { return w.tls().RootCAs, nil }
		return nats.Secure(w.tls())(o)
	}
}

// insist tries until it works, logs the first failure and shows the last one, and returns an error only when ctx
// ends or the error is backoff.Permanent.
func (w *natsWatch) insist(ctx context.Context, failing string, try func() error) error {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 100*time.Millisecond, 5*time.Second
	said := false
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, try() },
		backoff.WithBackOff(retry), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, _ time.Duration) {
			if !said {
				w.log.Warn(failing, "error", err)
			}
			said = true
			w.condition.Down(err.Error())
		}))
	return err
}

// close ends the connection and waits until it has ended.
func (w *natsWatch) close(ctx context.Context, nc *nats.Conn) error {
	if nc == nil {
		return nil
	}
	nc.Close()
	select {
	case <-w.closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing: %w", ctx.Err())
	}
}
