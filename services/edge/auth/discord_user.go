package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/maypok86/otter/v2"
)

// fingerprint is what is kept of a credential: its HMAC-SHA256 under the process' secret.
type fingerprint [sha256.Size]byte

func (d *Discord) fingerprint(credential Credential) fingerprint {
	mac := hmac.New(sha256.New, d.secret[:])
	_, _ = mac.Write([]byte(credential.header))
	return fingerprint(mac.Sum(nil))
}

// user is whose credential it is: what GET /users/@me answers, or ErrUnauthorized.
func (d *Discord) user(ctx context.Context, credential Credential) (User, error) {
	key := d.fingerprint(credential)
	return d.users.Get(ctx, key, otter.LoaderFunc[fingerprint, User](
		func(ctx context.Context, key fingerprint) (User, error) {
			return d.askUser(ctx, key, credential)
		}))
}

func (d *Discord) askUser(ctx context.Context, key fingerprint, credential Credential) (User, error) {
	answer, err := d.ask(ctx, "/users/@me", credential, bucket{kind: userBucket, user: key})
	if err != nil {
		return User{}, err
	}
	switch answer.status {
	case http.StatusOK:
		var body struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(answer.body, &body); err != nil {
			return User{}, d.failed(answer, errors.New("not a JSON object with an id"))
		}
		id, err := strconv.ParseUint(body.ID, 10, 64)
		if err != nil || id == 0 {
			return User{}, d.failed(answer, errors.New("id is no snowflake"))
		}
		return User{ID: id}, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return User{}, ErrUnauthorized
	}
	return User{}, d.failed(answer, nil)
}
