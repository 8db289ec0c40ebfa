package redistest

import (
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// clusterSize is the number of a Redis Cluster's masters; it has no replicas.
const clusterSize = 3

// StartCluster runs a Redis Cluster and returns its nodes when each has its links to the others. The arguments are for all
// of them.
func StartCluster(t testing.TB, login Login, args ...string) []*Server {
	t.Helper()
	servers, clients := make([]*Server, clusterSize), make([]*redis.Client, clusterSize)
	for i := range servers {
		servers[i] = Start(t, append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "3000"}, args...)...) // ms; a greeting that goes wrong is repeated only then
		clients[i] = login.client(servers[i].Addr())
		defer clients[i].Close()
		first, last := i*16384/clusterSize, (i+1)*16384/clusterSize-1
		if err := errors.Join(
			clients[i].ClusterAddSlotsRange(t.Context(), first, last).Err(),
			clients[i].Do(t.Context(), "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(),
			clients[0].Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", servers[i].Port).Err(), // itself too, which it does not mind
		); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the cluster", func() bool {
		for _, c := range clients {
			shards, err := c.ClusterShards(t.Context()).Result()
			info, err2 := c.ClusterInfo(t.Context()).Result()
			links, err3 := c.ClusterLinks(t.Context()).Result()
			if errors.Join(err, err2, err3) != nil || len(shards) != clusterSize || len(links) != 2*(clusterSize-1) || !strings.Contains(info, "cluster_state:ok") {
				return false
			}
		}
		return true
	})
	return servers
}
