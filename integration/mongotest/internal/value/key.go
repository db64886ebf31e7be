package value

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The order of types, as the manual's "Comparison/Sort Order" has it. They are
// the first byte of keys, so that 0 ends a document's.
const (
	rankMinKey    = 1
	rankMissing   = 2 // undefined too
	rankNull      = 5
	rankNumber    = 10
	rankString    = 15
	rankObject    = 20
	rankArray     = 25
	rankBinary    = 30
	rankObjectID  = 35
	rankBool      = 40
	rankDate      = 45
	rankTimestamp = 47
	rankRegex     = 50
	rankDBPointer = 55
	rankCode      = 60
	rankCodeScope = 65
	rankMaxKey    = 127
)

// Rank gives the place of a type in the order across types. Values of one rank
// compare with each other, and query operators stay within a rank.
func Rank(t bson.Type) byte {
	switch t {
	case bson.TypeMinKey:
		return rankMinKey
	case 0, bson.TypeUndefined:
		return rankMissing
	case bson.TypeNull:
		return rankNull
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128:
		return rankNumber
	case bson.TypeString, bson.TypeSymbol:
		return rankString
	case bson.TypeEmbeddedDocument:
		return rankObject
	case bson.TypeArray:
		return rankArray
	case bson.TypeBinary:
		return rankBinary
	case bson.TypeObjectID:
		return rankObjectID
	case bson.TypeBoolean:
		return rankBool
	case bson.TypeDateTime:
		return rankDate
	case bson.TypeTimestamp:
		return rankTimestamp
	case bson.TypeRegex:
		return rankRegex
	case bson.TypeDBPointer:
		return rankDBPointer
	case bson.TypeJavaScript:
		return rankCode
	case bson.TypeCodeWithScope:
		return rankCodeScope
	}
	return rankMaxKey
}

// Compare orders two values across all types, as sorting does: numbers by
// value whatever their type, NaN below all of them, documents field by field.
// A missing value comes before null.
func Compare(a, b Value) int {
	if a.Type == b.Type {
		switch a.Type {
		case bson.TypeString, bson.TypeSymbol:
			return bytes.Compare(a.Value[4:len(a.Value)-1], b.Value[4:len(b.Value)-1])
		case bson.TypeObjectID, bson.TypeBoolean:
			return bytes.Compare(a.Value, b.Value)
		case bson.TypeInt32:
			return cmp.Compare(int32(binary.LittleEndian.Uint32(a.Value)), int32(binary.LittleEndian.Uint32(b.Value)))
		case bson.TypeInt64, bson.TypeDateTime:
			return cmp.Compare(int64(binary.LittleEndian.Uint64(a.Value)), int64(binary.LittleEndian.Uint64(b.Value)))
		case bson.TypeTimestamp:
			return cmp.Compare(binary.LittleEndian.Uint64(a.Value), binary.LittleEndian.Uint64(b.Value))
		case 0, bson.TypeNull, bson.TypeUndefined, bson.TypeMinKey, bson.TypeMaxKey:
			return 0
		case bson.TypeEmbeddedDocument, bson.TypeArray:
			return CompareFields(Doc(a.Value), Doc(b.Value), a.Type == bson.TypeEmbeddedDocument, Compare)
		}
	}
	if c := cmp.Compare(Rank(a.Type), Rank(b.Type)); c != 0 {
		return c
	}
	if IsNumber(a) {
		if c, ok := compareNumbers(a, b); ok {
			return c
		}
	}
	return bytes.Compare(AppendKey(nil, a), AppendKey(nil, b))
}

// Equal says that two values compare as equal.
func Equal(a, b Value) bool { return Compare(a, b) == 0 }

// Key gives a text that is equal for equal values, and orders as they do.
func Key(v Value) string { return string(AppendKey(nil, v)) }

// AppendKey appends a value's key. Keys may follow each other: no key is
// another one's beginning.
func AppendKey(b []byte, v Value) []byte {
	return appendPayload(append(b, Rank(v.Type)), v)
}

