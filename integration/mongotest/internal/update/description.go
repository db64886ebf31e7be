package update

import (
	"strconv"
	"strings"

	"botwatch/integration/mongotest/internal/value"
)

// Description is what a change event's updateDescription says.
type Description struct {
	Updated       []Field         // updatedFields
	Removed       []string        // removedFields
	Truncated     []Truncation    // truncatedArrays
	Disambiguated []Disambiguated // disambiguatedPaths (6.1 and later)
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
// for fields, integers for positions in arrays.
type Disambiguated struct {
	Path  string
	Parts value.Value // an array
}

// diff is what changed in a document or in an array, as the oplog of 5.0 and
// later has it.
type diff struct {
	array   bool
	size    int // of an array that became shorter; else -1
	deletes []string
	updates []Field
	inserts []Field
	subs    []sub
	items   []item // of an array, ascending
}

type sub struct {
	name string
	diff *diff
}

type item struct {
	index int
	value value.Value // or
	diff  *diff
}

func newDiff(array bool) *diff { return &diff{array: array, size: -1} }

// add takes what became of a field, or of an element.
func (d *diff) add(name string, index int, o outcome) {
	if d.array {
		switch o.kind {
		case inside:
			d.items = append(d.items, item{index: index, diff: o.diff})
		case updated, created:
			d.items = append(d.items, item{index: index, value: o.value})
		case removed: // an element cannot be taken out by its position
			d.items = append(d.items, item{index: index, value: value.Null()})
		}
		return
	}
	switch o.kind {
	case inside:
		d.subs = append(d.subs, sub{name, o.diff})
	case updated:
		d.updates = append(d.updates, Field{name, o.value})
	case created:
		d.inserts = append(d.inserts, Field{name, o.value})
	case removed:
		d.deletes = append(d.deletes, name)
	}
}

// part is one part of a path: a field's name, or a position.
type part struct {
	name  string
	index int
	isPos bool
}

func (p part) String() string {
	if p.isPos {
		return strconv.Itoa(p.index)
	}
	return p.name
}

// describe tells the changes by their paths, level by level: what was removed,
// what changed, what is new, then what changed within.
func (d *diff) describe() Description {
	var out Description
	d.walk(nil, &out)
	return out
}

func (d *diff) walk(at []part, out *Description) {
	if d.array {
		if d.size >= 0 {
			out.Truncated = append(out.Truncated, Truncation{out.path(at), d.size})
		}
		for _, i := range d.items {
			to := append(at[:len(at):len(at)], part{index: i.index, isPos: true})
			if i.diff != nil {
				i.diff.walk(to, out)
			} else {
				out.Updated = append(out.Updated, Field{out.path(to), i.value})
			}
		}
		return
	}
	child := func(name string) []part { return append(at[:len(at):len(at)], part{name: name}) }
	for _, name := range d.deletes {
		out.Removed = append(out.Removed, out.path(child(name)))
	}
	for _, f := range d.updates {
		out.Updated = append(out.Updated, Field{out.path(child(f.Path)), f.Value})
	}
	for _, f := range d.inserts {
		out.Updated = append(out.Updated, Field{out.path(child(f.Path)), f.Value})
	}
	for _, s := range d.subs {
		s.diff.walk(child(s.name), out)
	}
}

// path writes a path and, where a field in it might be read as a position or as
// several fields, its parts. A first part cannot be a position, nor can a
// number with leading zeros.
func (d *Description) path(parts []part) string {
	texts := make([]string, len(parts))
	ambiguous := false
	for i, p := range parts {
		texts[i] = p.String()
		if !p.isPos && (strings.Contains(p.name, ".") || i > 0 && isIndex(p.name)) {
			ambiguous = true
		}
	}
	path := strings.Join(texts, ".")
	if ambiguous {
		values := make([]value.Value, len(parts))
		for i, p := range parts {
			if p.isPos {
				values[i] = value.Int32(int32(p.index))
			} else {
				values[i] = value.String(p.name)
			}
		}
		d.Disambiguated = append(d.Disambiguated, Disambiguated{path, value.Array(values...)})
	}
	return path
}

// isIndex says that a part of a path may be a position in an array.
func isIndex(name string) bool {
	if name == "" || len(name) > 1 && name[0] == '0' {
		return false
	}
	for i := range len(name) {
		if name[i] < '0' || name[i] > '9' {
			return false
		}
	}
	return true
}
