// Package update has updates of documents: replacements, update operators and
// update pipelines. They are compiled once and applied to each document.
package update

import (
	"errors"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// Update is a compiled update. It may be used concurrently.
type Update struct{}

// Result is what an update made of a document.
type Result struct {
	Doc     value.Doc // the document itself where nothing changed
	Changed bool      // false where the update came to nothing

	// Description says what an operator or a pipeline update changed; it is empty
	// for replacements, and for documents that are about to be inserted.
	Description Description
}

// Description is what a change event's updateDescription says.
type Description struct {
	Updated   []Field         // updatedFields
	Removed   []string        // removedFields
	Truncated []Truncation    // truncatedArrays
	Ambiguous []Disambiguated // disambiguatedPaths (6.1 and later)
}

// Field is a path and the value that is there now.
type Field struct {
	Path  string
	Value value.Value
}

// Truncation is an array that became shorter.
type Truncation struct {
	Path string
	Size int
}

// Disambiguated tells the parts of a path whose text leaves them open: strings
// for fields, integers for the positions in arrays.
type Disambiguated struct {
	Path  string
	Parts value.Value
}

// Compile compiles an update: a document of operators, a replacement, or a
// pipeline (an array). env may be nil.
func Compile(u value.Value, arrayFilters []value.Doc, env *expr.Env) (*Update, error) {
	return nil, errors.New("not yet")
}

// IsReplacement says that the update replaces whole documents. Commands refuse
// those where many documents may match.
func (u *Update) IsReplacement() bool { return false }

// NeedsPosition says that the update has a positional $, so that Apply wants
// the position of the matched element.
func (u *Update) NeedsPosition() bool { return false }

// Apply updates a document. position is that of the array element which the
// query matched (-1 for none); inserting says that an upsert builds a document,
// so that $setOnInsert counts. Neither the size of the document nor the _id of
// a new one are checked or made.
func (u *Update) Apply(doc value.Doc, position int, inserting bool) (Result, error) {
	return Result{}, errors.New("not yet")
}

// Upsert gives the document that an upsert inserts where the filter matched
// nothing: the equalities of the filter, updated. _id comes first; where there
// is none, the caller adds one. filter may be nil.
func (u *Update) Upsert(filter *match.Filter) (value.Doc, error) {
	return nil, errors.New("not yet")
}
