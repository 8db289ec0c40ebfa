package msgpack

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// Read reads the first value of b and returns it with what follows it. Any bytes may be given: what is no
// MessagePack, goes deeper than [MaxDepth] or has more than [MaxAttachments] is an error. So is a map
// that cannot be told from an attachment's placeholder. The attachments share b's memory.
func Read(b []byte) (v Value, rest []byte, err error) {
	r := reader{data: b, out: make([]byte, 0, len(b)+len(b)/4)}
	undefined, err := r.value(MaxDepth)
	if err != nil {
		return Value{}, b, err
	}
	if r.lookalike && len(r.attachments) > 0 {
		return Value{}, b, errAmbiguous
	}
	if undefined {
		r.out = append(r.out, "null"...)
	}
	return Value{JSON: r.out, Attachments: r.attachments}, r.data, nil
}

// reader writes JSON as it reads.
type reader struct {
	data        []byte // still to be read
	out         []byte
	attachments [][]byte
	lookalike   bool // a map has been read that looks like a placeholder
}

// value reads one value; nothing is written where it is undefined.
func (r *reader) value(depth int) (undefined bool, err error) {
	if depth == 0 {
		return false, errDepth
	}
	if len(r.data) == 0 {
		return false, errShort
	}
	switch prefix := r.data[0]; {
	case prefix >= 0xc7 && prefix <= 0xc9, prefix >= 0xd4 && prefix <= 0xd8:
		return r.extension()
	}
	switch msgp.NextType(r.data) {
	case msgp.NilType:
		r.data, err = msgp.ReadNilBytes(r.data)
		r.out = append(r.out, "null"...)
	case msgp.BoolType:
		var b bool
		b, r.data, err = msgp.ReadBoolBytes(r.data)
		r.out = strconv.AppendBool(r.out, b)
	case msgp.IntType, msgp.UintType:
		err = r.integer()
	case msgp.Float32Type, msgp.Float64Type:
		var f float64
		f, r.data, err = msgp.ReadFloat64Bytes(r.data)
		r.out = appendFloat(r.out, f)
	case msgp.StrType:
		var s []byte
		s, r.data, err = msgp.ReadStringZC(r.data)
		r.out = appendQuoted(r.out, s)
	case msgp.BinType:
		var b []byte
		b, r.data, err = msgp.ReadBytesZC(r.data)
		if err == nil {
			err = r.attachment(b)
		}
	case msgp.ArrayType:
		err = r.list(depth)
	case msgp.MapType:
		err = r.object(depth)
	default:
		err = errPrefix
	}
	return false, err
}

func (r *reader) integer() (err error) {
	if msgp.NextType(r.data) == msgp.UintType {
		var u uint64
		u, r.data, err = msgp.ReadUint64Bytes(r.data)
		r.out = strconv.AppendUint(r.out, u, 10)
		return err
	}
	var i int64
	i, r.data, err = msgp.ReadInt64Bytes(r.data)
	r.out = strconv.AppendInt(r.out, i, 10)
	return err
}

// list reads as many values as are there, however many its header promises.
func (r *reader) list(depth int) error {
	n, rest, err := msgp.ReadArrayHeaderBytes(r.data)
	if err != nil {
		return err
	}
	r.data, r.out = rest, append(r.out, '[')
	for i := range n {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		undefined, err := r.value(depth - 1)
		if err != nil {
			return err
		}
		if undefined {
			r.out = append(r.out, "null"...)
		}
	}
	r.out = append(r.out, ']')
	return nil
}

func (r *reader) object(depth int) error {
	n, rest, err := msgp.ReadMapHeaderBytes(r.data)
	if err != nil {
		return err
	}
	r.data, r.out = rest, append(r.out, '{')
	first := true
	for range n {
		member := len(r.out)
		if !first {
			r.out = append(r.out, ',')
		}
		key := len(r.out)
		if err := r.key(); err != nil {
			return err
		}
		r.out = append(r.out, ':')
		undefined, err := r.value(depth - 1)
		if err != nil {
			return err
		}
		if undefined {
			r.out = r.out[:member]
			continue
		}
		first = false
		r.lookalike = r.lookalike || string(r.out[key:]) == `"`+placeholderKey+`":true`
	}
	r.out = append(r.out, '}')
	return nil
}

func (r *reader) key() error {
	switch msgp.NextType(r.data) {
	case msgp.StrType:
		_, err := r.value(1)
		return err
	case msgp.IntType, msgp.UintType:
		r.out = append(r.out, '"')
		err := r.integer()
		r.out = append(r.out, '"')
		return err
	}
	return errKey
}

