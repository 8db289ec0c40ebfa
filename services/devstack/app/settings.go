package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/pona-realtime/pona/pkg/settings"
)

// Program is what the command says of itself.
var Program = settings.Program{
	Name:        "devstack",
	Description: "Runs all of Pona in one process: NATS, Redis, fanouts, edges behind a proxy without sticky sessions, a simulated bot and a web player.",
	EnvPrefix:   "PONA_DEVSTACK",
}

// Settings are the dev stack's, with the tags of pkg/settings.
type Settings struct {
	Listen          string `group:"Addresses" default:"127.0.0.1:8080" placeholder:"HOST:PORT" unit:"host:port" help:"Where clients and the player page connect."`
	GRPC            string `group:"Addresses" name:"grpc" default:"127.0.0.1:7070" placeholder:"HOST:PORT" unit:"host:port" help:"Where the first fanout takes bots; the others choose a port."`
	Edges           int    `group:"Stack" default:"2" unit:"count" help:"Edges to run, 1 to 16."`
	Fanouts         int    `group:"Stack" default:"1" unit:"count" help:"Fanouts to run, 1 to 16."`
	Bot             bool   `group:"Stack" default:"true" negatable:"" help:"Run the simulated bot."`
	Seed            uint64 `group:"Stack" default:"1" unit:"number" help:"Seed of the simulated bot's music."`
	Redis           string `group:"Given parts" placeholder:"HOST:PORT" unit:"host:port" help:"Use this Redis instead of one of our own."`
	NATS            string `group:"Given parts" name:"nats" placeholder:"URL" unit:"URL" help:"Use this NATS, which must have JetStream, instead of an embedded one."`
	Data            string `group:"Given parts" placeholder:"DIR" unit:"path" help:"Where the embedded NATS keeps its streams; without it in a temporary folder, until the stack stops."`
	Discord         string `group:"Given parts" placeholder:"URL" unit:"URL" help:"Ask this Discord API who users are, such as https://discord.com/api/v10. Without it, the credential user:<digits> is the user with that id."`
	DiscordBotToken string `group:"Given parts" secret:"" default:"devstack" unit:"text" help:"Token of the bot at that Discord; one made for a test may take any."`
	Verbose         bool   `group:"Program" short:"v" help:"Log what services find normal, too."`
}

// Validate says what is impossible.
func (s *Settings) Validate() error {
	for _, address := range []struct{ name, value string }{{"listen", s.Listen}, {"grpc", s.GRPC}, {"redis", s.Redis}} {
		if address.value == "" && address.name == "redis" {
			continue
		}
		if _, _, err := net.SplitHostPort(address.value); err != nil {
			return fmt.Errorf("--%s: %q is not host:port", address.name, address.value)
		}
	}
	for _, count := range []struct {
		name  string
		value int
	}{{"edges", s.Edges}, {"fanouts", s.Fanouts}} {
		if count.value < 1 || count.value > 16 {
			return fmt.Errorf("--%s: %d is not 1 to 16", count.name, count.value)
		}
	}
	if u, err := url.Parse(s.Discord); err != nil || s.Discord != "" && u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--discord: %q is no http URL", s.Discord)
	}
	if host, _, _ := net.SplitHostPort(s.Listen); s.Discord == "" && !loopback(host) {
		return fmt.Errorf("--listen: %s is not on the loopback interface, and without --discord anybody could be any user", s.Listen)
	}
	if s.Data != "" && s.NATS != "" {
		return errors.New("--data is for the embedded NATS and cannot be given with --nats")
	}
	return nil
}

// loopback says whether only this machine reaches the host.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
