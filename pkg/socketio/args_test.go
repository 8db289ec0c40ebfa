package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// through encodes an event and decodes it as a client's.
func through(t *testing.T, args ...any) (text string, back Args) {
	t.Helper()
	b, err := newBody(append([]any{"e"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	messages := encode(typeEvent, "/", nil, b)
	p, err := decode(messages[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	if p.missing != len(messages)-1 {
		t.Fatalf("%s announces %d attachments, %d follow", messages[0].Data, p.missing, len(messages)-1)
	}
	for _, m := range messages[1:] {
		if !m.Binary {
			t.Fatal("an attachment is no binary message")
		}
		p.attachments = append(p.attachments, m.Data)
	}
	if back, err = p.list(nil); err != nil {
		t.Fatal(err)
	}
	return string(messages[0].Data), back[1:]
}

func TestAttachmentsRoundTrip(t *testing.T) {
	text, back := through(t, []byte("one"), map[string]any{"b": []any{[]byte("two"), 2}, "a": []byte{}}, "plain", nil)
	const want = `53-["e",{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1},"b":[{"_placeholder":true,"num":2},2]},"plain",null]`
	if text != want {
		t.Errorf("text\n%s, want\n%s", text, want)
	}
	if b, ok := back[0].Bytes(); !ok || string(b) != "one" {
		t.Errorf("argument 0: %q, %t", b, ok)
	}
	if _, ok := back[1].Bytes(); ok {
		t.Error("an object is said to be an attachment")
	}
	var nested struct {
		A []byte
		B []any
	}
	if err := back[1].Decode(&nested); err != nil || len(nested.A) != 0 || nested.B[0] != "dHdv" || nested.B[1] != 2.0 {
		t.Errorf("argument 1: %s: %+v, %v", back[1].JSON(), nested, err)
	}
	if string(back[2].JSON()) != `"plain"` || string(back[3].JSON()) != "null" {
		t.Errorf("arguments 2 and 3: %s, %s", back[2].JSON(), back[3].JSON())
	}
}

func TestPlaceholderAbuse(t *testing.T) {
	for _, placeholder := range []string{
		`{"_placeholder":true,"num":1}`, `{"_placeholder":true,"num":-1}`, `{"_placeholder":true}`,
		`{"_placeholder":true,"num":null}`, `[{"x":{"_placeholder":true,"num":9}}]`,
		`{"_placeholder":true,"num":"0"}`, `{"_placeholder":true,"num":0.5}`, `{"_placeholder":true,"num":{}}`, `{"\u005fplaceholder":true}`,
		`{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}`, `[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`,
	} {
		p, err := decode([]byte(`51-["e",` + placeholder + `]`))
		if err != nil {
			t.Fatal(err)
		}
		p.attachments = [][]byte{{1}}
		if _, err := p.list(nil); err == nil {
			t.Errorf("%s was accepted", placeholder)
		}
	}
}

func TestPlaceholderWithoutAttachmentsIsPlainData(t *testing.T) {
	p, err := decode([]byte(`2["e",{"_placeholder":true,"num":0}]`))
	if err != nil {
		t.Fatal(err)
	}
	args, err := p.list(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := args[1].Bytes(); ok {
		t.Error("there is no attachment")
	}
}

func TestAttachmentBound(t *testing.T) {
	args := make([]any, maxAttachments)
	for i := range args {
		args[i] = []byte{byte(i)}
	}
	if _, back := through(t, args...); len(back) != maxAttachments {
		t.Errorf("%d arguments came back", len(back))
	}
	if _, err := NewPacket("e", append(args, []byte{11})...); err == nil {
		t.Error("NewPacket took 11 attachments")
	}
}

func TestRawIsUntouched(t *testing.T) {
	const raw = `{ "z":1.0 ,  "a":"<\u00e9>" }`
	if text, _ := through(t, Raw(raw), json.RawMessage(raw)); text != fmt.Sprintf(`2["e",%s,%s]`, raw, raw) {
		t.Error(text)
	}
}

func TestNoHTMLEscapes(t *testing.T) {
	const value = "<b>&</b>"
	text, _ := through(t, value, []any{value}, map[string]any{value: value}, struct{ V string }{value})
	if strings.Count(text, value) != 5 || strings.Contains(text, `\u00`) {
		t.Error(text)
	}
}

func TestNewPacketErrors(t *testing.T) {
	for name := range reserved {
		if _, err := NewPacket(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewPacket("e", make(chan int)); err == nil {
		t.Error("a channel has no JSON form")
	}
}

func nested(depth int, inside string) string {
	return strings.Repeat("[", depth) + inside + strings.Repeat("]", depth)
}

func TestDeepJSONIsRefused(t *testing.T) {
	for text, ok := range map[string]bool{
		`2["e",` + nested(maxDepth-1, "1") + `]`:                                                 true,
		`2["e",` + nested(maxDepth, "1") + `]`:                                                   false,
		`2["e",` + nested(100_000, "1") + `]`:                                                    false,
		`2["e"` + strings.Repeat(`,{"a":["]"]}`, maxDepth) + `]`:                                 true,
		`2["e","` + strings.Repeat(`[\"\\`, maxDepth) + `"]`:                                     true,
		`0{"a":` + strings.Repeat(`{"a":`, maxDepth) + `1` + strings.Repeat(`}`, maxDepth) + `}`: false,
	} {
		if _, err := decode([]byte(text)); (err == nil) != ok {
			t.Errorf("%.40s… (%d bytes): %v", text, len(text), err)
		}
	}
}

func TestEventNames(t *testing.T) {
	for first, want := range map[string]string{
		`"plain"`: "plain", `"[x"`: "[x", `"{"`: "{", `""`: "", `"\u00e9\n"`: "é\n", `"é"`: "é", `1`: "1", `-1.5e3`: "-1.5e3",
		`true`: "refused", `null`: "refused", `[]`: "refused", `{}`: "refused", `"conn\u0065ct"`: "refused",
	} {
		name, err := Arg{json: json.RawMessage(first)}.eventName()
		if err != nil {
			name = []byte("refused")
		}
		if string(name) != want {
			t.Errorf("%s is %q, want %q", first, name, want)
		}
	}
}

// Splitting a list by hand agrees with the standard decoder.
func FuzzList(f *testing.F) {
	f.Add(`[]`)
	f.Add(` [ "a\"]," , {"b":[1,2,"}"]} ,[[],{}], null ] `)
	f.Fuzz(func(t *testing.T, text string) {
		var want []json.RawMessage
		if json.Unmarshal([]byte(text), &want) != nil || want == nil {
			return
		}
		p := decoded{data: bytes.TrimSpace([]byte(text))}
		got, err := p.list(nil)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %d elements, want %d: %v", text, len(got), len(want), err)
		}
		for i := range got {
			if string(got[i].json) != string(want[i]) {
				t.Errorf("%s: element %d is %s, want %s", text, i, got[i].json, want[i])
			}
		}
	})
}

// What is written without the standard encoder reads as its.
func TestShortcutsOfTheEncoder(t *testing.T) {
	for _, v := range []any{"", "plain", `"`, `\`, "a\nb", "\x7f", "é", "\u2028", "<&>", "\xff", 0, -7, 1 << 60} {
		b, err := newBody([]any{v})
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode([]any{v}); err != nil {
			t.Fatal(err)
		}
		if got := string(b.json) + "\n"; got != want.String() {
			t.Errorf("%q is %s, want %s", v, got, want.String())
		}
	}
}

// What came is sent on as it came, its attachments too, wherever they stand.
func TestArgumentsSentOn(t *testing.T) {
	_, came := through(t, Raw(`[1.50 , "é\/"]`), map[string]any{"b": []any{[]byte("one"), 2}, "a": []byte("two")}, []byte("three"), "plain", []any{[]byte("four"), nil})
	text, again := through(t, came[4], came[1], []any{came[2], came[0]}, came[3])
	const want = `54-["e",[{"_placeholder":true,"num":0},null],{"a":{"_placeholder":true,"num":1},"b":[{"_placeholder":true,"num":2},2]},` +
		`[{"_placeholder":true,"num":3},[1.50 , "é\/"]],"plain"]`
	if text != want {
		t.Errorf("text\n%s, want\n%s", text, want)
	}
	const bytes = `[["Zm91cg==",null] {"a":"dHdv","b":["b25l",2]} ["dGhyZWU=",[1.50 , "é\/"]] "plain"]`
	var back []string
	for _, a := range again {
		back = append(back, string(a.JSON()))
	}
	if got := fmt.Sprint(back); got != bytes {
		t.Errorf("came back as\n%s, want\n%s", got, bytes)
	}
}

func TestListArguments(t *testing.T) {
	_, came := through(t, Raw(` [ 1.50,"é" ,[2]] `), []any{[]byte("one"), map[string]any{"b": []byte("two")}}, "no list", map[string]any{}, []byte("[]"), []any{})
	wants := []string{`1.50 "é" [2]`, `"b25l" {"b":"dHdv"}`, "none", "none", "none", ""}
	for i, a := range came {
		elements, ok := a.List()
		got := "none"
		if ok {
			var texts []string
			for _, e := range elements {
				texts = append(texts, string(e.JSON()))
			}
			got = strings.Join(texts, " ")
		}
		if got != wants[i] {
			t.Errorf("argument %d: %s, want %s", i, got, wants[i])
		}
	}
	inside, _ := came[1].List()
	if b, ok := inside[0].Bytes(); !ok || string(b) != "one" {
		t.Errorf("%q, %t", b, ok)
	}
	if text, _ := through(t, inside[1]); text != `51-["e",{"b":{"_placeholder":true,"num":0}}]` {
		t.Error(text)
	}
}

func TestDecodeArguments(t *testing.T) {
	_, came := through(t, "lobby", 7, []byte("bytes"))
	var room string
	var n int
	var b []byte
	if err := came.Decode(&room, &n, &b); err != nil || room != "lobby" || n != 7 || string(b) != "bytes" {
		t.Errorf("%q, %d, %q, %v", room, n, b, err)
	}
	if err := came.Decode(&room); err != nil {
		t.Errorf("with arguments left over: %v", err)
	}
	if err := came.Decode(&n); err == nil || !strings.HasPrefix(err.Error(), "socketio: argument 1: json: ") {
		t.Errorf("a text as number: %v", err)
	}
	if err := came[:1].Decode(&room, &n); err == nil || err.Error() != "socketio: 1 arguments, must be 2" {
		t.Errorf("one of two: %v", err)
	}
}
