package engineio

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CORS answers cross-origin requests as the npm package cors does, which the reference uses.
type CORS struct {
	// Origins that are allowed, such as "https://pona.example"; "*" alone allows every one.
	Origins []string
	// AllowOrigin decides in place of Origins where it is set: a look-up, or a regular expression's MatchString.
	AllowOrigin func(origin string) bool
	// Credentials allows cookies and the Authorization header; not with Origins "*".
	Credentials bool
	// CredentialOrigins are origins that are allowed in any case, and with credentials.
	CredentialOrigins []string
	// Methods allowed; empty means GET,HEAD,PUT,PATCH,POST,DELETE.
	Methods []string
	// AllowedHeaders names request headers; empty reflects what the preflight asks for.
	AllowedHeaders []string
	// ExposedHeaders names answer headers that scripts may read.
	ExposedHeaders []string
	// MaxAge lets a browser keep a preflight's answer; 0 sends none. Whole seconds on the wire.
	MaxAge time.Duration
	// EnforceOnWebSocket refuses WebSockets of foreign origins too; browsers do not apply CORS to them.
	EnforceOnWebSocket bool
}

func (c *CORS) any() bool { return c.AllowOrigin == nil && slices.Equal(c.Origins, []string{"*"}) }

// allows tells whether the request may be answered; one without Origin comes from no browser's page.
func (c *CORS) allows(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	switch {
	case origin == "" || c.any() || slices.Contains(c.CredentialOrigins, origin):
		return true
	case c.AllowOrigin != nil:
		return c.AllowOrigin(origin)
	default:
		return slices.Contains(c.Origins, origin)
	}
}

// apply sets the headers of an answer, and answers a preflight: then it returns true.
func (c *CORS) apply(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	origin := r.Header.Get("Origin")
	trusted := slices.Contains(c.CredentialOrigins, origin)
	switch {
	case c.any() && !trusted:
		h.Set("Access-Control-Allow-Origin", "*")
		if len(c.CredentialOrigins) > 0 {
			h.Add("Vary", "Origin")
		}
	default:
		h.Add("Vary", "Origin")
		if origin != "" && c.allows(r) {
			h.Set("Access-Control-Allow-Origin", origin)
		}
	}
	if c.Credentials || trusted {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.ExposedHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposedHeaders, ","))
	}
	if r.Method != http.MethodOptions {
		return false
	}
	methods := c.Methods
	if len(methods) == 0 {
		methods = []string{"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"}
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(methods, ","))
	if len(c.AllowedHeaders) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(c.AllowedHeaders, ","))
	} else {
		h.Add("Vary", "Access-Control-Request-Headers")
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
	}
	if c.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge.Seconds())))
	}
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// quoteJSON writes s as a JSON string.
func quoteJSON(s string) string {
	b, _ := json.Marshal(s) // a string always has a JSON form
	return string(b)
}
