package engineio

import (
	"crypto/rand"
	"encoding/base64"
)

// NewID returns 20 random characters of A-Za-z0-9_- (120 bits): nobody guesses another's session.
func NewID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
