package player

import (
	"bytes"
	"unsafe"

	"github.com/tidwall/gjson"
)

// maxDepth bounds how deep arrays and objects of one JSON value may nest. Tracks nest three or four
// levels; the bound is there because the validator and every browser recurse.
const maxDepth = 256

// scan reads raw without copying it. The result refers to raw: keep nothing of it, but clones.
func scan(raw []byte) gjson.Result {
	return gjson.Parse(unsafe.String(unsafe.SliceData(raw), len(raw)))
}

// field returns the member of the object v with that name, the last one where several have it, as
// JSON.parse does. The zero Result stands for a member that is missing.
func field(v gjson.Result, name string) (found gjson.Result) {
	if !v.IsObject() {
		return found
	}
	v.ForEach(func(key, value gjson.Result) bool {
		if key.Str == name {
			found = value
		}
		return true
	})
	return found
}

// cut copies the text of v out of the bytes it was scanned from.
func cut(v gjson.Result) []byte {
	return []byte(v.Raw)
}

// elements cuts the first element off the array queue: first as written, empty when there is none
// or it is null; rest is the array of the others; any tells whether there is a first one at all.
func elements(queue []byte) (first, rest []byte, any bool) {
	list := scan(queue)
	if !list.IsArray() {
		return nil, nil, false
	}
	after := 0
	list.ForEach(func(_, value gjson.Result) bool {
		if !any {
			any = true
			if value.Type != gjson.Null {
				first = cut(value)
			}
			return true
		}
		after = value.Index
		return false
	})
	if after == 0 {
		return first, nil, any
	}
	end := max(after, bytes.LastIndexByte(queue, ']'))
	rest = make([]byte, 0, end-after+2)
	rest = append(rest, '[')
	rest = append(rest, queue[after:end]...)
	return first, append(rest, ']'), any
}

// tooDeep tells whether raw nests deeper than maxDepth. It needs no valid JSON.
func tooDeep(raw []byte) bool {
	depth, inText := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inText:
			if c == '\\' {
				i++
			} else if c == '"' {
				inText = false
			}
		case c == '"':
			inText = true
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}
