package update

import (
	"bytes"
	"slices"
	"strings"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// push is $push: $each, $position, $sort and $slice in that order.
type push struct {
	values   []value.Value
	position int // negative: from the end
	atEnd    bool
	slice    int
	sliced   bool
	sort     *order
}

// order is how $push sorts: whole elements, or by fields of them.
type order struct {
	sign   int
	fields []orderField // none: whole elements
}

type orderField struct {
	path []string
	sign int
}

func parsePush(_ *Update, path string, v value.Value) (operator, error) {
	each := value.Value{}
	if value.IsDocument(v) {
		each = value.Get(value.Doc(v.Value), "$each")
	}
	if value.Missing(each) {
		return &push{values: []value.Value{v}, atEnd: true}, nil
	}
	if !value.IsArray(each) {
		return nil, fault.New(fault.BadValue, "the argument to $each in $push must be an array but it was of type: %s", value.TypeName(each.Type))
	}
	p := &push{values: value.Items(each), atEnd: true}
	for name, clause := range value.Elements(value.Doc(v.Value)) {
		switch name {
		case "$each":
		case "$position", "$slice":
			n, ok := value.Integer(clause)
			if !ok {
				return nil, fault.New(fault.BadValue, "the value for %s must be an integer value but was given type: %s", name, value.TypeName(clause.Type))
			}
			n = max(min(n, 1<<30), -1<<30)
			if name == "$position" {
				p.position, p.atEnd = int(n), false
			} else {
				p.slice, p.sliced = int(n), true
			}
		case "$sort":
			o, err := parseOrder(clause)
			if err != nil {
				return nil, err
			}
			p.sort = o
		default:
			return nil, fault.New(fault.BadValue, "unrecognized clause in $push: %s", name)
		}
	}
	return p, nil
}

func parseOrder(v value.Value) (*order, error) {
	sign := func(v value.Value) (int, bool) {
		n, ok := value.Integer(v)
		return int(n), ok && (n == 1 || n == -1)
	}
	if value.IsNumber(v) {
		n, ok := sign(v)
		if !ok {
			return nil, fault.New(fault.BadValue, "the $sort element value must be either 1 or -1")
		}
		return &order{sign: n}, nil
	}
	if !value.IsDocument(v) {
		return nil, fault.New(fault.BadValue, "the $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields")
	}
	o := &order{}
	for name, e := range value.Elements(value.Doc(v.Value)) {
		n, ok := sign(e)
		if !ok {
			return nil, fault.New(fault.BadValue, "the $sort element value must be either 1 or -1")
		}
		path, err := splitPath(name)
		if err != nil {
			return nil, fault.New(fault.BadValue, "the $sort field '%s' is a dotted field but has an empty part", name)
		}
		o.fields = append(o.fields, orderField{path, n})
	}
	if len(o.fields) == 0 {
		return nil, fault.New(fault.BadValue, "the $sort pattern is empty when it should be a set of fields")
	}
	return o, nil
}

func (o *push) viability(*run) viability { return creates }

func (o *push) apply(r *run, path string, v value.Value) (outcome, error) {
	if !value.Missing(v) && !value.IsArray(v) {
		return outcome{}, fault.New(fault.BadValue, "the field '%s' must be an array but is of type %s in document {_id: %s}", path, value.TypeName(v.Type), show(value.Get(r.doc, "_id")))
	}
	var before []value.Value
	if !value.Missing(v) {
		before = value.Items(v)
	}
	at := len(before)
	if !o.atEnd {
		if at = o.position; at < 0 {
			at = max(0, len(before)+at)
		}
		at = min(at, len(before))
	}
	items := slices.Insert(slices.Clone(before), at, o.values...)
	if o.sort != nil {
		slices.SortStableFunc(items, func(a, b value.Value) int { return o.sort.compare(r, a, b) })
	}
	whole := len(items)
	if o.sliced {
		if o.slice >= 0 {
			items = items[:min(o.slice, whole)]
		} else {
			items = items[max(0, whole+o.slice):]
		}
	}
	now := value.Array(items...)
	if !value.Missing(v) && bytes.Equal(v.Value, now.Value) {
		return outcome{kind: same, value: v}, nil
	}
	if len(before) == 0 || at < len(before) || o.sort != nil || len(items) < whole {
		return outcome{kind: updated, value: now}, nil
	}
	d := newDiff(true)
	for i, e := range items[at:] {
		d.items = append(d.items, item{index: at + i, value: e})
	}
	return outcome{kind: appended, value: now, diff: d}, nil
}

func (o *order) compare(r *run, a, b value.Value) int {
	if o.fields == nil {
		return r.update.env.Collation.Compare(a, b) * o.sign
	}
	for _, f := range o.fields {
		if c := r.update.env.Collation.Compare(lookup(a, f.path), lookup(b, f.path)); c != 0 {
			return c * f.sign
		}
	}
	return 0
}

// lookup gives what is at a path; null where nothing is.
func lookup(v value.Value, path []string) value.Value {
	for _, name := range path {
		if !value.IsDocument(v) && !value.IsArray(v) {
			return value.Null()
		}
		v = value.Get(value.Doc(v.Value), name)
	}
	if value.Missing(v) {
		return value.Null()
	}
	return v
}

type addToSet struct{ values []value.Value }

func parseAddToSet(_ *Update, _ string, v value.Value) (operator, error) {
	if value.IsDocument(v) {
		names, values := fields(value.Doc(v.Value))
		if len(names) > 0 && names[0] == "$each" {
			if !value.IsArray(values[0]) {
				return nil, fault.New(fault.TypeMismatch, "the argument to $each in $addToSet must be an array but it was of type %s", value.TypeName(values[0].Type))
			}
			if len(names) > 1 {
				return nil, fault.New(fault.BadValue, "found unexpected fields after $each in $addToSet: %s", strings.Join(names[1:], ", "))
			}
			return &addToSet{value.Items(values[0])}, nil
		}
	}
	return &addToSet{[]value.Value{v}}, nil
}

func (o *addToSet) viability(*run) viability { return creates }

func (o *addToSet) apply(r *run, path string, v value.Value) (outcome, error) {
	var items []value.Value
	seen := map[string]bool{}
	if !value.Missing(v) {
		if !value.IsArray(v) {
			return outcome{}, fault.New(fault.BadValue, "cannot apply $addToSet to non-array field. Field named '%s' has non-array type %s", path, value.TypeName(v.Type))
		}
		items = value.Items(v)
		for _, e := range items {
			seen[r.update.env.Collation.Key(e)] = true
		}
	}
	before := len(items)
	for _, e := range o.values {
		if key := r.update.env.Collation.Key(e); !seen[key] {
			seen[key] = true
			items = append(items, e)
		}
	}
	if len(items) == before && !value.Missing(v) {
		return outcome{kind: same, value: v}, nil
	}
	return outcome{kind: updated, value: value.Array(items...)}, nil
}

// pull is $pull and $pullAll.
type pull struct {
	name  string
	match func(r *run, v value.Value) (bool, error)
}

func parsePull(u *Update, _ string, v value.Value) (operator, error) {
	f, err := match.CompileElement(v, u.env)
	if err != nil {
		return nil, err
	}
	return &pull{"$pull", func(_ *run, v value.Value) (bool, error) { return f.MatchElement(v) }}, nil
}

func parsePullAll(u *Update, _ string, v value.Value) (operator, error) {
	if !value.IsArray(v) {
		return nil, fault.New(fault.BadValue, "$pullAll requires an array argument but was given a %s", value.TypeName(v.Type))
	}
	gone := map[string]bool{}
	for _, e := range value.Items(v) {
		gone[u.env.Collation.Key(e)] = true
	}
	return &pull{"$pullAll", func(r *run, v value.Value) (bool, error) { return gone[r.update.env.Collation.Key(v)], nil }}, nil
}

func (o *pull) viability(*run) viability { return mustBeViable }

func (o *pull) apply(r *run, _ string, v value.Value) (outcome, error) {
	if !value.IsArray(v) {
		return outcome{}, fault.New(fault.BadValue, "cannot apply %s to a non-array value", o.name)
	}
	items := value.Items(v)
	var kept []value.Value
	for _, e := range items {
		ok, err := o.match(r, e)
		if err != nil {
			return outcome{}, err
		}
		if !ok {
			kept = append(kept, e)
		}
	}
	if len(kept) == len(items) {
		return outcome{kind: same, value: v}, nil
	}
	return outcome{kind: updated, value: value.Array(kept...)}, nil
}

type pop struct{ first bool }

func parsePop(_ *Update, path string, v value.Value) (operator, error) {
	if !value.IsNumber(v) {
		return nil, fault.New(fault.FailedToParse, "expected a number in: %s: %s", path, show(v))
	}
	n, ok := value.Integer(v)
	if !ok || n != 1 && n != -1 {
		return nil, fault.New(fault.FailedToParse, "$pop expects 1 or -1, found: %s", show(v))
	}
	return pop{first: n == -1}, nil
}

func (o pop) viability(*run) viability { return mustBeViable }

func (o pop) apply(_ *run, path string, v value.Value) (outcome, error) {
	if !value.IsArray(v) {
		return outcome{}, fault.New(fault.TypeMismatch, "path '%s' contains an element of non-array type '%s'", path, value.TypeName(v.Type))
	}
	items := value.Items(v)
	if len(items) == 0 {
		return outcome{kind: same, value: v}, nil
	}
	if o.first {
		items = items[1:]
	} else {
		items = items[:len(items)-1]
	}
	return outcome{kind: updated, value: value.Array(items...)}, nil
}
