package app

import (
	"crypto/rand"
	"net"
	"strconv"
)

// reachable is an address at which others may reach a listener: its own, or where it listens on all
// addresses the first one of this machine that is not loopback.
func reachable(listening net.Addr) string {
	address, ok := listening.(*net.TCPAddr)
	if !ok || !address.IP.IsUnspecified() {
		return listening.String()
	}
	host := "127.0.0.1"
	interfaces, _ := net.InterfaceAddrs() // none is the same as an error
	for _, candidate := range interfaces {
		if network, ok := candidate.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
			host = network.IP.String()
			break
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(address.Port))
}

// clusterSecrets are the cluster's keys, or one made for this process.
func (a *App) clusterSecrets() (secrets [][]byte) {
	for _, key := range a.settings.ClusterKeys {
		secrets = append(secrets, []byte(key))
	}
	if len(secrets) == 0 {
		a.log.Warn("no cluster-key is set: clients that poll need sticky sessions, unless this is the only edge")
		own := make([]byte, 32)
		_, _ = rand.Read(own) // never fails
		secrets = append(secrets, own)
	}
	return secrets
}
