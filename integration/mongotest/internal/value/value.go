// Package value has what all of mongotest knows of BSON values: how they are
// made, read without decoding, compared across types, and turned into keys.
//
// Values stay encoded: a Value is a type byte and the bytes of the wire. Nothing
// here changes bytes in place, so that values may share their document's.
package value

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Value is one encoded BSON value. The zero Value is a missing one.
type Value = bson.RawValue

// Doc is one encoded BSON document, or array.
type Doc = bson.Raw

// Undefined is the deprecated type, which clients still may send.
const Undefined = bson.TypeUndefined

// Missing says that there is no value.
func Missing(v Value) bool { return v.Type == 0 }

// Nullish says that a value is missing, undefined or null.
func Nullish(v Value) bool {
	return v.Type == 0 || v.Type == bson.TypeNull || v.Type == bson.TypeUndefined
}

// Null makes null.
func Null() Value { return Value{Type: bson.TypeNull} }

// Bool makes a boolean.
func Bool(b bool) Value {
	if b {
		return Value{Type: bson.TypeBoolean, Value: []byte{1}}
	}
	return Value{Type: bson.TypeBoolean, Value: []byte{0}}
}

// Int32 makes a 32-bit integer.
func Int32(n int32) Value {
	return Value{Type: bson.TypeInt32, Value: binary.LittleEndian.AppendUint32(nil, uint32(n))}
}

// Int64 makes a 64-bit integer.
func Int64(n int64) Value {
	return Value{Type: bson.TypeInt64, Value: binary.LittleEndian.AppendUint64(nil, uint64(n))}
}

// Int makes the smallest integer that holds n, as the server does for counts.
func Int(n int64) Value {
	if n == int64(int32(n)) {
		return Int32(int32(n))
	}
	return Int64(n)
}

// Double makes a double.
func Double(f float64) Value {
	return Value{Type: bson.TypeDouble, Value: binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))}
}

// Decimal makes a 128-bit decimal.
func Decimal(d bson.Decimal128) Value {
	h, l := d.GetBytes()
	return Value{Type: bson.TypeDecimal128, Value: binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, l), h)}
}

// String makes a string.
func String(s string) Value {
	return Value{Type: bson.TypeString, Value: appendString(make([]byte, 0, len(s)+5), s)}
}

// DateTime makes a date of milliseconds since 1970.
func DateTime(ms int64) Value {
	v := Int64(ms)
	v.Type = bson.TypeDateTime
	return v
}

// Time makes a date.
func Time(t time.Time) Value { return DateTime(t.UnixMilli()) }

// Timestamp makes a timestamp.
func Timestamp(t bson.Timestamp) Value {
	return Value{Type: bson.TypeTimestamp, Value: binary.LittleEndian.AppendUint64(nil, uint64(t.T)<<32|uint64(t.I))}
}

// ObjectID makes an ObjectId.
func ObjectID(id bson.ObjectID) Value { return Value{Type: bson.TypeObjectID, Value: id[:]} }

// Binary makes binary data.
func Binary(subtype byte, data []byte) Value {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(data)))
	return Value{Type: bson.TypeBinary, Value: append(append(b, subtype), data...)}
}

// Document makes an embedded document.
func Document(d Doc) Value { return Value{Type: bson.TypeEmbeddedDocument, Value: d} }

// Array makes an array.
func Array(values ...Value) Value {
	b := NewBuilder(nil)
	for i, v := range values {
		b.Append(strconv.Itoa(i), v)
	}
	return Value{Type: bson.TypeArray, Value: b.Doc()}
}

// IsDocument says that a value is an embedded document.
func IsDocument(v Value) bool { return v.Type == bson.TypeEmbeddedDocument }

// IsArray says that a value is an array.
func IsArray(v Value) bool { return v.Type == bson.TypeArray }

// IsNumber says that a value is an integer, a double or a decimal.
func IsNumber(v Value) bool {
	switch v.Type {
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128:
		return true
	}
	return false
}

