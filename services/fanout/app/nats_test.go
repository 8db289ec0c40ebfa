package app_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"google.golang.org/grpc/codes"

	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/pkg/service/tlstest"
	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// TestNATSOverTLS has a NATS that wants a certificate and a password. A fanout that it does not let in says why, and
// is not ready.
func TestNATSOverTLS(t *testing.T) {
	ours, others := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	ours.Issue("nats")
	ours.Issue("fanout")
	config, err := service.ServerTLS{TLSCert: ours.File("nats.pem"), TLSKey: ours.File("nats.key"), TLSClientCA: ours.File("ca.pem")}.Config(nil)
	if err != nil {
		t.Fatal(err)
	}
	nats := fanouttest.StartNATS(t, func(o *server.Options) {
		o.TLS, o.TLSVerify, o.TLSTimeout, o.TLSConfig = true, true, fanouttest.Patience.Seconds(), config
		o.Username, o.Password = "pona", "a-secret"
	})
	_, address, _ := strings.Cut(nats.URL(), "://")
	url := "tls://pona:a-secret@" + address
	settings := func(url, ca, name string) func(*app.Settings) {
		return func(s *app.Settings) {
			s.NATS, s.NATSCA = url, ca
			if name != "" {
				s.NATSCert, s.NATSKey = ours.File(name+".pem"), ours.File(name+".key")
			}
		}
	}
	f := startReady(t, "", settings(url, ours.File("ca.pem"), "fanout"))
	fanouttest.NewBot(t, f.GRPCAddr()).Publish(fanouttest.Volume(guild, 1))
	for name, test := range map[string]struct {
		change func(*app.Settings)
		want   string
	}{
		"trusts another":      {settings(url, others.File("ca.pem"), "fanout"), "unknown authority"},
		"trusts the system's": {settings(url, "", ""), "unknown authority"},
		"no certificate":      {settings(url, ours.File("ca.pem"), ""), "certificate required"},
		"a wrong password":    {settings("tls://pona:wrong@"+address, ours.File("ca.pem"), "fanout"), "Authorization Violation"},
		"no password":         {settings("tls://"+address, ours.File("ca.pem"), "fanout"), "Authorization Violation"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, "", test.change)
			said := awaitMissing(t, f, test.want)
			if strings.Contains(said, "a-secret") || strings.Contains(said, "wrong@") {
				t.Error(said)
			}
		})
	}
	for setting, change := range map[string]func(*app.Settings){
		"nats-ca: ":   settings(url, ours.File("nothing.pem"), ""),
		"nats-cert: ": settings(url, ours.File("ca.pem"), "nothing"),
	} {
		s, err := testSettings(url)
		if err != nil {
			t.Fatal(err)
		}
		change(&s)
		if _, err := app.New(s, slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), setting) {
			t.Errorf("%v, want %s", err, setting)
		}
	}
}

// TestNATSGetsAnotherAuthority restarts NATS with a certificate of an authority that the fanout's file has meanwhile.
func TestNATSGetsAnotherAuthority(t *testing.T) {
	before, after := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	cert, key, ca := before.File("shown.pem"), before.File("shown.key"), before.File("believed.pem")
	show := func(a *tlstest.Authority) {
		a.Issue("nats")
		tlstest.Join(t, cert, a.File("nats.pem"))
		tlstest.Join(t, key, a.File("nats.key"))
	}
	show(before)
	tlstest.Join(t, ca, before.File("ca.pem"))
	config, err := service.ServerTLS{TLSCert: cert, TLSKey: key}.Config(nil)
	if err != nil {
		t.Fatal(err)
	}
	nats := fanouttest.StartNATS(t, func(o *server.Options) {
		o.TLS, o.TLSTimeout, o.TLSConfig = true, fanouttest.Patience.Seconds(), config
	})
	f := startReady(t, "", func(s *app.Settings) { s.NATS, s.NATSCA = nats.URL(), ca })
	nats.Stop()
	show(after)
	tlstest.Join(t, ca, before.File("ca.pem"), after.File("ca.pem"))
	nats.Start()
	bot := dial(t, f.GRPCAddr(), nil)
	for deadline := time.Now().Add(fanouttest.Patience); publish(bot, "") != codes.OK; {
		if time.Now().After(deadline) {
			t.Fatal("the fanout has not found NATS again")
		}
	}
}

// TestTheLastReasonIsShown has a fanout wait for a NATS that is not there, and then for one that does not let it in.
func TestTheLastReasonIsShown(t *testing.T) {
	nats := fanouttest.StartNATS(t, func(o *server.Options) { o.Username, o.Password = "pona", "a-secret" })
	_, address, _ := strings.Cut(nats.URL(), "://")
	nats.Stop()
	f := start(t, "nats://pona:wrong@"+address)
	awaitMissing(t, f, "no servers available")
	nats.Start()
	awaitMissing(t, f, "Authorization Violation")
}

// awaitMissing waits until a fanout says that it is not ready for a reason, and returns what it says.
func awaitMissing(t *testing.T, f *fanout, reason string) (said string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: fanouttest.Patience}
	for deadline := time.Now().Add(fanouttest.Patience); !strings.Contains(said, reason); {
		if time.Now().After(deadline) {
			t.Fatalf("/readyz says %s, want %q", said, reason)
		}
		response, err := client.Get("http://" + f.AdminAddr() + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if said = string(body); response.StatusCode == http.StatusOK {
			t.Fatal("ready")
		}
	}
	return said
}
