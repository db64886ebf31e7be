package store

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
)

// ID identifies an account: a BSON value of any type but an array, as a type
// byte and a canonical form of the value. Equal ids are equal strings, and a
// number is one ID whatever its numeric type; so are the numbers in a document,
// whose order of fields counts. No ID is the beginning of another one. The empty
// ID is none.
type ID string

// The type bytes, as BSON numbers its types. Whole numbers that fit 64 bits are
// kindInt64 whatever their type was.
const (
	kindDouble    byte = 0x01
	kindString    byte = 0x02
	kindDocument  byte = 0x03
	kindArray     byte = 0x04 // within documents only
	kindBinary    byte = 0x05
	kindUndefined byte = 0x06
	kindObjectID  byte = 0x07
	kindBool      byte = 0x08
	kindDate      byte = 0x09
	kindNull      byte = 0x0a
	kindRegex     byte = 0x0b
	kindPointer   byte = 0x0c
	kindCode      byte = 0x0d
	kindSymbol    byte = 0x0e
	kindScoped    byte = 0x0f // code with its scope
	kindInt32     byte = 0x10 // in BSON only
	kindTimestamp byte = 0x11
	kindInt64     byte = 0x12
	kindDecimal   byte = 0x13
	kindMaxKey    byte = 0x7f
	kindMinKey    byte = 0xff
)

// maxDepth is how deep documents and arrays may lie in an ID, as MongoDB has it.
const maxDepth = 180

// StringID is the ID of a string.
func StringID(s string) ID { return ID(appendText([]byte{kindString}, s)) }

// BytesID is the ID of a byte string: binary data of the subtype 0.
func BytesID(b []byte) ID { return ID(appendBinary(nil, 0, b)) }

// IntID is the ID of a whole number.
func IntID(n int64) ID { return ID(appendInt(nil, n)) }

// FloatID is the ID of a number; a whole one equals its IntID.
func FloatID(f float64) ID { return ID(appendNumber(nil, f)) }

// Value gives back the string, []byte, int64 or float64 that the ID was made of.
// It fails for an ID that was made of something else.
func (id ID) Value() (any, error) {
	if id == "" {
		return nil, errors.New("read id: it is empty")
	}
	p := payload{rest: string(id)}
	var v any
	switch kind := p.kind(); kind {
	case kindString:
		v = p.text()
	case kindInt64:
		v = p.int64()
	case kindDouble:
		v = p.float()
	case kindBinary:
		subtype, data := p.binary()
		if subtype != 0 {
			return nil, fmt.Errorf("read id %s: want binary data of subtype 0, not 0x%02x", id, subtype)
		}
		v = []byte(data)
	default:
		return nil, fmt.Errorf("read id %s: want a string, a number or binary data, not type 0x%02x", id, kind)
	}
	if !p.done() {
		return nil, fmt.Errorf("read id %s: it is damaged", hex.EncodeToString([]byte(id)))
	}
	return v, nil
}

// String gives the ID as people write it: a string as it is, a number and an
// ObjectId in digits, anything else as extended JSON. So two ids can look the
// same; AppendJSON tells them apart.
func (id ID) String() string {
	if id == "" {
		return ""
	}
	p := payload{rest: string(id[1:])}
	switch id[0] {
	case kindString:
		if s := p.text(); p.done() {
			return s
		}
	case kindObjectID:
		if oid := p.take(12); p.done() {
			return hex.EncodeToString([]byte(oid))
		}
	}
	if text, ok := id.appendJSON(nil); ok {
		return string(text)
	}
	return hex.EncodeToString([]byte(id))
}

// What follows is the canonical form: each value is its type byte and its
// payload, which says itself where it ends.

// A text ends with 0 1, and a 0 in it is written 0 255: a shorter one sorts first.
const (
	textEnd  = "\x00\x01"
	textZero = "\x00\xff"
)

func appendText[T string | []byte](dst []byte, s T) []byte {
	at := len(dst)
	dst = append(dst, s...)
	if bytes.IndexByte(dst[at:], 0) >= 0 {
		dst = append(dst[:at], bytes.ReplaceAll(dst[at:], []byte{0}, []byte(textZero))...)
	}
	return append(dst, textEnd...)
}