// Truthy says how a value counts as a condition: false are false, zero, null
// and what is missing.
func Truthy(v Value) bool {
	switch v.Type {
	case 0, bson.TypeNull, bson.TypeUndefined:
		return false
	case bson.TypeBoolean:
		return v.Value[0] != 0
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128:
		return Compare(v, Int32(0)) != 0
	}
	return true
}

// Integer gives a number that is whole and fits 64 bits.
func Integer(v Value) (n int64, ok bool) {
	switch v.Type {
	case bson.TypeInt32:
		return int64(int32(binary.LittleEndian.Uint32(v.Value))), true
	case bson.TypeInt64:
		return int64(binary.LittleEndian.Uint64(v.Value)), true
	case bson.TypeDouble:
		f := v.Double()
		if f != math.Trunc(f) || f < -1<<63 || f >= 1<<63 {
			return 0, false
		}
		return int64(f), true
	case bson.TypeDecimal128:
		r := rational(v.Decimal128())
		if r == nil || !r.IsInt() || !r.Num().IsInt64() {
			return 0, false
		}
		return r.Num().Int64(), true
	}
	return 0, false
}

// Float gives a number as the nearest double.
func Float(v Value) (f float64, ok bool) {
	switch v.Type {
	case bson.TypeInt32, bson.TypeInt64:
		n, _ := Integer(v)
		return float64(n), true
	case bson.TypeDouble:
		return v.Double(), true
	case bson.TypeDecimal128:
		d := v.Decimal128()
		if s, err := strconv.ParseFloat(d.String(), 64); err == nil || errors.Is(err, strconv.ErrRange) {
			return s, true
		}
		return math.NaN(), true
	}
	return 0, false
}

// Text gives a string's or a symbol's text.
func Text(v Value) (s string, ok bool) {
	if v.Type != bson.TypeString && v.Type != bson.TypeSymbol {
		return "", false
	}
	return string(v.Value[4 : len(v.Value)-1]), true
}

// Elements gives a document's fields, or an array's elements, in order. The
// document must be valid, as Validate says.
func Elements(d Doc) iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if len(d) < 5 {
			return
		}
		for rest := []byte(d[4:]); len(rest) > 1; {
			t := bson.Type(rest[0])
			end := 1
			for rest[end] != 0 {
				end++
			}
			name := string(rest[1:end])
			rest = rest[end+1:]
			n, _ := size(t, rest)
			if !yield(name, Value{Type: t, Value: rest[:n:n]}) {
				return
			}
			rest = rest[n:]
		}
	}
}

// Get gives a field of a document; the missing value where there is none.
func Get(d Doc, name string) Value {
	if len(d) < 5 {
		return Value{}
	}
	for rest := []byte(d[4:]); len(rest) > 1; {
		t := bson.Type(rest[0])
		end := 1
		for rest[end] != 0 {
			end++
		}
		found := string(rest[1:end]) == name
		rest = rest[end+1:]
		n, _ := size(t, rest)
		if found {
			return Value{Type: t, Value: rest[:n:n]}
		}
		rest = rest[n:]
	}
	return Value{}
}

// Items gives an array's elements.
func Items(v Value) []Value {
	var items []Value
	for _, item := range Elements(Doc(v.Value)) {
		items = append(items, item)
	}
	return items
}

// TypeName gives a type's name, as $type has it.
func TypeName(t bson.Type) string {
	switch t {
	case 0:
		return "missing"
	case bson.TypeEmbeddedDocument:
		return "object"
	case bson.TypeObjectID:
		return "objectId"
	case bson.TypeBoolean:
		return "bool"
	case bson.TypeDateTime:
		return "date"
	case bson.TypeInt32:
		return "int"
	case bson.TypeInt64:
		return "long"
	case bson.TypeDecimal128:
		return "decimal"
	case bson.TypeBinary:
		return "binData"
	case bson.TypeCodeWithScope:
		return "javascriptWithScope"
	case bson.TypeDBPointer:
		return "dbPointer"
	case bson.TypeMinKey:
		return "minKey"
	case bson.TypeMaxKey:
		return "maxKey"
	}
	return t.String()
}

