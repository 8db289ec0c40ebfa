package redistest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// clusterSize is the number of a Redis Cluster's masters.
const clusterSize = 3

// StartCluster runs a Redis Cluster without replicas and returns its nodes when each has its links to the others. The
// arguments are for all of them.
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

// AddReplica runs one more node of a Redis Cluster and returns when it can take a master's place: every one of the nodes
// knows it, and it has the master's data.
func AddReplica(t testing.TB, nodes []*Server, master *Server, args ...string) *Server {
	t.Helper()
	replica := Start(t, append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "3000"}, args...)...)
	at, of := Login{}.client(replica.Addr()), Login{}.client(master.Addr())
	defer at.Close()
	defer of.Close()
	if err := at.Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", master.Port).Err(); err != nil {
		t.Fatal(err)
	}
	id := of.Do(t.Context(), "CLUSTER", "MYID").Val()
	await(t, "a replica", func() bool { return at.Do(t.Context(), "CLUSTER", "REPLICATE", id).Err() == nil })
	await(t, "a replica", func() bool {
		state, err := at.Info(t.Context(), "replication").Result()
		return err == nil && strings.Contains(state, "master_link_status:up")
	})
	for _, node := range nodes {
		client := Login{}.client(node.Addr())
		defer client.Close()
		await(t, "a replica", func() bool {
			known, err := client.ClusterNodes(t.Context()).Result()
			return err == nil && strings.Contains(known, fmt.Sprintf(":%d@%d slave %s", replica.Port, replica.Port+10000, id))
		})
	}
	return replica
}

// AwaitMaster waits until a node of a Redis Cluster is a master.
func (s *Server) AwaitMaster(t testing.TB) { s.awaitRole(t, "master") }

// AwaitReplica waits until it is a replica.
func (s *Server) AwaitReplica(t testing.TB) { s.awaitRole(t, "slave") }

func (s *Server) awaitRole(t testing.TB, role string) {
	t.Helper()
	client := Login{}.client(s.Addr())
	defer client.Close()
	await(t, "a failover", func() bool {
		state, err := client.Info(t.Context(), "replication").Result()
		return err == nil && strings.Contains(state, "role:"+role)
	})
}
