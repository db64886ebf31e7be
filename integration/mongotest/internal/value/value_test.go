package value_test

import (
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/value"
)

func of(t testing.TB, v any) value.Value {
	t.Helper()
	kind, data, err := bson.MarshalValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return value.Value{Type: bson.Type(kind), Value: data}
}

func decimal(t testing.TB, s string) bson.Decimal128 {
	t.Helper()
	d, err := bson.ParseDecimal128(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestOrder: groups of equal values, in the order that the manual's
// "Comparison/Sort Order" gives.
func TestOrder(t *testing.T) {
	groups := [][]any{
		{bson.MinKey{}},
		{bson.Undefined{}},
		{bson.Null{}},
		{math.NaN(), decimal(t, "NaN")},
		{math.Inf(-1), decimal(t, "-Infinity")},
		{int64(math.MinInt64), float64(math.MinInt64)},
		{int64(math.MinInt64) + 1},
		{-1.5, decimal(t, "-1.50")},
		{int32(-1), int64(-1), -1.0},
		{0.0, math.Copysign(0, -1), int32(0), decimal(t, "0"), decimal(t, "-0E+3")},
		{decimal(t, "0.1")},
		{0.1},
		{int32(1), int64(1), 1.0, decimal(t, "1.00")},
		{int64(1) << 53, float64(1 << 53)},
		{int64(1)<<53 + 1, decimal(t, "9007199254740993")},
		{decimal(t, "9007199254740993.5")},
		{int64(math.MaxInt64) - 1},
		{int64(math.MaxInt64)},
		{float64(math.MaxInt64)},
		{decimal(t, "1E+6000")},
		{math.Inf(1), decimal(t, "Infinity")},
		{""},
		{"a", bson.Symbol("a")},
		{"a\x00"},
		{"ab"},
		{"b"},
		{bson.D{}},
		{bson.D{{Key: "b", Value: 1}}, bson.D{{Key: "b", Value: 1.0}}},
		{bson.D{{Key: "b", Value: 1}, {Key: "a", Value: 1}}},
		{bson.D{{Key: "b", Value: 2}}},
		{bson.D{{Key: "c", Value: 1}}},
		{bson.D{{Key: "a", Value: "x"}}}, // the type of a field comes before its name
		{bson.A{}},
		{bson.A{1}},
		{bson.A{1, 1}},
		{bson.A{2}},
		{bson.Binary{Data: []byte{9}}},
		{bson.Binary{Subtype: 5, Data: []byte{1}}},
		{bson.Binary{Data: []byte{1, 1}}},
		{bson.ObjectID{1}},
		{bson.ObjectID{2}},
		{false},
		{true},
		{bson.DateTime(-1)},
		{bson.DateTime(1)},
		{bson.Timestamp{T: 1, I: 2}},
		{bson.Timestamp{T: 2, I: 1}},
		{bson.Regex{Pattern: "a"}},
		{bson.Regex{Pattern: "a", Options: "i"}},
		{bson.JavaScript("a")},
		{bson.MaxKey{}},
	}
	for i, g := range groups {
		for j, h := range groups {
			for _, a := range g {
				for _, b := range h {
					x, y := of(t, a), of(t, b)
					want := max(-1, min(1, i-j))
					if got := value.Compare(x, y); got != want {
						t.Errorf("Compare(%v, %v) = %d, want %d", x, y, got, want)
					}
					if kx, ky := value.Key(x), value.Key(y); (kx < ky) != (want < 0) || (kx == ky) != (want == 0) {
						t.Errorf("the keys of %v and %v are %x and %x; want %d", x, y, kx, ky, want)
					}
				}
			}
		}
	}
	if value.Compare(value.Value{}, value.Null()) >= 0 {
		t.Error("what is missing is not below null")
	}
}

func FuzzValidate(f *testing.F) {
	seed, err := bson.Marshal(bson.D{
		{Key: "a", Value: bson.A{1, "x", nil, bson.D{{Key: "b", Value: 2.5}}}},
		{Key: "c", Value: bson.CodeWithScope{Code: "f", Scope: bson.D{}}},
		{Key: "d", Value: bson.DBPointer{DB: "x"}}, {Key: "r", Value: bson.Regex{Pattern: "a", Options: "i"}},
		{Key: "n", Value: bson.NewDecimal128(1, 2)}, {Key: "o", Value: bson.Binary{Subtype: 2, Data: []byte{1}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("\x0f\x00\x00\x00\x05b\x00\x02\x00\x00\x00\x02ab\x00")) // subtype 2 without its second length
	f.Fuzz(func(t *testing.T, d []byte) {
		if value.Validate(d) != nil {
			return
		}
		// What is valid can be walked, keyed, compared and built again.
		v := value.Document(d)
		if value.Compare(v, v) != 0 {
			t.Error("a document differs from itself")
		}
		b := value.NewBuilder(nil)
		for name, e := range value.Elements(d) {
			b.Append(name, e)
			_ = value.Truthy(e)
			_, _ = value.Float(e)
		}
		if got := b.Doc(); string(got) != string(d) {
			t.Errorf("built again: %x, want %x", got, d)
		}
	})
}
