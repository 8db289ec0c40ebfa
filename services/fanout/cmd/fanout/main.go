// Command fanout keeps the events that bots publish and gives them to the edges whose clients
// listen.
package main

import (
	"os"

	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/services/fanout/app"
)

func main() {
	var s app.Settings
	service.Main(app.Program, &s, func() (service.Service, error) { return app.New(s, s.Logger(os.Stderr)) })
}
