// Package match has query filters: they are compiled once and matched against
// each document.
package match

import (
	"errors"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/value"
)

// Filter is a compiled query. It may be used concurrently.
type Filter struct{}

// Compile compiles a query; nil and an empty document match everything.
func Compile(filter value.Doc, env *expr.Env) (*Filter, error) { return nil, errors.New("not yet") }

// CompileElement compiles a condition for the elements of an array, as $pull has
// it: an operator document ({$gte: 3}) tests the element itself, any other
// document is a query on elements that are documents, any other value equals it
// (a regular expression matches).
func CompileElement(condition value.Value, env *expr.Env) (*Filter, error) {
	return nil, errors.New("not yet")
}

// Match says whether a document matches.
func (f *Filter) Match(doc value.Doc) (bool, error) { return true, nil }

// MatchAt says whether a document matches, and which array element did: the
// position that a positional $ stands for; -1 where the filter names no array's
// element.
func (f *Filter) MatchAt(doc value.Doc) (position int, ok bool, err error) { return -1, true, nil }

// MatchElement says whether an element matches what CompileElement compiled.
func (f *Filter) MatchElement(v value.Value) (bool, error) { return true, nil }

// Equality is a path that must equal a value.
type Equality struct {
	Path  string
	Value value.Value
}

// Equalities gives the equalities that all matching documents fulfil: those at
// the top and within $and; $eq, and $in and $all of one value. An upsert starts from them.
func (f *Filter) Equalities() []Equality { return nil }

// Interval is a range of keys, as value.Key makes them. An empty High is no
// limit.
type Interval struct {
	Low, High         string
	LowOpen, HighOpen bool
}

// Bounds gives ranges, ascending and apart from each other, outside of which no document matches: a document whose values
// at the path (each element of an array on the way or at its end, and that array itself) have no key within them
// does not. ok is false where the filter says nothing usable of the path.
// No range at all means that nothing matches.
func (f *Filter) Bounds(path string) (intervals []Interval, ok bool) { return nil, false }
