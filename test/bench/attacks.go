package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
)

// attack is what a hostile client does. run is called again, on each of the attacker's connections, when
// it has returned.
type attack struct {
	name  string
	run   func(*attacker) error
	share int // only one in so many connections; 0: all
}

// attacks are all that are known. (A function: their packets are megabytes.)
func attacks() []attack {
	return []attack{
		{name: "attachment counts", run: hostile(`451000000000-["x"]`)},
		{name: "incomplete binary", run: incompleteBinary},
		{name: "deep JSON", run: hostile(toGuild + `,["x",` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `]`)},
		{name: "deep MessagePack", run: deepMessagePack},
		{name: "huge names", run: flood(text(toGuild + `,["` + strings.Repeat("n", 900_000) + `"]`))},
		{name: "huge JSON", run: flood(text(toGuild + `,["x",[0` + strings.Repeat(",0", 2_000_000) + `]]`))},
		{name: "tiny events", run: flood(strings.Repeat(text(toGuild+`,["x"]`), 100))},
		{name: "posted noops", run: posts("6"), share: 16},
		{name: "posted events", run: posts(toGuild + `,["x"]`), share: 16},
		{name: "slow loris", run: slowLoris},
		{name: "never polls", run: neverPolls},
		{name: "never reads", run: unread(strings.Repeat(text(toGuild+`,0["echo"]`), 100))},
		{name: "pings", run: unread(strings.Repeat(string(frame(opPing, strings.Repeat("p", 125))), 100))},
		{name: "upgrades", run: upgrades},
		{name: "broken frames", run: broken("\xa1\x81\x00\x00\x00\x004")},
		{name: "invalid UTF-8", run: broken(text("4" + strings.Repeat("u", 1_000_000) + "\xff"))},
		{name: "compressed bombs", run: bombs(64 << 20)},
		{name: "bombs within the limit", run: bombs(14 << 20)},
		{name: "namespaces", run: namespaces},
		{name: "handshakes", run: handshakes},
		{name: "guessed ids", run: guessedIDs},
	}
}

const (
	attackedGuild = "/guild/900001"
	enterGuild    = "40" + attackedGuild + `,{"type":"Bearer","key":"user:9"}`
	toGuild       = "42" + attackedGuild
)

func text(packet string) string { return string(frame(opText, packet)) }

// hostile sends what the server must end the connection for.
func hostile(packet string) func(*attacker) error {
	f := frame(opText, packet)
	return func(a *attacker) error {
		l, err := a.joined("", "")
		if err != nil {
			return err
		}
		defer l.Close()
		if _, err := l.Write(f); err != nil {
			return err
		}
		a.tries.Add(1)
		_ = l.ended()
		return nil
	}
}

// flood sends frames that are valid, again and again.
func flood(frames string) func(*attacker) error {
	return func(a *attacker) error {
		l, err := a.joined("", "")
		if err != nil {
			return err
		}
		defer l.Close()
		return l.repeat([]byte(frames))
	}
}

// incompleteBinary leaves as much as it can with the server, and waits.
func incompleteBinary(a *attacker) error {
	l, err := a.joined("", "")
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := l.Write(frame(opText, "459-"+attackedGuild+`,["x"]`)); err != nil {
		return err
	}
	attachment := frame(opBinary, strings.Repeat("a", 1_000_000))
	for range 8 {
		if _, err := l.Write(attachment); err != nil {
			return err
		}
		a.tries.Add(1)
	}
	_ = l.ended()
	return nil
}

func deepMessagePack(a *attacker) error {
	l, err := a.webSocket("&parser=msgpack", "")
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := l.Write(frame(opBinary, strings.Repeat("\x91", 500_000))); err != nil { // lists of one
		return err
	}
	a.tries.Add(1)
	_ = l.ended()
	return nil
}

// posts sends bodies of four megabytes of one packet.
func posts(packet string) func(*attacker) error {
	body := strings.TrimSuffix(strings.Repeat(packet+"\x1e", 4_000_000/(len(packet)+1)), "\x1e")
	return func(a *attacker) error {
		l, session, err := a.polling()
		if err != nil {
			return err
		}
		defer l.Close()
		for {
			if _, err := l.request(http.MethodPost, session, body); err != nil {
				return err
			}
			a.tries.Add(1)
		}
	}
}

// neverPolls asks for answers and does not fetch them.
func neverPolls(a *attacker) error {
	l, session, err := a.polling()
	if err != nil {
		return err
	}
	defer l.Close()
	body := strings.TrimSuffix(strings.Repeat(toGuild+",0[\"echo\"]\x1e", 100), "\x1e")
	for {
		if _, err := l.request(http.MethodPost, session, body); err != nil {
			return err
		}
		a.tries.Add(100)
	}
}

// namespaces enters and leaves one guild after the other.
func namespaces(a *attacker) error {
	l, err := a.webSocket("", "")
	if err != nil {
		return err
	}
	defer l.Close()
	go func() { _, _ = io.Copy(io.Discard, l.in) }() // to the end of the connection
	for guild := rand.Uint64N(1e15); ; guild++ {
		enter, leave := fmt.Sprintf(`40/guild/%d,{"type":"Bearer","key":"user:9"}`, guild), fmt.Sprintf("41/guild/%d,", guild)
		if _, err := l.Write(append(frame(opText, enter), frame(opText, leave)...)); err != nil {
			return err
		}
		a.tries.Add(1)
	}
}
