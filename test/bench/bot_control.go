package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// botRole as first argument makes this program a bot of its own that publishes what its control port
// is asked to emit, for generators that measure the pair from outside; see peers.json.
const botRole = "bot"

// serveBot serves POST /emit until it is told to stop. args are the control address and the fanout's.
func serveBot(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%s: want CONTROL FANOUT, each host:port", botRole)
	}
	b, err := dialBot(args[1])
	if err != nil {
		return err
	}
	defer b.close()
	control := http.NewServeMux()
	control.HandleFunc("POST /emit", func(w http.ResponseWriter, r *http.Request) {
		var p plan
		err := json.NewDecoder(r.Body).Decode(&p)
		if err == nil {
			err = b.emit(p)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})
	listener, err := net.Listen("tcp4", args[0])
	if err != nil {
		return err
	}
	server := &http.Server{Handler: control}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	served := make(chan struct{})
	go func() {
		_ = server.Serve(listener)
		close(served)
	}()
	<-stop
	_ = server.Close()
	<-served
	return nil
}
