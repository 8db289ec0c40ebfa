// Command devstack runs all of Pona on this machine: NATS, Redis, fanouts, edges, a simulated bot
// and a web player.
package main

import (
	"os"

	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/services/devstack/app"
)

func main() {
	var s app.Settings
	service.Main(app.Program, &s, func() (service.Service, error) {
		var logging service.Logging
		if s.Verbose {
			logging.LogLevel = "debug"
		}
		return app.New(s, logging.Logger(os.Stderr))
	})
}
