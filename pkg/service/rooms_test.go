package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/pkg/health"
	"github.com/pona-realtime/pona/pkg/service/tlstest"
)

// join lets two services into the cluster, and returns what one says of the other.
func join(t *testing.T, s RedisSettings, form string) (others int, err error) {
	t.Helper()
	rooms := RoomSettings{Adapter: form, AdapterKey: "pona:socket.io", AdapterTimeout: 5 * time.Second}
	var clusters [2]*adapter.Cluster
	for i := range clusters {
		r, err := NewRedis(s, health.New().Condition("redis"), nil, slog.New(slog.DiscardHandler))
		if err != nil {
			return 0, err
		}
		t.Cleanup(func() { _ = r.Client.Close() })
		joined, err := r.JoinRooms(rooms, false, nil)
		if err != nil {
			return 0, err
		}
		t.Cleanup(func() {
			if err := joined.Close(); err != nil {
				t.Error(err)
			}
		})
		clusters[i] = joined.Node.Join("/", adaptertest.NewLocal())
		if _, err := clusters[i].Servers(t.Context()); err != nil {
			return 0, err // or both are known from here on
		}
	}
	if _, err := clusters[0].FetchSockets(t.Context(), adapter.Target{}); err != nil {
		return 0, err
	}
	return clusters[0].Servers(t.Context())
}

// TestRedisOverTLS has a Redis that lets in only those whom its authority knows.
func TestRedisOverTLS(t *testing.T) {
	t.Parallel()
	ours, others := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	ours.Issue("redis")
	ours.Issue("edge")
	others.Issue("edge")
	server := redistest.Start(t, "--tls-cert-file", ours.File("redis.pem"), "--tls-key-file", ours.File("redis.key"), "--tls-ca-cert-file", ours.File("ca.pem"))
	url := "rediss://" + server.Addr()
	for name, test := range map[string]struct {
		settings RedisSettings
		want     string // in the error; empty for none
	}{
		"ours":                    {RedisSettings{Redis: url, RedisCA: ours.File("ca.pem"), RedisCert: ours.File("edge.pem"), RedisKey: ours.File("edge.key")}, ""},
		"no TLS":                  {RedisSettings{Redis: "redis://" + server.Addr()}, "cannot be reached"},
		"no certificate":          {RedisSettings{Redis: url, RedisCA: ours.File("ca.pem")}, "certificate required"},
		"another's certificate":   {RedisSettings{Redis: url, RedisCA: ours.File("ca.pem"), RedisCert: others.File("edge.pem"), RedisKey: others.File("edge.key")}, "unknown certificate authority"},
		"trusts another":          {RedisSettings{Redis: url, RedisCA: others.File("ca.pem"), RedisCert: ours.File("edge.pem"), RedisKey: ours.File("edge.key")}, "unknown authority"},
		"trusts the system's":     {RedisSettings{Redis: url}, "unknown authority"},
		"expects another name":    {RedisSettings{Redis: url, RedisCA: ours.File("ca.pem"), RedisName: "another"}, "another"},
		"no file":                 {RedisSettings{Redis: url, RedisCA: ours.File("nothing.pem")}, "redis-ca: "},
		"a key is no authority":   {RedisSettings{Redis: url, RedisCA: ours.File("edge.key")}, "redis-ca: no certificate in it"},
		"no such certificate":     {RedisSettings{Redis: url, RedisCA: ours.File("ca.pem"), RedisCert: ours.File("nothing.pem"), RedisKey: ours.File("edge.key")}, "redis-cert: "},
		"a key alone":             {RedisSettings{Redis: url, RedisCA: ours.File("ca.pem"), RedisKey: ours.File("edge.key")}, "redis-cert: "},
		"authorities without TLS": {RedisSettings{Redis: "redis://" + server.Addr(), RedisCA: ours.File("ca.pem")}, "redis-ca"},
		"no mode":                 {RedisSettings{Redis: url, RedisMode: "ring"}, "redis-mode: "},
		"no URL":                  {RedisSettings{Redis: "http://127.0.0.1"}, "redis-url: "},
		"a secret in a wrong URL": {RedisSettings{Redis: "redis://:a-secr%et@127.0.0.1"}, "redis-url: "},
		"no master's name":        {RedisSettings{Redis: url, RedisMode: "sentinel"}, "redis-url: "},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := join(t, test.settings, "classic")
			for errors.Is(err, syscall.ECONNRESET) { // it has overtaken Redis' own words
				n, err = join(t, test.settings, "classic")
			}
			switch {
			case test.want == "" && (err != nil || n != 1):
				t.Errorf("%d others, %v", n, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "a-secr")):
				t.Errorf("%v, want an error with %q, and without secrets", err, test.want)
			}
		})
	}

	ca := t.TempDir() + "/ca.pem"
	tlstest.Join(t, ca, others.File("ca.pem"))
	r, err := NewRedis(RedisSettings{Redis: url, RedisCA: ca, RedisCert: ours.File("edge.pem"), RedisKey: ours.File("edge.key")},
		health.New().Condition("redis"), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Client.Close() //nolint:errcheck // of a test
	if err := r.Client.Ping(t.Context()).Err(); err == nil {
		t.Error("believes another authority")
	}
	tlstest.Join(t, ca, others.File("ca.pem"), ours.File("ca.pem"))
	if err := r.Client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("has not read the file again: %v", err)
	}
}

