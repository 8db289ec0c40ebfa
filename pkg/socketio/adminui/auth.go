package adminui

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"

	"github.com/pona-realtime/pona/pkg/socketio"
)

// Passwords are tried by one at a time, since bcrypt is slow on purpose, and no more often than this.
const (
	triesOfAddress = 5 // at once, then one in:
	triesEvery     = 10 * time.Second
	triesOfAll     = 2 // a second, from all addresses
	maxAddresses   = 10_000
	sessionTime    = 24 * time.Hour
)

// authenticate lets a page in that shows a session or the password.
func (a *AdminUI) authenticate(s *socketio.Socket) error {
	var shown struct{ SessionID, Username, Password string }
	if err := json.Unmarshal(s.Handshake().Auth, &shown); err != nil {
		return errInvalid
	}
	if shown.SessionID != "" && a.knows(shown.SessionID, time.Now()) {
		return nil
	}
	if shown.Username == "" && shown.Password == "" {
		return errInvalid // a page whose session has ended; nothing was tried
	}
	address := a.options.Address(s)
	if !a.gate.admits(address, time.Now()) {
		a.options.Log.Warn("admin ui: too many passwords tried", "address", address)
		return errTooMany
	}
	a.gate.trying.Lock()
	wrong := bcrypt.CompareHashAndPassword([]byte(a.options.PasswordHash), []byte(shown.Password)) // whatever the name is: it takes as long
	a.gate.trying.Unlock()
	if subtle.ConstantTimeCompare([]byte(shown.Username), []byte(a.options.Username)) == 0 || wrong != nil {
		a.options.Log.Warn("admin ui: wrong password", "address", address)
		return errInvalid
	}
	a.options.Log.Info("admin ui: logged in", "address", address)
	s.SetData(session{a.sign(time.Now().Add(sessionTime))})
	return nil
}

// session is what a page that has logged in is given. It has no JSON form, since other servers are shown a socket's data.
type session struct{ token string }

// The page knows the first of them.
var (
	errInvalid = &socketio.ConnectError{Message: "invalid credentials"}
	errTooMany = &socketio.ConnectError{Message: "too many attempts", Data: map[string]any{"retryAfterMs": triesEvery.Milliseconds()}}
)

// sign makes a session that every server with the same secrets, name and password knows until then.
func (a *AdminUI) sign(until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 36)
	return end + "." + base64.RawURLEncoding.EncodeToString(a.mac(a.options.Secrets[0], end))
}

// knows tells whether a session was signed by one of these servers, and has not ended.
func (a *AdminUI) knows(session string, now time.Time) bool {
	end, text, _ := strings.Cut(session, ".")
	until, err1 := strconv.ParseInt(end, 36, 64)
	signature, err2 := base64.RawURLEncoding.DecodeString(text)
	if err1 != nil || err2 != nil || now.Unix() >= until {
		return false
	}
	for _, secret := range a.options.Secrets {
		if hmac.Equal(signature, a.mac(secret, end)) {
			return true
		}
	}
	return false
}

// mac covers name and password, so that a new password ends all sessions.
func (a *AdminUI) mac(secret []byte, end string) []byte {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "admin-ui session\n%q\n%q\n%s", a.options.Username, a.options.PasswordHash, end)
	return h.Sum(nil)
}

// gate bounds how often passwords are tried.
type gate struct {
	trying sync.Mutex // held while one is

	mu        sync.Mutex
	all       *rate.Limiter
	addresses map[string]*rate.Limiter
	swept     time.Time // when those that no longer matter were last dropped
}

func newGate() *gate {
	return &gate{all: rate.NewLimiter(triesOfAll, 5*triesOfAll), addresses: map[string]*rate.Limiter{}}
}

// admits tells whether an address may try a password now.
func (g *gate) admits(address string, now time.Time) bool {
	key := network(address)
	g.mu.Lock()
	defer g.mu.Unlock()
	of := g.addresses[key]
	if of == nil {
		if len(g.addresses) >= maxAddresses && now.Sub(g.swept) >= triesEvery { // it costs as many steps
			g.swept = now
			g.forget(now)
		}
		of = rate.NewLimiter(rate.Every(triesEvery), triesOfAddress)
		if len(g.addresses) < maxAddresses { // else many try at once, and the limit for all counts
			g.addresses[key] = of
		}
	}
	return of.AllowN(now, 1) && g.all.AllowN(now, 1)
}

// forget drops the addresses that have not tried lately.
func (g *gate) forget(now time.Time) {
	for key, of := range g.addresses {
		if of.TokensAt(now) >= triesOfAddress {
			delete(g.addresses, key)
		}
	}
}

// network is what one attacker has: an IPv4 address, or the /64 of an IPv6 one.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
