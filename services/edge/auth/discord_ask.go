package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxAnswer     = 256 << 10       // bytes of an answer's body; a member has about 1 KB
	defaultRetry  = 5 * time.Second // where upstream names no time
	userAgentName = "DiscordBot (https://github.com/pona-realtime/pona, 1)"
)

// answer is what Discord said, whatever it was.
type answer struct {
	path   string
	status int
	code   int // of Discord's JSON error; 0 where there is none
	body   []byte
	header http.Header
}

var errLimited = errors.New("rate limited by Discord")

// ask sends GET path, unless Discord does not want to be asked: its bucket is closed, calls like it keep
// failing, or too many were invalid. It returns an answer in JSON with a status below 500 other than
// 429, or an *Unavailable, or the error of ctx.
func (d *Discord) ask(ctx context.Context, path string, credential Credential, b bucket) (answer, error) {
	leave, err := d.limits.enter(ctx, b, d.options.Timeout/2)
	if err != nil {
		if errors.Is(err, errLimited) {
			d.measured.limit.Inc()
		}
		return answer{}, err
	}
	defer leave()
	settle, wait := d.breakers[b.breaker()].allow()
	if wait > 0 {
		d.measured.breaker.Inc()
		return answer{}, &Unavailable{RetryAfter: wait, Cause: errors.New("Discord has failed several times in a row")}
	}
	back, wait := d.budget.take()
	if wait > 0 {
		settle(nil)
		d.measured.budget.Inc()
		return answer{}, &Unavailable{RetryAfter: wait, Cause: errors.New("too many calls were invalid")}
	}
	got, err := d.send(ctx, path, credential)
	invalid := counts(got)
	if back(invalid); invalid {
		d.measured.invalid.Inc()
	}
	failed := err
	if err == nil && (got.status >= 500 || !isJSON(got) && got.status != http.StatusTooManyRequests) {
		failed = errors.New("no answer")
	}
	if ctx.Err() != nil {
		settle(nil) // nothing is known of Discord
		return answer{}, ctx.Err()
	}
	settle(failed)
	switch {
	case failed != nil:
		return answer{}, d.failed(got, err)
	case got.status == http.StatusTooManyRequests:
		return answer{}, &Unavailable{RetryAfter: d.limits.note(got, b), Cause: errLimited}
	}
	d.limits.read(got, b)
	var refusal struct {
		Code int `json:"code"`
	}
	_ = json.Unmarshal(got.body, &refusal) // 0 where the body is no error
	got.code = refusal.Code
	d.trouble.ended()
	return got, nil
}

// send makes the call. The error shows neither method nor address.
func (d *Discord) send(ctx context.Context, path string, credential Credential) (answer, error) {
	got := answer{path: path}
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.options.BaseURL+path, nil)
	if err != nil {
		return got, err
	}
	request.Header.Set("Authorization", credential.header)
	request.Header.Set("User-Agent", userAgentName)
	request.Header.Set("Accept", "application/json")
	response, err := d.client.Do(request)
	if err == nil {
		defer response.Body.Close() //nolint:errcheck // only read from
		got.status, got.header = response.StatusCode, response.Header
		got.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	}
	d.measured.asked.WithLabelValues(statusLabel(got.status)).Inc()
	var because *url.Error
	if errors.As(err, &because) {
		err = because.Err
	}
	return got, err
}

// failed is the *Unavailable for an answer that nothing can be concluded from.
func (d *Discord) failed(got answer, cause error) error {
	where, _, _ := strings.Cut(strings.TrimPrefix(got.path, "/"), "/")
	if got.status != 0 {
		where = fmt.Sprintf("%s: status %d, code %d", where, got.status, got.code)
	}
	if cause == nil {
		cause = errors.New("not an answer to the question")
	}
	retry := retryAfter(got)
	if retry <= 0 {
		retry = defaultRetry
	}
	err := &Unavailable{RetryAfter: retry, Cause: fmt.Errorf("asking Discord for %s: %w", where, cause)}
	d.trouble.began(err.Cause)
	return err
}

func isJSON(got answer) bool {
	kind, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	return strings.TrimSpace(kind) == "application/json" && json.Valid(got.body)
}
