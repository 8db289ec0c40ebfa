package socketio

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
)

func TestPlaceholdersAreReplacedWhereTheyStand(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{"_placeholder":true,"num":0}`, `"AQ=="`},
		{` { "num" : 1 , "_placeholder" : true } `, `"Ag=="`},
		{`{"z":[1.50, {"_placeholder":true,"num":0} ],"a" : {"_placeholder":true,"num":1}}`, `{"z":[1.50, "AQ==" ],"a" : "Ag=="}`},
		{`[{"_placeholder":true,"num":1,"more":{"deep":["}"]}},"\"{"]`, `["Ag==","\"{"]`},
		{`{"a":{"_placeholder":false,"num":0}}`, `{"a":{"_placeholder":false,"num":0}}`},
		{`{"_placeholder":true,"_placeholder":false}`, `{"_placeholder":true,"_placeholder":false}`},
		{`["_placeholder",true,"num",7]`, `["_placeholder",true,"num",7]`},
		{`{"a":"_placeholder","b":{"_placeholder":"true"}}`, `{"a":"_placeholder","b":{"_placeholder":"true"}}`},
		{`{"\u005fplaceholder":true,"num":0}`, `"AQ=="`},
		{`{"_placeholder":true,"num":0,"inner":{"_placeholder":true,"num":1}}`, `"AQ=="`},
		{`-1.5e3`, `-1.5e3`}, {`[]`, `[]`}, {`{}`, `{}`}, {`null`, `null`},
	} {
		a := Arg{json: json.RawMessage(tt.text)}
		if err := a.attach(&attachments{bytes: [][]byte{{1}, {2}}}); err != nil {
			t.Errorf("%s: %v", tt.text, err)
		} else if got := string(a.JSON()); got != tt.want {
			t.Errorf("%s became %s, want %s", tt.text, got, tt.want)
		}
	}
}

// FuzzPlaceholders compares the one pass over the text with what decoding it says.
func FuzzPlaceholders(f *testing.F) {
	for _, seed := range []string{`{"_placeholder":true,"num":0}`, `[{"a":{"_placeholder":true,"num":1}},"x"]`, `{"_placeholder":1}`, `"\""`, `[1,2]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || tooDeep([]byte(text)) {
			return
		}
		a := Arg{json: json.RawMessage(strings.TrimSpace(text))}
		err := a.attach(&attachments{bytes: [][]byte{{1}, {2}}})
		if err == nil && !json.Valid(a.JSON()) {
			t.Errorf("%s became %s", text, a.JSON())
		}
		if !strings.Contains(text, "placeholder") && !strings.Contains(text, `\u`) && (err != nil || string(a.JSON()) != strings.TrimSpace(text)) {
			t.Errorf("%s became %s, %v", text, a.JSON(), err)
		}
	})
}

// The cost of placeholders is the size of text and attachments, however they are arranged.
func TestPlaceholdersCostNoMoreThanTheirText(t *testing.T) {
	deep := strings.Repeat("[", maxDepth-3) + `{"_placeholder":true,"num":0},"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat("]", maxDepth-3)
	a := Arg{json: json.RawMessage(deep)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := a.attach(&attachments{bytes: [][]byte{{1}}}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("%d bytes for a text of %d", took, len(deep))
	}
}
