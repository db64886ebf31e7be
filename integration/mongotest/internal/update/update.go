// Package update has updates of documents: replacements, update operators and
// update pipelines. They are compiled once and applied to each document.
package update

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// Update is a compiled update. It may be used concurrently.
type Update struct {
	env         *expr.Env
	replacement value.Doc // one of these three
	tree        *node
	stages      []stage
	filters     map[string]*match.Filter // arrayFilters by identifier
	positional  bool
	deep        bool // the result may nest too deeply
}

// Result is what an update made of a document.
type Result struct {
	Doc     value.Doc // the document itself where nothing changed
	Changed bool      // false where the update came to nothing

	// Replaced says that a change event is to be a replace rather than an update:
	// always for replacements, and for pipelines that changed too much to be
	// worth a description.
	Replaced bool

	// Description says what else changed; it is empty for documents that are
	// about to be inserted.
	Description Description
}

// Compile compiles an update: a document of operators, a replacement, or a
// pipeline (an array). env may be nil.
func Compile(u value.Value, arrayFilters []value.Doc, env *expr.Env) (*Update, error) {
	if env == nil {
		env = &expr.Env{}
	}
	c := &Update{env: env}
	switch {
	case value.IsArray(u):
		if len(arrayFilters) > 0 {
			return nil, fault.New(fault.FailedToParse, "arrayFilters may not be specified for pipeline-style updates")
		}
		stages, err := compileStages(u, env)
		if err != nil {
			return nil, err
		}
		c.stages, c.deep = stages, true
		return c, nil
	case !value.IsDocument(u):
		return nil, fault.New(fault.FailedToParse, "an update must be a document or an array, not %s", value.TypeName(u.Type))
	}
	for name := range value.Elements(value.Doc(u.Value)) {
		if name != "" && name[0] == '$' {
			return c, c.compileOperators(value.Doc(u.Value), arrayFilters)
		}
		break
	}
	if len(arrayFilters) > 0 {
		return nil, fault.New(fault.FailedToParse, "arrayFilters may not be specified for replacement-style updates")
	}
	for name := range value.Elements(value.Doc(u.Value)) {
		if name != "" && name[0] == '$' {
			return nil, fault.New(fault.DollarPrefixedFieldName, "the dollar ($) prefixed field '%s' is not allowed in an update's replacement document", name)
		}
	}
	c.replacement = value.Doc(u.Value)
	return c, nil
}

// IsReplacement says that the update replaces whole documents. Commands refuse
// those where many documents may match.
func (u *Update) IsReplacement() bool { return u.replacement != nil }

// IsPipeline says that the update is a pipeline.
func (u *Update) IsPipeline() bool { return u.replacement == nil && u.tree == nil }

// NeedsPosition says that the update has a positional $, so that Apply wants
// the position of the matched element.
func (u *Update) NeedsPosition() bool { return u.positional }

// Apply updates a document. position is that of the array element which the
// query matched (-1 for none); inserting says that an upsert builds a document,
// so that $setOnInsert counts. Neither the size of the document nor the _id of
// a new one are checked or made.
func (u *Update) Apply(doc value.Doc, position int, inserting bool) (Result, error) {
	var result Result
	var err error
	switch {
	case u.replacement != nil:
		result, err = u.replace(doc, inserting)
	case u.tree != nil:
		result, err = u.operate(doc, position, inserting)
	default:
		result, err = u.transform(doc)
	}
	if err != nil {
		return Result{}, err
	}
	if !result.Changed {
		return Result{Doc: doc}, nil
	}
	if id := value.Get(doc, "_id"); !value.Missing(id) {
		if now := value.Get(result.Doc, "_id"); !value.Equal(id, now) {
			return Result{}, fault.New(fault.ImmutableField, "performing an update on the path '_id' would modify the immutable field '_id' from %s", show(id))
		}
	}
	if u.deep && tooDeep(result.Doc, value.MaxDepth) {
		return Result{}, fault.New(fault.Overflow, "the document exceeds the maximum nesting depth of %d", value.MaxDepth)
	}
	if inserting {
		result.Description, result.Replaced = Description{}, false
	}
	return result, nil
}

