// Package valuetest makes values for fuzz tests: of a vocabulary, so that what
// is tried are mostly queries, projections and expressions, not noise.
package valuetest

import (
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/value"
)

// Grower makes values of a vocabulary.
type Grower struct {
	Operators []string // names of documents with one field
	Names     []string // names of fields
	Texts     []string // strings
}

// depth is how deep values nest at most.
const depth = 12

var scalars = []value.Value{
	value.Int(0), value.Int(1), value.Int(2), value.Int(-1), value.Int(math.MaxInt32), value.Int64(5), value.Int64(math.MaxInt64), value.Int64(math.MinInt64),
	value.Double(0), value.Double(1.5), value.Double(-2), value.Double(1e300), value.Double(1e-300), value.Double(9.2e18),
	value.Double(math.NaN()), value.Double(math.Inf(-1)), value.Decimal(bson.NewDecimal128(0x3040000000000000, 15)),
	value.Decimal(bson.NewDecimal128(0x7c00000000000000, 0)), value.Decimal(bson.NewDecimal128(0x5ffe000000000000, 1)),
	value.DateTime(-1 << 62), value.DateTime(1.7e12), value.Null(), value.Bool(true), value.Bool(false),
	value.Timestamp(bson.Timestamp{T: 1, I: 2}), value.ObjectID(bson.ObjectID{1}), value.Binary(0, []byte{1, 2}),
	{Type: bson.TypeRegex, Value: []byte("^a\x00\x00")}, {Type: bson.TypeMinKey}, {Type: bson.TypeMaxKey}, {Type: bson.TypeUndefined},
}

// Value takes bytes off data, each of which chooses what comes next.
func (g Grower) Value(data *[]byte) value.Value { return g.value(data, 0) }

// Doc is Value for a document of a few fields.
func (g Grower) Doc(data *[]byte) value.Doc { return value.Doc(g.object(data, 0).Value) }

func next(data *[]byte) int {
	if len(*data) == 0 {
		return 0
	}
	c := (*data)[0]
	*data = (*data)[1:]
	return int(c)
}

func (g Grower) value(data *[]byte, level int) value.Value {
	if level > depth {
		return value.Int(1)
	}
	switch next(data) % 12 {
	case 0, 1:
		return value.Document(value.D(g.Operators[next(data)%len(g.Operators)], g.list(data, level)))
	case 2, 3:
		return value.Document(value.D(g.Operators[next(data)%len(g.Operators)], g.value(data, level+1)))
	case 4:
		return g.list(data, level)
	case 5, 6:
		return g.object(data, level)
	case 7, 8:
		return value.String(g.Texts[next(data)%len(g.Texts)])
	}
	return scalars[next(data)%len(scalars)]
}

func (g Grower) list(data *[]byte, level int) value.Value {
	items := make([]value.Value, next(data)%5)
	for i := range items {
		items[i] = g.value(data, level+1)
	}
	return value.Array(items...)
}

func (g Grower) object(data *[]byte, level int) value.Value {
	b := value.NewBuilder(nil)
	for range next(data) % 5 {
		b.Append(g.Names[next(data)%len(g.Names)], g.value(data, level+1))
	}
	return value.Document(b.Doc())
}
