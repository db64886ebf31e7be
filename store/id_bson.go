package store

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// BSONID reads an ID from a BSON element: its type byte and its value's bytes as
// they are on the wire. It fails for arrays, which cannot be ids, for bytes that
// are no BSON, and for documents nested deeper than 180. Texts need not be UTF-8,
// and the names of an array's elements do not count: MongoDB checks neither.
func BSONID(kind byte, value []byte) (ID, error) {
	if kind == kindArray {
		return "", errors.New("read id from BSON: want any type but an array")
	}
	w := wire{rest: value}
	id := w.appendID(make([]byte, 0, len(value)+8), kind, maxDepth)
	if w.err == nil && len(w.rest) > 0 {
		w.fail("%d bytes follow the value", len(w.rest))
	}
	if w.err != nil {
		return "", fmt.Errorf("read id from BSON of type 0x%02x: %w", kind, w.err)
	}
	return ID(id), nil
}

// AppendBSON appends the ID's value as a BSON element has it, and gives its type
// byte. A whole number is an int32 where it fits, else an int64, whatever its
// type was. It fails, and appends nothing, for what is no ID.
func (id ID) AppendBSON(dst []byte) (kind byte, out []byte, err error) {
	p := payload{rest: string(id)}
	kind, out = p.appendBSON(dst, maxDepth)
	if !p.done() || kind == kindArray {
		return 0, dst, fmt.Errorf("write id %s as BSON: it is damaged", hex.EncodeToString([]byte(id)))
	}
	return kind, out, nil
}

// wire reads BSON. After the first error it gives zeros.
type wire struct {
	rest []byte
	err  error
}

func (w *wire) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
	w.rest = nil
}

var zeros [16]byte

// take gives the next n bytes, or, of at most 16, zeros.
func (w *wire) take(n int) []byte {
	if w.err != nil || n > len(w.rest) {
		w.fail("it ends too early")
		return zeros[:min(n, len(zeros))]
	}
	b := w.rest[:n]
	w.rest = w.rest[n:]
	return b
}

func (w *wire) uint64() uint64 { return binary.LittleEndian.Uint64(w.take(8)) }

// length reads a length in bytes, of what is at least least of them. It gives -1
// where not so many follow.
func (w *wire) length(least int) int {
	n := int64(int32(binary.LittleEndian.Uint32(w.take(4))))
	if w.err == nil && (n < int64(least) || n > int64(len(w.rest))) {
		w.fail("a length is %d; want %d to %d", n, least, len(w.rest))
	}
	if w.err != nil {
		return -1
	}
	return int(n)
}

// text reads a string.
func (w *wire) text() []byte {
	n := w.length(1)
	if n < 0 {
		return nil
	}
	b := w.take(n)
	if b[n-1] != 0 {
		w.fail("a string does not end with 0")
		return nil
	}
	return b[:n-1]
}

// name reads a name or a pattern, which ends with the first 0.
func (w *wire) name() []byte {
	i := bytes.IndexByte(w.rest, 0)
	if i < 0 {
		w.fail("a name does not end")
		return nil
	}
	return w.take(i + 1)[:i]
}

// appendID appends the canonical form of the value of that type.
func (w *wire) appendID(dst []byte, kind byte, depth int) []byte {
	switch kind {
	case kindDouble:
		return appendNumber(dst, math.Float64frombits(w.uint64()))
	case kindInt32:
		return appendInt(dst, int64(int32(binary.LittleEndian.Uint32(w.take(4)))))
	case kindInt64:
		return appendInt(dst, int64(w.uint64()))
	case kindDecimal:
		low, high := w.uint64(), w.uint64()
		return appendDecimal(dst, high, low)
	case kindString, kindCode, kindSymbol:
		return appendText(append(dst, kind), w.text())
	case kindDocument, kindArray:
		return w.appendElements(append(dst, kind), kind, depth)
	case kindBinary:
		n := w.length(0)
		subtype := w.take(1)[0]
		if n < 0 {
			return dst
		}
		data := w.take(n)
		if subtype == 2 { // has its length once more
			inner := wire{rest: data}
			if n = inner.length(0); inner.err != nil || n != len(inner.rest) {
				w.fail("binary data of subtype 2: its two lengths do not agree")
				return dst
			}
			data = data[4:]
		}
		return appendBinary(dst, subtype, data)
	case kindObjectID:
		return append(append(dst, kind), w.take(12)...)
	case kindBool:
		b := w.take(1)[0]
		if b > 1 {
			w.fail("a boolean is %d", b)
		}
		return appendBool(dst, b == 1)
	case kindDate:
		return appendDate(dst, int64(w.uint64()))
	case kindTimestamp:
		t := w.uint64()
		return appendTimestamp(dst, uint32(t>>32), uint32(t))
	case kindRegex:
		return appendText(appendText(append(dst, kind), w.name()), w.name())
	case kindPointer:
		return append(appendText(append(dst, kind), w.text()), w.take(12)...)
	case kindScoped:
		all := len(w.rest)
		n := int64(int32(binary.LittleEndian.Uint32(w.take(4))))
		dst = appendText(append(dst, kind), w.text())
		dst = w.appendID(dst, kindDocument, depth)
		if w.err == nil && n != int64(all-len(w.rest)) {
			w.fail("code with its scope has %d bytes and says %d", all-len(w.rest), n)
		}
		return dst
	case kindUndefined, kindNull, kindMinKey, kindMaxKey:
		return append(dst, kind)
	}
	w.fail("there is no type 0x%02x", kind)
	return dst
}

