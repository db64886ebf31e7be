package engine

import (
	"strconv"
	"strings"

	"github.com/tidwall/btree"
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// Index orders a collection's records by some of their fields.
type Index struct {
	Name   string
	Spec   value.Doc // the key pattern
	Unique bool
	Sparse bool
	Hidden bool
	// Partial, where it is set, says which documents are indexed.
	Partial    *match.Filter
	PartialDoc value.Doc
	// Expire is after how many seconds a document goes, counted from the date in
	// its one field; negative where it does not.
	Expire int64

	fields   []indexField
	multikey bool // whether a document ever had several keys
	tree     *btree.BTreeG[entry]
}

type indexField struct {
	path       []string
	descending bool
}

// entry is a place in an index: a key, and a record's number where keys can be
// shared.
type entry struct {
	key string
	n   int64
	rec *Record
}

func entryLess(a, b entry) bool {
	if a.key != b.key {
		return a.key < b.key
	}
	return a.n < b.n
}

func newIndex(name string, spec value.Doc) *Index {
	x := &Index{Name: name, Spec: spec, Expire: -1, tree: btree.NewBTreeGOptions(entryLess, btree.Options{NoLocks: true})}
	for field, v := range value.Elements(spec) {
		n, _ := value.Float(v)
		x.fields = append(x.fields, indexField{strings.Split(field, "."), n < 0})
	}
	return x
}

func (x *Index) copy() *Index {
	y := *x
	y.tree = x.tree.Copy()
	return &y
}

// primary says that an index is the one over _id.
func (x *Index) primary() bool { return x.Name == "_id_" }

type keySet struct {
	keys     []string
	multikey bool
}

// keys gives the keys of a document: one for each element of an array.
func (x *Index) keys(doc value.Doc) (keySet, error) {
	if x.Partial != nil {
		if ok, err := x.Partial.Match(doc); !ok || err != nil {
			return keySet{}, err
		}
	}
	set := keySet{keys: []string{""}}
	present := false
	for _, f := range x.fields {
		values, array := indexed(value.Document(doc), f.path, nil)
		if array && set.multikey {
			return keySet{}, fault.New(fault.CannotIndexParallelArrays, "cannot index parallel arrays in the index %s", x.Name)
		}
		set.multikey = set.multikey || array
		var next []string
		for _, v := range values {
			present = present || !value.Missing(v)
			if value.Missing(v) {
				v = value.Null()
			}
			key := value.AppendKey(nil, v)
			if f.descending {
				invert(key)
			}
			for _, before := range set.keys {
				next = append(next, before+string(key))
			}
		}
		set.keys = next
	}
	if x.Sparse && !present {
		return keySet{}, nil
	}
	for i := range set.keys {
		set.keys[i] += keyEnd
	}
	if set.multikey { // elements can be equal
		seen := map[string]bool{}
		unique := set.keys[:0]
		for _, key := range set.keys {
			if !seen[key] {
				seen[key] = true
				unique = append(unique, key)
			}
		}
		set.keys = unique
	}
	return set, nil
}

// keyEnd ends an index's key: a text's key may begin as that of a longer one does,
// which then goes on with 255, or with 0 where it is inverted.
const keyEnd = "\x01"

func invert(key []byte) {
	for i := range key {
		key[i] = ^key[i]
	}
}

// indexed gives the values that an index has of a path: those of each element
// where there is an array on the way, or at its end.
func indexed(v value.Value, path []string, to []value.Value) (values []value.Value, array bool) {
	if len(path) == 0 {
		if v.Type != bson.TypeArray {
			return append(to, v), false
		}
		items := value.Items(v)
		if len(items) == 0 {
			return append(to, value.Value{Type: bson.TypeUndefined}), true
		}
		return append(to, items...), true
	}
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		return indexed(value.Get(value.Doc(v.Value), path[0]), path[1:], to)
	case bson.TypeArray:
		if _, err := strconv.Atoi(path[0]); err == nil {
			if at := value.Get(value.Doc(v.Value), path[0]); !value.Missing(at) {
				return indexed(at, path[1:], to)
			}
		}
		n := len(to)
		for _, item := range value.Items(v) {
			if value.IsDocument(item) {
				to, _ = indexed(item, path, to)
			}
		}
		if len(to) == n {
			to = append(to, value.Value{})
		}
		return to, true
	}
	return append(to, value.Value{}), false
}

// free says whether a record may have its keys.
func (x *Index) free(c *Collection, rec *Record, keys keySet) error {
	if !x.Unique {
		return nil
	}
	for _, key := range keys.keys {
		taken := false
		x.tree.Ascend(entry{key: key, n: -1}, func(e entry) bool {
			if e.key != key {
				return false
			}
			taken = e.n != rec.N
			return !taken
		})
		if taken {
			return x.duplicate(c, rec.Doc)
		}
	}
	return nil
}

func (x *Index) add(rec *Record, keys keySet) {
	x.multikey = x.multikey || keys.multikey
	for _, key := range keys.keys {
		x.tree.Set(entry{key, rec.N, rec})
	}
}

// duplicate is the error for a key that another document has.
func (x *Index) duplicate(c *Collection, doc value.Doc) error {
	b := value.NewBuilder(nil)
	i := 0
	for name := range value.Elements(x.Spec) {
		values, _ := indexed(value.Document(doc), x.fields[i].path, nil)
		v := values[0]
		if value.Missing(v) {
			v = value.Null()
		}
		b.Append(name, v)
		i++
	}
	keys := b.Doc()
	e := fault.New(fault.DuplicateKey, "E11000 duplicate key error collection: %s index: %s dup key: %s", c.NS(), x.Name, keys)
	e.Extra = value.D("keyPattern", x.Spec, "keyValue", keys)
	return e
}

// Describe gives an index as listIndexes does.
func (x *Index) Describe() value.Doc {
	b := value.NewBuilder(nil)
	b.Append("v", value.Int32(2)).Append("key", value.Document(x.Spec)).Append("name", value.String(x.Name))
	if x.Unique && !x.primary() {
		b.Append("unique", value.Bool(true))
	}
	if x.Sparse {
		b.Append("sparse", value.Bool(true))
	}
	if x.Hidden {
		b.Append("hidden", value.Bool(true))
	}
	if x.PartialDoc != nil {
		b.Append("partialFilterExpression", value.Document(x.PartialDoc))
	}
	if x.Expire >= 0 {
		b.Append("expireAfterSeconds", value.Int(x.Expire))
	}
	return b.Doc()
}
