package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
)

// newCertificates writes an authority (ca.crt), and the apiserver's certificate and key (server.crt,
// server.key), into a folder, and returns what an administrator shows.
func newCertificates(folder string) (rest.TLSClientConfig, error) {
	var none rest.TLSClientConfig
	now := time.Now().Add(-time.Minute)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "verify"}, NotBefore: now, NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return none, err
	}
	issue := func(serial int64, c *x509.Certificate, key *ecdsa.PrivateKey) (certificate, private []byte, err error) {
		c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(serial), now, now.Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, authority, &key.PublicKey, authorityKey)
		if err != nil {
			return nil, nil, err
		}
		keyDER, err := x509.MarshalECPrivateKey(key)
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), err
	}
	ca, _, err := issue(1, authority, authorityKey)
	if err != nil {
		return none, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return none, err
	}
	server, serverKey, err := issue(2, &x509.Certificate{
		Subject: pkix.Name{CommonName: "kube-apiserver"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key)
	if err != nil {
		return none, err
	}
	admin, adminKey, err := issue(3, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "verify", Organization: []string{"system:masters"}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
	if err != nil {
		return none, err
	}
	for name, text := range map[string][]byte{"ca.crt": ca, "server.crt": server, "server.key": serverKey} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return none, err
		}
	}
	return rest.TLSClientConfig{CAData: ca, CertData: admin, KeyData: adminKey}, nil
}
