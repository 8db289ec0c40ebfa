// Command chat is a whole Socket.IO server on pkg/socketio: a namespace with middleware, rooms, acknowledgements,
// clients that come back with nothing lost, and an end that does not storm whoever takes over.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/redisbus"
	"github.com/pona-realtime/pona/pkg/engineio"
	"github.com/pona-realtime/pona/pkg/socketio"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "address to listen on")
	redisURL := flag.String("redis", "", "redis:// URL of the Redis that connects several servers, Node's among them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *listen, *redisURL); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, listen, redisURL string) error {
	options := socketio.Options{
		Engine: engineio.Options{
			CORS:              &engineio.CORS{Origins: []string{"https://chat.example"}},
			PerMessageDeflate: &engineio.PerMessageDeflate{},
		},
		Recovery: socketio.NewMemoryRecovery(socketio.MemoryRecoveryOptions{}),
		OnError:  func(err error) { log.Print(err) },
	}
	if redisURL != "" {
		node, leave, err := cluster(redisURL)
		if err != nil {
			return err
		}
		defer leave()
		options.Cluster = node
	}
	io := socketio.NewServer(options)
	chat := io.Of("/chat")
	chat.Use(knock)
	chat.OnConnection(welcome)

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	web := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := io.Drain(ctx, engineio.DrainOptions{}) // clients connect again, elsewhere, a few at a time
	return errors.Join(err, io.Close(ctx), web.Shutdown(ctx))
}

// knock is middleware: who has no name is refused, with a connect_error.
func knock(s *socketio.Socket) error {
	var who struct{ Name string }
	if err := json.Unmarshal(s.Handshake().Auth, &who); err != nil || who.Name == "" {
		return errors.New("say who you are")
	}
	s.SetData(who.Name)
	return nil
}

// welcome sets up what a client may do.
func welcome(s *socketio.Socket) {
	name := s.Data().(string)
	s.On("join", func(e *socketio.Event) {
		var room string
		if err := e.Args.Decode(&room); err != nil {
			_ = e.Ack(err.Error())
			return
		}
		s.Join(room)
		_ = s.To(room).Emit("joined", name)
		_ = e.Ack("ok")
	})
	s.On("say", func(e *socketio.Event) {
		var room, text string
		if err := e.Args.Decode(&room, &text); err != nil {
			_ = e.Ack(err.Error())
			return
		}
		_ = s.To(room).Emit("said", name, text)
		_ = e.Ack("ok")
	})
	s.OnDisconnect(func(reason string) { fmt.Println(name, "left:", reason) })
}

// cluster joins the other servers on a Redis.
func cluster(url string) (node *adapter.Node, leave func(), err error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, nil, err
	}
	o.MaxRetries = -1 // what is published twice is heard twice
	client := redis.NewClient(o)
	bus, err := redisbus.New(client, redisbus.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	node = adapter.NewNode(bus, adapter.Options{})
	return node, func() {
		node.Close()
		bus.Close()
		_ = client.Close()
	}, nil
}
