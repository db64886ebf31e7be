package match

import (
	"bytes"
	"sort"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/value"
)

// node is a part of a query. It is asked of a document or, within an $elemMatch
// of operators, of one element: self. The position is that of the element of
// the outermost array on the path that made it match, -1 where there is none.
type node interface {
	match(doc value.Doc, self value.Value) (position int, ok bool, err error)
}

type always bool

func (n always) match(value.Doc, value.Value) (int, bool, error) { return -1, bool(n), nil }

type and []node

func (n and) match(doc value.Doc, self value.Value) (int, bool, error) {
	position := -1
	for _, part := range n {
		at, ok, err := part.match(doc, self)
		if err != nil || !ok {
			return -1, false, err
		}
		if at >= 0 {
			position = at
		}
	}
	return position, true, nil
}

type or []node

func (n or) match(doc value.Doc, self value.Value) (int, bool, error) {
	for _, part := range n {
		if at, ok, err := part.match(doc, self); err != nil || ok {
			return at, ok, err
		}
	}
	return -1, false, nil
}

type not struct{ node }

func (n not) match(doc value.Doc, self value.Value) (int, bool, error) {
	_, ok, err := n.node.match(doc, self)
	return -1, !ok, err
}

type expression struct{ *expr.Expr }

func (n expression) match(doc value.Doc, _ value.Value) (int, bool, error) {
	v, err := n.Eval(doc)
	return -1, err == nil && value.Truthy(v), err
}

// field tests the values at a path; no path is the element itself.
type field struct {
	path string
	test test
	// whole says that an array at the path's end is tested as such, and its
	// elements are not.
	whole bool
	parts []part
}

// part is one name of a path; index is what it stands for in an array, -1 for
// nothing.
type part struct {
	name  string
	index int
}

func (n *field) match(doc value.Doc, self value.Value) (int, bool, error) {
	if len(n.parts) == 0 {
		return n.test.test(self)
	}
	return n.in(doc, 0)
}

// in tests what a document has at the parts from i on.
func (n *field) in(doc value.Doc, i int) (int, bool, error) {
	for ; ; i++ {
		v := value.Get(doc, n.parts[i].name)
		switch {
		case v.Type == bson.TypeArray:
			return n.elements(v, i+1)
		case i+1 == len(n.parts):
			return n.test.test(v)
		case v.Type != bson.TypeEmbeddedDocument:
			return n.test.test(value.Value{})
		}
		doc = value.Doc(v.Value)
	}
}

// elements tests an array that was reached with the parts from i on left: each
// element that is a document has the rest of the path, and the element that
// the next name counts to stands at that name.
func (n *field) elements(array value.Value, i int) (int, bool, error) {
	last := i == len(n.parts)
	if last && n.whole {
		return n.test.test(array)
	}
	at := 0
	for rest := value.Fields(value.Doc(array.Value)); len(rest) > 0; at++ {
		var v value.Value
		_, v, rest = value.Next(rest)
		var ok bool
		var err error
		switch {
		case last:
			_, ok, err = n.test.test(v)
		case v.Type == bson.TypeEmbeddedDocument:
			_, ok, err = n.in(value.Doc(v.Value), i)
		}
		if err == nil && !ok && !last && n.parts[i].index == at {
			switch {
			case i+1 == len(n.parts):
				_, ok, err = n.test.test(v)
			case v.Type == bson.TypeEmbeddedDocument:
				_, ok, err = n.in(value.Doc(v.Value), i+1)
			case v.Type == bson.TypeArray:
				_, ok, err = n.elements(v, i+1)
			}
		}
		if err != nil || ok {
			return at, ok, err
		}
	}
	if last {
		return n.test.test(array)
	}
	return -1, false, nil
}

// test says whether one value does.
type test interface {
	test(v value.Value) (position int, ok bool, err error)
}

// compared holds a value against another one of its bracket.
type compared struct {
	op      string // $eq, $lt, $lte, $gt, $gte
	operand value.Value
	rank    byte
	nan     bool
	by      *collation.Collation
}

func (t *compared) test(v value.Value) (int, bool, error) { return -1, t.holds(v), nil }

