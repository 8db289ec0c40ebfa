package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// What breaks the protocol ends the connection in an orderly way, on every transport, and nothing else.
func TestViolationsClose(t *testing.T) {
	_, address := listen(t, Options{MaxNamespaces: 2}, func(s *Server) {
		serveEcho(s)
		s.Of("/third")
	})
	placeholder := `{"_placeholder":true,"num":0}`
	cases := map[string][]string{
		"event before CONNECT":                  {`2["a"]`},
		"event in a namespace not joined":       {`0`, `2/custom,["a"]`},
		"binary event before CONNECT":           {`51-["a",` + placeholder + `]`, "\x00binary"},
		"second CONNECT":                        {`0`, `0`},
		"one namespace too many":                {`0`, `0/custom,`, `0/third,`},
		"CONNECT_ERROR by the client":           {`0`, `4{"message":"x"}`},
		"CONNECT with a list":                   {`0[]`},
		"text before an attachment":             {`0`, `51-["a",` + placeholder + `]`, `2["a"]`},
		"text before the second attachment":     {`0`, `52-["a",` + placeholder + `]`, "\x00binary", `2["a"]`},
		"attachment without a packet":           {`0`, "\x00binary"},
		"attachment before CONNECT":             {"\x00binary"},
		"one attachment too many":               {`0`, `51-["a",` + placeholder + `]`, "\x00binary", "\x00binary"},
		"no packet":                             {`x`},
		"an empty message":                      {``},
		"unknown type":                          {`7`},
		"broken JSON":                           {`0`, `2["a"`},
		"an object for a list":                  {`0`, `2{}`},
		"no event name":                         {`0`, `2[]`},
		"acknowledgement that is no list":       {`0`, `31{}`},
		"binary event without attachment count": {`0`, `5["a"]`},
	}
	for name := range reserved {
		cases["reserved name "+name] = []string{`0`, `2["` + name + `"]`}
	}
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		other := dial(t, address)
		other.connect("")
		for name, packets := range cases {
			t.Run(name, func(t *testing.T) {
				c := dial(t, address)
				for _, p := range packets {
					binary, data := strings.HasPrefix(p, "\x00"), strings.TrimPrefix(p, "\x00")
					if err := c.write(binary, []byte(data)); err != nil {
						t.Fatal(err)
					}
				}
				c.expectClosed()
			})
		}
		other.asked(`21["echo"]`, `31[]`)
	})
}

// What crosses with an end on its way is no violation: both sides may disconnect at once. (To the
// reference an event after its own disconnect is one, and ends the client's other namespaces too.)
func TestWhatCrossesWithADisconnectIsIgnored(t *testing.T) {
	sockets := make(chan *Socket, 1)
	_, address := listen(t, Options{MaxNamespaces: 2}, func(s *Server) {
		serveEcho(s)
		s.Of("/ended").OnConnection(func(s *Socket) { sockets <- s })
	})
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		c := dial(t, address)
		c.connect("")
		c.connect("/ended,")
		await(t, sockets).Disconnect(false)
		c.send(`2/ended,["x"]`)
		c.send(`51-/ended,["x",{"_placeholder":true,"num":0}]`)
		c.sendBinary(1)
		c.send("1/ended,")
		c.send("3/ended,0[]")
		c.expect("1/ended,")
		c.connect("/ended,")
		await(t, sockets)
		c.send("1/ended,")
		c.asked(`21["echo"]`, `31[]`)
		c.send(`2/ended,["x"]`) // it has left by itself
		c.expectClosed()
	})
}

// TestLastWords: what a client says before it leaves is heard, though both come at once.
func TestLastWords(t *testing.T) {
	heard := make(chan string, 4)
	_, address := listen(t, Options{}, func(s *Server) {
		s.Of("/").OnConnection(func(s *Socket) {
			s.On("word", func(e *Event) { heard <- e.Name })
			s.OnDisconnect(func(string) { heard <- "left" })
		})
	})
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		c := dial(t, address)
		c.connect("")
		c.send(`2["word"]`)
		c.send("1")
		for _, want := range []string{"word", "left"} {
			if got := await(t, heard); got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
	})
}

func TestConnectTimeout(t *testing.T) {
	// Long enough for a busy machine to open and upgrade a connection meanwhile.
	_, address := listen(t, Options{ConnectTimeout: time.Second}, func(s *Server) {
		serveEcho(s)
		s.Of("/refused").Use(func(*Socket) error { return errors.New("no") })
	})
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		for name, packet := range map[string]string{"silent": "", "unknown namespace": "0/nope,", "refused by middleware": "0/refused,"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := dial(t, address)
				if packet != "" {
					c.send(packet)
				}
				c.expectClosed()
			})
		}
	})
}

func TestConnectTimeoutEndsWithTheFirstJoin(t *testing.T) {
	_, address := listen(t, Options{ConnectTimeout: 20 * time.Millisecond}, serveEcho)
	c := dial(t, address)
	c.connect("")
	c.send("1") // it may stay without a namespace, as with the reference
	time.AfterFunc(60*time.Millisecond, func() { c.send("0") })
	if text := c.receive(); !strings.HasPrefix(text, `0{"sid"`) {
		t.Error(text)
	}
}

func TestReservedNamesAreRefusedOutwards(t *testing.T) {
	srv, address, sockets := accepted(t)
	enter(t, address, "")
	s := await(t, sockets)
	for name := range reserved {
		_, askErr := s.EmitWithAck(t.Context(), name)
		for who, err := range map[string]error{"socket": s.Emit(name), "namespace": srv.Of("/").Emit(name), "question": askErr} {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %s: %v", who, name, err)
			}
		}
	}
	if want := []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}; len(reserved) != len(want) {
		t.Errorf("reserved are %v, want %v", reserved, want)
	}
}

// Official clients end a connection that brings them an eleventh attachment.
func TestTenAttachmentsBothWays(t *testing.T) {
	_, address := listen(t, Options{}, serveEcho)
	event := func(n int) string {
		args := []any{"echo"}
		for i := range n {
			args = append(args, map[string]any{"_placeholder": true, "num": i})
		}
		list, _ := json.Marshal(args)
		return fmt.Sprintf("5%d-7", n) + string(list)
	}
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		c := dial(t, address)
		c.connect("")
		c.send(event(10))
		for i := range byte(10) {
			c.sendBinary(i, i)
		}
		if text := c.receive(); !strings.HasPrefix(text, "610-7[") {
			t.Error(text)
		}
		for i := range byte(10) {
			c.expect(string([]byte{i, i}))
		}
		c.send(event(11))
		c.expectClosed()
	})
	eleven := slices.Repeat([]any{[]byte{1}}, 11)
	if _, err := NewPacket("x", eleven...); err == nil || !strings.Contains(err.Error(), "11 attachments") {
		t.Errorf("eleven outwards: %v", err)
	}
}

// Clients of Socket.IO v2 speak Engine.IO 3.
func TestOldClientsAreRefused(t *testing.T) {
	_, address := listen(t, Options{}, serveEcho)
	target := strings.NewReplacer("ws://", "http://", "EIO=4", "EIO=3", "=websocket", "=polling").Replace(address)
	r, err := http.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var body struct {
		Code    int
		Message string
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.StatusCode != 400 || body.Code != 5 || body.Message != "Unsupported protocol version" {
		t.Errorf("answered %d %+v, %v", r.StatusCode, body, err)
	}
}
