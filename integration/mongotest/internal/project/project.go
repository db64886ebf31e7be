// Package project has projections: which fields of a document are kept, left
// out or computed.
package project

import (
	"bytes"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// Projection is a compiled projection. It may be used concurrently.
type Projection struct {
	tree       *tree // nil: everything stays
	filter     *match.Filter
	positional []string // the path of the positional $
}

// CompileFind compiles the projection of find and findAndModify: inclusion,
// exclusion, $slice, $elemMatch, the positional $ (for which filter is the
// query, else nil) and expressions. An empty one keeps everything.
func CompileFind(spec value.Doc, filter *match.Filter, env *expr.Env) (*Projection, error) {
	if len(spec) <= 5 {
		return &Projection{}, nil
	}
	p := &parser{env: env, filter: filter, find: true}
	return p.compile(spec)
}

// CompileStage compiles the specification of $project.
func CompileStage(spec value.Doc, env *expr.Env) (*Projection, error) {
	if len(spec) <= 5 {
		return nil, fault.New(51272, "Invalid $project :: caused by :: projection specification must have at least one field")
	}
	p := &parser{env: env}
	return p.compile(spec)
}

// CompileSet compiles the specification of $set and $addFields.
func CompileSet(spec value.Doc, env *expr.Env) (*Projection, error) {
	if len(spec) <= 5 {
		return nil, fault.New(40177, "Invalid $set :: caused by :: specification must have at least one field")
	}
	p := &parser{env: env, set: true}
	if err := p.read("", spec); err != nil {
		return nil, err
	}
	t := &tree{}
	for _, l := range p.leaves {
		if err := t.insert(l); err != nil {
			return nil, err
		}
	}
	t.finish()
	return &Projection{tree: t}, nil
}

// CompileUnset compiles the specification of $unset: a path, or an array of
// them.
func CompileUnset(v value.Value) (*Projection, error) {
	paths := []value.Value{v}
	switch v.Type {
	case bson.TypeString:
	case bson.TypeArray:
		if paths = value.Items(v); len(paths) == 0 {
			return nil, fault.New(31119, "$unset specification must be a string or an array with at least one field")
		}
	default:
		return nil, fault.New(31002, "$unset specification must be a string or an array")
	}
	t := &tree{}
	for _, v := range paths {
		path, ok := value.Text(v)
		if !ok {
			return nil, fault.New(31120, "$unset specification must be a string or an array containing only string values")
		}
		if err := expr.CheckPath(path); err != nil {
			return nil, err
		}
		if err := t.insert(leaf{path, entry{kind: drop}}); err != nil {
			return nil, err
		}
	}
	t.finish()
	return &Projection{tree: t}, nil
}

func (p *parser) compile(spec value.Doc) (*Projection, error) {
	if err := p.read("", spec); err != nil {
		return nil, err
	}
	t, err := p.tree()
	if err != nil {
		return nil, err
	}
	return &Projection{tree: t, filter: p.filter, positional: p.positional}, nil
}

// buffers hold documents while they grow, so that the one that is given away
// has its own size.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Apply projects a document. The answer may be the document itself.
func (p *Projection) Apply(doc value.Doc) (value.Doc, error) {
	if p.tree == nil {
		return doc, nil
	}
	buffer := buffers.Get().(*[]byte)
	r := run{root: doc}
	out := p.tree.doc(&r, (*buffer)[:0], doc)
	given := value.Doc(bytes.Clone(out))
	if *buffer = out; cap(out) <= 32<<20 {
		buffers.Put(buffer)
	}
	if r.err != nil {
		return nil, r.err
	}
	if p.positional == nil {
		return given, nil
	}
	return p.position(doc, given)
}

// position keeps the element that matched, of the first array on the path of
// the positional $.
func (p *Projection) position(doc, out value.Doc) (value.Doc, error) {
	position, ok, err := p.filter.MatchAt(doc)
	if err != nil {
		return nil, err
	}
	if !ok {
		position = -1
	}
	return elementAt(out, p.positional, position)
}

func elementAt(doc value.Doc, path []string, position int) (value.Doc, error) {
	b := value.NewBuilder(nil)
	for name, v := range value.Elements(doc) {
		switch {
		case name != path[0]:
		case v.Type == bson.TypeArray:
			items := value.Items(v)
			switch {
			case position < 0:
				return nil, fault.New(51246, "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching element in the array")
			case position >= len(items):
				return nil, fault.New(51247, "Executor error during find command :: caused by :: positional operator '.$' element mismatch")
			}
			v = value.Array(items[position])
		case v.Type == bson.TypeEmbeddedDocument && len(path) > 1:
			sub, err := elementAt(value.Doc(v.Value), path[1:], position)
			if err != nil {
				return nil, err
			}
			v = value.Document(sub)
		}
		b.Append(name, v)
	}
	return b.Doc(), nil
}