func (t *compared) holds(v value.Value) bool {
	equal := t.op == "$eq" || t.op == "$lte" || t.op == "$gte"
	switch t.operand.Type {
	case bson.TypeNull:
		return equal && value.Nullish(v)
	case bson.TypeMinKey:
		if v.Type != bson.TypeMinKey {
			return t.op == "$gt" || t.op == "$gte"
		}
	case bson.TypeMaxKey:
		if v.Type != bson.TypeMaxKey {
			return t.op == "$lt" || t.op == "$lte"
		}
	}
	if value.Rank(v.Type) != t.rank || v.Type == 0 || v.Type == bson.TypeUndefined {
		return false
	}
	if t.nan || isNaN(v) {
		return equal && t.nan && isNaN(v)
	}
	switch c := t.by.Compare(v, t.operand); t.op {
	case "$eq":
		return c == 0
	case "$lt":
		return c < 0
	case "$lte":
		return c <= 0
	case "$gt":
		return c > 0
	default:
		return c >= 0
	}
}

func isNaN(v value.Value) bool {
	switch v.Type {
	case bson.TypeDouble:
		f := v.Double()
		return f != f
	case bson.TypeDecimal128:
		return v.Decimal128().IsNaN()
	}
	return false
}

// within is $in: of values, sorted, and of patterns.
type within struct {
	values   []value.Value
	null     bool // what is missing counts
	patterns []*pattern
	by       *collation.Collation
}

func (t *within) test(v value.Value) (int, bool, error) {
	if value.Nullish(v) {
		return -1, t.null, nil
	}
	i := sort.Search(len(t.values), func(i int) bool { return t.by.Compare(t.values[i], v) >= 0 })
	if i < len(t.values) && t.by.Compare(t.values[i], v) == 0 {
		return -1, true, nil
	}
	for _, p := range t.patterns {
		if p.matches(v) {
			return -1, true, nil
		}
	}
	return -1, false, nil
}

type exists struct{}

func (exists) test(v value.Value) (int, bool, error) { return -1, v.Type != 0, nil }

// typed is $type.
type typed struct {
	types  [256]bool
	number bool
}

func (t *typed) test(v value.Value) (int, bool, error) {
	return -1, v.Type != 0 && (t.types[v.Type] || t.number && value.IsNumber(v)), nil
}

type sized int64

func (t sized) test(v value.Value) (int, bool, error) {
	if v.Type != bson.TypeArray {
		return -1, false, nil
	}
	n := int64(0)
	for rest := value.Fields(value.Doc(v.Value)); len(rest) > 0; n++ {
		_, _, rest = value.Next(rest)
	}
	return -1, n == int64(t), nil
}

type modulo struct{ divisor, remainder int64 }

func (t modulo) test(v value.Value) (int, bool, error) {
	n, ok := truncated(v)
	return -1, ok && n%t.divisor == t.remainder, nil
}

// elemMatch is an $elemMatch. Of a query, it asks elements that are documents,
// and arrays as documents with names 0, 1 …; of operators, it asks the elements.
type elemMatch struct {
	node  node
	query bool
}

func (t elemMatch) test(v value.Value) (int, bool, error) {
	if v.Type != bson.TypeArray {
		return -1, false, nil
	}
	at := 0
	for rest := value.Fields(value.Doc(v.Value)); len(rest) > 0; at++ {
		var e value.Value
		_, e, rest = value.Next(rest)
		var doc value.Doc
		if t.query {
			if e.Type != bson.TypeEmbeddedDocument && e.Type != bson.TypeArray {
				continue
			}
			doc = value.Doc(e.Value)
		}
		if _, ok, err := t.node.match(doc, e); err != nil || ok {
			return at, ok, err
		}
	}
	return -1, false, nil
}

// bits is $bitsAllSet and its like, of a mask in little-endian bytes.
type bits struct {
	mask       []byte
	all, clear bool
}

func (t bits) test(v value.Value) (int, bool, error) {
	var data []byte
	var sign byte
	switch v.Type {
	case bson.TypeBinary:
		_, data = v.Binary()
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128:
		n, ok := value.Integer(v)
		if !ok {
			return -1, false, nil
		}
		if n < 0 {
			sign = 0xff // integers go on with their sign
		}
		data = bytes8(n)
	default:
		return -1, false, nil
	}
	every, some := true, false
	for i, m := range t.mask {
		b := sign
		if i < len(data) {
			b = data[i]
		}
		if t.clear {
			b = ^b
		}
		every = every && b&m == m
		some = some || b&m != 0
	}
	if t.all {
		return -1, every, nil
	}
	return -1, some, nil
}

func (p *pattern) test(v value.Value) (int, bool, error) { return -1, p.matches(v), nil }

func (p *pattern) matches(v value.Value) bool {
	switch v.Type {
	case bson.TypeString, bson.TypeSymbol:
		return p.compiled.Match(v.Value[4 : len(v.Value)-1])
	case bson.TypeRegex:
		return bytes.Equal(v.Value, p.value.Value)
	}
	return false
}