// appendElements appends the elements of a document or of an array.
func (w *wire) appendElements(dst []byte, kind byte, depth int) []byte {
	if depth == 0 {
		w.fail("it is nested deeper than %d", maxDepth)
		return dst
	}
	all := w.rest
	n := int64(int32(binary.LittleEndian.Uint32(w.take(4))))
	if w.err != nil {
		return dst
	}
	if n < 5 || n > int64(len(all)) || all[n-1] != 0 {
		w.fail("a document of %d bytes does not end within the %d that are there", n, len(all))
		return dst
	}
	inner := wire{rest: all[4 : n-1]}
	for len(inner.rest) > 0 {
		element := inner.take(1)[0]
		name := inner.name()
		if dst = append(dst, more); kind == kindDocument {
			dst = appendText(dst, name)
		}
		dst = inner.appendID(dst, element, depth-1)
	}
	if inner.err != nil {
		w.fail("%w", inner.err)
		return dst
	}
	w.rest = all[n:]
	return append(dst, end)
}

// appendBSON appends the value as BSON has it and gives its type byte.
func (p *payload) appendBSON(dst []byte, depth int) (byte, []byte) {
	little := binary.LittleEndian
	kind := p.kind()
	switch kind {
	case kindInt64:
		n := p.int64()
		if n == int64(int32(n)) {
			return kindInt32, little.AppendUint32(dst, uint32(n))
		}
		return kind, little.AppendUint64(dst, uint64(n))
	case kindDouble, kindTimestamp:
		return kind, little.AppendUint64(dst, p.uint64())
	case kindDate:
		return kind, little.AppendUint64(dst, uint64(p.int64()))
	case kindDecimal:
		high, low := p.uint64(), p.uint64()
		return kind, little.AppendUint64(little.AppendUint64(dst, low), high)
	case kindString, kindCode, kindSymbol:
		return kind, appendWireText(dst, p.text())
	case kindBinary:
		subtype, data := p.binary()
		n := uint32(len(data))
		if subtype != 2 {
			return kind, append(append(little.AppendUint32(dst, n), subtype), data...)
		}
		dst = append(little.AppendUint32(dst, n+4), subtype)
		return kind, append(little.AppendUint32(dst, n), data...)
	case kindObjectID:
		return kind, append(dst, p.take(12)...)
	case kindBool:
		if p.bool() {
			return kind, append(dst, 1)
		}
		return kind, append(dst, 0)
	case kindRegex:
		dst = append(append(dst, p.name()...), 0)
		return kind, append(append(dst, p.name()...), 0)
	case kindPointer:
		return kind, append(appendWireText(dst, p.text()), p.take(12)...)
	case kindScoped:
		at := len(dst)
		dst = appendWireText(append(dst, 0, 0, 0, 0), p.text())
		var scope byte
		if scope, dst = p.appendBSON(dst, depth); scope != kindDocument {
			p.fail()
		}
		little.PutUint32(dst[at:], uint32(len(dst)-at))
		return kind, dst
	case kindDocument, kindArray:
		if depth == 0 {
			p.fail()
		}
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for i := int64(0); p.next(); i++ {
			element := len(dst)
			if dst = append(dst, 0); kind == kindDocument {
				dst = append(dst, p.name()...)
			} else {
				dst = strconv.AppendInt(dst, i, 10)
			}
			dst = append(dst, 0)
			var k byte
			k, dst = p.appendBSON(dst, depth-1)
			dst[element] = k
		}
		dst = append(dst, 0)
		little.PutUint32(dst[at:], uint32(len(dst)-at))
		return kind, dst
	case kindUndefined, kindNull, kindMinKey, kindMaxKey:
		return kind, dst
	}
	p.fail()
	return kind, dst
}

// name reads a text that has no 0 in it.
func (p *payload) name() string {
	s := p.text()
	for i := range len(s) {
		if s[i] == 0 {
			p.fail()
			return ""
		}
	}
	return s
}

func appendWireText(dst []byte, s string) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s)+1))
	return append(append(dst, s...), 0)
}