func appendInt(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, kindInt64), uint64(n)^1<<63)
}

// appendNumber appends a double, as a whole number where it is one.
func appendNumber(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
		return appendInt(dst, int64(f))
	}
	if math.IsNaN(f) {
		f = math.NaN() // one for all of them
	}
	return binary.BigEndian.AppendUint64(append(dst, kindDouble), math.Float64bits(f))
}

func appendBinary(dst []byte, subtype byte, data []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, kindBinary), uint32(len(data)))
	return append(append(dst, subtype), data...)
}

func appendDate(dst []byte, ms int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, kindDate), uint64(ms)^1<<63)
}

func appendTimestamp(dst []byte, seconds, counter uint32) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, kindTimestamp), seconds)
	return binary.BigEndian.AppendUint32(dst, counter)
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, kindBool, 1)
	}
	return append(dst, kindBool, 0)
}

// The elements of a document (names and values) and of an array (values) each
// begin with more, and end follows them.
const (
	end  byte = 0
	more byte = 1
)

// payload reads a canonical form. What is damaged makes it bad, and it gives
// zeros from then on.
type payload struct {
	rest string
	bad  bool
}

// done says whether all was read and nothing was damaged.
func (p *payload) done() bool { return !p.bad && p.rest == "" }

func (p *payload) fail() {
	p.rest, p.bad = "", true
}

func (p *payload) take(n int) string {
	if p.bad || n > len(p.rest) {
		p.fail()
		return strings.Repeat("\x00", min(n, 16))
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

func (p *payload) kind() byte { return p.take(1)[0] }

// next says whether another element follows.
func (p *payload) next() bool {
	switch p.kind() {
	case more:
		return true
	case end:
	default:
		p.fail()
	}
	return false
}

func (p *payload) text() string {
	at := 0
	for escaped := false; ; at += 2 {
		i := strings.IndexByte(p.rest[at:], 0)
		if at += i; i < 0 || at+1 >= len(p.rest) {
			p.fail()
			return ""
		}
		switch p.rest[at+1] {
		case textEnd[1]:
			s := p.rest[:at]
			p.rest = p.rest[at+2:]
			if escaped {
				s = strings.ReplaceAll(s, textZero, "\x00")
			}
			return s
		case textZero[1]:
			escaped = true
		default:
			p.fail()
			return ""
		}
	}
}

func (p *payload) uint32() uint32 { return binary.BigEndian.Uint32([]byte(p.take(4))) }
func (p *payload) uint64() uint64 { return binary.BigEndian.Uint64([]byte(p.take(8))) }
func (p *payload) int64() int64   { return int64(p.uint64() ^ 1<<63) }
func (p *payload) float() float64 { return math.Float64frombits(p.uint64()) }

func (p *payload) binary() (subtype byte, data string) {
	n := p.uint32()
	subtype = p.kind()
	if uint64(n) > uint64(len(p.rest)) {
		p.fail()
		return 0, ""
	}
	return subtype, p.take(int(n))
}

func (p *payload) bool() bool {
	b := p.kind()
	if b > 1 {
		p.fail()
	}
	return b == 1
}

// skip passes a value, the type byte included.
func (p *payload) skip(depth int) {
	kind := p.kind()
	switch kind {
	case kindDouble, kindDate, kindTimestamp, kindInt64:
		p.take(8)
	case kindString, kindCode, kindSymbol:
		p.text()
	case kindBinary:
		p.binary()
	case kindObjectID:
		p.take(12)
	case kindBool:
		p.bool()
	case kindRegex:
		p.text()
		p.text()
	case kindPointer:
		p.text()
		p.take(12)
	case kindDecimal:
		p.take(16)
	case kindScoped:
		p.text()
		p.skip(depth)
	case kindDocument, kindArray:
		if depth == 0 {
			p.fail()
		}
		for p.next() {
			if kind == kindDocument {
				p.text()
			}
			p.skip(depth - 1)
		}
	case kindUndefined, kindNull, kindMinKey, kindMaxKey:
	default:
		p.fail()
	}
}
