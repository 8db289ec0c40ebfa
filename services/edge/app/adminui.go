package app

import (
	"fmt"
	"net"
	"net/http"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/socketio"
	"github.com/pona-realtime/pona/pkg/socketio/adminui"
)

// newAdminUI opens the Admin UI's namespace; nil where the settings don't.
func (a *App) newAdminUI(secrets [][]byte) (*adminui.AdminUI, error) {
	s := a.settings
	if s.AdminUIPassword == "" {
		return nil, nil
	}
	var cluster *adapter.Node
	if a.rooms != nil {
		cluster = a.rooms.Node
	}
	ui, err := adminui.Attach(a.server, adminui.Options{
		Username: s.AdminUIUser, PasswordHash: s.AdminUIPassword, Secrets: secrets, ReadOnly: s.AdminUIReadonly,
		Development: s.AdminUIDevelopment, ServerID: a.id, Cluster: cluster, Address: a.addressOf, Log: a.component("admin-ui"),
	})
	if err != nil {
		return nil, fmt.Errorf("admin-ui-user, admin-ui-password: %w", err)
	}
	return ui, nil
}

// adminUIOrigins are the page's, while it may connect.
func (s *Settings) adminUIOrigins() []string {
	if s.AdminUIPassword == "" {
		return nil
	}
	return s.AdminUIOrigins
}

// addressOf is where a socket's client is, as far as trusted proxies tell.
func (a *App) addressOf(s *socketio.Socket) string {
	h := s.Handshake()
	address := a.admission.ClientOf(&http.Request{RemoteAddr: net.JoinHostPort(h.Address(), "0"), Header: h.Headers()})
	if !address.IsValid() {
		return h.Address()
	}
	return address.String()
}
