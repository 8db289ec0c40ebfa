package auth

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"golang.org/x/net/http/httpguts"
)

// maxCredential bounds a credential, in bytes. Discord's tokens have about 30.
const maxCredential = 8 << 10

// Credential is the value of an Authorization header, such as "Bearer abc". Printing or logging one
// shows nothing of it. The zero value is none.
type Credential struct{ header string }

// CredentialFrom reads the credential of a namespace's CONNECT: the handshake's Authorization
// header if it has one, whether good or bad, or else {"type": "Bearer", "key": "…"} in the payload.
// Without either, or with an empty type or key, it returns the zero Credential.
func CredentialFrom(header http.Header, payload json.RawMessage) Credential {
	if value := header.Get("Authorization"); value != "" {
		return Credential{header: value}
	}
	var given struct {
		Type string `json:"type"`
		Key  string `json:"key"`
	}
	if json.Unmarshal(payload, &given) != nil || given.Type == "" || given.Key == "" {
		return Credential{}
	}
	return Credential{header: given.Type + " " + given.Key}
}

// IsZero tells whether there is no credential.
func (c Credential) IsZero() bool { return c.header == "" }

func (c Credential) String() string       { return "[credential]" }
func (c Credential) GoString() string     { return c.String() }
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// sendable tells whether the credential may be the value of an HTTP header at all.
func (c Credential) sendable() bool {
	return len(c.header) <= maxCredential && httpguts.ValidHeaderFieldValue(c.header)
}
