package docs

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/service/tlstest"
	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/services/edge/edgetest"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

const takesCommands = "takes commands" // what a bot says whenever a fanout has taken its registration

// playsIn is the guild that a command says it plays in, which makes it a bot; empty where it says no such thing.
func playsIn(want []string) (guild string) {
	for _, line := range want {
		if id, is := strings.CutPrefix(line, "playing in "); is {
			guild = id
		}
	}
	return guild
}

// performBot performs a script that starts a bot twice: on a wire to the stack's fanout, where the bot must keep the
// rules of docs/bot.md, and with a fanout that asks for TLS and a token.
func performBot(t *testing.T, s stack, folder, script string, want []string, guild string) {
	t.Helper()
	wire := newWire(t, s.grpc)
	s.grpc = wire.address
	meanwhile(t, folder, s.adapt(script), nil, want, func(output *expecting) { obeys(t, s, wire, output, guild) })

	token, authority := "a token of twenty-six bytes", tlstest.NewAuthority(t)
	s.grpc = startGuarded(t, token, authority)
	meanwhile(t, folder, s.adapt(script), []string{"PONA_TOKEN=" + token, "PONA_CA=" + authority.File("ca.pem")}, want, func(*expecting) {})
}

// obeys holds a bot to the rules: as a listener, and by losing what it is sent and what it sends.
func obeys(t *testing.T, s stack, wire *wire, output *expecting, guild string) {
	l := listen(t, s.listen, guild)
	l.ask("pause", `{"status":"ok"}`)
	l.ask("dance", `{"status":"error","reason":"this bot only pauses and plays"}`)
	l.heard(`["pause_updated",1]`)

	for _, name := range []string{"play", "pause", "play"} { // at once
		l.EmitWithAck(l.namespace, name)
	}
	for range 3 {
		l.answered(`{"status":"ok"}`)
	}
	l.heard(`["pause_updated",0]`, `["pause_updated",1]`, `["pause_updated",0]`)

	// The event is stored and the bot does not hear of it: it sends it again, and nobody hears it twice.
	wire.lose(answers, 1)
	l.EmitWithAck(l.namespace, "pause")
	l.await(`["pause_updated",1]`)
	wire.cut()
	l.failed()
	l.registered(output, 2)
	l.ask("play", `{"status":"ok"}`)
	l.heard(`["pause_updated",1]`, `["pause_updated",0]`)

	// What the bot sends is lost: it sends it again, before what was asked of it next.
	lost := wire.lose(requests, 4)
	for _, name := range []string{"pause", "play", "pause", "play"} {
		l.EmitWithAck(l.namespace, name)
	}
	select {
	case <-lost:
	case <-time.After(patience):
		t.Fatal("four commands have not come to the bot, or it has published nothing")
	}
	wire.cut()
	for range 4 {
		l.failed()
	}
	l.registered(output, 3)
	l.ask("play", `{"status":"ok"}`)
	var inOrder []string // those of the four that it has obeyed, and the last
	for i := range len(l.pauses) - 1 {
		inOrder = append(inOrder, fmt.Sprintf(`["pause_updated",%d]`, (i+1)%2))
	}
	if len(inOrder) < 1 || len(inOrder) > 4 {
		t.Fatalf("heard %q", l.pauses)
	}
	l.heard(append(inOrder, `["pause_updated",0]`)...)

	late := listen(t, s.listen, guild)
	for _, part := range []string{`"title":"Autumn Leaves"`, `"length":365000`, `"voiceChannel":"`, `"playing":true`} {
		if !strings.Contains(late.handshake, part) {
			t.Errorf("who comes late is shown %s, without %s", late.handshake, part)
		}
	}
}

// listener is a client in the guild of a bot.
type listener struct {
	*edgetest.Client
	t         *testing.T
	namespace string
	handshake string
	pauses    []string // pause_updated that have come
	answers   []string // of commands, that have come and are not waited for yet
}

func listen(t *testing.T, edge, guild string) *listener {
	t.Helper()
	l := &listener{Client: edgetest.DialWebSocket(t, edge), t: t, namespace: "/guild/" + guild}
	l.Connect(l.namespace, `{"type":"Bearer","key":"user:42"}`)
	l.Joined(l.namespace)
	l.handshake = l.Handshake(l.namespace)
	return l
}

// next takes what comes next.
func (l *listener) next() {
	l.t.Helper()
	switch p := l.Next(); {
	case p.Type == edgetest.Ack:
		l.answers = append(l.answers, strings.TrimSuffix(strings.TrimPrefix(string(p.Data), "["), "]"))
	case p.Type == edgetest.Event && strings.HasPrefix(string(p.Data), `["pause_updated"`):
		l.pauses = append(l.pauses, string(p.Data))
	}
}

// answer waits for the next answer to a command.
func (l *listener) answer() (answer string) {
	l.t.Helper()
	for len(l.answers) == 0 {
		l.next()
	}
	answer, l.answers = l.answers[0], l.answers[1:]
	return answer
}

// answered expects the next answer to be that one.
func (l *listener) answered(want string) {
	l.t.Helper()
	if answer := l.answer(); answer != want {
		l.t.Fatalf("a command was answered %s, want %s", answer, want)
	}
}

// failed expects the next answer to say that the bot has given none: it has gone, or its time was over.
func (l *listener) failed() {
	l.t.Helper()
	if answer := l.answer(); !strings.HasPrefix(answer, `{"status":"error","reason":"no `) {
		l.t.Fatalf("a command was answered %s, though its answer was lost", answer)
	}
}

// ask sends a command and waits for its answer.
func (l *listener) ask(command, want string) {
	l.t.Helper()
	l.EmitWithAck(l.namespace, command)
	l.answered(want)
}

// await waits for a pause_updated, which must be the first that nobody has waited for.
func (l *listener) await(event string) {
	l.t.Helper()
	for len(l.pauses) == 0 {
		l.next()
	}
	if l.pauses[0] != event {
		l.t.Fatalf("got %s, want %s", l.pauses[0], event)
	}
}

// heard are all pause_updated that have come since it was called last.
func (l *listener) heard(events ...string) {
	l.t.Helper()
	if !slices.Equal(l.pauses, events) {
		l.t.Fatalf("heard %q, want %q", l.pauses, events)
	}
	l.pauses = nil
}

// registered waits until a bot has been taken so many times in all.
func (l *listener) registered(output *expecting, times int) {
	l.t.Helper()
	if len(output.await(slices.Repeat([]string{takesCommands}, times))) > 0 {
		l.t.Fatalf("the bot ended instead of coming back; it said\n%s", output.text())
	}
}

// startGuarded starts a fanout that asks bots for a token, and has a certificate of the authority.
func startGuarded(t *testing.T, token string, authority *tlstest.Authority) (address string) {
	t.Helper()
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	authority.Issue("fanout")
	var s fanout.Settings
	if err := settings.Defaults(&s); err != nil {
		t.Fatal(err)
	}
	s.GRPC, s.Admin, s.NATS, s.BotTokens = "127.0.0.1:0", "127.0.0.1:0", fanouttest.StartNATS(t).URL(), tokens
	s.TLSCert, s.TLSKey = authority.File("fanout.pem"), authority.File("fanout.key")
	a, err := fanout.New(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	run(t, a.Run)
	select {
	case <-a.Ready():
	case <-time.After(patience):
		t.Fatal("the fanout does not come up")
	}
	return a.GRPCAddr()
}
