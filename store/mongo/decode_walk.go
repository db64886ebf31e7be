package mongo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/classifier"
)

// A walker passes over the bytes of one BSON document. Once fail has kept a
// fault, its methods answer false, or an element without an end.
type walker struct {
	doc []byte
	err *classifier.FieldError
}

// An element is where the value of one lies in the document: nowhere where end is
// 0. BSON counts its bytes in 32 bits.
type element struct {
	kind       byte
	value, end int32
}

// null says whether it is a null, or undefined, an older word for it.
func (e element) null() bool {
	return e.kind == byte(bson.TypeNull) || e.kind == byte(bson.TypeUndefined)
}

// wanted are the fields that are needed of a kind of document.
type wanted struct {
	list  []wantedField
	first [maxName + 1]uint8 // 1 + the index of the first name of that length
}

const (
	maxFields = 9  // of one kind of document
	maxName   = 23 // in bytes
)

// A wantedField is one of them.
type wantedField struct {
	name     string
	inner    *wanted // of the document that it holds, or of those in its array
	presence bool    // a value of whatever type is as good as any
	null     bool    // a null is not as if the field were missing

	key []byte // the name
	// The name with its zero: bytes 0 to 7, 8 to 15, and the last 8. Shorter ones
	// have a mask.
	head, mask, middle, tail uint64
	size                     int
}

func newWanted(list ...wantedField) wanted {
	w := wanted{list: list}
	for i := len(list) - 1; i >= 0; i-- {
		f := &list[i]
		w.first[len(f.name)] = uint8(i + 1)
		f.key, f.size = []byte(f.name), len(f.name)+1
		var text [maxName + 1]byte
		copy(text[:], f.name)
		f.head, f.mask = binary.LittleEndian.Uint64(text[:]), math.MaxUint64>>(64-8*min(f.size, 8))
		f.middle, f.tail = binary.LittleEndian.Uint64(text[8:]), binary.LittleEndian.Uint64(text[max(f.size-8, 0):])
	}
	return w
}

// begins says whether text begins with the name and its zero. Of a text that ends
// soon after it may not say so.
func (f *wantedField) begins(text []byte) bool {
	if len(text) <= maxName || binary.LittleEndian.Uint64(text)&f.mask != f.head {
		return false
	}
	return f.size <= 8 || binary.LittleEndian.Uint64(text[f.size-8:]) == f.tail &&
		(f.size <= 16 || binary.LittleEndian.Uint64(text[8:]) == f.middle)
}

// index finds a name in the list, -1 where it is not wanted.
func (w *wanted) index(name []byte) int {
	if len(name) > maxName || w.first[len(name)] == 0 {
		return -1
	}
	for i := int(w.first[len(name)]) - 1; i < len(w.list); i++ {
		if w.list[i].name == string(name) {
			return i
		}
	}
	return -1
}

// whole checks that the bytes are one document's.
func (w *walker) whole() bool {
	if len(w.doc) < 5 {
		return w.fail(len(w.doc), "it ends too early")
	}
	if n := w.int32(0); int64(n) != int64(len(w.doc)) {
		return w.fail(0, fmt.Sprintf("a document of %d bytes in %d", n, len(w.doc)))
	}
	return true
}

// last gives the index of the zero that ends the document at i, of which it has
// been checked that it lies within the bytes.
func (w *walker) last(i int) (int, bool) {
	last := i + int(w.int32(int32(i))) - 1
	if w.doc[last] != 0 {
		return 0, w.fail(last, "no zero at a document's end")
	}
	return last, true
}

// find notes where the fields lie in the document at i: the first of each name.
func (w *walker) find(i int, fields *wanted, at *[maxFields]element) bool {
	last, ok := w.last(i)
	if !ok {
		return false
	}
	for i += 4; i < last; {
		n, e := w.next(i, last, fields, 0)
		if e.end == 0 {
			return false
		}
		if n >= 0 && at[n].end == 0 {
			at[n] = e
		}
		i = int(e.end)
	}
	return true
}

// next passes the element at i < last of the document that ends at last, and
// gives its index among the fields, or -1. It is quick where that is guess.
func (w *walker) next(i, last int, fields *wanted, guess int) (int, element) {
	doc := w.doc
	n, value := guess, 0
	if n < len(fields.list) && fields.list[n].begins(doc[i+1:]) {
		value = i + 1 + fields.list[n].size
	} else {
		value = w.zero(i+1, last) + 1
		if value > last {
			w.fail(i, "a name without an end")
			return -1, element{}
		}
		n = fields.index(doc[i+1 : value-1])
	}
	kind := doc[i]
	s := bsonSizes[kind]
	size := int(s.fixed)
	if s.least >= 0 { // as sized has it, for the usual case
		if last-value < 4 {
			return n, w.sized(i, value, last)
		}
		length := w.int32(int32(value))
		if length < int32(s.least) {
			return n, w.sized(i, value, last)
		}
		size += int(length)
	}
	if size < 0 || size > last-value {
		return n, w.sized(i, value, last)
	}
	return n, element{kind, int32(value), int32(value + size)}
}

