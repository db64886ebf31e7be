package aggregate

import (
	"maps"
	"slices"

	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// lookup is $lookup: by equality of two fields, by a pipeline, or by both.
type lookup struct {
	env     *Env
	from    string
	as      []string
	local   []string // of localField; nil without
	foreign []string
	null    *match.Filter // foreignField is null or missing

	pipeline []value.Doc // nil without
	let      []variable
	nesting  int
}

type variable struct {
	name  string
	value *expr.Expr
}

func (c *compiler) compileLookup(v value.Value) (stage, error) {
	if !value.IsDocument(v) {
		return nil, fault.New(fault.FailedToParse, "the $lookup specification must be an object")
	}
	if c.Collection == nil {
		return nil, fault.NotOffered("$lookup here")
	}
	l := &lookup{env: c.Env, nesting: c.nesting}
	text := map[string]string{}
	for name, e := range value.Elements(value.Doc(v.Value)) {
		switch name {
		case "from", "as", "localField", "foreignField":
			s, ok := value.Text(e)
			if !ok && name == "from" && value.IsDocument(e) {
				return nil, fault.NotOffered("$lookup from another database")
			}
			if !ok {
				return nil, fault.New(fault.FailedToParse, "the $lookup argument '%s' must be a string, not %s", name, value.TypeName(e.Type))
			}
			text[name] = s
		case "pipeline":
			if !value.IsArray(e) {
				return nil, fault.New(fault.TypeMismatch, "the 'pipeline' of $lookup must be an array, not %s", value.TypeName(e.Type))
			}
			l.pipeline = []value.Doc{}
			for _, item := range value.Items(e) {
				if !value.IsDocument(item) {
					return nil, fault.New(fault.TypeMismatch, "each element of the 'pipeline' array must be an object")
				}
				l.pipeline = append(l.pipeline, value.Doc(item.Value))
			}
		case "let":
			if !value.IsDocument(e) {
				return nil, fault.New(fault.FailedToParse, "the $lookup argument 'let' must be an object, not %s", value.TypeName(e.Type))
			}
			let, err := compileLet(value.Doc(e.Value), c.Env.Env)
			if err != nil {
				return nil, err
			}
			l.let = let
		default:
			return nil, fault.New(fault.FailedToParse, "unknown argument to $lookup: %s", name)
		}
	}
	if err := l.fields(text); err != nil {
		return nil, err
	}
	sub, err := l.sub(nil)
	if err != nil {
		return nil, err
	}
	if _, ok := text["from"]; !ok && (sub == nil || sub.NeedsSource()) {
		return nil, fault.New(fault.FailedToParse, "missing 'from' option to $lookup stage specification, which may be left out only where its pipeline begins with $documents")
	}
	if l.local != nil && sub != nil && !sub.NeedsSource() {
		return nil, fault.NotOffered("$lookup with both 'localField' and $documents")
	}
	return func(source Iterator) Iterator { return &looking{lookup: l, source: source} }, nil
}

func (l *lookup) fields(text map[string]string) (err error) {
	l.from = text["from"]
	as, ok := text["as"]
	if !ok {
		return fault.New(fault.FailedToParse, "must specify 'as' field for a $lookup")
	}
	if l.as, err = fieldPath(as); err != nil {
		return err
	}
	local, hasLocal := text["localField"]
	foreign, hasForeign := text["foreignField"]
	switch {
	case hasLocal != hasForeign:
		return fault.New(fault.FailedToParse, "$lookup requires both or neither of 'localField' and 'foreignField' to be specified")
	case !hasLocal && l.pipeline == nil:
		return fault.New(fault.FailedToParse, "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified")
	case l.let != nil && l.pipeline == nil:
		return fault.New(fault.FailedToParse, "$lookup with a 'let' argument must also specify 'pipeline'")
	case !hasLocal:
		return nil
	}
	if l.local, err = fieldPath(local); err != nil {
		return err
	}
	if l.foreign, err = fieldPath(foreign); err != nil {
		return err
	}
	l.null, err = match.Compile(value.D(foreign, value.D("$eq", nil)), l.env.Env)
	return err
}

func compileLet(doc value.Doc, env *expr.Env) ([]variable, error) {
	let := []variable{}
	for name, v := range value.Elements(doc) {
		if name == "" || (name[0] < 'a' || name[0] > 'z') && name[0] < 0x80 {
			return nil, fault.New(fault.FailedToParse, "'%s' starts with an invalid character for a user variable name", name)
		}
		e, err := expr.Compile(v, env)
		if err != nil {
			return nil, err
		}
		let = append(let, variable{name, e})
	}
	return let, nil
}

// bind gives the variables' values for a document.
func bind(into map[string]value.Value, let []variable, doc value.Doc) error {
	for _, l := range let {
		v, err := l.value.Eval(doc)
		if err != nil {
			return err
		}
		into[l.name] = v
	}
	return nil
}

// withLet gives an environment with a map of its own for variables, which lacks
// no name.
func withLet(env *Env, let []variable) (*Env, map[string]value.Value) {
	names := maps.Clone(env.Let)
	if names == nil {
		names = map[string]value.Value{}
	}
	for _, l := range let {
		names[l.name] = value.Value{}
	}
	inner := *env.Env
	inner.Let = names
	return &Env{Env: &inner, Collection: env.Collection}, names
}

// sub compiles the pipeline; its variables are those in let. It is compiled for
// each run, so that runs do not share them.
func (l *lookup) sub(let map[string]value.Value) (*Pipeline, error) {
	if l.pipeline == nil {
		return nil, nil
	}
	env, names := withLet(l.env, l.let)
	if let != nil {
		maps.Copy(let, names)
		inner := *env.Env
		inner.Let = let
		env.Env = &inner
	}
	return compile(l.pipeline, env, l.nesting+1)
}

// maxMatches bounds the bytes that $lookup adds to one document.
const maxMatches = 64 << 20

type looking struct {
	*lookup
	source Iterator
	ready  bool
	table  *table
	values map[string]value.Value // of the variables
	inner  *Pipeline
}

func (l *looking) Next() (value.Doc, bool, error) {
	doc, ok, err := l.source.Next()
	if err != nil || !ok {
		return nil, false, err
	}
	if !l.ready {
		if err := l.prepare(); err != nil {
			return nil, false, err
		}
	}
	docs, err := l.find(doc)
	if err != nil {
		return nil, false, err
	}
	size := len(doc)
	for _, d := range docs {
		size += len(d)
	}
	if size > maxMatches {
		return nil, false, fault.New(4568, "the documents of '%s' that match exceed %d bytes", l.from, maxMatches)
	}
	return set(doc, l.as, value.Of(docs)), true, nil
}

func (l *looking) prepare() (err error) {
	l.values = map[string]value.Value{}
	if l.inner, err = l.sub(l.values); err != nil {
		return err
	}
	if l.local != nil {
		source, err := l.env.Collection(l.from)
		if err != nil {
			return err
		}
		if l.table, err = newTable(source, l.lookup); err != nil {
			return err
		}
	}
	l.ready = true
	return nil
}

func (l *looking) find(doc value.Doc) ([]value.Doc, error) {
	var source Iterator
	var err error
	switch {
	case l.table != nil:
		source = Docs(l.table.find(doc)...)
	case l.inner.NeedsSource():
		if source, err = l.env.Collection(l.from); err != nil {
			return nil, err
		}
	}
	if l.inner != nil {
		if err := bind(l.values, l.let, doc); err != nil {
			return nil, err
		}
		source = l.inner.Run(source)
	}
	return All(source)
}

// table has a collection's documents by the values that foreignField leads to.
type table struct {
	docs      []value.Doc
	byKey     map[string][]int
	null      []int
	local     []string
	collation *collation.Collation
}

func newTable(source Iterator, l *lookup) (*table, error) {
	docs, err := All(source)
	if err != nil {
		return nil, err
	}
	t := &table{docs: docs, byKey: map[string][]int{}, local: l.local, collation: l.env.Env.Collation}
	for i, doc := range docs {
		each(value.Document(doc), l.foreign, true, func(v value.Value) {
			if value.Nullish(v) {
				return
			}
			key := t.collation.Key(v)
			if at := t.byKey[key]; len(at) == 0 || at[len(at)-1] != i {
				t.byKey[key] = append(at, i)
			}
		})
		ok, err := l.null.Match(doc)
		if err != nil {
			return nil, err
		}
		if ok {
			t.null = append(t.null, i)
		}
	}
	return t, nil
}

// find gives the documents that equal a value of localField, in the
// collection's order. No value at all counts as null.
func (t *table) find(doc value.Doc) []value.Doc {
	var found []int
	some := false
	each(value.Document(doc), t.local, false, func(v value.Value) {
		some = true
		if value.Nullish(v) {
			found = append(found, t.null...)
		} else {
			found = append(found, t.byKey[t.collation.Key(v)]...)
		}
	})
	if !some {
		found = append(found, t.null...)
	}
	slices.Sort(found)
	found = slices.Compact(found)
	docs := make([]value.Doc, len(found))
	for i, at := range found {
		docs[i] = t.docs[at]
	}
	return docs
}
