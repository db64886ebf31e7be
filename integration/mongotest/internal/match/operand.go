package match

import (
	"encoding/binary"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// typeNames are those that $type takes.
var typeNames = func() map[string]bson.Type {
	names := map[string]bson.Type{}
	for _, t := range []bson.Type{
		bson.TypeDouble, bson.TypeString, bson.TypeEmbeddedDocument, bson.TypeArray, bson.TypeBinary,
		bson.TypeUndefined, bson.TypeObjectID, bson.TypeBoolean, bson.TypeDateTime, bson.TypeNull, bson.TypeRegex,
		bson.TypeDBPointer, bson.TypeJavaScript, bson.TypeSymbol, bson.TypeCodeWithScope, bson.TypeInt32,
		bson.TypeTimestamp, bson.TypeInt64, bson.TypeDecimal128, bson.TypeMinKey, bson.TypeMaxKey,
	} {
		names[value.TypeName(t)] = t
	}
	return names
}()

func parseType(v value.Value) (test, error) {
	t := &typed{}
	items := []value.Value{v}
	if v.Type == bson.TypeArray {
		if items = value.Items(v); len(items) == 0 {
			return nil, fault.New(fault.FailedToParse, "$type must match at least one type")
		}
	}
	for _, item := range items {
		name, ok := value.Text(item)
		if ok {
			kind, known := typeNames[name]
			switch {
			case name == "number":
				t.number = true
			case known:
				t.types[kind] = true
			default:
				return nil, fault.New(fault.BadValue, "Unknown type name alias: %s", name)
			}
			continue
		}
		if !value.IsNumber(item) {
			return nil, fault.New(fault.TypeMismatch, "type must be represented as a number or a string")
		}
		n, ok := value.Integer(item)
		known := false
		for _, kind := range typeNames {
			if n == int64(kind) || n == -1 && kind == bson.TypeMinKey {
				known, t.types[kind] = true, true
			}
		}
		if !ok || !known || n == 255 {
			return nil, fault.New(fault.BadValue, "Invalid numerical type code: %v", item)
		}
	}
	return t, nil
}

func parseSize(v value.Value) (test, error) {
	n, ok := value.Integer(v)
	switch {
	case !value.IsNumber(v):
		return nil, fault.New(fault.FailedToParse, "Failed to parse $size. Expected a number in: $size: %v", v)
	case !ok:
		return nil, fault.New(fault.FailedToParse, "Failed to parse $size. Expected an integer: $size: %v", v)
	case n < 0:
		return nil, fault.New(fault.FailedToParse, "Failed to parse $size. Expected a non-negative number in: $size: %v", v)
	}
	return sized(n), nil
}

// truncated gives a number without what is behind its point.
func truncated(v value.Value) (int64, bool) {
	if n, ok := value.Integer(v); ok {
		return n, true
	}
	f, ok := value.Float(v)
	if !ok || f != f || f < -1<<63 || f >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

func parseModulo(v value.Value) (test, error) {
	if v.Type != bson.TypeArray {
		return nil, fault.New(fault.BadValue, "malformed mod, needs to be an array")
	}
	items := value.Items(v)
	switch {
	case len(items) < 2:
		return nil, fault.New(fault.BadValue, "malformed mod, not enough elements")
	case len(items) > 2:
		return nil, fault.New(fault.BadValue, "malformed mod, too many elements")
	}
	if !value.IsNumber(items[0]) {
		return nil, fault.New(fault.BadValue, "malformed mod, divisor not a number")
	}
	divisor, ok := truncated(items[0])
	if !ok {
		return nil, fault.New(fault.BadValue, "malformed mod, divisor value is invalid")
	}
	if !value.IsNumber(items[1]) {
		return nil, fault.New(fault.BadValue, "malformed mod, remainder not a number")
	}
	remainder, ok := truncated(items[1])
	if !ok {
		return nil, fault.New(fault.BadValue, "malformed mod, remainder value is invalid")
	}
	if divisor == 0 {
		return nil, fault.New(fault.BadValue, "divisor cannot be 0")
	}
	return modulo{divisor, remainder}, nil
}

// maxBit bounds the memory of a mask that is given by positions.
const maxBit = 1 << 20

func parseBits(name string, v value.Value) (test, error) {
	t := bits{
		all:   name == "$bitsAllSet" || name == "$bitsAllClear",
		clear: name == "$bitsAllClear" || name == "$bitsAnyClear",
	}
	switch {
	case v.Type == bson.TypeBinary:
		_, t.mask = v.Binary()
	case value.IsNumber(v):
		n, ok := value.Integer(v)
		if !ok {
			return nil, fault.New(fault.FailedToParse, "Expected an integer: %s: %v", name, v)
		}
		if n < 0 {
			return nil, fault.New(fault.FailedToParse, "Expected a non-negative number in: %s: %v", name, v)
		}
		t.mask = bytes8(n)
	case v.Type == bson.TypeArray:
		for _, item := range value.Items(v) {
			n, ok := value.Integer(item)
			switch {
			case !ok || n > math.MaxInt32:
				return nil, fault.New(fault.BadValue, "bit positions must be an integer but got: %v", item)
			case n < 0:
				return nil, fault.New(fault.BadValue, "bit positions must be >= 0 but got: %v", item)
			case n > maxBit:
				return nil, fault.NotOffered("bit positions above %d", maxBit)
			}
			for len(t.mask) <= int(n/8) {
				t.mask = append(t.mask, 0)
			}
			t.mask[n/8] |= 1 << (n % 8)
		}
	default:
		return nil, fault.New(fault.BadValue, "%s takes an Array, a number, or a BinData but received: %v", name, v)
	}
	return t, nil
}

func bytes8(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }
