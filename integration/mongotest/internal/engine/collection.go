package engine

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"strings"

	"github.com/tidwall/btree"
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// UUID identifies a collection; one that is made anew has another.
type UUID [16]byte

// Value gives a UUID as BSON has it.
func (u UUID) Value() value.Value { return value.Binary(bson.TypeBinaryUUID, u[:]) }

func newUUID() UUID {
	var u UUID
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// Record is a stored document. Records do not change: a write puts another one
// with the same number in its place.
type Record struct {
	N   int64  // its place in natural order
	Key string // its _id's
	Doc value.Doc
}

// View is what a view shows: a collection, or another view, through a pipeline.
type View struct {
	On       string
	Pipeline []value.Doc
}

// Collection is a collection as it stands. The Store's lock guards it.
type Collection struct {
	DB, Name string
	UUID     UUID
	Options  value.Doc // as create got them
	View     *View     // nil for a collection of its own documents

	images    bool          // changeStreamPreAndPostImages
	capped    int64         // bytes at most; 0 where it is not capped
	maxDocs   int64         // documents at most, where it is capped; 0 for any number
	validator *match.Filter // nil for none
	level     string        // validationLevel; "" is strict
	warnOnly  bool          // validationAction
	dropped   bool

	next    int64
	bytes   int64
	natural *btree.BTreeG[*Record]
	ids     *Index
	indexes []*Index // the others
}

func newCollection(db, name string) *Collection {
	return &Collection{
		DB: db, Name: name, UUID: newUUID(),
		natural: btree.NewBTreeGOptions(func(a, b *Record) bool { return a.N < b.N }, btree.Options{NoLocks: true}),
		ids:     newIndex("_id_", value.D("_id", 1)),
	}
}

// NS gives a collection's namespace.
func (c *Collection) NS() string { return c.DB + "." + c.Name }

// copy gives a collection as it is now, which later writes do not change.
func (c *Collection) copy() *Collection {
	d := *c
	d.natural = c.natural.Copy()
	d.ids = c.ids.copy()
	d.indexes = make([]*Index, len(c.indexes))
	for i, x := range c.indexes {
		d.indexes[i] = x.copy()
	}
	return &d
}

func (c *Collection) byKey(key string) *Record {
	e, ok := c.ids.tree.Get(entry{key: key})
	if !ok {
		return nil
	}
	return e.rec
}

// put stores a document in place of another one, or of none, with its indexes.
// A duplicate key changes nothing.
func (c *Collection) put(old *Record, doc value.Doc) (*Record, error) {
	rec := &Record{Doc: doc}
	if old != nil {
		rec.N, rec.Key = old.N, old.Key
	} else {
		rec.N, rec.Key = c.next, value.Key(value.Get(doc, "_id"))
		if c.byKey(rec.Key) != nil {
			return nil, c.ids.duplicate(c, doc)
		}
	}
	keys := make([]keySet, len(c.indexes))
	for i, x := range c.indexes {
		var err error
		if keys[i], err = x.keys(doc); err != nil {
			return nil, err
		}
		if err := x.free(c, rec, keys[i]); err != nil {
			return nil, err
		}
	}
	if old != nil {
		c.unindex(old)
		c.bytes -= int64(len(old.Doc))
	} else {
		c.next++
	}
	c.natural.Set(rec)
	c.ids.tree.Set(entry{key: rec.Key, rec: rec})
	for i, x := range c.indexes {
		x.add(rec, keys[i])
	}
	c.bytes += int64(len(doc))
	return rec, nil
}

func (c *Collection) remove(rec *Record) {
	c.unindex(rec)
	c.natural.Delete(rec)
	c.ids.tree.Delete(entry{key: rec.Key})
	c.bytes -= int64(len(rec.Doc))
}

func (c *Collection) unindex(rec *Record) {
	for _, x := range c.indexes {
		keys, _ := x.keys(rec.Doc) // what is stored could be indexed
		for _, key := range keys.keys {
			x.tree.Delete(entry{key: key, n: rec.N})
		}
	}
}

// check holds a document against the validator. old is what it replaces.
func (c *Collection) check(old, doc value.Doc) error {
	if c.validator == nil || c.warnOnly || c.level == "off" {
		return nil
	}
	ok, err := c.validator.Match(doc)
	if err != nil || ok {
		return err
	}
	if c.level == "moderate" && old != nil {
		if valid, err := c.validator.Match(old); err != nil || !valid {
			return err
		}
	}
	e := fault.New(fault.DocumentValidationFailure, "Document failed validation")
	e.Extra = value.D("errInfo", value.D(
		"failingDocumentId", value.Get(doc, "_id"),
		"details", value.D("operatorName", "$expr")))
	return e
}

// prepared gives a document as it is stored: with its _id, first, and with the
// time in top-level timestamps that are empty.
func (s *Store) prepared(doc value.Doc) (value.Doc, error) {
	id := value.Get(doc, "_id")
	switch id.Type {
	case bson.TypeArray, bson.TypeRegex, bson.TypeUndefined:
		return nil, fault.New(fault.InvalidIdField, "The '_id' value cannot be of type %s", value.TypeName(id.Type))
	case 0:
		id = value.ObjectID(bson.NewObjectID())
	case bson.TypeEmbeddedDocument:
		if name := operator(value.Doc(id.Value)); name != "" {
			return nil, fault.New(fault.DollarPrefixedFieldName, "_id fields may not contain '$'-prefixed fields: %s is not valid for storage.", name)
		}
	}
	if len(doc) > MaxDocument {
		return nil, fault.New(fault.BadValue, "object to insert too large. size in bytes: %d, max size: %d", len(doc), MaxDocument)
	}
	if first, empty := shape(doc); first && !empty {
		return bytes.Clone(doc), nil
	}
	b := value.NewBuilder(make([]byte, 0, len(doc)+32))
	b.Append("_id", id)
	for name, v := range value.Elements(doc) {
		switch {
		case name == "_id":
		case emptyTimestamp(v):
			b.Append(name, value.Timestamp(s.tick()))
		default:
			b.Append(name, v)
		}
	}
	return b.Doc(), nil
}

// operator gives the first name in a document that begins with $; "" for none.
func operator(d value.Doc) string {
	for name, v := range value.Elements(d) {
		if strings.HasPrefix(name, "$") {
			return name
		}
		if v.Type == bson.TypeEmbeddedDocument || v.Type == bson.TypeArray {
			if name := operator(value.Doc(v.Value)); name != "" {
				return name
			}
		}
	}
	return ""
}

// shape says whether _id comes first, and whether a timestamp is to be filled.
func shape(doc value.Doc) (idFirst, empty bool) {
	first := true
	for name, v := range value.Elements(doc) {
		if first {
			idFirst, first = name == "_id", false
		} else if emptyTimestamp(v) {
			return idFirst, true
		}
	}
	return idFirst, false
}

func emptyTimestamp(v value.Value) bool {
	return v.Type == bson.TypeTimestamp && cmp.Compare(string(v.Value), "\x00\x00\x00\x00\x00\x00\x00\x00") == 0
}
