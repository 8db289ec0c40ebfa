package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

const (
	keysInterval = 15 * time.Minute // between two looks at the key set
	keysMissing  = 30 * time.Second // between two looks for a key that is not in it
)

// keySet is the public keys of who signs tokens, fetched again from time to time and, not often, when a
// token names a key that is not among them.
type keySet struct {
	keys   keyfunc.Keyfunc
	client *http.Client
	cancel context.CancelFunc
}

func newKeySet(address string, timeout time.Duration, log *slog.Logger) (*keySet, error) {
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("jwt-keys: %q, must be a URL like https://example.com/jwks.json", address)
	}
	s := &keySet{client: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	remote, err := jwkset.NewStorageFromHTTP(address, jwkset.HTTPClientStorageOptions{
		Ctx: ctx, Client: s.client, HTTPTimeout: timeout, RefreshInterval: keysInterval, NoErrorReturnFirstHTTPReq: true,
		RefreshErrorHandler: func(_ context.Context, err error) {
			log.Warn("the JWT key set cannot be fetched", "url", address, "error", err)
		},
	})
	if err == nil {
		var all jwkset.Storage
		all, err = jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
			HTTPURLs:          map[string]jwkset.Storage{address: remote},
			RefreshUnknownKID: rate.NewLimiter(rate.Every(keysMissing), 1),
			RateLimitWaitMax:  timeout, // of the look, too; who comes between two looks is not kept waiting
		})
		if err == nil {
			s.keys, err = keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: all})
		}
	}
	if err != nil {
		s.cancel()
		return nil, fmt.Errorf("jwt-keys: %w", err)
	}
	return s, nil
}

// find is the key that verifies the token; *Unavailable while there is none at all.
func (s *keySet) find(ctx context.Context, token *jwt.Token) (any, error) {
	key, err := s.keys.KeyfuncCtx(ctx)(token)
	if err == nil {
		return key, nil
	}
	if all, readErr := s.keys.Storage().KeyReadAll(ctx); readErr == nil && len(all) == 0 {
		return nil, &Unavailable{RetryAfter: keysMissing, Cause: errors.New("the JWT key set has not been fetched")}
	}
	return nil, err
}

func (s *keySet) close() {
	s.cancel()
	s.client.CloseIdleConnections()
}
