package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// fingerprint is what is kept of a credential: its HMAC-SHA256 under a secret.
type fingerprint [sha256.Size]byte

// hasher makes fingerprints. With the cluster's secret they are the same on every edge, without one they
// are the process' own.
type hasher struct{ key []byte }

func newHasher(secret []byte) hasher {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	if secret != nil {
		key, _ = hkdf.Key(sha256.New, secret, nil, "pona edge fingerprints", sha256.Size) // fails for longer keys only
	}
	return hasher{key}
}

func (h hasher) sum(parts ...[]byte) fingerprint {
	mac := hmac.New(sha256.New, h.key)
	for _, part := range parts {
		_, _ = mac.Write(part)
	}
	return fingerprint(mac.Sum(nil))
}

func (h hasher) credential(c Credential) fingerprint { return h.sum([]byte(c.header)) }

// userName and memberName are the keys' names outside the process.
func (h hasher) userName(f fingerprint) string {
	return "u:" + base64.RawURLEncoding.EncodeToString(f[:])
}

func (h hasher) memberName(m membership) string {
	f := h.sum([]byte("member"), binary.BigEndian.AppendUint64(nil, m.guild), binary.BigEndian.AppendUint64(nil, m.user))
	return "m:" + base64.RawURLEncoding.EncodeToString(f[:])
}