// TestRedisesOverTLS has Sentinels and a Redis Cluster that let in only those who show a certificate and a user's password,
// and keeps others' out.
func TestRedisesOverTLS(t *testing.T) {
	t.Parallel()
	ours := tlstest.NewAuthority(t)
	ours.Issue("redis")
	ours.Issue("edge")
	args := []string{"--tls-cert-file", ours.File("redis.pem"), "--tls-key-file", ours.File("redis.key"), "--tls-ca-cert-file", ours.File("ca.pem"),
		"--tls-replication", "yes", "--tls-cluster", "yes", "--user", "default", "off", "--user", "pona", "on", ">a-secret", "~*", "&*", "+@all"}
	next, err := ClientTLS{Setting: "redis", CA: ours.File("ca.pem"), Cert: ours.File("edge.pem"), Key: ours.File("edge.key")}.Next()
	if err != nil {
		t.Fatal(err)
	}
	config := next()
	login := redistest.Login{TLS: config, User: "pona", Password: "a-secret"}
	failover := redistest.StartFailover(t, login, args...)
	var nodes []string
	for _, s := range redistest.StartCluster(t, login, args...) {
		nodes = append(nodes, s.Addr())
	}
	operator := redis.NewClient(&redis.Options{Addr: failover.Master.Addr(), TLSConfig: config, Username: login.User, Password: login.Password})
	defer operator.Close()

	sentinels := failover.Sentinel.Addr() + "/5?master_name=" + failover.Name
	cluster := nodes[0] + "?addr=" + nodes[1]
	for name, test := range map[string]struct {
		mode, url string
		want      string // in the error; empty for none
	}{
		"Sentinel, RESP3":                  {"sentinel", "rediss://pona:a-secret@" + sentinels + "&username=pona&password=a-secret", ""},
		"Sentinel, RESP2":                  {"sentinel", "rediss://pona:a-secret@" + sentinels + "&username=pona&password=a-secret&protocol=2", ""},
		"Sentinel, its password is wrong":  {"sentinel", "rediss://pona:wrong@" + sentinels + "&username=pona&password=a-secret", "WRONGPASS"},
		"Sentinel, Redis' is":              {"sentinel", "rediss://pona:a-secret@" + sentinels + "&username=pona&password=wrong", "WRONGPASS"},
		"Sentinel, Redis' is missing":      {"sentinel", "rediss://pona:a-secret@" + sentinels, "NOAUTH"},
		"Sentinel without TLS":             {"sentinel", "redis://pona:a-secret@" + sentinels, "unreachable"},
		"Cluster, RESP3":                   {"cluster", "rediss://pona:a-secret@" + cluster, ""},
		"Cluster, RESP2":                   {"cluster", "rediss://pona:a-secret@" + cluster + "&protocol=2", ""},
		"Cluster, sharded":                 {"cluster", "rediss://pona:a-secret@" + cluster, ""},
		"Cluster, the password is wrong":   {"cluster", "rediss://pona:wrong@" + cluster, "WRONGPASS"},
		"Cluster, the password is missing": {"cluster", "rediss://" + cluster, "NOAUTH"},
		"Cluster without TLS":              {"cluster", "redis://pona:a-secret@" + cluster, "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			s := RedisSettings{Redis: test.url, RedisMode: test.mode}
			if strings.HasPrefix(test.url, "rediss:") {
				s.RedisCA, s.RedisCert, s.RedisKey = ours.File("ca.pem"), ours.File("edge.pem"), ours.File("edge.key")
			}
			form := "classic"
			if strings.HasSuffix(name, "sharded") {
				form = "sharded"
			}
			n, err := join(t, s, form)
			switch {
			case test.want == "" && (err != nil || n != 1):
				t.Errorf("%d others, %v", n, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want an error with %q", err, test.want)
			}
			if list := operator.ClientList(t.Context()).Val(); test.mode == "sentinel" && test.want == "" && !strings.Contains(list, " db=5 ") {
				t.Errorf("not in the database asked for: %s", list)
			}
		})
	}
}

