package socketio

import (
	"encoding/json"
	"strings"
)

// MarshalJSON writes the handshake as the reference shows it to applications:
//
//	{"headers", "time", "address", "xdomain", "secure", "issued", "url", "query", "auth"}
//
// Header names are in lower case, each with one string; time is for people, issued in milliseconds
// since 1970; xdomain tells whether there was an Origin.
func (h *Handshake) MarshalJSON() ([]byte, error) { return h.describe(false) }

// WithoutCredentials is MarshalJSON without what proves who the client is: the payload of CONNECT, and the
// headers Authorization and Cookie.
func (h *Handshake) WithoutCredentials() ([]byte, error) { return h.describe(true) }

// describe is MarshalJSON, on demand without what proves who the client is.
func (h *Handshake) describe(hideCredentials bool) ([]byte, error) {
	headers, auth := map[string]string{}, h.Auth
	for name, values := range h.Headers() {
		separator := ", "
		if name == "Cookie" {
			separator = "; "
		}
		headers[strings.ToLower(name)] = strings.Join(values, separator)
	}
	if hideCredentials {
		delete(headers, "authorization")
		delete(headers, "cookie")
		auth = json.RawMessage("{}")
	}
	return json.Marshal(struct {
		Headers map[string]string `json:"headers"`
		Time    string            `json:"time"`
		Address string            `json:"address"`
		XDomain bool              `json:"xdomain"`
		Secure  bool              `json:"secure"`
		Issued  int64             `json:"issued"`
		URL     string            `json:"url"`
		Query   map[string]string `json:"query"`
		Auth    json.RawMessage   `json:"auth"`
	}{
		Headers: headers,
		Time:    h.Issued.Format("Mon Jan 02 2006 15:04:05 GMT-0700 (MST)"),
		Address: h.Address(),
		XDomain: headers["origin"] != "",
		Secure:  h.Secure(),
		Issued:  h.Issued.UnixMilli(),
		URL:     h.URL(),
		Query:   h.Query(),
		Auth:    auth,
	})
}
