package store

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// ID identifies an account: a type byte (BSON's) and a canonical value, so that
// equal ids are equal strings and a number is one ID whatever its numeric type.
// The empty ID is none.
type ID string

// The type bytes, as BSON numbers its types. Whole numbers that fit 64 bits are
// typeInt whatever their type was.
const (
	typeDouble byte = 0x01
	typeString byte = 0x02
	typeBinary byte = 0x05
	typeInt    byte = 0x12
)

// StringID is the ID of a string.
func StringID(s string) ID { return ID(string(rune(typeString)) + s) }

// BytesID is the ID of a byte string.
func BytesID(b []byte) ID { return ID(string(rune(typeBinary)) + string(b)) }

// IntID is the ID of a whole number.
func IntID(n int64) ID {
	var b [9]byte
	b[0] = typeInt
	binary.BigEndian.PutUint64(b[1:], uint64(n)^1<<63)
	return ID(b[:])
}

// FloatID is the ID of a number; a whole one equals its IntID.
func FloatID(f float64) ID {
	if f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
		return IntID(int64(f))
	}
	if math.IsNaN(f) {
		f = math.NaN() // one for all of them
	}
	var b [9]byte
	b[0] = typeDouble
	binary.BigEndian.PutUint64(b[1:], math.Float64bits(f))
	return ID(b[:])
}

// Value gives back the string, []byte, int64 or float64 that the ID was made of.
func (id ID) Value() (any, error) {
	if id == "" {
		return nil, fmt.Errorf("read id: it is empty")
	}
	rest := id[1:]
	switch id[0] {
	case typeString:
		return string(rest), nil
	case typeBinary:
		return []byte(rest), nil
	case typeInt, typeDouble:
		if len(rest) != 8 {
			break
		}
		bits := binary.BigEndian.Uint64([]byte(rest))
		if id[0] == typeInt {
			return int64(bits ^ 1<<63), nil
		}
		return math.Float64frombits(bits), nil
	}
	return nil, fmt.Errorf("read id %s: unknown type 0x%02x", hex.EncodeToString([]byte(id)), id[0])
}

// String gives the ID as people write it: a string as it is, a number in
// digits, anything else as extended JSON.
func (id ID) String() string {
	v, err := id.Value()
	if err != nil {
		return hex.EncodeToString([]byte(id))
	}
	if s, ok := v.(string); ok {
		return s
	}
	return string(id.AppendJSON(nil))
}

// AppendJSON appends the ID as (extended) JSON: "text", 42, 1.5, or
// {"$binary": {"base64": "…", "subType": "00"}}. What is no UTF-8 in a text
// becomes U+FFFD, so that two such ids can look the same.
func (id ID) AppendJSON(dst []byte) []byte {
	v, _ := id.Value()
	switch v := v.(type) {
	case string:
		return appendJSONString(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		switch {
		case math.IsNaN(v):
			return append(dst, `{"$numberDouble":"NaN"}`...)
		case math.IsInf(v, 1):
			return append(dst, `{"$numberDouble":"Infinity"}`...)
		case math.IsInf(v, -1):
			return append(dst, `{"$numberDouble":"-Infinity"}`...)
		}
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	case []byte:
		dst = append(dst, `{"$binary":{"base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, v)
		return append(dst, `","subType":"00"}}`...)
	}
	return append(dst, "null"...)
}

// MarshalJSON gives AppendJSON's form.
func (id ID) MarshalJSON() ([]byte, error) { return id.AppendJSON(nil), nil }

// UnmarshalJSON reads what MarshalJSON gives, and {"$numberLong": "…"}.
func (id *ID) UnmarshalJSON(data []byte) error {
	v, err := ParseID(data)
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// ParseID reads an ID from (extended) JSON: a text, a number, {"$numberLong":
// "…"} and its like, {"$binary": …}. {"$oid": "…"} becomes the ID of its text,
// and an object of another form that of its own compact text.
func ParseID(data []byte) (ID, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return "", fmt.Errorf("read id %q: %w", data, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return "", fmt.Errorf("read id %q: more than one value", data)
	}
	switch v := v.(type) {
	case string:
		return StringID(v), nil
	case json.Number:
		return numberID(v.String())
	case map[string]any:
		if len(v) == 1 {
			for _, key := range []string{"$numberLong", "$numberInt", "$numberDouble"} {
				if s, ok := v[key].(string); ok {
					return numberID(s)
				}
			}
			if s, ok := v["$oid"].(string); ok {
				return StringID(s), nil
			}
			if bin, ok := v["$binary"].(map[string]any); ok {
				s, ok := bin["base64"].(string)
				b, err := base64.StdEncoding.DecodeString(s)
				if err != nil || !ok {
					return "", fmt.Errorf("read id %q: want base64 text", data)
				}
				return BytesID(b), nil
			}
		}
		var text bytes.Buffer
		if err := json.Compact(&text, data); err != nil {
			return "", fmt.Errorf("read id %q: %w", data, err)
		}
		return StringID(strings.ToValidUTF8(text.String(), "\uFFFD")), nil
	}
	return "", fmt.Errorf("read id %q: want a string, a number or an extended JSON object", data)
}

func numberID(s string) (ID, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return IntID(n), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return "", fmt.Errorf("read id %q: %w", s, err)
	}
	return FloatID(f), nil
}