// element passes the element at i < last of the document that ends at last. Its
// name lies between the byte after i and that before its value.
func (w *walker) element(i, last int) element {
	value := w.zero(i+1, last) + 1
	if value > last {
		w.fail(i, "a name without an end")
		return element{}
	}
	return w.sized(i, value, last)
}

// A bsonSize says how many bytes the values of a type take.
type bsonSize struct {
	fixed int8 // beside what a length at the value's beginning says
	least int8 // of that length; -1 where there is none
}

// The fixed sizes of what is no type, and of that which only its content tells.
const (
	noType  = -1
	byZeros = -2
)

var bsonSizes = func() (s [256]bsonSize) {
	for i := range s {
		s[i] = bsonSize{noType, -1}
	}
	for kind, v := range map[bson.Type]bsonSize{
		bson.TypeDouble: {8, -1}, bson.TypeString: {4, 1}, bson.TypeEmbeddedDocument: {0, 5}, bson.TypeArray: {0, 5},
		bson.TypeBinary: {5, 0}, bson.TypeUndefined: {0, -1}, bson.TypeObjectID: {12, -1}, bson.TypeBoolean: {1, -1},
		bson.TypeDateTime: {8, -1}, bson.TypeNull: {0, -1}, bson.TypeRegex: {byZeros, -1}, bson.TypeDBPointer: {16, 1},
		bson.TypeJavaScript: {4, 1}, bson.TypeSymbol: {4, 1}, bson.TypeCodeWithScope: {0, 14}, bson.TypeInt32: {4, -1},
		bson.TypeTimestamp: {8, -1}, bson.TypeInt64: {8, -1}, bson.TypeDecimal128: {16, -1},
		bson.TypeMinKey: {0, -1}, bson.TypeMaxKey: {0, -1},
	} {
		s[kind] = v
	}
	return s
}()

// sized gives the element at i whose value is known to begin at value ≤ last.
func (w *walker) sized(i, value, last int) element {
	s := bsonSizes[w.doc[i]]
	n := int(s.fixed)
	switch {
	case s.least >= 0:
		if last-value < 4 {
			w.fail(value, "no room for a length")
			return element{}
		}
		length := w.int32(int32(value))
		if length < int32(s.least) || int(length) > last-value-n {
			w.fail(value, fmt.Sprintf("a length of %d", length))
			return element{}
		}
		n += int(length)
	case n == noType:
		w.fail(i, fmt.Sprintf("no type %#02x", w.doc[i]))
		return element{}
	case n == byZeros:
		n = w.zero(w.zero(value, last)+1, last) + 1 - value
	}
	if n > last-value {
		w.fail(value, "a value beyond its document's end")
		return element{}
	}
	return element{w.doc[i], int32(value), int32(value + n)}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// zero gives the index of the first zero byte from i on, or last, where one is.
func (w *walker) zero(i, last int) int {
	doc := w.doc
	for ; i+8 <= last; i += 8 {
		x := binary.LittleEndian.Uint64(doc[i:])
		if m := (x - ones) &^ x & highs; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < last && doc[i] != 0; i++ {
	}
	return i
}

// text gives the text of a string, with U+FFFD for bytes that are not UTF-8, as
// the readers of other forms do.
func (w *walker) text(e element) ([]byte, bool) {
	text := w.doc[e.value+4 : e.end-1]
	if w.doc[e.end-1] != 0 {
		return nil, w.fail(int(e.end)-1, "no zero at a string's end")
	}
	if !ascii(text) && !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	return text, true
}

// ascii says whether all bytes are; texts are short, and calls cost.
func ascii(s []byte) bool {
	var all uint64
	for ; len(s) >= 8; s = s[8:] {
		all |= binary.LittleEndian.Uint64(s)
	}
	for _, c := range s {
		all |= uint64(c)
	}
	return all&highs == 0
}

func (w *walker) int32(i int32) int32 { return int32(binary.LittleEndian.Uint32(w.doc[i:])) }

func (w *walker) int64(i int32) int64 { return int64(binary.LittleEndian.Uint64(w.doc[i:])) }

func (w *walker) uint64(i int32) uint64 { return binary.LittleEndian.Uint64(w.doc[i:]) }

// fail keeps the fault at byte i.
func (w *walker) fail(i int, what string) bool {
	if w.err == nil {
		w.err = &classifier.FieldError{Code: classifier.CodeSyntax, Message: fmt.Sprintf("is not BSON: %s at byte %d", what, i)}
	}
	return false
}
