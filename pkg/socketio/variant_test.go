package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// chooses lets a client choose its variant with CONNECT's payload {"v": n}.
func chooses(s *Socket) error {
	var auth struct{ V uint8 }
	if err := json.Unmarshal(s.Handshake().Auth, &auth); err != nil {
		return err
	}
	s.SetVariant(auth.V)
	return nil
}

// made notes which variants were asked for.
type made struct {
	mu   sync.Mutex
	what [MaxVariants]int
}

func (m *made) args(variant uint8) []any {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.what[variant]++
	return []any{[]any{"text", Raw(`{"raw":1.50}`), []byte{7}}[variant]}
}

// choose joins the main namespace with a variant.
func choose(t *testing.T, address string, variant int) *client {
	t.Helper()
	c := dial(t, address)
	c.send(fmt.Sprintf(`0{"v":%d}`, variant))
	c.receive()
	return c
}

func TestEachSocketGetsItsVariant(t *testing.T) {
	s, address := listen(t, Options{}, func(s *Server) { s.Of("/").Use(chooses) })
	clients := []*client{choose(t, address, 0), choose(t, address, 1), choose(t, address, 2), choose(t, address, 1)}
	wants := [][]string{{`2["e","text"]`}, {`2["e",{"raw":1.50}]`}, {`51-["e",{"_placeholder":true,"num":0}]`, "\x07"}, {`2["e",{"raw":1.50}]`}}
	var m made
	packet, err := NewVariants("e", m.args)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := NewPacket("same")
	if err != nil {
		t.Fatal(err)
	}
	s.Of("/").To().Send(packet, plain, packet) // one unit
	for _, socket := range s.Of("/").Sockets() {
		socket.Send(packet)
	}
	for i, c := range clients {
		c.expect(wants[i]...)
		c.expect(`2["same"]`)
		c.expect(wants[i]...)
		c.expect(wants[i]...)
	}
	if m.what != [MaxVariants]int{1, 1, 1} {
		t.Errorf("variants were made %v times", m.what)
	}
}

func TestOnlyVariantsWithSocketsAreMade(t *testing.T) {
	s, address := listen(t, Options{}, func(s *Server) { s.Of("/").Use(chooses) })
	var m made
	packet, err := NewVariants("e", m.args)
	if err != nil {
		t.Fatal(err)
	}
	s.Of("/").To("nobody").Send(packet)
	c := choose(t, address, 1)
	s.Of("/").To().Send(packet)
	c.expect(`2["e",{"raw":1.50}]`)
	if m.what != [MaxVariants]int{0, 1} {
		t.Errorf("variants were made %v times", m.what)
	}
}

// What was missed comes in the variant that the client chooses when it returns.
func TestVariantsAreReplayed(t *testing.T) {
	sockets, gone := make(chan *Socket, 2), make(chan string, 1)
	s, address := listen(t, Options{Recovery: NewMemoryRecovery(MemoryRecoveryOptions{})}, func(s *Server) {
		s.Of("/").Use(chooses)
		s.Of("/").OnConnection(func(socket *Socket) {
			socket.OnDisconnect(func(reason string) { gone <- reason })
			sockets <- socket
		})
	})
	c := dial(t, address)
	_, first := c.join(`{"v":1}`)
	<-sockets
	var m made
	packet, err := NewVariants("e", m.args)
	if err != nil {
		t.Fatal(err)
	}
	s.Of("/").To().Send(packet)
	seen := offsetOf(t, c.receive())
	s.Of("/").To().Send(packet)
	c.receive()
	c.loseFor(gone)

	back := dial(t, address)
	before, second := back.join(fmt.Sprintf(`{"v":0,"pid":%q,"offset":%q}`, first.PID, seen))
	if second.SID != first.SID || len(before) != 1 {
		t.Fatalf("%+v after %+v, and before it %q", second, first, before)
	}
	if offset := offsetOf(t, before[0]); before[0] != fmt.Sprintf(`2["e","text",%q]`, offset) {
		t.Errorf("replayed %s", before[0])
	}
}

func TestOutgoingListenersSeeTheVariant(t *testing.T) {
	heard, listening := make(chan []any, 1), make(chan bool, 1)
	s, address := listen(t, Options{}, func(s *Server) {
		s.Of("/").Use(chooses)
		s.Of("/").OnConnection(func(socket *Socket) {
			socket.OnAnyOutgoing(func(_ string, args []any) { heard <- args })
			listening <- true
		})
	})
	c := choose(t, address, 2)
	await(t, listening)
	var m made
	packet, err := NewVariants("e", m.args)
	if err != nil {
		t.Fatal(err)
	}
	s.Of("/").To().Send(packet)
	c.expect(`51-["e",{"_placeholder":true,"num":0}]`, "\x07")
	if args := await(t, heard); len(args) != 1 || string(args[0].([]byte)) != "\x07" {
		t.Errorf("heard %v", args)
	}
}

func TestVariantsThatCannotBeEncoded(t *testing.T) {
	if _, err := NewVariants("disconnect", nil); err == nil {
		t.Error("a reserved name was accepted")
	}
	reported := make(chan error, 1)
	s, address := listen(t, Options{OnError: func(err error) { reported <- err }}, func(s *Server) { s.Of("/").Use(chooses) })
	good, bad := choose(t, address, 0), choose(t, address, 1)
	packet, err := NewVariants("e", func(variant uint8) []any {
		return []any{[]any{"text", func() {}}[variant]}
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Of("/").To().Send(packet)
	good.expect(`2["e","text"]`)
	if err := await(t, reported); err == nil || errors.Is(err, errViolation) {
		t.Errorf("reported %v", err)
	}
	if err := s.Of("/").Emit("after"); err != nil {
		t.Fatal(err)
	}
	bad.expect(`2["after"]`)
}

func TestOtherServersGetTheFirstVariant(t *testing.T) {
	servers, clients, _ := pair(t)
	var m made
	packet, err := NewVariants("e", m.args)
	if err != nil {
		t.Fatal(err)
	}
	if err := servers[0].Of("/").Send(packet); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		c.expect(`2["e","text"]`)
	}
}
