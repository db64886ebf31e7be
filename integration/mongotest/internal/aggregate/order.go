package aggregate

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// Order is how a sort specification orders documents, in $sort and in find. It
// may be used concurrently.
type Order struct {
	fields    []orderField
	collation *collation.Collation
}

type orderField struct {
	path       []string
	descending bool
}

// CompileOrder compiles {field: 1 or -1 …}; an empty specification is an error,
// as in $sort.
func CompileOrder(spec value.Doc, c *collation.Collation) (*Order, error) {
	o := &Order{collation: c}
	for name, v := range value.Elements(spec) {
		if value.IsDocument(v) {
			return nil, fault.NotOffered("$meta in a sort specification")
		}
		if !value.IsNumber(v) {
			return nil, fault.New(15974, "the sort key ordering must be specified using a number or {$meta: 'textScore'}")
		}
		n, ok := value.Integer(v)
		if !ok || n != 1 && n != -1 {
			return nil, fault.New(15975, "the sort key ordering must be 1 (for ascending) or -1 (for descending)")
		}
		path := strings.Split(name, ".")
		switch {
		case name == "":
			return nil, fault.New(40352, "a field path in a sort specification must not be empty")
		case slices.Contains(path, ""):
			return nil, fault.New(15998, "the field path '%s' in a sort specification has an empty part", name)
		case name[0] == '$':
			return nil, fault.New(16410, "the field path '%s' in a sort specification must not start with '$'", name)
		case len(path) > value.MaxDepth:
			return nil, fault.New(fault.Overflow, "the path has more than %d parts", value.MaxDepth)
		}
		o.fields = append(o.fields, orderField{path, n < 0})
	}
	if len(o.fields) == 0 {
		return nil, fault.New(15976, "$sort stage must have at least one sort key")
	}
	return o, nil
}

// Key gives bytes that order as the documents do. Of an array on a path or at
// its end, the element counts that comes first in the order; an empty array
// counts as undefined, a missing field as null. Arrays at two places that do
// not contain each other are an error.
func (o *Order) Key(doc value.Doc) ([]byte, error) {
	at := make([]place, len(o.fields))
	for i, f := range o.fields {
		at[i] = place{v: value.Document(doc), rest: f.path}
	}
	return o.best(nil, at)
}

// place is where one of the paths has got to.
type place struct {
	v    value.Value
	rest []string
	done bool
}

// best gives the least of the keys that the combinations of elements make.
func (o *Order) best(least []byte, at []place) ([]byte, error) {
	array := -1 // a path that has got to an array
	for i := range at {
		if at[i].walk(); at[i].done {
			continue
		}
		if array < 0 {
			array = i
		} else if !o.same(array, i, at) {
			return nil, fault.New(fault.BadValue, "cannot sort with keys that are parallel arrays")
		}
	}
	if array < 0 {
		key := o.key(at)
		if least == nil || bytes.Compare(key, least) < 0 {
			return key, nil
		}
		return least, nil
	}
	items := value.Items(at[array].v)
	none := len(items) == 0
	if none {
		items = []value.Value{{Type: value.Undefined}}
	}
	var err error
	for _, item := range items {
		next := slices.Clone(at)
		for i := range next {
			if next[i].done {
				continue
			}
			switch {
			case len(next[i].rest) == 0:
				next[i] = place{v: item, done: true}
			case value.IsDocument(item):
				next[i].v = item
			default:
				next[i] = place{v: value.Null(), done: true}
			}
		}
		if least, err = o.best(least, next); err != nil {
			return nil, err
		}
	}
	return least, nil
}

// walk follows a path to its end or to an array.
func (p *place) walk() {
	for !p.done {
		switch {
		case value.IsArray(p.v):
			if len(p.rest) == 0 {
				return
			}
			i, err := strconv.Atoi(p.rest[0])
			if err != nil || i < 0 {
				return
			}
			p.v, p.rest = element(p.v, i), p.rest[1:]
		case len(p.rest) == 0:
			p.done = true
		case value.IsDocument(p.v):
			p.v, p.rest = value.Get(value.Doc(p.v.Value), p.rest[0]), p.rest[1:]
		default:
			p.v, p.done = value.Null(), true
		}
	}
}

// element gives an element of an array; the missing value where there is none.
func element(v value.Value, i int) value.Value {
	for _, e := range value.Elements(value.Doc(v.Value)) {
		if i == 0 {
			return e
		}
		i--
	}
	return value.Value{}
}

// same says that two paths have got to one array.
func (o *Order) same(i, j int, at []place) bool {
	a := o.fields[i].path[:len(o.fields[i].path)-len(at[i].rest)]
	b := o.fields[j].path[:len(o.fields[j].path)-len(at[j].rest)]
	return slices.Equal(a, b)
}

func (o *Order) key(at []place) []byte {
	var key []byte
	for i, p := range at {
		v := p.v
		if value.Missing(v) {
			v = value.Null()
		}
		start := len(key)
		key = o.collation.AppendKey(key, v)
		if o.fields[i].descending { // no key is another one's beginning
			for j := start; j < len(key); j++ {
				key[j] = ^key[j]
			}
		}
	}
	return key
}

type keyed struct {
	key []byte
	doc value.Doc
}

// Sort draws all documents and gives them in order: those that are equal as
// they came, and no more than limit.
func (o *Order) Sort(source Iterator, limit int64) ([]value.Doc, error) {
	var all []keyed
	sort := func() {
		slices.SortStableFunc(all, func(a, b keyed) int { return bytes.Compare(a.key, b.key) })
		if int64(len(all)) > limit {
			clear(all[limit:])
			all = all[:limit]
		}
	}
	for {
		doc, ok, err := source.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		key, err := o.Key(doc)
		if err != nil {
			return nil, err
		}
		all = append(all, keyed{key, doc})
		if limit <= 1<<20 && int64(len(all)) >= 2*limit+1000 {
			sort()
		}
	}
	sort()
	docs := make([]value.Doc, len(all))
	for i, k := range all {
		docs[i] = k.doc
	}
	return docs, nil
}

// sorting is a $sort, of which a $limit right behind it needs only so many.
type sorting struct {
	order *Order
	limit int64
}

func (c *compiler) compileSort(v value.Value) (stage, error) {
	if !value.IsDocument(v) {
		return nil, fault.New(15973, "the $sort key specification must be an object")
	}
	o, err := CompileOrder(value.Doc(v.Value), c.Env.Env.Collation)
	if err != nil {
		return nil, err
	}
	s := &sorting{o, math.MaxInt64}
	c.lastSort = s
	return gather(func(source Iterator) ([]value.Doc, error) { return s.order.Sort(source, s.limit) }), nil
}