func (r *reader) attachment(b []byte) error {
	if len(r.attachments) == MaxAttachments {
		return errAttachments
	}
	r.out = append(r.out, PlaceholderStart...)
	r.out = append(strconv.AppendInt(r.out, int64(len(r.attachments)), 10), '}')
	r.attachments = append(r.attachments, b)
	return nil
}

// extension reads what notepack.io gives a meaning to; the rest becomes [type, attachment].
func (r *reader) extension() (undefined bool, err error) {
	prefix := r.data[0]
	kind, b, rest, err := cutExtension(r.data)
	if err != nil {
		return false, err
	}
	r.data = rest
	switch {
	case kind == 0 && prefix == 0xd4:
		return true, nil
	case kind == 0 && prefix == 0xd7:
		ms := int64(binary.BigEndian.Uint64(b))
		r.out = appendTime(r.out, time.UnixMilli(ms))
		return false, nil
	case kind == 0 && prefix <= 0xc9:
		return false, r.attachment(b)
	case kind == -1 && prefix == 0xd6:
		r.out = appendTime(r.out, time.Unix(int64(binary.BigEndian.Uint32(b)), 0))
		return false, nil
	case kind == -1 && prefix == 0xd7:
		u := binary.BigEndian.Uint64(b)
		r.out = appendTime(r.out, time.Unix(int64(u&(1<<34-1)), int64(u>>34)))
		return false, nil
	case kind == -1 && prefix == 0xc7 && len(b) == 12:
		ns, s := binary.BigEndian.Uint32(b), int64(binary.BigEndian.Uint64(b[4:]))
		r.out = appendTime(r.out, time.Unix(s, int64(ns)))
		return false, nil
	}
	r.out = append(strconv.AppendInt(append(r.out, '['), int64(kind), 10), ',')
	err = r.attachment(b)
	r.out = append(r.out, ']')
	return false, err
}

// cutExtension takes an extension's type and bytes off data.
func cutExtension(data []byte) (kind int8, b, rest []byte, err error) {
	var size uint64
	head := 1
	switch prefix := data[0]; prefix {
	case 0xc7, 0xc8, 0xc9:
		head += 1 << (prefix - 0xc7) // bytes of the size
		if len(data) < head {
			return 0, nil, nil, errShort
		}
		for _, c := range data[1:head] {
			size = size<<8 | uint64(c)
		}
	default:
		size = 1 << (prefix - 0xd4)
	}
	if uint64(len(data)) < uint64(head)+1+size {
		return 0, nil, nil, errShort
	}
	return int8(data[head]), data[head+1 : head+1+int(size)], data[head+1+int(size):], nil
}

// appendTime writes what JSON.stringify makes of a Date.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	ms := t.UnixMilli()
	if s := t.Unix(); s > 8.64e12 || s < -8.64e12 || ms > 8.64e15 || ms < -8.64e15 {
		return append(dst, "null"...)
	}
	layout := `"2006-01-02T15:04:05.000Z"`
	if y := t.Year(); y < 0 || y > 9999 { // a sign and six digits
		year := "+" + strconv.Itoa(1000000 + y)[1:]
		if y < 0 {
			year = "-" + strconv.Itoa(1000000 - y)[1:]
		}
		return append(append(append(dst, '"'), year...), t.Format(layout[5:])...)
	}
	return t.AppendFormat(dst, layout)
}

// appendFloat writes what JSON.stringify makes of a number.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if f == 0 {
		return append(dst, '0') // -0 too
	}
	text, _ := json.Marshal(f) // is finite
	return append(dst, text...)
}

// appendQuoted writes UTF-8 as a JSON text; what is none becomes U+FFFD.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	plain := 0 // s[plain:i] is still to be written
	for i := 0; i < len(s); {
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRune(s[i:])
		}
		switch {
		case c == '"' || c == '\\':
			dst = append(append(dst, s[plain:i]...), '\\', byte(c))
		case c < ' ':
			dst = append(append(dst, s[plain:i]...), '\\', 'u', '0', '0', '0'+byte(c>>4), "0123456789abcdef"[c&15])
		case c == utf8.RuneError && size == 1:
			dst = utf8.AppendRune(append(dst, s[plain:i]...), utf8.RuneError)
		default:
			i += size
			continue
		}
		i += size
		plain = i
	}
	return append(append(dst, s[plain:]...), '"')
}
