package mongo

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// plainDepth is how deep plain JSON may be nested.
const plainDepth = 100

// appendPlain appends an account's document, made of an _id and of the fields of a
// JSON object but for its own _id. It answers false, and what it appended is of no
// use, where the JSON is not plain: where it is extended, or could be, or is odd
// or broken in any way. The driver's own reader, some ten times slower, has the
// say then.
func appendPlain(dst []byte, id bson.RawValue, object []byte) ([]byte, bool) {
	p := plain{in: object, out: dst}
	p.space()
	if !p.eat('{') {
		return dst, false
	}
	start := p.open()
	p.out = append(p.out, byte(id.Type))
	p.out = append(p.out, "_id\x00"...)
	p.out = append(p.out, id.Value...)
	if !p.object(start, 1) {
		return dst, false
	}
	p.space()
	return p.out, p.at == len(p.in)
}

// plain turns JSON into BSON in one pass.
type plain struct {
	in  []byte
	at  int
	out []byte
}

func (p *plain) space() {
	for p.at < len(p.in) {
		switch p.in[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *plain) eat(c byte) bool {
	if p.at < len(p.in) && p.in[p.at] == c {
		p.at++
		return true
	}
	return false
}

// open leaves room for the length of a document, which close fills in.
func (p *plain) open() (start int) {
	start = len(p.out)
	p.out = append(p.out, 0, 0, 0, 0)
	return start
}

func (p *plain) close(start int) bool {
	p.out = append(p.out, 0)
	n := len(p.out) - start
	binary.LittleEndian.PutUint32(p.out[start:], uint32(n))
	return n <= math.MaxInt32
}

// object reads what follows a brace, into a document that is open.
func (p *plain) object(start, depth int) bool {
	if p.space(); p.eat('}') {
		return p.close(start)
	}
	for {
		p.space()
		element := len(p.out)
		p.out = append(p.out, 0)
		key := len(p.out)
		if !p.text() {
			return false
		}
		name := p.out[key:]
		if len(name) > 0 && name[0] == '$' || bytes.IndexByte(name, 0) >= 0 {
			return false
		}
		skip := depth == 1 && string(name) == "_id"
		p.out = append(p.out, 0)
		p.space()
		if !p.eat(':') || !p.value(element, depth) {
			return false
		}
		if skip {
			p.out = p.out[:element]
		}
		p.space()
		if p.eat('}') {
			return p.close(start)
		}
		if !p.eat(',') {
			return false
		}
	}
}

// array reads what follows a bracket.
func (p *plain) array(depth int) bool {
	start := p.open()
	if p.space(); p.eat(']') {
		return p.close(start)
	}
	for i := int64(0); ; i++ {
		element := len(p.out)
		p.out = append(p.out, 0)
		p.out = append(strconv.AppendInt(p.out, i, 10), 0)
		if !p.value(element, depth) {
			return false
		}
		p.space()
		if p.eat(']') {
			return p.close(start)
		}
		if !p.eat(',') {
			return false
		}
	}
}

// value reads a value, and sets the type of the element that it is of.
func (p *plain) value(element, depth int) bool {
	p.space()
	if p.at == len(p.in) || depth >= plainDepth {
		return false
	}
	set := func(t bson.Type) { p.out[element] = byte(t) }
	switch c := p.in[p.at]; {
	case c == '{':
		p.at++
		set(bson.TypeEmbeddedDocument)
		return p.object(p.open(), depth+1)
	case c == '[':
		p.at++
		set(bson.TypeArray)
		return p.array(depth + 1)
	case c == '"':
		set(bson.TypeString)
		start := p.open()
		if !p.text() {
			return false
		}
		p.out = append(p.out, 0)
		binary.LittleEndian.PutUint32(p.out[start:], uint32(len(p.out)-start-4))
		return true
	case c == '-' || '0' <= c && c <= '9':
		return p.number(set)
	}
	for _, w := range []struct {
		word string
		kind bson.Type
		data []byte
	}{{"null", bson.TypeNull, nil}, {"true", bson.TypeBoolean, []byte{1}}, {"false", bson.TypeBoolean, []byte{0}}} {
		if bytes.HasPrefix(p.in[p.at:], []byte(w.word)) {
			p.at += len(w.word)
			set(w.kind)
			p.out = append(p.out, w.data...)
			return true
		}
	}
	return false
}

// number reads the usual ones: not -0, nor integers beyond 64 bits.
func (p *plain) number(set func(bson.Type)) bool {
	start := p.at
	p.eat('-')
	digits := p.at
	for p.at < len(p.in) && '0' <= p.in[p.at] && p.in[p.at] <= '9' {
		p.at++
	}
	whole := p.at - digits
	if whole == 0 || whole > 1 && p.in[digits] == '0' {
		return false
	}
	if p.at < len(p.in) && (p.in[p.at] == '.' || p.in[p.at]|0x20 == 'e') {
		for p.at < len(p.in) && bytes.IndexByte([]byte("0123456789.eE+-"), p.in[p.at]) >= 0 {
			p.at++
		}
		text := p.in[start:p.at]
		f, err := strconv.ParseFloat(string(text), 64)
		if err != nil || !json.Valid(text) {
			return false
		}
		set(bson.TypeDouble)
		p.out = binary.LittleEndian.AppendUint64(p.out, math.Float64bits(f))
		return true
	}
	if p.in[start] == '-' && p.in[digits] == '0' {
		return false
	}
	n, err := strconv.ParseInt(string(p.in[start:p.at]), 10, 64)
	if err != nil {
		return false
	}
	if n == int64(int32(n)) {
		set(bson.TypeInt32)
		p.out = binary.LittleEndian.AppendUint32(p.out, uint32(n))
	} else {
		set(bson.TypeInt64)
		p.out = binary.LittleEndian.AppendUint64(p.out, uint64(n))
	}
	return true
}

// text reads a string.
func (p *plain) text() bool {
	if !p.eat('"') {
		return false
	}
	start, escaped := p.at, false
	for ; p.at < len(p.in) && p.in[p.at] != '"'; p.at++ {
		switch c := p.in[p.at]; {
		case c < ' ':
			return false
		case c == '\\':
			escaped = true
			p.at++
		}
	}
	if p.at >= len(p.in) {
		return false
	}
	text := p.in[start:p.at]
	p.at++
	if !utf8.Valid(text) {
		return false
	}
	if !escaped {
		p.out = append(p.out, text...)
		return true
	}
	if bytes.Contains(text, []byte(`\u`)) && (bytes.Contains(text, []byte(`\ud`)) || bytes.Contains(text, []byte(`\uD`))) {
		return false // surrogates, perhaps half a pair
	}
	var s string
	if json.Unmarshal(p.in[start-1:p.at], &s) != nil {
		return false
	}
	p.out = append(p.out, s...)
	return true
}
