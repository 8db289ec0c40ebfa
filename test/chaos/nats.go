package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// startNATS starts n servers, a cluster where there are several.
func (k *stack) startNATS(bin string, n int, next func() string) error {
	var routes, listens, urls []string
	for range n {
		listens = append(listens, next())
		routes = append(routes, "nats://"+next())
	}
	for i := range n {
		name := fmt.Sprintf("nats-%d", i+1)
		config := fmt.Sprintf("listen: %q\nserver_name: %s\nmax_payload: 8MB\njetstream { store_dir: %q }\n", listens[i], name, filepath.Join(k.folder, name))
		if n > 1 {
			config += fmt.Sprintf("cluster { name: chaos, listen: %q, routes: [%s] }\n", strings.TrimPrefix(routes[i], "nats://"), strings.Join(routes, ", "))
		}
		file := filepath.Join(k.folder, name+".conf")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			return err
		}
		p := &process{name: name, folder: k.folder, path: filepath.Join(bin, "nats-server"), args: []string{"-c", file}}
		if err := p.start(); err != nil {
			return err
		}
		k.nats = append(k.nats, p)
		urls = append(urls, "nats://"+listens[i])
	}
	k.natsURL = strings.Join(urls, ",")
	return nil
}

// streamLeader names the process that leads the event stream, as soon as there is one.
func (k *stack) streamLeader(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	nc, err := nats.Connect(k.natsURL)
	if err != nil {
		return "", err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Second))
	if err != nil {
		return "", err
	}
	for {
		stream, err := js.Stream(ctx, "PLAYER_EVENTS")
		if err == nil {
			if cluster := stream.CachedInfo().Cluster; cluster != nil && cluster.Leader != "" {
				return cluster.Leader, nil
			}
			err = errors.New("it has no leader")
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("the event stream: %w", err)
		}
	}
}