func appendPayload(b []byte, v Value) []byte {
	switch v.Type {
	case bson.TypeInt32, bson.TypeInt64:
		n, _ := Integer(v)
		return appendInteger(b, n)
	case bson.TypeDouble:
		return appendFloat(b, v.Double(), 0)
	case bson.TypeDecimal128:
		return appendDecimal(b, v.Decimal128())
	case bson.TypeString, bson.TypeSymbol, bson.TypeJavaScript:
		return appendText(b, v.Value[4:len(v.Value)-1])
	case bson.TypeEmbeddedDocument:
		for name, e := range Elements(Doc(v.Value)) {
			b = appendText(append(b, Rank(e.Type)), []byte(name))
			b = appendPayload(b, e)
		}
		return append(b, 0)
	case bson.TypeArray:
		for _, e := range Elements(Doc(v.Value)) {
			b = AppendKey(b, e)
		}
		return append(b, 0)
	case bson.TypeBinary:
		data := v.Value[4:] // as it came: subtype 2 keeps its second length
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)-1))
		return append(b, data...)
	case bson.TypeObjectID, bson.TypeBoolean:
		return append(b, v.Value...)
	case bson.TypeDateTime:
		return binary.BigEndian.AppendUint64(b, binary.LittleEndian.Uint64(v.Value)^1<<63)
	case bson.TypeTimestamp:
		return binary.BigEndian.AppendUint64(b, binary.LittleEndian.Uint64(v.Value))
	case bson.TypeRegex: // pattern and options, each ended by 0
		return append(b, v.Value...)
	case bson.TypeDBPointer:
		name, id := v.DBPointer()
		return append(appendText(b, []byte(name)), id[:]...)
	case bson.TypeCodeWithScope:
		code, scope := v.CodeWithScope()
		return appendPayload(appendText(b, []byte(code)), Document(scope))
	}
	return b
}

// appendText appends a text so that a shorter one comes first: 0 is written
// as 0 255, and the end as 0, which no rank exceeds.
func appendText(b, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, 0)
		if i < 0 {
			return append(append(b, s...), 0)
		}
		b = append(append(b, s[:i]...), 0, 0xff)
		s = s[i+1:]
	}
}

// A number's key is the largest double that is not above it, and how far it is
// from there to the next one, in units of 2⁻⁶⁴ of that distance. Two decimals of
// 34 digits differ by more than that.
func appendFloat(b []byte, f float64, above uint64) []byte {
	bits := math.Float64bits(f)
	switch {
	case f != f:
		bits = 0 // below minus infinity
	case f == 0:
		bits = 1 << 63
	case bits>>63 == 1:
		bits = ^bits
	default:
		bits |= 1 << 63
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, bits), above)
}

func appendInteger(b []byte, n int64) []byte {
	if n > -1<<53 && n < 1<<53 {
		return appendFloat(b, float64(n), 0)
	}
	return appendRational(b, new(big.Rat).SetInt64(n))
}

func appendDecimal(b []byte, d bson.Decimal128) []byte {
	switch sign := d.IsInf(); {
	case d.IsNaN():
		return appendFloat(b, math.NaN(), 0)
	case sign != 0:
		return appendFloat(b, math.Inf(sign), 0)
	}
	return appendRational(b, rational(d))
}

func appendRational(b []byte, r *big.Rat) []byte {
	f, _ := r.Float64()
	switch { // a decimal may lie beyond all doubles
	case math.IsInf(f, 1):
		return appendFloat(b, math.MaxFloat64, math.MaxUint64)
	case math.IsInf(f, -1):
		return appendFloat(b, -math.MaxFloat64, 0)
	}
	at := new(big.Rat).SetFloat64(f)
	if at.Cmp(r) > 0 {
		f = math.Nextafter(f, math.Inf(-1))
		at.SetFloat64(f)
	}
	next := math.Nextafter(f, math.Inf(1))
	if math.IsInf(next, 0) || at.Cmp(r) == 0 {
		return appendFloat(b, f, 0)
	}
	step := new(big.Rat).Sub(new(big.Rat).SetFloat64(next), at)
	part := new(big.Rat).Quo(new(big.Rat).Sub(r, at), step)
	part.Mul(part, new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), 64)))
	return appendFloat(b, f, new(big.Int).Quo(part.Num(), part.Denom()).Uint64())
}

// rational gives a decimal's exact value; nil where it is no finite number.
func rational(d bson.Decimal128) *big.Rat {
	n, exponent, err := d.BigInt()
	if err != nil {
		return nil
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	if exponent < 0 {
		return new(big.Rat).SetFrac(n, power)
	}
	return new(big.Rat).SetInt(n.Mul(n, power))
}

// Of makes a Value of a Go value: of the types that the server's answers are
// made of.
func Of(v any) Value {
	switch v := v.(type) {
	case nil:
		return Null()
	case Value:
		return v
	case Doc:
		return Document(v)
	case []Doc:
		values := make([]Value, len(v))
		for i, d := range v {
			values[i] = Document(d)
		}
		return Array(values...)
	case []Value:
		return Array(v...)
	case []string:
		values := make([]Value, len(v))
		for i, s := range v {
			values[i] = String(s)
		}
		return Array(values...)
	case bool:
		return Bool(v)
	case int:
		return Int(int64(v))
	case int32:
		return Int32(v)
	case int64:
		return Int64(v)
	case float64:
		return Double(v)
	case string:
		return String(v)
	case time.Time:
		return Time(v)
	case bson.ObjectID:
		return ObjectID(v)
	case bson.Timestamp:
		return Timestamp(v)
	}
	panic(fmt.Sprintf("value.Of: %T", v))
}
