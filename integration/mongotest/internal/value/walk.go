package value

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Fields gives what Next reads a document's fields from.
func Fields(d Doc) []byte {
	if len(d) < 5 {
		return nil
	}
	return d[4 : len(d)-1]
}

// Next takes one field off what Fields gave: for loops that must not allocate.
// The name is in the document's own bytes. A rest that is empty has no more.
func Next(rest []byte) (name []byte, v Value, tail []byte) {
	t := bson.Type(rest[0])
	end := 1 + bytes.IndexByte(rest[1:], 0)
	name = rest[1:end:end]
	rest = rest[end+1:]
	n, _ := size(t, rest)
	return name, Value{Type: t, Value: rest[:n:n]}, rest[n:]
}

// AppendText appends a text's key, as it stands within the keys of values: it
// orders as the text does, and none is another one's beginning.
func AppendText(b, s []byte) []byte { return appendText(b, s) }

// CompareFields orders two documents, or arrays (whose names do not count),
// with compare for values of one rank.
func CompareFields(a, b Doc, names bool, compare func(a, b Value) int) int {
	x, y := Fields(a), Fields(b)
	for len(x) > 0 && len(y) > 0 {
		var m, n []byte
		var v, w Value
		m, v, x = Next(x)
		n, w, y = Next(y)
		if c := cmp.Compare(Rank(v.Type), Rank(w.Type)); c != 0 {
			return c
		}
		if names {
			if c := bytes.Compare(m, n); c != 0 {
				return c
			}
		}
		if c := compare(v, w); c != 0 {
			return c
		}
	}
	return cmp.Compare(min(len(x), 1), min(len(y), 1))
}

// compareNumbers orders two numbers other than decimals; ok is false for those.
func compareNumbers(a, b Value) (c int, ok bool) {
	switch {
	case a.Type == bson.TypeDecimal128 || b.Type == bson.TypeDecimal128:
		return 0, false
	case a.Type == bson.TypeDouble && b.Type == bson.TypeDouble:
		return cmp.Compare(double(a), double(b)), true
	case a.Type == bson.TypeDouble:
		n, _ := Integer(b)
		return compareDouble(double(a), n), true
	case b.Type == bson.TypeDouble:
		n, _ := Integer(a)
		return -compareDouble(double(b), n), true
	}
	m, _ := Integer(a)
	n, _ := Integer(b)
	return cmp.Compare(m, n), true
}

func double(v Value) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(v.Value)) }

func compareDouble(f float64, n int64) int {
	switch {
	case f != f || f < -1<<63:
		return -1
	case f >= 1<<63:
		return 1
	}
	whole := math.Trunc(f)
	if c := cmp.Compare(int64(whole), n); c != 0 {
		return c
	}
	return cmp.Compare(f, whole)
}
