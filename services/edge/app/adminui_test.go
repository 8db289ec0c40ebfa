package app

import (
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// TestAdminUIWantsAPassword: without one in the settings there is nothing to log in to.
func TestAdminUIWantsAPassword(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("open sesame"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	const (
		login   = `{"username":"operator","password":"open sesame"}`
		nothing = `{"username":"operator","password":""}`
		invalid = `{"message":"invalid credentials"}`
		unknown = `{"message":"Invalid namespace"}`
	)
	for _, test := range []struct{ name, password, payload, want string }{ // want "" for a welcome
		{"set, and shown", string(hash), login, ""},
		{"set, and not shown", string(hash), nothing, invalid},
		{"not set", "", login, unknown},
		{"not set, and none shown", "", nothing, unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := local(t)
			withFanout(t, &s)
			s.AdminUIUser, s.AdminUIPassword, s.AdminUIDevelopment = "operator", test.password, true
			c := edgetest.DialWebSocket(t, started(t, s).Addr())
			c.Connect("/admin", test.payload)
			if test.want != "" {
				c.Want(edgetest.ConnectError, "/admin", test.want)
				return
			}
			c.Joined("/admin")
		})
	}
}
