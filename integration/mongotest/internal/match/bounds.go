package match

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/value"
)

// Interval is a range of keys, as value.Key makes them. An empty High is no
// limit.
type Interval struct {
	Low, High         string
	LowOpen, HighOpen bool
}

// Point says that an interval is one key.
func (i Interval) Point() bool { return i.Low == i.High && i.High != "" }

// Bounds gives ranges, ascending and apart from each other, outside of which no
// document matches: one whose values at the path (those of an array, on the way
// or at its end, in its place) have no key in them does not match. ok is false
// where the filter says nothing usable of the path. No range at all means that
// nothing matches.
//
// Two conditions on a path may be fulfilled by two elements of an array, so that
// Bounds takes the better one, except for _id, which is never an array.
func (f *Filter) Bounds(path string) (intervals []Interval, ok bool) {
	return f.bounds(path, path == "_id")
}

// ScalarBounds is Bounds for a path at which, and on the way to which, no
// document has an array: its ranges fulfil all conditions at once.
func (f *Filter) ScalarBounds(path string) (intervals []Interval, ok bool) {
	return f.bounds(path, true)
}

func (f *Filter) bounds(path string, scalar bool) ([]Interval, bool) {
	if !f.plain {
		return nil, false
	}
	for _, p := range split(path) {
		if p.index >= 0 { // a name or a position: more than a path's values
			return nil, false
		}
	}
	return bounds(f.root, path, scalar)
}

func bounds(n node, path string, scalar bool) ([]Interval, bool) {
	switch n := n.(type) {
	case always:
		return nil, !bool(n)
	case and:
		var best []Interval
		found := false
		for _, part := range n {
			switch b, ok := bounds(part, path, scalar); {
			case !ok:
			case !found:
				best, found = b, true
			case scalar:
				best = intersect(best, b)
			case cost(b) < cost(best):
				best = b
			}
		}
		return best, found
	case or:
		var all []Interval
		for _, part := range n {
			b, ok := bounds(part, path, scalar)
			if !ok {
				return nil, false
			}
			all = append(all, b...)
		}
		return union(all), true
	case *field:
		if e, ok := n.test.(elemMatch); ok {
			switch {
			case !e.query && n.path == path:
				return bounds(e.node, "", true) // one element fulfils all
			case e.query && strings.HasPrefix(path, n.path+"."):
				return bounds(e.node, path[len(n.path)+1:], false)
			}
			return nil, false
		}
		if n.path == path {
			return testBounds(n.test)
		}
	}
	return nil, false
}

func testBounds(t test) ([]Interval, bool) {
	switch t := t.(type) {
	case *compared:
		if !usable(t.operand) {
			return nil, false
		}
		key := value.Key(t.operand)
		low, high := bracket(t.rank)
		switch t.op {
		case "$eq":
			return []Interval{{Low: key, High: key}}, true
		case "$lt", "$lte":
			return []Interval{{Low: low, High: key, HighOpen: t.op == "$lt"}}, true
		default:
			return []Interval{{Low: key, High: high, LowOpen: t.op == "$gt", HighOpen: true}}, true
		}
	case *within:
		if t.null {
			return nil, false
		}
		var all []Interval
		for _, v := range t.values {
			if !usable(v) {
				return nil, false
			}
			key := value.Key(v)
			all = append(all, Interval{Low: key, High: key})
		}
		for _, p := range t.patterns {
			b, ok := testBounds(p)
			if !ok {
				return nil, false
			}
			all = append(all, b...)
		}
		return union(all), true
	case *pattern:
		if !t.anchored {
			return nil, false
		}
		// A key ends with a 0, which must not end the prefix's.
		low := value.Key(value.String(t.prefix))
		low = low[:len(low)-1]
		self := value.Key(t.value)
		return []Interval{{Low: low, High: after(low), HighOpen: true}, {Low: self, High: self}}, true
	}
	return nil, false
}

// usable says that a value's bracket is one whose keys an index has as they are.
func usable(v value.Value) bool {
	switch v.Type {
	case bson.TypeNull, bson.TypeUndefined, bson.TypeArray, bson.TypeMinKey, bson.TypeMaxKey:
		return false
	}
	return true
}

// bracket gives the keys around all values of a rank.
func bracket(rank byte) (low, high string) { return string([]byte{rank}), string([]byte{rank + 1}) }

// after gives the least key above all that begin with a prefix.
func after(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1])
		}
	}
	return ""
}

// cost guesses how much ranges let through: points let through least.
func cost(list []Interval) int {
	n := 0
	for _, i := range list {
		switch {
		case i.Point():
			n++
		case len(i.Low) <= 1 || len(i.High) <= 1: // one side is the bracket's
			n += 2_000_000
		default:
			n += 1_000_000
		}
	}
	return n
}

func compareLow(a, b Interval) int {
	if c := strings.Compare(a.Low, b.Low); c != 0 || a.LowOpen == b.LowOpen {
		return c
	}
	if a.LowOpen {
		return 1
	}
	return -1
}

func compareHigh(a, b Interval) int {
	switch {
	case a.High == "" || b.High == "":
		return min(len(b.High), 1) - min(len(a.High), 1)
	case a.High != b.High:
		return strings.Compare(a.High, b.High)
	case a.HighOpen == b.HighOpen:
		return 0
	case a.HighOpen:
		return -1
	}
	return 1
}

// union sorts ranges and joins those that meet.
func union(list []Interval) []Interval {
	slices.SortFunc(list, compareLow)
	var joined []Interval
	for _, i := range list {
		if n := len(joined); n > 0 {
			last := &joined[n-1]
			if last.High == "" || i.Low < last.High || i.Low == last.High && !(i.LowOpen && last.HighOpen) {
				if compareHigh(i, *last) > 0 {
					last.High, last.HighOpen = i.High, i.HighOpen
				}
				continue
			}
		}
		joined = append(joined, i)
	}
	return joined
}

// intersect gives what is in both of two lists of ranges.
func intersect(a, b []Interval) []Interval {
	var both []Interval
	for len(a) > 0 && len(b) > 0 {
		i := a[0]
		if compareLow(b[0], i) > 0 {
			i.Low, i.LowOpen = b[0].Low, b[0].LowOpen
		}
		if compareHigh(b[0], i) < 0 {
			i.High, i.HighOpen = b[0].High, b[0].HighOpen
		}
		if i.High == "" || i.Low < i.High || i.Low == i.High && !i.LowOpen && !i.HighOpen {
			both = append(both, i)
		}
		if compareHigh(a[0], b[0]) < 0 {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}