// TestARedisThatHangs holds nobody up for longer than they have time.
func TestARedisThatHangs(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r, err := NewRedis(RedisSettings{Redis: "redis://" + server.Addr()}, health.New().Condition("redis"), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Client.Close() //nolint:errcheck // of a test
	rooms, err := r.JoinRooms(RoomSettings{Adapter: "classic", AdapterKey: "k", AdapterTimeout: 300 * time.Millisecond}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rooms.Close() //nolint:errcheck // of a test
	cluster := rooms.Node.Join("/", adaptertest.NewLocal())
	if _, err := cluster.FetchSockets(t.Context(), adapter.Target{}); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	defer server.Resume() // before what waits for its answer is closed
	began := time.Now()
	if _, err := cluster.FetchSockets(t.Context(), adapter.Target{}); !errors.Is(err, adapter.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a request that has 0.3 s took %s", took)
	}
}

// TestRedisWithUsers has a Redis of many tenants: a user and a database of ours, and only our keys and channels.
func TestRedisWithUsers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--requirepass", "the operator's")
	operator := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: "the operator's"})
	defer operator.Close()
	for _, rule := range [][]any{
		{"pona", "on", ">a secret", "resetkeys", "~pona:*", "resetchannels", "&pona:socket.io*", "-@all", "+@connection", "+@pubsub", "+@read", "+@write", "+@scripting", "-@dangerous"},
		{"nosy", "on", ">a secret", "resetchannels", "&others:*", "+@all"},
	} {
		if err := operator.Do(t.Context(), append([]any{"ACL", "SETUSER"}, rule...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		login, query string
		want         string // in the error; empty for none
		listed       string // of the connections
	}{
		"RESP3":                  {"pona:a%20secret@", "", "", " user=pona redir=-1 resp=3\n"},
		"RESP2":                  {"pona:a%20secret@", "?protocol=2", "", " user=pona redir=-1 resp=2\n"},
		"the operator, RESP2":    {":the%20operator's@", "?protocol=2", "", " user=default redir=-1 resp=2\n"},
		"a wrong password":       {"pona:another@", "", "WRONGPASS", ""},
		"no password":            {"", "", "NOAUTH", ""},
		"channels not permitted": {"nosy:a%20secret@", "", "NOPERM", ""},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := join(t, RedisSettings{Redis: "redis://" + test.login + server.Addr() + "/5" + test.query}, "classic")
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want an error with %q", err, test.want)
				}
				return
			}
			if err != nil || n != 1 {
				t.Errorf("%d others, %v", n, err)
			}
			ours := 0
			for line := range strings.Lines(operator.ClientList(t.Context()).Val()) {
				if strings.Contains(line, " db=5 ") {
					ours++
					if !strings.Contains(line, test.listed) {
						t.Errorf("not %q: %s", test.listed, line)
					}
				}
			}
			if ours < 4 { // of each, one that subscribes and one that asks
				t.Errorf("%d connections to database 5", ours)
			}
		})
	}
}

