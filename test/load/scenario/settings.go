package scenario

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/test/load/client"
	"github.com/pona-realtime/pona/test/load/stamp"
)

// Settings say what is tested, and how.
type Settings struct {
	URL        string        `name:"url" required:"" unit:"http://host:port" group:"Server" help:"Socket.IO server to test. A path in it is the server's; none means /socket.io/."`
	Scenarios  []string      `name:"scenario" default:"connect" enum:"connect,idle,broadcast,namespaces,reconnect,jitter,avalanche,latency,compression,all" group:"Server" help:"What to measure, one after the other; all means every one for which the server offers what it needs."`
	Transport  string        `default:"websocket" enum:"websocket,polling,upgrade" group:"Server" help:"How clients connect; upgrade starts with polling, as stock clients do."`
	Namespace  []string      `default:"/" unit:"names" group:"Server" help:"Namespaces; {n} in one stands for the client's number. Clients join the first; scenario namespaces goes through all of them."`
	Auth       string        `secret:"" unit:"JSON object" group:"Server" help:"Payload of CONNECT; {n} stands for the client's number."`
	ReadyEvent string        `unit:"name" group:"Server" help:"Event that whoever has joined is sent, which is waited for. With pona-fanout it is handshake, before which a guild's listener hears nothing."`
	Header     []string      `sep:"none" secret:"" unit:"Name: value, repeatable" group:"Server" help:"HTTP header of every request."`
	Insecure   bool          `group:"Server" help:"Accept any TLS certificate."`
	Patience   time.Duration `default:"20s" group:"Server" help:"Time the server has for each answer."`
	PIDs       []int         `name:"pid" unit:"process ids" group:"Server" help:"The server's processes, where they run on this machine: their CPU time and memory are measured too. Linux only."`

	Clients int           `default:"1000" unit:"clients" group:"Load" help:"How many connect; broadcast goes by its own numbers."`
	Rate    float64       `default:"500" unit:"connections a second, 0 for no bound" group:"Load" help:"How fast they connect."`
	AtOnce  int           `default:"128" unit:"clients" group:"Load" help:"How many may be on their way in at the same time."`
	Sources []string      `name:"source" unit:"IP addresses" group:"Load" help:"Local addresses to connect from, in turn: one address has about 28 000 ports to the same server."`
	For     time.Duration `default:"30s" group:"Load" help:"How long idle, jitter and latency go on."`

	EmitEvent string         `group:"Events" help:"Event that a client sends and the server relays to the others, its last argument as theirs. Needed for broadcast, compression and deliveries in jitter, unless pona-fanout or redis is."`
	JoinEvent string         `group:"Events" help:"Event with which a client asks to be put into the room, and which the server acknowledges; then emit-event's arguments are room and payload. Empty: everybody in the namespace is meant."`
	Room      string         `group:"Events" help:"Name of the room. Empty: everybody, or bench with join-event."`
	Event     string         `default:"bench" group:"Events" help:"Event that pona-fanout and redis emit."`
	Events    int            `default:"100" unit:"events" group:"Events" help:"How many each room of broadcast is sent, and each pass of compression."`
	EventRate float64        `default:"10" unit:"events a second" group:"Events" help:"How fast they are sent."`
	Size      settings.Bytes `default:"200" group:"Events" help:"Payload of each."`

	PonaFanout string `unit:"host:port" group:"Events" help:"Pona fanout that events are published to; the namespace must be /guild/ and a number."`
	PonaToken  string `secret:"" group:"Events" help:"Bot token for it."`
	PonaTLS    bool   `name:"pona-tls" group:"Events" help:"Use TLS to it."`
	Redis      string `secret:"" unit:"redis://host:port" group:"Events" help:"Redis over which events are published as @socket.io/redis-emitter does."`
	RedisKey   string `default:"socket.io" group:"Events" help:"What the adapter's channels begin with; pona:socket.io at a Pona edge."`
	Sharded    bool   `group:"Events" help:"The servers use the sharded Redis adapter."`

	Rooms []int `default:"100,1000,10000" unit:"clients" group:"Scenario broadcast" help:"Sizes of the room, one after the other."`

	Switches int `default:"10" unit:"switches of each client" group:"Scenario namespaces" help:"How often a client leaves its namespace and joins the next, over the same connection."`

	Reconnects    int     `default:"1000" unit:"reconnects" group:"Scenario reconnect" help:"How many connections are cut, at random; the client comes back at once."`
	ReconnectRate float64 `default:"100" unit:"a second" group:"Scenario reconnect" help:"How fast they are cut."`

	JitterEvery time.Duration `default:"5s" group:"Scenario jitter" help:"Mean time between two troubles of a client."`
	JitterStall time.Duration `default:"1s" group:"Scenario jitter" help:"Longest time a troubled client does not read."`
	JitterCut   float64       `default:"0.2" unit:"0 to 1" group:"Scenario jitter" help:"Share of troubles that cut the connection instead."`

	Backoff    time.Duration `default:"1s" group:"Scenario avalanche" help:"Time a client waits before its first attempt, doubled by each further one and varied by half: a stock client's reconnectionDelay."`
	BackoffMax time.Duration `default:"5s" group:"Scenario avalanche" help:"Most of it: reconnectionDelayMax."`

	AckEvent   string  `group:"Scenario latency" help:"Event that the server acknowledges."`
	AskEvent   string  `group:"Scenario latency" help:"Or: event that the server answers …"`
	ReplyEvent string  `group:"Scenario latency" help:"… with this one, to the client that asked; ping and pong at a Pona edge."`
	AskRate    float64 `default:"1" unit:"questions a second" group:"Scenario latency" help:"How often each client asks."`

	Payload string `unit:"path" group:"Scenario compression" help:"JSON file whose text is the payload. Empty: a made-up queue of tracks, 30 KB."`
}

