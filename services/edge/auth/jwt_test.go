package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

var jwtSecret = []byte(strings.Repeat("s", minJWTSecret))

// sign makes the credential of a token.
func sign(t testing.TB, method jwt.SigningMethod, key any, kid string, claims jwt.MapClaims) Credential {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return bearer(text)
}

// with is claims that a test changes; a nil value removes one.
func with(changes jwt.MapClaims) jwt.MapClaims {
	claims := jwt.MapClaims{
		"sub": "175928847299117063", "aud": "pona", "iss": "https://login.example", "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return claims
}

// newJWT is a gate over one.
func newJWT(t testing.TB, options JWTOptions) *Gate {
	t.Helper()
	j, err := NewJWT(options)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGate(j, nil, GateOptions{LocalIdentity: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func TestJWTWithASharedSecret(t *testing.T) {
	g := newJWT(t, JWTOptions{Secret: jwtSecret, Audience: "pona", Issuer: "https://login.example", Leeway: 10 * time.Second, GuildsClaim: "guilds"})
	guilds := jwt.MapClaims{"guilds": []any{"100", 101, "x", nil, 1.5}}
	add := func(name string, value any) jwt.MapClaims {
		return jwt.MapClaims{"guilds": guilds["guilds"], name: value}
	}
	now := time.Now()
	hs := func(claims jwt.MapClaims) Credential {
		return sign(t, jwt.SigningMethodHS256, jwtSecret, "", with(claims))
	}
	good := hs(guilds)
	for _, test := range []struct {
		name       string
		credential Credential
		guild      uint64
		want       error
	}{
		{"good", good, 100, nil},
		{"a number names the guild", good, 101, nil},
		{"another guild", good, 102, ErrNotMember},
		{"no guilds", hs(nil), 100, ErrNotMember},
		{"one too few", hs(add("exp", nil)), 100, ErrUnauthorized},
		{"ended", hs(add("exp", now.Add(-11*time.Second).Unix())), 100, ErrUnauthorized},
		{"ended within the leeway", hs(add("exp", now.Add(-5*time.Second).Unix())), 100, nil},
		{"not yet", hs(add("nbf", now.Add(time.Minute).Unix())), 100, ErrUnauthorized},
		{"for another", hs(add("aud", "other")), 100, ErrUnauthorized},
		{"for several", hs(add("aud", []string{"other", "pona"})), 100, nil},
		{"for nobody", hs(add("aud", nil)), 100, ErrUnauthorized},
		{"from another", hs(add("iss", "https://evil.example")), 100, ErrUnauthorized},
		{"of nobody", hs(add("sub", nil)), 100, ErrUnauthorized},
		{"of no snowflake", hs(add("sub", "nelly")), 100, ErrUnauthorized},
		{"of nobody at all", hs(add("sub", "0")), 100, ErrUnauthorized},
		{"user as a number", hs(add("sub", uint64(175928847299117063))), 100, nil},
		{"other secret", sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), "", with(guilds)), 100, ErrUnauthorized},
		{"other algorithm", sign(t, jwt.SigningMethodHS512, jwtSecret, "", with(guilds)), 100, ErrUnauthorized},
		{"unsigned", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", with(guilds)), 100, ErrUnauthorized},
		{"no token", bearer("abc"), 100, ErrUnauthorized},
		{"no bearer", Credential{header: "Basic " + strings.TrimPrefix(good.header, "Bearer ")}, 100, ErrUnauthorized},
		{"any case", Credential{header: "bearer " + strings.TrimPrefix(good.header, "Bearer ")}, 100, nil},
	} {
		user, err := g.Authorize(t.Context(), test.guild, test.credential)
		if err != test.want || err == nil && user.ID != 175928847299117063 {
			t.Errorf("%s: %d, %v, want %v", test.name, user.ID, err, test.want)
		}
		if err == nil && (user.Expires.IsZero() || user.Expires.After(now.Add(time.Hour+11*time.Second))) {
			t.Errorf("%s: ends at %s", test.name, user.Expires)
		}
	}
}

// keyServer serves a key set.
type keyServer struct {
	*httptest.Server
	set   *jwkset.MemoryJWKSet
	asked atomic.Int64
	down  atomic.Bool
}

func newKeyServer(t *testing.T) *keyServer {
	s := &keyServer{set: jwkset.NewMemoryStorage()}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if s.down.Load() {
			w.WriteHeader(503)
			return
		}
		set, err := s.set.JSONPublic(r.Context())
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(set)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) add(t *testing.T, kid string, key any) {
	t.Helper()
	jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.set.KeyWrite(t.Context(), jwk); err != nil {
		t.Fatal(err)
	}
}

func TestJWTWithAKeySet(t *testing.T) {
	s := newKeyServer(t)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	s.add(t, "rsa", rsaKey)
	s.add(t, "ec", ecKey)
	g := newJWT(t, JWTOptions{KeySet: s.URL, GuildsClaim: "guilds"})
	claims := with(jwt.MapClaims{"guilds": []any{"100"}})
	authorize := func(method jwt.SigningMethod, key any, kid string) error {
		_, err := g.Authorize(t.Context(), 100, sign(t, method, key, kid, claims))
		return err
	}
	if err := errors.Join(authorize(jwt.SigningMethodRS256, rsaKey, "rsa"), authorize(jwt.SigningMethodES256, ecKey, "ec")); err != nil {
		t.Error(err)
	}
	if asked := s.asked.Load(); asked != 1 {
		t.Errorf("the key set was fetched %d times", asked)
	}
	// The public key's bytes are no secret that a token could be signed with.
	if err := authorize(jwt.SigningMethodHS256, rsaKey.N.Bytes(), "rsa"); err != ErrUnauthorized {
		t.Error(err)
	}
	if err := authorize(jwt.SigningMethodRS256, rsaKey, "ec"); err != ErrUnauthorized {
		t.Error(err)
	}
	s.add(t, "ed", edKey) // the signer has a new key
	if err := authorize(jwt.SigningMethodEdDSA, edKey, "ed"); err != nil {
		t.Error(err)
	}
	for range 10 {
		if err := authorize(jwt.SigningMethodEdDSA, edKey, "made up"); err != ErrUnauthorized {
			t.Error(err)
		}
	}
	if asked := s.asked.Load(); asked != 2 {
		t.Errorf("the key set was fetched %d times: made up keys must not have it fetched each time", asked)
	}
}

func TestJWTWhileTheKeySetIsDown(t *testing.T) {
	s := newKeyServer(t)
	s.down.Store(true)
	g := newJWT(t, JWTOptions{KeySet: s.URL, GuildsClaim: "guilds", Timeout: time.Second})
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	var unavailable *Unavailable
	_, err := g.Authorize(t.Context(), 100, sign(t, jwt.SigningMethodEdDSA, edKey, "ed", with(nil)))
	if !errors.As(err, &unavailable) || unavailable.RetryAfter <= 0 {
		t.Error(err)
	}
}

func TestBadJWTOptions(t *testing.T) {
	for _, options := range []JWTOptions{
		{},
		{Secret: jwtSecret, KeySet: "https://example.com/jwks.json"},
		{Secret: jwtSecret[1:]},
		{Secret: jwtSecret, Algorithms: []string{"none"}},
		{Secret: jwtSecret, Algorithms: []string{"RS256"}},
		{KeySet: "https://example.com/jwks.json", Algorithms: []string{"HS256"}},
		{KeySet: "file:///etc/passwd"},
		{KeySet: "example.com"},
	} {
		if _, err := NewJWT(options); err == nil || !strings.HasPrefix(err.Error(), "jwt-") {
			t.Errorf("%+v: %v", options, err)
		}
	}
}