// MaxDepth is how deep documents may nest.
const MaxDepth = 180

// Validate says what is wrong with a document from outside, to its depth.
func Validate(d []byte) error { return validate(d, 0) }

var errTruncated = errors.New("the document is truncated")

func validate(d []byte, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("the document nests deeper than %d levels", MaxDepth)
	}
	if len(d) < 5 || uint64(binary.LittleEndian.Uint32(d)) != uint64(len(d)) || d[len(d)-1] != 0 {
		return errTruncated
	}
	for rest := d[4 : len(d)-1]; len(rest) > 0; {
		t := bson.Type(rest[0])
		end := 1
		for end < len(rest) && rest[end] != 0 {
			end++
		}
		if end == len(rest) {
			return errTruncated
		}
		name := rest[1:min(end, 65)] // for errors, which repeat it at each level
		rest = rest[end+1:]
		n, err := size(t, rest)
		if err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
		if err := validateValue(t, rest[:n], depth); err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
		rest = rest[n:]
	}
	return nil
}

func validateValue(t bson.Type, v []byte, depth int) error {
	switch t {
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		return validate(v, depth+1)
	case bson.TypeCodeWithScope:
		code := 4 + 4 + int(binary.LittleEndian.Uint32(v[4:]))
		return validate(v[code:], depth+1)
	case bson.TypeBoolean:
		if v[0] > 1 {
			return fmt.Errorf("a boolean is 0x%02x", v[0])
		}
	}
	return nil
}

// size gives the length of the value at the start of b.
func size(t bson.Type, b []byte) (int, error) {
	fixed := func(n int) (int, error) {
		if len(b) < n {
			return 0, errTruncated
		}
		return n, nil
	}
	counted := func(extra, least int) (int, error) { // after a length of 4 bytes
		if len(b) < 4 {
			return 0, errTruncated
		}
		n := int64(int32(binary.LittleEndian.Uint32(b)))
		if n < int64(least) || n+int64(extra) > int64(len(b)) {
			return 0, errTruncated
		}
		return int(n) + extra, nil
	}
	switch t {
	case bson.TypeNull, bson.TypeUndefined, bson.TypeMinKey, bson.TypeMaxKey:
		return 0, nil
	case bson.TypeBoolean:
		return fixed(1)
	case bson.TypeInt32:
		return fixed(4)
	case bson.TypeDouble, bson.TypeInt64, bson.TypeDateTime, bson.TypeTimestamp:
		return fixed(8)
	case bson.TypeObjectID:
		return fixed(12)
	case bson.TypeDecimal128:
		return fixed(16)
	case bson.TypeString, bson.TypeSymbol, bson.TypeJavaScript:
		n, err := counted(4, 1)
		if err == nil && b[n-1] != 0 {
			return 0, errTruncated
		}
		return n, err
	case bson.TypeBinary:
		return counted(5, 0)
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		return counted(0, 5)
	case bson.TypeCodeWithScope:
		n, err := counted(0, 14)
		if err != nil {
			return 0, err
		}
		code := int64(int32(binary.LittleEndian.Uint32(b[4:])))
		if code < 1 || 8+code+5 > int64(n) || b[8+code-1] != 0 {
			return 0, errTruncated
		}
		return n, nil
	case bson.TypeDBPointer:
		n, err := counted(16, 1)
		if err == nil && b[n-13] != 0 {
			return 0, errTruncated
		}
		return n, err
	case bson.TypeRegex:
		n := 0
		for range 2 {
			for n < len(b) && b[n] != 0 {
				n++
			}
			if n++; n > len(b) {
				return 0, errTruncated
			}
		}
		return n, nil
	}
	return 0, fmt.Errorf("the type 0x%02x is unknown", byte(t))
}