// Validate finds impossible settings.
func (s *Settings) Validate() error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("url: %q, must be like http://127.0.0.1:8080", s.URL)
	}
	for name, n := range map[string]int{
		"clients": s.Clients, "at-once": s.AtOnce, "events": s.Events, "switches": s.Switches,
		"reconnects": s.Reconnects, "rooms": slices.Min(append(s.Rooms, 1)), "namespace": len(s.Namespace),
	} {
		if n < 1 {
			return fmt.Errorf("%s: %d, must be 1 or more", name, n)
		}
	}
	for name, v := range map[string]float64{
		"event-rate": s.EventRate, "reconnect-rate": s.ReconnectRate, "ask-rate": s.AskRate, "patience": float64(s.Patience),
		"for": float64(s.For), "jitter-every": float64(s.JitterEvery), "jitter-stall": float64(s.JitterStall),
		"backoff": float64(s.Backoff), "backoff-max": float64(s.BackoffMax),
	} {
		if v <= 0 {
			return fmt.Errorf("%s: %v, must be more than 0", name, v)
		}
	}
	switch {
	case len(s.Scenarios) == 0:
		return errors.New("scenario: names none")
	case len(s.Rooms) == 0:
		return errors.New("rooms: has none")
	case s.Rate < 0:
		return fmt.Errorf("rate: %v, must not be negative", s.Rate)
	case s.JitterCut < 0 || s.JitterCut > 1:
		return fmt.Errorf("jitter-cut: %v, must be 0 to 1", s.JitterCut)
	case s.Size < stamp.Size || s.Size > 1<<20:
		return fmt.Errorf("size: %d, must be %d to 1 MiB", s.Size, stamp.Size)
	case s.Events > 1e8:
		return fmt.Errorf("events: %d, must be fewer than a hundred million", s.Events)
	case (s.AskEvent == "") != (s.ReplyEvent == ""):
		return errors.New("ask-event, reply-event: one needs the other")
	case s.Auth != "" && !json.Valid([]byte(fill(s.Auth, 0))):
		return errors.New("auth: is no JSON")
	}
	if s.Redis != "" {
		if _, err := redis.ParseURL(s.Redis); err != nil { // an error may show it, password and all
			return errors.New("redis: must be like redis://host:port, and what is special in a password be escaped (%40 for @)")
		}
	}
	var sources int
	for _, set := range []string{s.EmitEvent, s.PonaFanout, s.Redis} {
		if set != "" {
			sources++
		}
	}
	if sources > 1 {
		return errors.New("emit-event, pona-fanout, redis: only one of them")
	}
	_, err = s.clientOptions()
	return err
}

// clientOptions are what all clients have in common.
func (s *Settings) clientOptions() (client.Options, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return client.Options{}, err
	}
	o := client.Options{URL: u, Transport: client.Transport(s.Transport), Header: http.Header{}, Patience: s.Patience}
	for _, line := range s.Header {
		name, value, found := strings.Cut(line, ":")
		if !found {
			return o, errors.New("header: must be like Authorization: Bearer abc")
		}
		o.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if s.Insecure {
		o.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	for _, text := range s.Sources {
		if _, err := netip.ParseAddr(text); err != nil {
			return o, fmt.Errorf("source: %w", err)
		}
	}
	return o, nil
}

// readyEvent is what a client waits for when it has joined; empty means nothing.
func (s *Settings) readyEvent() string {
	if s.ReadyEvent == "" && s.PonaFanout != "" {
		return "handshake"
	}
	return s.ReadyEvent
}

// localAddress is where a client connects from.
func (s *Settings) localAddress(number int) netip.Addr {
	if len(s.Sources) == 0 {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s.Sources[number%len(s.Sources)]) // Validate has seen it
}

// fill puts a client's number where {n} stands.
func fill(text string, number int) string {
	return strings.ReplaceAll(text, "{n}", strconv.Itoa(number))
}