// TestARefusedLoginIsSaid names Redis' own reason where operators look, and does not show the password.
func TestARefusedLoginIsSaid(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	h := health.New()
	lines := make(lineLog, 100)
	r, err := NewRedis(RedisSettings{Redis: "redis://:wrong-secret@" + server.Addr()}, h.Condition("redis"), nil, slog.New(slog.NewTextHandler(lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Client.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Watch(ctx) }()
	line := <-lines
	stop()
	<-ended
	if !strings.Contains(line, "WRONGPASS") || strings.Contains(line, "wrong-secret") {
		t.Error(line)
	}
	if waits := fmt.Sprint(h.Missing()); !strings.Contains(waits, "WRONGPASS") {
		t.Error(waits)
	}
}

// TestRoomMetrics breaks what the adapter counts, and finds it in the metrics.
func TestRoomMetrics(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	metrics := prometheus.NewRegistry()
	value := func(name, outcome string) float64 {
		t.Helper()
		return counted(t, metrics, name, outcome)
	}
	until := func(name, outcome string, least float64) {
		t.Helper()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(20 * time.Second); value(name, outcome) < least; <-tick.C {
			if time.Now().After(deadline) {
				t.Fatalf("%s %s: %v, want %v", name, outcome, value(name, outcome), least)
			}
		}
	}
	r, err := NewRedis(RedisSettings{Redis: "redis://" + server.Addr()}, health.New().Condition("redis"), metrics, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Client.Close()
	rooms, err := r.JoinRooms(RoomSettings{Adapter: "classic", AdapterKey: "k", AdapterTimeout: time.Second}, true, metrics) // one of them passes
	if err != nil {
		t.Fatal(err)
	}
	defer rooms.Close()
	cluster, mirror := rooms.Node.Join("/", adaptertest.NewLocal()), rooms.Mirror.Visit("/")
	if _, err := cluster.FetchSockets(t.Context(), adapter.Target{}); err != nil {
		t.Fatal(err)
	}
	until("pona_adapter_requests_total", "complete", 1)
	until("pona_adapter_channels", "", 4)
	until("pona_redis_requests_total", "ok", 1)

	outside := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer outside.Close()
	silent := outside.Subscribe(t.Context(), "k-request#/#") // is counted, and does not answer
	if _, err := silent.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.FetchSockets(t.Context(), adapter.Target{}); err == nil {
		t.Error("a silent server has answered")
	}
	until("pona_adapter_requests_total", "incomplete", 1)
	if err := silent.Close(); err != nil {
		t.Error(err)
	}
	if err := outside.Publish(t.Context(), "k#/#", "nonsense").Err(); err != nil {
		t.Fatal(err)
	}
	until("pona_adapter_messages_total", "malformed", 1)
	published := value("pona_adapter_messages_total", "published")
	event := adapter.Value{JSON: []byte(`["ev"]`)}
	if err := mirror.Broadcast(adapter.Target{}, adapter.Flags{}, event); err != nil {
		t.Fatal(err)
	}
	until("pona_adapter_messages_total", "published", published+1)

	server.Kill()
	until("pona_adapter_connections_lost_total", "", 1)
	if _, err := cluster.FetchSockets(t.Context(), adapter.Target{}); err == nil {
		t.Error("a request without Redis was answered")
	}
	until("pona_adapter_requests_total", "unreachable", 1)
	_ = mirror.Broadcast(adapter.Target{}, adapter.Flags{}, event) // refused now, or when it is sent
	until("pona_adapter_messages_total", "refused", 1)
	server.Restart()
	until("pona_adapter_resubscriptions_total", "", 4)
}
