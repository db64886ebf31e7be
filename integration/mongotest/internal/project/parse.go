package project

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// parser reads one specification.
type parser struct {
	env    *expr.Env
	filter *match.Filter
	find   bool // of find: $slice, $elemMatch and the positional $
	set    bool // of $set: all values are expressions

	leaves     []leaf
	positional []string
}

// leaf is what a specification says of one path.
type leaf struct {
	path string
	entry
}

func (p *parser) read(prefix string, doc value.Doc) error {
	for name, v := range value.Elements(doc) {
		path := prefix + name
		if p.find && strings.HasSuffix(path, ".$") {
			path = strings.TrimSuffix(path, ".$")
			if err := p.position(path, v); err != nil {
				return err
			}
			continue
		}
		if p.find && strings.Contains(path, ".$.") {
			return fault.New(31394, "As of 4.4, it's illegal to specify positional operator in the middle of a path. Positional projection may only be used at the end, for example: a.b.$")
		}
		if err := expr.CheckPath(path); err != nil {
			return err
		}
		var err error
		switch {
		case p.set && v.Type == bson.TypeEmbeddedDocument && first(v) != "" && first(v)[0] != '$':
			err = p.read(path+".", value.Doc(v.Value))
		case p.set:
			err = p.compute(path, v)
		case value.IsNumber(v) || v.Type == bson.TypeBoolean:
			e := entry{kind: drop}
			if value.Truthy(v) {
				e.kind = keep
			}
			p.add(path, e)
		case v.Type != bson.TypeEmbeddedDocument:
			err = p.compute(path, v)
		case len(v.Value) == 5:
			err = fault.New(51270, "An empty sub-projection is not a valid value. Found empty object at path")
		case !strings.HasPrefix(first(v), "$"):
			err = p.read(path+".", value.Doc(v.Value))
		default:
			err = p.operator(path, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func first(v value.Value) string {
	for name := range value.Elements(value.Doc(v.Value)) {
		return name
	}
	return ""
}

func (p *parser) add(path string, e entry) { p.leaves = append(p.leaves, leaf{path, e}) }

func (p *parser) compute(path string, v value.Value) error {
	e, err := expr.Compile(v, p.env)
	p.add(path, entry{kind: computed, expr: e})
	return err
}

// operator reads {$operator: …}: those of find, else an expression.
func (p *parser) operator(path string, v value.Value) error {
	name := first(v)
	operand := value.Get(value.Doc(v.Value), name)
	if name == "$meta" {
		return fault.NotOffered("the projection $meta")
	}
	switch {
	case p.find && name == "$slice":
		if e, ok := findSlice(operand); ok {
			p.add(path, e)
			return nil
		}
	case p.find && name == "$elemMatch":
		switch {
		case operand.Type != bson.TypeEmbeddedDocument:
			return fault.New(31274, "elemMatch: Invalid argument, object required, but got %s", value.TypeName(operand.Type))
		case strings.Contains(path, "."):
			return fault.New(31275, "Cannot use $elemMatch projection on a nested field")
		}
		f, err := match.Compile(value.D(path, value.D("$elemMatch", operand)), p.env)
		p.add(path, entry{kind: elemMatch, filter: f})
		return err
	}
	return p.compute(path, v)
}

// findSlice reads find's own syntax of $slice: a count, or [skip, limit].
func findSlice(v value.Value) (entry, bool) {
	e := entry{kind: sliced}
	clamp := func(v value.Value) (int64, bool) {
		f, ok := value.Float(v)
		if !ok || f != f {
			return 0, false
		}
		return int64(max(-1<<31, min(f, 1<<31-1))), true
	}
	if v.Type != bson.TypeArray {
		var ok bool
		e.count, ok = clamp(v)
		return e, ok
	}
	items := value.Items(v)
	if len(items) != 2 {
		return e, false
	}
	var skip, limit bool
	e.positioned = true
	e.from, skip = clamp(items[0])
	e.count, limit = clamp(items[1])
	return e, skip && limit && e.count > 0
}

// position reads {"path.$": 1}.
func (p *parser) position(path string, v value.Value) error {
	switch {
	case !value.IsNumber(v) && v.Type != bson.TypeBoolean:
		return fault.New(31271, "positional projection cannot be used with an expression or sub object")
	case !value.Truthy(v):
		return fault.New(31395, "positional projection cannot be used with exclusion")
	case p.positional != nil:
		return fault.New(31276, "Cannot specify more than one positional projection per query.")
	case p.filter == nil:
		return fault.New(51050, "Projections with a positional operator require a query")
	}
	if err := expr.CheckPath(path); err != nil {
		return err
	}
	p.positional = strings.Split(path, ".")
	p.add(path, entry{kind: keep})
	return nil
}

// tree makes the projection's tree. Whether it is inclusive say all fields but
// _id, which may be the exception; without others, _id says.
func (p *parser) tree() (*tree, error) {
	var inclusion, exclusion, id *leaf
	matching := false
	for i := range p.leaves {
		l := &p.leaves[i]
		matching = matching || l.kind == elemMatch
		switch {
		case l.path == "_id" && (l.kind == keep || l.kind == drop):
			id = l
		case l.kind == drop:
			exclusion = l
			if inclusion != nil && inclusion.kind != computed {
				return nil, fault.New(31254, "Cannot do exclusion on field %s in inclusion projection", l.path)
			}
		case l.kind == sliced:
		case inclusion == nil || inclusion.kind == computed:
			inclusion = l
			if l.kind == keep && exclusion != nil {
				return nil, fault.New(31253, "Cannot do inclusion on field %s in exclusion projection", l.path)
			}
		}
	}
	if matching && p.positional != nil {
		return nil, fault.New(31255, "Cannot specify positional operator and $elemMatch.")
	}
	t := &tree{inclusive: inclusion != nil || exclusion == nil && id != nil && id.kind == keep}
	if inclusion != nil && exclusion != nil {
		return nil, fault.New(31252, "Cannot use an expression in an exclusion projection")
	}
	if t.inclusive && !slices.ContainsFunc(p.leaves, func(l leaf) bool { return l.path == "_id" || strings.HasPrefix(l.path, "_id.") }) {
		t.entries = append(t.entries, entry{name: "_id", kind: keep})
	}
	for _, l := range p.leaves {
		if l.path == "_id" && l.kind == drop && t.inclusive {
			continue // it has no entry, as all that is left out
		}
		if err := t.insert(l); err != nil {
			return nil, err
		}
	}
	t.finish()
	return t, nil
}

// insert puts what is said of a path in its place.
func (t *tree) insert(l leaf) error {
	parts := strings.Split(l.path, ".")
	for i, name := range parts {
		at := slices.IndexFunc(t.entries, func(e entry) bool { return e.name == name })
		last := i == len(parts)-1
		switch {
		case at >= 0 && (last || t.entries[at].kind != nested):
			if last && t.entries[at].kind != nested {
				return fault.New(31250, "Path collision at %s", l.path)
			}
			return fault.New(31249, "Path collision at %s remaining portion %s", l.path, strings.Join(parts[i+1:], "."))
		case last:
			l.entry.name = name
			t.entries = append(t.entries, l.entry)
			return nil
		case at < 0:
			at = len(t.entries)
			t.entries = append(t.entries, entry{name: name, kind: nested, sub: &tree{inclusive: t.inclusive}})
		}
		t = t.entries[at].sub
	}
	return nil
}
