// Package seal makes texts that clients carry and only the cluster's edges can read: session ids,
// relay passes, recovery tickets.
package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// MinSecret is the least length of a cluster secret, in bytes.
const MinSecret = 32

// Sealer makes texts that nobody without a cluster secret can read, make or change: base64url of
//
//	key id (1 byte) | nonce (24 bytes, random) | XChaCha20-Poly1305 of the content
//
// Each purpose has keys of its own, so that what is sealed for one opens for no other. Safe for
// concurrent use.
type Sealer struct {
	keys []sealingKey // the first one seals, all open
}

type sealingKey struct {
	id   byte // part of the text; two keys may share one
	aead cipher.AEAD
}

// New derives a purpose's keys. The first secret seals; the others open what was sealed before
// it came, while secrets are being changed.
func New(purpose string, secrets ...[]byte) (*Sealer, error) {
	if len(secrets) == 0 {
		return nil, errors.New("cluster key: none")
	}
	s := &Sealer{}
	for i, secret := range secrets {
		if len(secret) < MinSecret {
			return nil, fmt.Errorf("cluster key %d: %d bytes, must be at least %d", i+1, len(secret), MinSecret)
		}
		derived, err := hkdf.Key(sha256.New, secret, nil, "pona edge "+purpose, 1+chacha20poly1305.KeySize)
		if err != nil {
			return nil, err
		}
		aead, err := chacha20poly1305.NewX(derived[1:])
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, sealingKey{id: derived[0], aead: aead})
	}
	return s, nil
}

// maxSealed bounds what Open looks at, in characters.
const maxSealed = 1024

// Seal seals the content, bound to the context: it opens only with the same one.
func (s *Sealer) Seal(content, context string) string {
	key := s.keys[0]
	sealed := make([]byte, 1+chacha20poly1305.NonceSizeX, 1+chacha20poly1305.NonceSizeX+len(content)+chacha20poly1305.Overhead)
	sealed[0] = key.id
	nonce := sealed[1:]
	_, _ = rand.Read(nonce) // never fails
	sealed = key.aead.Seal(sealed, nonce, []byte(content), []byte(context))
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// Open returns what was sealed with that context; ok is false for everything else.
func (s *Sealer) Open(text, context string) (content string, ok bool) {
	if len(text) > maxSealed || strings.ContainsAny(text, "\r\n") { // line breaks, which base64 skips
		return "", false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) < 1+chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return "", false
	}
	nonce, rest := sealed[1:1+chacha20poly1305.NonceSizeX], sealed[1+chacha20poly1305.NonceSizeX:]
	for _, key := range s.keys {
		if key.id != sealed[0] {
			continue
		}
		if plain, err := key.aead.Open(nil, nonce, rest, []byte(context)); err == nil {
			return string(plain), true
		}
	}
	return "", false
}
