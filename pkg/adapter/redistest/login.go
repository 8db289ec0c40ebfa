package redistest

import (
	"crypto/tls"

	"github.com/redis/go-redis/v9"
)

// Login is how servers are entered that do not let everybody in: as the arguments say that they were started with. The
// zero value is nobody in particular, without TLS.
type Login struct {
	TLS            *tls.Config
	User, Password string
}

// client asks one server.
func (l Login) client(address string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: address, TLSConfig: l.TLS, Username: l.User, Password: l.Password, MaxRetries: -1, DialerRetries: 1})
}