// replace keeps the _id of the document that goes. A timestamp of zero at the
// top becomes the present one, as in an insert.
func (u *Update) replace(doc value.Doc, inserting bool) (Result, error) {
	id := value.Get(u.replacement, "_id")
	if value.Missing(id) {
		id = value.Get(doc, "_id")
	}
	b := value.NewBuilder(make([]byte, 0, len(u.replacement)+32))
	b.Append("_id", id)
	for name, v := range value.Elements(u.replacement) {
		if name == "_id" {
			continue
		}
		if v.Type == bson.TypeTimestamp && bytes.Equal(v.Value, make([]byte, 8)) && u.env.ClusterTime.T != 0 {
			v = value.Timestamp(u.env.ClusterTime)
		}
		b.Append(name, v)
	}
	now := b.Doc()
	return Result{Doc: now, Changed: inserting || !bytes.Equal(doc, now), Replaced: true}, nil
}

func (u *Update) operate(doc value.Doc, position int, inserting bool) (Result, error) {
	r := &run{update: u, doc: doc, position: position, inserting: inserting}
	o, err := r.inner(u.tree, value.Document(doc))
	if err != nil {
		return Result{}, err
	}
	if o.kind == same {
		return Result{Doc: doc}, nil
	}
	return Result{Doc: value.Doc(o.value.Value), Changed: true, Description: o.diff.describe()}, nil
}

// Upsert gives the document that an upsert inserts where the filter matched
// nothing: the equalities of the filter, updated. _id comes first; where there
// is none, the caller adds one. filter may be nil.
func (u *Update) Upsert(filter *match.Filter) (value.Doc, error) {
	var equalities []match.Equality
	if filter != nil {
		equalities = filter.Equalities()
	}
	base, err := u.base(equalities)
	if err != nil {
		return nil, err
	}
	result, err := u.Apply(base, -1, true)
	if err != nil {
		return nil, err
	}
	id := value.Get(result.Doc, "_id")
	switch id.Type {
	case 0:
		return result.Doc, nil
	case bson.TypeArray, bson.TypeRegex, value.Undefined:
		return nil, fault.New(fault.InvalidIdField, "the '_id' value cannot be of type %s", value.TypeName(id.Type))
	}
	if value.IsDocument(id) {
		for name := range value.Elements(value.Doc(id.Value)) {
			if name != "" && name[0] == '$' {
				return nil, fault.New(fault.DollarPrefixedFieldName, "the dollar ($) prefixed field '%s' in '_id' is not allowed", name)
			}
		}
	}
	return idFirst(result.Doc, id), nil
}

// idFirst moves _id to the front, or puts it there.
func idFirst(doc value.Doc, id value.Value) value.Doc {
	b := value.NewBuilder(make([]byte, 0, len(doc)+len(id.Value)+8))
	b.Append("_id", id)
	first := true
	for name, v := range value.Elements(doc) {
		if name != "_id" {
			b.Append(name, v)
		} else if first {
			return doc
		}
		first = false
	}
	return b.Doc()
}

// show gives a value for messages.
func show(v value.Value) string {
	const limit = 200
	if len(v.Value) > 4*limit {
		return "a large " + value.TypeName(v.Type)
	}
	s := v.String()
	if s == "" {
		return value.TypeName(v.Type)
	}
	return s[:min(len(s), limit)]
}

// tooDeep says that a document nests deeper than levels.
func tooDeep(d value.Doc, levels int) bool {
	for _, v := range value.Elements(d) {
		if !value.IsDocument(v) && !value.IsArray(v) {
			continue
		}
		if levels == 0 || tooDeep(value.Doc(v.Value), levels-1) {
			return true
		}
	}
	return false
}

// depth gives how many levels of documents a value has.
func depth(v value.Value) int {
	if !value.IsDocument(v) && !value.IsArray(v) {
		return 0
	}
	most := 0
	for _, e := range value.Elements(value.Doc(v.Value)) {
		most = max(most, depth(e))
	}
	return most + 1
}
