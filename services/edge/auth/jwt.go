package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// JWTOptions tunes [JWT]. One of Secret and KeySet is required.
type JWTOptions struct {
	Secret      []byte        // shared with who signs; 32 bytes or more
	KeySet      string        // URL of a JSON Web Key Set with the public keys of who signs (RFC 7517)
	Algorithms  []string      // that are believed; nil means HS256 with Secret, and RS256, ES256 and EdDSA with KeySet
	Audience    string        // that tokens must be for; empty means any
	Issuer      string        // that tokens must be from; empty means any
	Leeway      time.Duration // between the clocks; 0 means none
	UserClaim   string        // that names the user, a Discord snowflake; empty means "sub"
	GuildsClaim string        // that lists the guilds the user may listen to; empty means that the Membership is asked
	Timeout     time.Duration // for the key set's server to answer; 0 means 5s
	Log         *slog.Logger  // trouble with the key set; nil means none
}

// JWT is an [Identity] for those whose own backend signs users in: a credential is "Bearer " and a JSON
// Web Token (RFC 7519) that backend has signed, with an end ("exp").
type JWT struct {
	options JWTOptions
	parser  *jwt.Parser
	keys    *keySet // nil with a shared secret
}

// Algorithms by what verifies them. A token must not choose between the two: a public key is no secret.
var (
	secretAlgorithms = []string{"HS256", "HS384", "HS512"}
	keyAlgorithms    = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

const minJWTSecret = 32 // bytes

// NewJWT checks the options, and tries to get the key set; where that fails it is tried again later. The error
// names the option.
func NewJWT(options JWTOptions) (*JWT, error) {
	possible := secretAlgorithms
	switch {
	case (len(options.Secret) == 0) == (options.KeySet == ""):
		return nil, errors.New("jwt-secret, jwt-keys: one of them must be set")
	case options.KeySet != "":
		possible = keyAlgorithms
	case len(options.Secret) < minJWTSecret:
		return nil, fmt.Errorf("jwt-secret: %d bytes, must have %d or more", len(options.Secret), minJWTSecret)
	}
	if len(options.Algorithms) == 0 {
		options.Algorithms = []string{"HS256"}
		if options.KeySet != "" {
			options.Algorithms = []string{"RS256", "ES256", "EdDSA"}
		}
	}
	for _, algorithm := range options.Algorithms {
		if !slices.Contains(possible, algorithm) {
			return nil, fmt.Errorf("jwt-algorithms: %q, must be one of %s", algorithm, strings.Join(possible, ", "))
		}
	}
	if options.UserClaim == "" {
		options.UserClaim = "sub"
	}
	if options.Timeout <= 0 {
		options.Timeout = 5 * time.Second
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	checks := []jwt.ParserOption{
		jwt.WithValidMethods(options.Algorithms), jwt.WithExpirationRequired(), jwt.WithLeeway(options.Leeway), jwt.WithJSONNumber(),
	}
	if options.Audience != "" {
		checks = append(checks, jwt.WithAudience(options.Audience))
	}
	if options.Issuer != "" {
		checks = append(checks, jwt.WithIssuer(options.Issuer))
	}
	j := &JWT{options: options, parser: jwt.NewParser(checks...)}
	if options.KeySet != "" {
		var err error
		if j.keys, err = newKeySet(options.KeySet, options.Timeout, options.Log); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// Identify implements [Identity]. It asks nobody, but for a key that is not known yet.
func (j *JWT) Identify(ctx context.Context, credential Credential) (User, error) {
	kind, text, _ := strings.Cut(credential.header, " ")
	if !strings.EqualFold(kind, "Bearer") {
		return User{}, ErrUnauthorized
	}
	claims := jwt.MapClaims{}
	if _, err := j.parser.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) { return j.key(ctx, t) }); err != nil {
		var unavailable *Unavailable
		switch {
		case ctx.Err() != nil:
			return User{}, ctx.Err()
		case errors.As(err, &unavailable):
			return User{}, unavailable
		}
		return User{}, ErrUnauthorized
	}
	id, err := claimed(claims[j.options.UserClaim])
	if err != nil {
		return User{}, ErrUnauthorized
	}
	user := User{ID: id}
	if end, err := claims.GetExpirationTime(); err == nil {
		user.Expires = end.Add(j.options.Leeway)
	}
	if j.options.GuildsClaim != "" {
		user.Guilds = guildsIn(claims[j.options.GuildsClaim])
	}
	return user, nil
}

func (j *JWT) key(ctx context.Context, token *jwt.Token) (any, error) {
	if j.keys != nil {
		return j.keys.find(ctx, token)
	}
	return j.options.Secret, nil
}

// claimed is a snowflake as a text or a number.
func claimed(claim any) (uint64, error) {
	switch value := claim.(type) {
	case string:
		return snowflake(value)
	case json.Number:
		return snowflake(value.String())
	}
	return 0, errors.New("not a snowflake")
}

// guildsIn are those that a claim lists; what is no snowflake is none. Never nil.
func guildsIn(claim any) []uint64 {
	guilds := []uint64{}
	list, _ := claim.([]any)
	for _, one := range list {
		if id, err := claimed(one); err == nil {
			guilds = append(guilds, id)
		}
	}
	return guilds
}

// Close ends the refreshing of the key set.
func (j *JWT) Close() {
	if j.keys != nil {
		j.keys.close()
	}
}
