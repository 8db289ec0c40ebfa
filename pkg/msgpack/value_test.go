package msgpack

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

// recorded are the JSON texts of testdata and what notepack.io makes of them.
func recorded(t testing.TB) (pairs [][2]string) {
	file, err := os.ReadFile("testdata/notepack-3.0.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		if text, packed, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok && line[0] != '#' {
			pairs = append(pairs, [2]string{text, packed})
		}
	}
	if len(pairs) < 50 {
		t.Fatalf("%d pairs", len(pairs))
	}
	return pairs
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAppendWritesWhatNotepackWrites(t *testing.T) {
	for _, pair := range recorded(t) {
		got, err := Append(nil, Value{JSON: []byte(pair[0])})
		if err != nil || hex.EncodeToString(got) != pair[1] {
			t.Errorf("%s: %x, %v, want %s", pair[0], got, err, pair[1])
		}
		back, rest, err := Read(append(got, 0xc1))
		if err != nil || !sameJSON(t, []byte(pair[0]), back.JSON) || !bytes.Equal(rest, []byte{0xc1}) {
			t.Errorf("%s: back as %s, %v", pair[0], back.JSON, err)
		}
	}
}

func TestRead(t *testing.T) {
	for packed, want := range map[string]string{
		// What notepack.io 3.0.1 reads from these, as JSON.
		"ca3fc00000":                         `1.5`,
		"cb7ff8000000000000":                 `null`,
		"cb7ff0000000000000":                 `null`,
		"cb8000000000000000":                 `0`,
		"cb444b1ae4d6e2ef50":                 `1e+21`,
		"d6ff00000000":                       `"1970-01-01T00:00:00.000Z"`,
		"d7ff0000000100000001":               `"2106-02-07T06:28:17.000Z"`,
		"d7ff77359400655c5c80":               `"2023-11-21T07:30:08.500Z"`,
		"c70cff00000000ffffff0000000000":     `"-032873-11-12T23:23:44.000Z"`,
		"c70cff000000007fffffffffffffff":     `null`,
		"d70000000000000003e8":               `"1970-01-01T00:00:01.000Z"`,
		"d40000":                             `null`,
		"93d4000001d40000":                   `[null,1,null]`,
		"82a161d40000a16201":                 `{"b":1}`,
		"82a16101a162d40000":                 `{"a":1}`,
		"82e0a178a16101":                     `{"-32":"x","a":1}`,
		"81a66e756d626572cfffffffffffffffff": `{"number":18446744073709551615}`,
		"d38000000000000000":                 `-9223372036854775808`,
		"a3ff61e2":                           `"�a�"`,
		"a5223c5c0a01":                       `"\"<\\\u000a\u0001"`,
		"81ac5f706c616365686f6c646572c3":     `{"_placeholder":true}`,
	} {
		v, rest, err := Read(unhex(t, packed))
		if err != nil || string(v.JSON) != want || len(rest) != 0 || v.Attachments != nil {
			t.Errorf("%s: %s %x %v, want %s", packed, v.JSON, v.Attachments, err, want)
		}
	}
}

func TestReadAttachments(t *testing.T) {
	const first = `{"_placeholder":true,"num":0}`
	for packed, want := range map[string]struct {
		json       string
		attachment []byte
	}{
		"c403 010203":                          {first, []byte{1, 2, 3}},
		"c5000101":                             {first, []byte{1}},
		"c60000000101":                         {first, []byte{1}},
		"c40 0":                                {first, []byte{}},
		"91c40101":                             {`[` + first + `]`, []byte{1}},
		"c70300 010203":                        {first, []byte{1, 2, 3}}, // ArrayBuffers of older versions
		"c8000300 0a0b0c":                      {first, []byte{10, 11, 12}},
		"c90000000300 010203":                  {first, []byte{1, 2, 3}},
		"d4057f":                               {`[5,` + first + `]`, []byte{127}}, // other extensions
		"d5ff0102":                             {`[-1,` + first + `]`, []byte{1, 2}},
		"d80311111111111111111111111111111111": {`[3,` + first + `]`, bytes.Repeat([]byte{17}, 16)},
		"c70205aabb":                           {`[5,` + first + `]`, []byte{170, 187}},
	} {
		v, _, err := Read(unhex(t, packed))
		if err != nil || string(v.JSON) != want.json || len(v.Attachments) != 1 || !bytes.Equal(v.Attachments[0], want.attachment) {
			t.Errorf("%s: %s %x %v, want %v", packed, v.JSON, v.Attachments, err, want)
		}
	}
}

func TestAppendAttachments(t *testing.T) {
	v := Value{
		JSON:        []byte(`["ev",{"num":1, "_placeholder" : true},{"a":{"_placeholder":true,"num":0}},{"_placeholder":false,"num":7}]`),
		Attachments: [][]byte{{1}, make([]byte, 256)},
	}
	got, err := Append([]byte("head"), v)
	want := append([]byte("head\x94\xa2ev\xc5\x01\x00"), make([]byte, 256)...)
	want = append(want, "\x81\xa1a\xc4\x01\x01\x82\xac_placeholder\xc2\xa3num\x07"...)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%x, %v, want %x", got, err, want)
	}
	if got, err := Append(nil, Value{JSON: []byte(`{"_placeholder":true,"num":0}`)}); err != nil || got[0] != 0x82 {
		t.Fatalf("without attachments: %x, %v, want a map", got, err)
	}
}

