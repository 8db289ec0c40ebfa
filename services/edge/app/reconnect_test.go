package app

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/edge/auth"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// crowd has sockets of users connect over WebSocket at once, spread over guilds; it returns when each is past its
// handshake. They are lost when the test ends.
func crowd(t testing.TB, address string, sockets, users, guilds int) {
	t.Helper()
	var coming sync.WaitGroup
	for socket := range sockets {
		coming.Go(func() {
			user := socket % users
			guild := fmt.Sprint("/guild/", 1000+user%guilds)
			c := edgetest.DialWebSocket(t, address, edgetest.Expecting(8))
			c.Connect(guild, bearer(fmt.Sprint("user", user+1)))
			c.Joined(guild)
			c.Handshake(guild)
		})
	}
	coming.Wait()
}

// reconnect has the sockets of some users come to an edge that knows nobody, and after they are lost again, both
// times by come. It checks that Discord is asked once about each user and membership, and gives which part
// of each visit's questions was a hit in memory, and which part of all cost Discord nothing.
func reconnect(t testing.TB, users int, come func(visit int, address string)) (hits [2]float64, free float64) {
	t.Helper()
	s := local(t)
	withFanout(t, &s)
	d := withDiscord(t, &s)
	d.Limit(5, 10*time.Millisecond)                                           // of each guild and each token
	s.ConnectRate, s.JoinWait, s.DiscordTimeout = 0, time.Minute, time.Minute // the machine may be busy
	a := started(t, s)
	gate := a.auth.(*auth.Gate)
	var before auth.Stats
	for visit := range hits {
		come(visit, a.Addr())
		now := gate.Stats()
		found := now.Users.Hits + now.Members.Hits - before.Users.Hits - before.Members.Hits
		missed := now.Users.Misses + now.Members.Misses - before.Users.Misses - before.Members.Misses
		hits[visit] = float64(found) / float64(found+missed)
		before = now
		if u, m := d.Asked("/users/@me"), d.Asked("/guilds/"); u != users || m != users || d.Invalid() != 0 {
			t.Errorf("visit %d: asked %d times who it is and %d times for members, want %d; %d calls invalid", visit, u, m, users, d.Invalid())
		}
	}
	if hits[1] <= 0.95 {
		t.Errorf("%.3f of the questions of those who came again were hits, want more than 0.95", hits[1])
	}
	asked := before.Users.Asked + before.Members.Asked
	return hits, 1 - float64(asked)/float64(before.Users.Hits+before.Users.Misses+before.Members.Hits+before.Members.Misses)
}

// TestReconnectingSocketsCostNoQuestions is also there with 10 000; see BenchmarkReconnect.
func TestReconnectingSocketsCostNoQuestions(t *testing.T) {
	const sockets, users, guilds = 500, 25, 5
	reconnect(t, users, func(visit int, address string) {
		t.Run(fmt.Sprint("visit ", visit), func(t *testing.T) { crowd(t, address, sockets, users, guilds) })
	})
}

// The crowd of BenchmarkReconnect: 20 sockets for each user, 5 users in each guild.
const (
	crowdSockets, crowdUsers, crowdGuilds = 10_000, 500, 100
	crowdAt                               = "PONA_TEST_CROWD_AT" // the edge's address
)

// TestCrowd is the clients' side of BenchmarkReconnect, in a process of its own: one may not have file
// descriptors for both.
func TestCrowd(t *testing.T) {
	address := os.Getenv(crowdAt)
	if address == "" {
		t.Skip("there is no benchmark that it belongs to")
	}
	crowd(t, address, crowdSockets, crowdUsers, crowdGuilds)
}

// BenchmarkReconnect has 10 000 sockets of 500 users come at once, all be lost, and come at once again. Run it with
// -benchtime 1x.
func BenchmarkReconnect(b *testing.B) {
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		hits, free := reconnect(b, crowdUsers, func(visit int, address string) {
			clients := exec.Command(program, "-test.run", "^TestCrowd$")
			clients.Env = append(os.Environ(), crowdAt+"="+address)
			began := time.Now()
			if said, err := clients.CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, said)
			}
			b.ReportMetric(time.Since(began).Seconds(), fmt.Sprintf("s-visit-%d", visit+1))
		})
		b.ReportMetric(100*hits[0], "%hits-visit-1")
		b.ReportMetric(100*hits[1], "%hits-visit-2")
		b.ReportMetric(100*free, "%free")
	}
}
