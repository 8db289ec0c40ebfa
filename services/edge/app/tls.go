package app

import (
	"crypto/tls"
	"net"

	"github.com/pona-realtime/pona/pkg/service"
)

// clientTLS is how the edge itself speaks TLS to clients; nil where a balancer does. WebSockets are HTTP/1.1's.
func (a *App) clientTLS() (*tls.Config, error) {
	config, err := service.ServerTLS{TLSCert: a.settings.TLSCert, TLSKey: a.settings.TLSKey}.Config(a.log)
	if config != nil {
		config.NextProtos = []string{"http/1.1"}
	}
	return config, err
}

// relayTLS is how the edge calls others that speak TLS; which of them do, their session ids say.
func (a *App) relayTLS() (next func() *tls.Config, err error) {
	return service.ClientTLS{Setting: "relay", CA: a.settings.RelayCA, Name: a.settings.RelayName, System: true, Log: a.log}.Next()
}

// origin is where other edges reach this one.
func (a *App) origin(address string) string {
	if a.tls != nil {
		return "https://" + address
	}
	return address
}

// public is the listener as clients meet it.
func (a *App) public() net.Listener {
	if a.tls != nil {
		return tls.NewListener(a.clients, a.tls)
	}
	return a.clients
}
