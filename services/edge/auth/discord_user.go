package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Identify implements [Identity]: what GET /users/@me answers, or, where an application is set,
// GET /oauth2/@me, which also tells whom the token was issued to and when it ends.
func (d *Discord) Identify(ctx context.Context, credential Credential) (User, error) {
	b := bucket{kind: userBucket, user: d.hasher.credential(credential)}
	path := "/users/@me"
	if d.options.Application != 0 {
		path = "/oauth2/@me"
	}
	answer, err := d.ask(ctx, path, credential, b)
	if err != nil {
		return User{}, err
	}
	switch answer.status {
	case http.StatusOK:
		user, err := d.userIn(answer.body)
		if err != nil && !errors.Is(err, ErrUnauthorized) {
			return User{}, d.failed(answer, err)
		}
		return user, err
	case http.StatusUnauthorized, http.StatusForbidden:
		return User{}, ErrUnauthorized
	}
	return User{}, d.failed(answer, nil)
}

// userIn reads who it is. ErrUnauthorized where the token is another application's, has ended, or may
// not tell.
func (d *Discord) userIn(body []byte) (User, error) {
	if d.options.Application == 0 {
		var user struct{ ID string }
		if json.Unmarshal(body, &user) != nil {
			return User{}, errors.New("not a JSON object with an id")
		}
		id, err := snowflake(user.ID)
		return User{ID: id}, err
	}
	var authorization struct {
		Application struct{ ID string }
		Expires     time.Time
		User        *struct{ ID string } // with the scope identify only
	}
	if json.Unmarshal(body, &authorization) != nil {
		return User{}, errors.New("not an authorization")
	}
	application, err := snowflake(authorization.Application.ID)
	switch {
	case err != nil:
		return User{}, err
	case application != d.options.Application, authorization.User == nil,
		!authorization.Expires.IsZero() && !time.Now().Before(authorization.Expires):
		return User{}, ErrUnauthorized
	}
	id, err := snowflake(authorization.User.ID)
	return User{ID: id, Expires: authorization.Expires}, err
}

func snowflake(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, errors.New("id is no snowflake")
	}
	return id, nil
}
