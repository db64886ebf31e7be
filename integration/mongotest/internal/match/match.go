// Package match has query filters: they are compiled once and matched against
// each document.
package match

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/value"
)

// Filter is a compiled query. It may be used concurrently.
type Filter struct {
	root  node
	plain bool // no collation: keys are those of package value

	// What CompileElement is about.
	exact   value.Value // an element that equals it
	by      *expr.Env
	queried bool // elements that are documents and match root
	wrapped bool // elements that, as a field "", match root
}

// Compile compiles a query; nil and an empty document match everything.
func Compile(filter value.Doc, env *expr.Env) (*Filter, error) {
	p := parser{env}
	root, err := p.query(filter)
	if err != nil {
		return nil, err
	}
	return &Filter{root: root, plain: env == nil || env.Collation == nil, by: env, queried: true}, nil
}

// CompileElement compiles a condition for the elements of an array, as $pull has
// it: an operator document ({$gte: 3}) and a regular expression test an element,
// any other document is a query on elements that are documents, any other value
// equals it.
func CompileElement(condition value.Value, env *expr.Env) (*Filter, error) {
	f := &Filter{by: env, exact: condition}
	p := parser{env}
	var err error
	switch {
	case isOperators(condition) && !logical(condition), condition.Type == bson.TypeRegex:
		f.wrapped = true
		f.root, err = p.conditions("", split(""), condition)
	case condition.Type == bson.TypeEmbeddedDocument:
		f.queried = true
		f.root, err = p.query(value.Doc(condition.Value))
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func logical(v value.Value) bool {
	name := first(v)
	return name == "$and" || name == "$or" || name == "$nor"
}

// Match says whether a document matches.
func (f *Filter) Match(doc value.Doc) (bool, error) {
	_, ok, err := f.root.match(doc, value.Value{})
	return ok, err
}

// MatchAt says whether a document matches, and which array element did: the
// position that a positional $ stands for; -1 where the filter names no array's
// element.
func (f *Filter) MatchAt(doc value.Doc) (position int, ok bool, err error) {
	return f.root.match(doc, value.Value{})
}

// MatchElement says whether an element matches what CompileElement compiled.
func (f *Filter) MatchElement(v value.Value) (bool, error) {
	switch {
	case f.wrapped:
		return f.Match(value.D("", v))
	case f.queried:
		if v.Type != bson.TypeEmbeddedDocument {
			return false, nil
		}
		return f.Match(value.Doc(v.Value))
	case f.by == nil:
		return value.Equal(v, f.exact), nil
	}
	return f.by.Collation.Equal(v, f.exact), nil
}

// Equality is a path that must equal a value.
type Equality struct {
	Path  string
	Value value.Value
}

// Equalities gives the equalities that all matching documents fulfil: those at
// the top and within $and, and a $or of one query; $eq, and $in and $all of one
// value. An upsert starts from them.
func (f *Filter) Equalities() []Equality { return equalities(nil, f.root) }

func equalities(list []Equality, n node) []Equality {
	switch n := n.(type) {
	case and:
		for _, part := range n {
			list = equalities(list, part)
		}
	case or:
		if len(n) == 1 {
			return equalities(list, n[0])
		}
	case *field:
		if t, ok := n.test.(*compared); ok && t.op == "$eq" {
			list = append(list, Equality{n.path, t.operand})
		}
	}
	return list
}
