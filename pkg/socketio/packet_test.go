package socketio

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// understand takes a text as far as a connection takes it: events to their names and arguments.
func understand(text string) (decoded, error) {
	p, err := decode([]byte(text))
	if err != nil || p.missing > 0 {
		return p, err
	}
	switch p.kind {
	case typeEvent:
		err = (&connection{server: &Server{}}).event(&Socket{}, &p, engineio.Message{})
	case typeAck:
		_, err = p.list(nil)
	}
	return p, err
}

// testdata/parser-4.2.7.txt is what socket.io-parser 4.2.7 answered to each text.
func TestDecodeAgreesWithReference(t *testing.T) {
	table, err := os.ReadFile("testdata/parser-4.2.7.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]
	if len(lines) < 40 {
		t.Fatalf("only %d lines in the table", len(lines))
	}
	for _, line := range lines {
		in := json.NewDecoder(strings.NewReader(line))
		var text string
		if err := in.Decode(&text); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		answer := strings.TrimSpace(line[in.InputOffset():])
		t.Run(text, func(t *testing.T) {
			p, err := understand(text)
			if strings.HasPrefix(answer, "THROWS") {
				if err == nil {
					t.Fatalf("accepted; the reference answers %s", answer)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v; the reference answers %s", err, answer)
			}
			if answer == "(nothing emitted)" {
				if p.missing != 1 {
					t.Errorf("%d attachments are missing, want 1", p.missing)
				}
				return
			}
			var want struct {
				Type packetType
				Nsp  string
				ID   *uint64
				Data json.RawMessage
			}
			if err := json.Unmarshal([]byte(answer), &want); err != nil {
				t.Fatal(err)
			}
			if p.kind != want.Type || p.nsp != want.Nsp || p.hasID != (want.ID != nil) || p.hasID && p.id != *want.ID {
				t.Errorf("got type %d, nsp %q, id %d (%t); want %s", p.kind, p.nsp, p.id, p.hasID, answer)
			}
			// Numbers stay as they were written, where JavaScript has none for them.
			if got := strings.ReplaceAll(string(p.data), "1e400", "null"); got != string(want.Data) {
				t.Errorf("data %s, want %s", got, want.Data)
			}
		})
	}
}

func TestDecodeRefusesIDsBeyondDoublePrecision(t *testing.T) {
	if p, err := decode([]byte(`29007199254740991["a"]`)); err != nil || p.id != 1<<53-1 {
		t.Errorf("2^53-1: %v, %v", p, err)
	}
	if _, err := decode([]byte(`29007199254740992["a"]`)); err == nil {
		t.Error("2^53 was accepted")
	}
}

func TestWhatIsKeptOfAPacketIsNotItsInput(t *testing.T) {
	for _, name := range []string{"a", strings.Repeat("a", 3*part+1)} {
		text := []byte(`2/n,7["` + name + `"]`)
		p, err := decode(text)
		if err != nil {
			t.Fatal(err)
		}
		p.keep()
		clear(text)
		if p.nsp != "/n" || string(p.data) != `["`+name+`"]` {
			t.Errorf("nsp %q, data of %d bytes begins %.9q", p.nsp, len(p.data), p.data)
		}
	}
}

// What is accepted can be encoded again to a packet of the same meaning.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`0`, `0/n,{"a":1}`, `2["a",null]`, `2/n,12["a",{"b":[1]}]`, `51-["a",{"_placeholder":true,"num":0}]`, `61-1[{"x":[{"_placeholder":true,"num":0}]}]`, `2 1["a"]`, `4"x"`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := decode([]byte(text))
		if err != nil {
			return
		}
		if p.missing > maxAttachments || p.nsp[0] != '/' || p.data != nil && !json.Valid(p.data) {
			t.Fatalf("%q: %+v", text, p)
		}
		if p.kind != typeEvent && p.kind != typeAck {
			for range p.missing {
				p.attachments = append(p.attachments, []byte{1})
			}
			if p.missing > 0 {
				_, _ = p.list(nil) // must not panic
			}
			return
		}
		args, err := p.list(nil)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		values := make([]any, len(args))
		for i, a := range args {
			values[i] = a.JSON()
		}
		var id *uint64
		if p.hasID {
			id = &p.id
		}
		b := body{json: p.data}
		if p.data != nil {
			if b, err = newBody(values); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
		messages := encode(p.kind, p.nsp, id, b)
		again, err := decode(messages[0].Data)
		if err != nil || again.kind != p.kind || again.nsp != p.nsp || again.hasID != p.hasID || again.id != p.id {
			t.Fatalf("%q became %q: %+v, %v", text, messages[0].Data, again, err)
		}
	})
}
