package redisbus

import (
	"flag"
	"testing"

	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	logging.Disable() // go-redis returns what it logs
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // most tests wait for servers, not for a processor
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
