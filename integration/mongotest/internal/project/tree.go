package project

import (
	"encoding/binary"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// kind says what becomes of a field.
type kind uint8

const (
	keep kind = iota
	drop
	nested    // its own fields are projected
	computed  // an expression's value
	sliced    // some elements of its array
	elemMatch // the first element of its array that matches
)

// entry is one field of a projection.
type entry struct {
	name string
	kind kind

	sub         *tree         // nested
	expr        *expr.Expr    // computed
	from, count int64         // sliced
	positioned  bool          // from counts
	filter      *match.Filter // elemMatch; of a document with the field alone
}

// tree is a projection of one level of fields.
type tree struct {
	inclusive bool // what has no entry goes
	late      bool // it makes fields that a document has not
	early     int  // how many entries a document's own fields meet
	entries   []entry
	index     map[string]int // of the entries, where they are many
}

// few is up to how many entries are looked up one by one.
const few = 8

// finish prepares a tree whose entries are all there.
func (t *tree) finish() {
	if len(t.entries) > few {
		t.index = make(map[string]int, len(t.entries))
	}
	for i := range t.entries {
		e := &t.entries[i]
		if t.index != nil {
			t.index[e.name] = i
		}
		if e.sub != nil {
			e.sub.finish()
		}
		if e.kind == computed || e.kind == elemMatch || e.kind == nested && e.sub.late {
			t.late = true
		}
		if !t.inclusive || e.kind != computed && e.kind != elemMatch {
			t.early++
		}
	}
}

// find gives the entry of a name, -1 where there is none.
func (t *tree) find(name []byte) int {
	if t.index != nil {
		if i, ok := t.index[string(name)]; ok {
			return i
		}
		return -1
	}
	for i := range t.entries {
		if string(name) == t.entries[i].name {
			return i
		}
	}
	return -1
}

// run projects one document.
type run struct {
	root value.Doc
	err  error
}

// seen are the entries that a document's own fields met.
type seen struct {
	first uint64
	rest  map[int]bool // from 64 on
}

func (s *seen) add(i int) {
	if i < 64 {
		s.first |= 1 << i
		return
	}
	if s.rest == nil {
		s.rest = map[int]bool{}
	}
	s.rest[i] = true
}

func (s *seen) has(i int) bool {
	if i < 64 {
		return s.first&(1<<i) != 0
	}
	return s.rest[i]
}

func begin(buf []byte) ([]byte, int) { return append(buf, 0, 0, 0, 0), len(buf) }

func end(buf []byte, at int) []byte {
	buf = append(buf, 0)
	binary.LittleEndian.PutUint32(buf[at:], uint32(len(buf)-at))
	return buf
}

func head(buf []byte, t bson.Type, name []byte) []byte {
	return append(append(append(buf, byte(t)), name...), 0)
}

// doc appends a document as the tree has it.
func (t *tree) doc(r *run, buf []byte, doc value.Doc) []byte {
	buf, start := begin(buf)
	met := 0
	var had seen
	for rest := value.Fields(doc); len(rest) > 0 && r.err == nil; {
		if met == t.early { // the rest has no entries
			if !t.inclusive {
				buf = append(buf, rest...)
			}
			break
		}
		name, v, tail := value.Next(rest)
		field := rest[:len(rest)-len(tail)]
		rest = tail
		i := t.find(name)
		if i < 0 {
			if !t.inclusive {
				buf = append(buf, field...)
			}
			continue
		}
		e := &t.entries[i]
		switch e.kind {
		case keep:
			buf = append(buf, field...)
		case nested:
			buf = e.sub.field(r, buf, name, v, field)
			had.add(i)
		case sliced:
			buf = e.slice(buf, name, v, field)
		case computed, elemMatch:
			if t.inclusive { // they come at the end, and do not count as met
				continue
			}
			buf = e.append(r, buf, value.Doc{}, v)
			had.add(i)
		}
		met++
	}
	if t.late {
		buf = t.rest(r, buf, doc, &had)
	}
	return end(buf, start)
}

// rest appends what a document has not of itself.
func (t *tree) rest(r *run, buf []byte, doc value.Doc, had *seen) []byte {
	for i := range t.entries {
		if r.err != nil {
			return buf
		}
		e := &t.entries[i]
		switch {
		case had.has(i):
		case e.kind == computed || e.kind == elemMatch:
			buf = e.append(r, buf, doc, value.Value{})
		case e.kind == nested && e.sub.late:
			buf = e.sub.fresh(r, head(buf, bson.TypeEmbeddedDocument, []byte(e.name)))
		}
	}
	return buf
}

// fresh appends the document that computed fields make where there was none.
func (t *tree) fresh(r *run, buf []byte) []byte {
	buf, start := begin(buf)
	return end(t.rest(r, buf, nil, &seen{}), start)
}

// field appends a field whose own fields the tree projects: each element's, of
// an array. What has none goes or stays, as the projection is inclusive
// or not, but a computed field replaces it by a document.
func (t *tree) field(r *run, buf []byte, name []byte, v value.Value, field []byte) []byte {
	switch {
	case v.Type == bson.TypeEmbeddedDocument:
		return t.doc(r, head(buf, v.Type, name), value.Doc(v.Value))
	case v.Type == bson.TypeArray:
		buf, start := begin(head(buf, v.Type, name))
		n := int64(0)
		var digits [20]byte
		for rest := value.Fields(value.Doc(v.Value)); len(rest) > 0 && r.err == nil; {
			_, item, tail := value.Next(rest)
			rest = tail
			before := len(buf)
			index := strconv.AppendInt(digits[:0], n, 10)
			if buf = t.field(r, buf, index, item, nil); len(buf) > before {
				n++
			}
		}
		return end(buf, start)
	case t.late:
		return t.fresh(r, head(buf, bson.TypeEmbeddedDocument, name))
	case t.inclusive:
		return buf
	case field == nil: // an array's element, which may come to have another index
		return append(head(buf, v.Type, name), v.Value...)
	}
	return append(buf, field...)
}

// append appends a computed field, or one by $elemMatch.
func (e *entry) append(r *run, buf []byte, doc value.Doc, v value.Value) []byte {
	if e.kind == elemMatch {
		if v.Type == 0 {
			v = value.Get(doc, e.name)
		}
		if v.Type != bson.TypeArray {
			return buf
		}
		position, ok, err := e.filter.MatchAt(value.D(e.name, v))
		if err != nil {
			r.err = err
		}
		if !ok || position < 0 {
			return buf
		}
		v = value.Array(value.Items(v)[position])
	} else {
		var err error
		if v, err = e.expr.Eval(r.root); err != nil {
			r.err = err
			return buf
		}
		if v.Type == 0 {
			return buf
		}
	}
	if len(buf)+len(v.Value) > expr.MaxSize {
		r.err = fault.New(fault.BSONObjectTooLarge, "a projected document takes more than %d bytes", expr.MaxSize)
		return buf
	}
	return append(head(buf, v.Type, []byte(e.name)), v.Value...)
}

// slice appends an array's slice; what is no array as it is.
func (e *entry) slice(buf []byte, name []byte, v value.Value, field []byte) []byte {
	if v.Type != bson.TypeArray {
		return append(buf, field...)
	}
	part := value.Array(expr.Slice(value.Items(v), e.from, e.count, e.positioned)...)
	return append(head(buf, part.Type, name), part.Value...)
}
