package clients

import (
	"strconv"
	"testing"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// Each form of the wire, between two processes and a real Redis. Clusters with servers of Node's are
// test/cluster's affair.
func TestRedisCluster(t *testing.T) {
	redis := strconv.Itoa(redistest.Start(t).Port)
	for _, mode := range []string{"classic", "specific", "sharded", "sharded-static"} {
		t.Run(mode, func(t *testing.T) {
			nodes := serve(t, "redis-cluster", "MODE="+mode, "REDIS_PORT="+redis) + "," + serve(t, "redis-cluster", "MODE="+mode, "REDIS_PORT="+redis)
			for _, o := range run(t, "node.js", nodes, "redis-cluster") {
				t.Run(o.Name, o.check)
			}
		})
	}
}
