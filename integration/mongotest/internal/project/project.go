// Package project has projections: which fields of a document are kept, left
// out or computed.
package project

import (
	"errors"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// Projection is a compiled projection. It may be used concurrently.
type Projection struct{}

// CompileFind compiles the projection of find and findAndModify: inclusion,
// exclusion, $slice, $elemMatch, the positional $ (for which filter is the
// query, else nil) and expressions.
func CompileFind(spec value.Doc, filter *match.Filter, env *expr.Env) (*Projection, error) {
	return nil, errors.New("not yet")
}

// CompileStage compiles the specification of $project.
func CompileStage(spec value.Doc, env *expr.Env) (*Projection, error) {
	return nil, errors.New("not yet")
}

// CompileSet compiles the specification of $set and $addFields.
func CompileSet(spec value.Doc, env *expr.Env) (*Projection, error) {
	return nil, errors.New("not yet")
}

// CompileUnset compiles the specification of $unset: a path, or an array of
// them.
func CompileUnset(v value.Value) (*Projection, error) { return nil, errors.New("not yet") }

// Apply projects a document. The answer may be the document itself.
func (p *Projection) Apply(doc value.Doc) (value.Doc, error) { return doc, nil }
