// Command edge holds the browsers: clients connect to it with Socket.IO, and it to the fanouts.
package main

import (
	"os"

	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/services/edge/app"
)

func main() {
	var s app.Settings
	service.Main(app.Program, &s, func() (service.Service, error) { return app.New(s, s.Logger(os.Stderr)) })
}
