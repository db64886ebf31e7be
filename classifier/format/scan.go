package format

import (
	"encoding/binary"
	"math/bits"

	"botwatch/classifier"
)

// maxDepth is how deep objects and arrays may nest, as in encoding/json.
const maxDepth = 10000

// A scanner walks one JSON document and checks every byte of it. Its methods
// take the index at which a thing begins and give the index after it, or bad
// once fail has kept the fault.
type scanner struct {
	doc []byte
	err *classifier.FieldError
}

const bad = -1

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stringStops marks the bytes of 8 bytes of text that end a plain run inside a
// string: a quote, a backslash, a control character. The lowest mark is exact;
// a borrow can put false ones above it.
func stringStops(x uint64) uint64 {
	quote := x ^ ones*'"'
	slash := x ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x) & highs
}

// space gives the index of the next byte that is no white space.
func (s *scanner) space(i int) int {
	doc := s.doc
	for uint(i) < uint(len(doc)) && doc[i] <= ' ' {
		if c := doc[i]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return i
		}
		i++
	}
	return i
}

// text passes a string whose opening quote lies before i.
func (s *scanner) text(i int) int {
	doc := s.doc
	for uint(i+8) <= uint(len(doc)) {
		m := stringStops(binary.LittleEndian.Uint64(doc[i:]))
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		if uint(i) < uint(len(doc)) && doc[i] == '"' {
			return i + 1
		}
		if i = s.special(i); i == bad {
			return bad
		}
	}
	for i < len(doc) {
		switch c := doc[i]; {
		case c == '"':
			return i + 1
		case c == '\\' || c < ' ':
			if i = s.special(i); i == bad {
				return bad
			}
		default:
			i++
		}
	}
	return s.fail(i)
}

// special passes an escape sequence at i; no control character may stand there.
func (s *scanner) special(i int) int {
	if s.doc[i] == '\\' {
		return s.escape(i + 1)
	}
	return s.failText(i, "control character in a string")
}

// escape passes an escape sequence whose backslash lies before i.
func (s *scanner) escape(i int) int {
	doc := s.doc
	if i >= len(doc) {
		return s.fail(i)
	}
	switch doc[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for n := 1; n <= 4; n++ {
			if i+n >= len(doc) {
				return s.fail(i + n)
			}
			if hexValue[doc[i+n]] < 0 {
				return s.failText(i+n, "bad \\u escape")
			}
		}
		return i + 5
	}
	return s.failText(i, "bad escape")
}

// number passes a number that begins at i.
func (s *scanner) number(i int) int {
	doc := s.doc
	if doc[i] == '-' {
		i++
	}
	switch {
	case uint(i) >= uint(len(doc)):
		return s.fail(i)
	case doc[i] == '0':
		i++
	case doc[i] >= '1' && doc[i] <= '9':
		i = s.digits(i + 1)
	default:
		return s.fail(i)
	}
	if uint(i) < uint(len(doc)) && doc[i] == '.' {
		start := i + 1
		if i = s.digits(start); i == start {
			return s.fail(i)
		}
	}
	if uint(i) < uint(len(doc)) && doc[i]|0x20 == 'e' {
		i++
		if uint(i) < uint(len(doc)) && (doc[i] == '+' || doc[i] == '-') {
			i++
		}
		start := i
		if i = s.digits(start); i == start {
			return s.fail(i)
		}
	}
	return i
}

// digits gives the index of the next byte that is no digit.
func (s *scanner) digits(i int) int {
	doc := s.doc
	for uint(i+8) <= uint(len(doc)) {
		x := binary.LittleEndian.Uint64(doc[i:]) ^ ones*'0'
		// A byte 0…9 stays below 16 when 6 is added; no sum carries into the next byte.
		m := x | (x&(ones*0x7f) + ones*6)
		if m &= ones * 0xf0; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for uint(i) < uint(len(doc)) && doc[i]-'0' <= 9 {
		i++
	}
	return i
}

// literal passes null, true or false, told apart by the byte at i.
func (s *scanner) literal(i int) int {
	doc := s.doc
	if uint(i+4) <= uint(len(doc)) {
		switch binary.LittleEndian.Uint32(doc[i:]) {
		case 'n' | 'u'<<8 | 'l'<<16 | 'l'<<24, 't' | 'r'<<8 | 'u'<<16 | 'e'<<24:
			return i + 4
		case 'f' | 'a'<<8 | 'l'<<16 | 's'<<24:
			if i+4 < len(doc) && doc[i+4] == 'e' {
				return i + 5
			}
		}
	}
	word := "null"
	switch doc[i] {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	case 'n':
	default:
		return s.fail(i)
	}
	for n := 0; ; n++ { // the byte at fault
		if i+n >= len(doc) || doc[i+n] != word[n] {
			return s.fail(i + n)
		}
	}
}

// skip passes the value that begins at i, whatever it is, without recursion.
// depth counts the objects and arrays that are open around it.
func (s *scanner) skip(i, depth int) int {
	doc := s.doc
	var (
		level  = 0    // of the containers open within the value
		kinds  uint64 // a bit for each of the innermost 64: 1 is an object
		deeper []uint64
		c      byte
	)
value:
	if uint(i) >= uint(len(doc)) {
		return s.fail(i)
	}
	switch c = doc[i]; c {
	case '"':
		i = s.text(i + 1)
	case '{', '[':
		if depth+level >= maxDepth {
			return s.tooDeep(i)
		}
		if level&63 == 0 && level > 0 {
			deeper = append(deeper, kinds)
		}
		level++
		kinds <<= 1
		i = s.space(i + 1)
		if uint(i) >= uint(len(doc)) {
			return s.fail(i)
		}
		if c == '[' {
			if doc[i] == ']' {
				goto closed
			}
			goto value
		}
		kinds |= 1
		if doc[i] == '}' {
			goto closed
		}
		goto key
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		i = s.number(i)
	default:
		i = s.literal(i)
	}
	if i == bad {
		return bad
	}
after:
	if level == 0 {
		return i
	}
	i = s.space(i)
	if uint(i) >= uint(len(doc)) {
		return s.fail(i)
	}
	c = doc[i]
	if kinds&1 == 0 {
		if c == ',' {
			i = s.space(i + 1)
			goto value
		}
		if c == ']' {
			goto closed
		}
		return s.fail(i)
	}
	if c == '}' {
		goto closed
	}
	if c != ',' {
		return s.fail(i)
	}
	i = s.space(i + 1)
key:
	if uint(i) >= uint(len(doc)) || doc[i] != '"' {
		return s.fail(i)
	}
	if i = s.text(i + 1); i == bad {
		return bad
	}
	if i = s.colon(i); i == bad {
		return bad
	}
	goto value
closed:
	i++
	level--
	kinds >>= 1
	if level&63 == 0 && level > 0 {
		kinds = deeper[len(deeper)-1]
		deeper = deeper[:len(deeper)-1]
	}
	goto after
}

// colon passes the colon after a key and the space on both sides.
func (s *scanner) colon(i int) int {
	i = s.space(i)
	if uint(i) >= uint(len(s.doc)) || s.doc[i] != ':' {
		return s.fail(i)
	}
	return s.space(i + 1)
}