func TestNumbersKeepTheirValue(t *testing.T) {
	for _, text := range []string{"9223372036854776000", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "9007199254740993", "0.1", "123.456"} {
		packed, err := Append(nil, Value{JSON: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		if v, _, err := Read(packed); err != nil || string(v.JSON) != text {
			t.Errorf("%s came back as %s, %v", text, v.JSON, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	for name, test := range map[string]struct {
		v    Value
		want error
	}{
		"no JSON":          {Value{JSON: []byte(`{"a":}`)}, errJSON},
		"nothing":          {Value{}, errJSON},
		"depth":            {Value{JSON: []byte(deep)}, errDepth},
		"no attachment":    {Value{JSON: []byte(`{"_placeholder":true,"num":1}`), Attachments: [][]byte{{1}}}, errAttachment},
		"negative":         {Value{JSON: []byte(`{"_placeholder":true,"num":-1}`), Attachments: [][]byte{{1}}}, errAttachment},
		"no number at all": {Value{JSON: []byte(`{"_placeholder":true}`), Attachments: [][]byte{{1}}}, errAttachment},
	} {
		if _, err := Append(nil, test.v); !errors.Is(err, test.want) {
			t.Errorf("Append, %s: %v, want %v", name, err, test.want)
		}
	}
	for name, test := range map[string]struct {
		packed []byte
		want   error // nil: any
	}{
		"nothing":           {nil, errShort},
		"depth":             {bytes.Repeat([]byte{0x91}, MaxDepth+1), errDepth},
		"maps' depth":       {bytes.Repeat([]byte{0x81, 0x01}, MaxDepth+1), errDepth},
		"a long list":       {unhex(t, "ddffffffff"), errShort},
		"a long map":        {unhex(t, "dfffffffff"), errKey},
		"a long text":       {unhex(t, "dbffffffff61"), nil},
		"long bytes":        {unhex(t, "c6ffffffff61"), nil},
		"a long extension":  {unhex(t, "c9ffffffff0061"), errShort},
		"half an extension": {unhex(t, "d4"), errShort},
		"half a size":       {unhex(t, "c80 0"), errShort},
		"a list as key":     {unhex(t, "819001"), errKey},
		"bytes as key":      {unhex(t, "81c4010101"), errKey},
		"no prefix":         {unhex(t, "c1"), errPrefix},
		"ambiguous":         {unhex(t, "92 c40101 81 ac5f706c616365686f6c646572 c3"), errAmbiguous},
		"attachments":       {attachments(MaxAttachments + 1), errAttachments},
	} {
		v, rest, err := Read(test.packed)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("Read, %s: %s, %v, want %v", name, v.JSON, err, test.want)
		}
		if !bytes.Equal(rest, test.packed) {
			t.Errorf("Read, %s: took something", name)
		}
	}
}

// attachments is a list of n empty ones.
func attachments(n int) []byte {
	b := []byte{0xdc, byte(n >> 8), byte(n)}
	return append(b, bytes.Repeat([]byte{0xc4, 0}, n)...)
}

func sameJSON(t testing.TB, a, b []byte) bool {
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return reflect.DeepEqual(x, y)
}

func FuzzAppend(f *testing.F) {
	for _, pair := range recorded(f) {
		f.Add([]byte(pair[0]))
	}
	f.Add([]byte(`{"_placeholder":true,"num":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		packed, err := Append(nil, Value{JSON: text})
		if err != nil {
			return
		}
		v, rest, err := Read(packed)
		if err != nil || len(rest) != 0 {
			t.Fatalf("%s: %x cannot be read: %v", text, packed, err)
		}
		var x any
		if json.Unmarshal(text, &x) == nil && !sameJSON(t, text, v.JSON) { // a number may be out of range
			t.Fatalf("%s came back as %s", text, v.JSON)
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, pair := range recorded(f) {
		f.Add(unhex(f, pair[1]))
	}
	f.Add(unhex(f, "93c40101d40000d70000000000000003e8"))
	f.Add(unhex(f, "c70cff000000007fffffffffffffff"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		v, rest, err := Read(packed)
		if err != nil {
			return
		}
		if !json.Valid(v.JSON) {
			t.Fatalf("%x: %s is no JSON", packed, v.JSON)
		}
		if taken := len(packed) - len(rest); len(v.JSON) > 6*taken+34*len(v.Attachments)+30 {
			t.Fatalf("%d bytes became %d", taken, len(v.JSON))
		}
		again, err := Append(nil, v)
		if err != nil {
			t.Fatalf("%s: %v", v.JSON, err)
		}
		back, rest, err := Read(again)
		if err != nil || len(rest) != 0 || !bytes.Equal(back.JSON, v.JSON) || len(back.Attachments) != len(v.Attachments) {
			t.Fatalf("%s came back as %s, %v", v.JSON, back.JSON, err)
		}
	})
}
