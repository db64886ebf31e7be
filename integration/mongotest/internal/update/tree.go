package update

import (
	"slices"
	"strconv"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// run is one application to one document.
type run struct {
	update    *Update
	doc       value.Doc // as it was
	position  int
	inserting bool
}

// kind is what became of a value.
type kind int

const (
	same    kind = iota
	updated      // another value
	created      // a value where there was none
	removed
	inside   // a document or an array with changes within
	appended // an array with new elements at its end; diff has them
)

type outcome struct {
	kind  kind
	value value.Value // the new one; that which was there for same
	diff  *diff       // for inside and appended
}

// maxBackfill is how many nulls an array may be filled up with.
const maxBackfill = 1_500_000

func (r *run) apply(n *node, at string, v value.Value) (outcome, error) {
	if n.leaf != nil {
		return r.applyLeaf(n.leaf, v)
	}
	if len(n.elements) > 0 {
		return r.applyElements(n, at, v)
	}
	return r.inner(n, v)
}

func (r *run) applyLeaf(l *leaf, v value.Value) (outcome, error) {
	if value.Missing(v) && l.operator.viability(r) != creates {
		return outcome{kind: same}, nil
	}
	o, err := l.operator.apply(r, l.path, v)
	if err != nil {
		return outcome{}, err
	}
	switch {
	case o.kind == appended:
		o.kind = inside
	case o.kind == updated && value.Missing(v):
		o.kind = created
	}
	return o, nil
}

// named gives the children of a node with the positional $ among them.
func (r *run) named(n *node) ([]child, error) {
	if n.positional == nil {
		return n.children, nil
	}
	if r.position < 0 {
		return nil, fault.New(fault.BadValue, "the positional operator did not find the match needed from the query")
	}
	name := strconv.Itoa(r.position)
	children := slices.Clone(n.children)
	at := place(&children, name)
	if *at == nil {
		*at = n.positional
		return children, nil
	}
	both, err := merge(name, *at, n.positional)
	*at = both
	return children, err
}

// inner applies what is named below a document or an array.
func (r *run) inner(n *node, v value.Value) (outcome, error) {
	children, err := r.named(n)
	if err != nil {
		return outcome{}, err
	}
	switch {
	case value.IsDocument(v):
		return r.within(children, v)
	case value.IsArray(v):
		return r.withinArray(children, v)
	case !value.Missing(v):
		for _, c := range children {
			if err := r.unreachable(c.node, c.name, v); err != nil {
				return outcome{}, err
			}
		}
		return outcome{kind: same, value: v}, nil
	}
	b := value.NewBuilder(nil)
	some := false
	for _, c := range children {
		o, err := r.apply(c.node, c.name, value.Value{})
		if err != nil {
			return outcome{}, err
		}
		if o.kind == created {
			b.Append(c.name, o.value)
			some = true
		}
	}
	if !some {
		return outcome{kind: same}, nil
	}
	return outcome{kind: created, value: value.Document(b.Doc())}, nil
}

// unreachable gives the error, if there is one, for paths that lead through a
// value that has no fields.
func (r *run) unreachable(n *node, name string, v value.Value) error {
	var first error
	n.walk(func(l *leaf) bool {
		switch l.operator.viability(r) {
		case creates:
			first = fault.New(fault.PathNotViable, "cannot create field '%s' in element %s", name, show(v))
		case mustBeViable:
			first = fault.New(fault.PathNotViable, "cannot use the part (%s) of (%s) to traverse the element %s", name, l.path, show(v))
		}
		return first == nil
	})
	return first
}

func (n *node) walk(f func(*leaf) bool) bool {
	if n.leaf != nil {
		return f(n.leaf)
	}
	for _, c := range slices.Concat(n.children, n.elements) {
		if !c.node.walk(f) {
			return false
		}
	}
	return n.positional == nil || n.positional.walk(f)
}

func (r *run) within(children []child, v value.Value) (outcome, error) {
	doc := value.Doc(v.Value)
	d := newDiff(false)
	outcomes := make([]outcome, len(children))
	some := false
	grow := 0
	for i, c := range children {
		o, err := r.apply(c.node, c.name, value.Get(doc, c.name))
		if err != nil {
			return outcome{}, err
		}
		outcomes[i] = o
		if o.kind != same {
			d.add(c.name, 0, o)
			some = true
			grow += len(c.name) + len(o.value.Value) + 2
		}
	}
	if !some {
		return outcome{kind: same, value: v}, nil
	}
	b := value.NewBuilder(make([]byte, 0, len(doc)+grow))
	done := make([]bool, len(children))
	for name, e := range value.Elements(doc) {
		i := slices.IndexFunc(children, func(c child) bool { return c.name == name })
		if i < 0 || done[i] {
			b.Append(name, e)
			continue
		}
		done[i] = true
		switch o := outcomes[i]; o.kind {
		case same:
			b.Append(name, e)
		case removed:
		default:
			b.Append(name, o.value)
		}
	}
	for i, o := range outcomes {
		if o.kind == created {
			b.Append(children[i].name, o.value)
		}
	}
	return outcome{kind: inside, value: value.Document(b.Doc()), diff: d}, nil
}

func (r *run) withinArray(children []child, v value.Value) (outcome, error) {
	items := value.Items(v)
	d := newDiff(true)
	for _, c := range children {
		i, err := strconv.Atoi(c.name)
		if !isIndex(c.name) || err != nil {
			if err := r.unreachable(c.node, c.name, v); err != nil {
				return outcome{}, err
			}
			continue
		}
		if i < len(items) {
			o, err := r.apply(c.node, c.name, items[i])
			if err != nil {
				return outcome{}, err
			}
			r.put(items, i, o, d)
			continue
		}
		o, err := r.apply(c.node, c.name, value.Value{})
		if err != nil {
			return outcome{}, err
		}
		if o.kind != created {
			continue
		}
		if i-len(items) > maxBackfill {
			return outcome{}, fault.New(fault.BadValue, "cannot backfill an array with more than %d elements", maxBackfill)
		}
		for len(items) < i {
			items = append(items, value.Null())
		}
		items = append(items, o.value)
		d.add("", i, o)
	}
	return arrayOutcome(v, items, d), nil
}

// put puts what became of an element in its place.
func (r *run) put(items []value.Value, i int, o outcome, d *diff) {
	switch o.kind {
	case same:
		return
	case removed:
		items[i] = value.Null()
	default:
		items[i] = o.value
	}
	d.add("", i, o)
}

func arrayOutcome(v value.Value, items []value.Value, d *diff) outcome {
	if len(d.items) == 0 {
		return outcome{kind: same, value: v}
	}
	return outcome{kind: inside, value: value.Array(items...), diff: d}
}

// applyElements applies what is named for each element of an array.
func (r *run) applyElements(n *node, at string, v value.Value) (outcome, error) {
	if value.Missing(v) {
		return outcome{}, fault.New(fault.BadValue, "the path '%s' must exist in the document in order to apply array updates", at)
	}
	if !value.IsArray(v) {
		return outcome{}, fault.New(fault.BadValue, "cannot apply array updates to non-array element %s: %s", at, show(v))
	}
	items := value.Items(v)
	d := newDiff(true)
	for i, item := range items {
		var to *node
		name := strconv.Itoa(i)
		for _, c := range n.elements {
			if c.name != "" {
				ok, err := r.update.filters[c.name].Match(value.NewBuilder(make([]byte, 0, len(item.Value)+16)).Append(c.name, item).Doc())
				if err != nil {
					return outcome{}, err
				}
				if !ok {
					continue
				}
			}
			if to == nil {
				to = c.node
				continue
			}
			var err error
			if to, err = merge(name, to, c.node); err != nil {
				return outcome{}, err
			}
		}
		if to == nil {
			continue
		}
		o, err := r.apply(to, name, item)
		if err != nil {
			return outcome{}, err
		}
		r.put(items, i, o, d)
	}
	return arrayOutcome(v, items, d), nil
}

// merge joins two nodes that turn out to stand for the same place.
func merge(at string, a, b *node) (*node, error) {
	if a.leaf != nil || b.leaf != nil || (len(a.elements) > 0) != (len(b.elements) > 0) {
		return nil, fault.New(fault.ConflictingUpdateOperators, "update created a conflict at '%s'", at)
	}
	both := &node{children: slices.Clone(a.children), elements: slices.Clone(a.elements), positional: a.positional}
	join := func(name string, to **node, n *node) (err error) {
		if *to == nil {
			*to = n
			return nil
		}
		*to, err = merge(name, *to, n)
		return err
	}
	for _, c := range b.children {
		if err := join(c.name, place(&both.children, c.name), c.node); err != nil {
			return nil, err
		}
	}
	for _, c := range b.elements {
		if err := join(c.name, place(&both.elements, c.name), c.node); err != nil {
			return nil, err
		}
	}
	if b.positional != nil {
		if err := join("$", &both.positional, b.positional); err != nil {
			return nil, err
		}
	}
	return both, nil
}
