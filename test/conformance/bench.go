package main

import (
	"encoding/json"
	"expvar"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pona-realtime/pona/pkg/engineio"
	"github.com/pona-realtime/pona/pkg/socketio"
)

const room = "pona! music"

// newBench serves guilds with production's settings, and the bench's control port.
func newBench() peer {
	server := socketio.NewServer(socketio.Options{Engine: engineio.Options{
		MaxPayload:        15_000_000,
		PerMessageDeflate: &engineio.PerMessageDeflate{Threshold: 1024},
	}})
	guilds := server.OfRegexp(regexp.MustCompile(`^/guild/\d+$`))
	guilds.Use(func(s *socketio.Socket) error {
		var auth struct{ Type, Key string }
		if json.Unmarshal(s.Handshake().Auth, &auth) != nil || auth.Type == "" || auth.Key == "" {
			return &socketio.ConnectError{Message: "Authentication token required"}
		}
		return nil
	})
	guilds.OnConnection(func(s *socketio.Socket) {
		s.Join(room)
		s.On("echo", func(e *socketio.Event) { _ = e.Ack() }) // what the siege's bystanders ask
	})

	control := http.NewServeMux()
	control.HandleFunc("POST /emit", func(w http.ResponseWriter, r *http.Request) {
		var p plan
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if p.Guilds < 1 || p.Burst < 1 || p.Rate <= 0 || len(p.Bodies) == 0 {
			http.Error(w, "guilds, burst, rate and bodies must not be empty", http.StatusBadRequest)
			return
		}
		if err := p.emit(server); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	control.HandleFunc("/gc", func(http.ResponseWriter, *http.Request) {
		runtime.GC()         // for what finalizers hold
		debug.FreeOSMemory() // collects again, and gives back what is free
	})
	control.Handle("GET /debug/vars", expvar.Handler())
	return peer{clients: server, control: control, close: server.Close}
}

// plan is what the bench asks for; its side is test/bench/control.go.
type plan struct {
	Event, Room   string
	Run           int
	First         uint64
	Guilds, Count int
	Rate          float64
	Burst         int
	Bodies        []string
}

// emit returns when all is emitted, event by event: gathering them is the library's part.
func (p plan) emit(server *socketio.Server) error {
	began := time.Now()
	for i := range p.Count {
		due := i - i%p.Burst
		time.Sleep(time.Until(began.Add(time.Duration(float64(due) / p.Rate * float64(time.Second)))))
		n := server.Lookup(fmt.Sprintf("/guild/%d", p.First+uint64(i%p.Guilds)))
		if n == nil {
			continue
		}
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			return err
		}
		text := fmt.Sprintf("@T%019dR%02dS%08d;%s", now.Nano(), p.Run, i, p.Bodies[i%len(p.Bodies)])
		if err := n.To(p.Room).Emit(p.Event, text); err != nil {
			return err
		}
	}
	return nil
}
