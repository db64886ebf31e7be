package engine

import (
	"cmp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// CheckNamespace says what is wrong with the names of a database and a
// collection.
func CheckNamespace(db, coll string) error {
	switch {
	case db == "" || len(db) > 63 || strings.ContainsAny(db, "/\\. \"$\x00"):
		return fault.New(fault.InvalidNamespace, "Invalid database name: '%s'", db)
	case coll == "" || strings.HasPrefix(coll, ".") || strings.HasSuffix(coll, ".") || strings.ContainsAny(coll, "$\x00"):
		return fault.New(fault.InvalidNamespace, "Invalid namespace specified '%s.%s'", db, coll)
	case strings.HasPrefix(coll, "system."):
		return fault.NotOffered("collections of the system, such as %s.%s", db, coll)
	case len(db)+len(coll) > 254:
		return fault.New(fault.InvalidNamespace, "Fully qualified namespace is too long: %s.%s", db, coll)
	}
	return nil
}

// CreateOptions are the options of a collection.
type CreateOptions struct {
	Doc       value.Doc // as they came
	View      *View     // for a view
	Images    bool      // changeStreamPreAndPostImages
	Capped    int64     // bytes; 0 for a collection that is not capped
	MaxDocs   int64
	Validator value.Doc
	Level     string // validationLevel
	Action    string // validationAction
}

// Collection gives a collection as it stands, or nil.
func (s *Store) Collection(db, name string) *Collection {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.catalog[db+"."+name]
}

// Create makes a collection.
func (s *Store) Create(db, name string, o CreateOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.create(db, name, o)
	return err
}

func (s *Store) create(db, name string, o CreateOptions) (*Collection, error) {
	if err := CheckNamespace(db, name); err != nil {
		return nil, err
	}
	c := newCollection(db, name)
	if s.catalog[c.NS()] != nil {
		return nil, fault.New(fault.NamespaceExists, "Collection %s already exists.", c.NS())
	}
	c.Options = o.Doc
	if c.Options == nil {
		c.Options = value.D()
	}
	c.View, c.images, c.capped, c.maxDocs = o.View, o.Images, o.Capped, o.MaxDocs
	if err := c.validate(o.Validator, o.Level, o.Action); err != nil {
		return nil, err
	}
	s.catalog[c.NS()] = c
	b := value.NewBuilder(nil)
	for field, v := range value.Elements(c.Options) {
		b.Append(field, v)
	}
	if c.View == nil {
		b.Append("idIndex", value.Of(value.D("v", 2, "key", value.D("_id", 1), "name", "_id_")))
	}
	s.append(&Entry{Kind: Create, DB: db, Coll: name, UUID: c.UUID, Detail: b.Doc()})
	return c, nil
}

// validate sets what of a validator, its level and its action is given: all of
// it, or nothing where it is an error.
func (c *Collection) validate(validator value.Doc, level, action string) error {
	if !slices.Contains([]string{"", "strict", "moderate", "off"}, level) {
		return fault.New(fault.BadValue, "Enumeration value '%s' for field 'validationLevel' is not a valid value.", level)
	}
	if !slices.Contains([]string{"", "error", "warn"}, action) {
		return fault.New(fault.BadValue, "Enumeration value '%s' for field 'validationAction' is not a valid value.", action)
	}
	if validator != nil {
		f, err := match.Compile(validator, &expr.Env{})
		if err != nil {
			return err
		}
		c.validator = f
		if len(validator) <= 5 {
			c.validator = nil
		}
	}
	if level != "" {
		c.level = level
	}
	if action != "" {
		c.warnOnly = action == "warn"
	}
	return nil
}

// ensure gives a collection, made if need be.
func (s *Store) ensure(db, name string) (*Collection, error) {
	if c := s.catalog[db+"."+name]; c != nil {
		return c, c.writable()
	}
	return s.create(db, name, CreateOptions{})
}

// writable refuses views.
func (c *Collection) writable() error {
	if c != nil && c.View != nil {
		return fault.New(fault.CommandNotSupportedOnView, "Namespace %s is a view, not a collection", c.NS())
	}
	return nil
}

// Drop drops a collection and says how many indexes it had; false where there
// is none.
func (s *Store) Drop(db, name string) (indexes int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalog[db+"."+name]
	if c == nil {
		return 0, false
	}
	s.drop(c)
	return len(c.indexes) + 1, true
}

func (s *Store) drop(c *Collection) {
	c.dropped = true
	delete(s.catalog, c.NS())
	s.append(&Entry{Kind: Drop, DB: c.DB, Coll: c.Name, UUID: c.UUID})
}

// DropDatabase drops a database with its collections.
func (s *Store) DropDatabase(db string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.of(db)
	for _, c := range all {
		s.drop(c)
	}
	if len(all) > 0 {
		s.append(&Entry{Kind: DropDatabase, DB: db})
	}
}

// of gives a database's collections by name.
func (s *Store) of(db string) []*Collection {
	var all []*Collection
	for _, c := range s.catalog {
		if c.DB == db {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *Collection) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Collections gives a database's collections by name.
func (s *Store) Collections(db string) []*Collection {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.of(db)
}

// Database is a database's name and size.
type Database struct {
	Name  string
	Bytes int64
}

// Databases gives all databases by name.
func (s *Store) Databases() []Database {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sizes := map[string]int64{}
	for _, c := range s.catalog {
		sizes[c.DB] += c.bytes
	}
	all := make([]Database, 0, len(sizes))
	for name, bytes := range sizes {
		all = append(all, Database{name, bytes})
	}
	slices.SortFunc(all, func(a, b Database) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Rename gives a collection another name, in place of one that has it if drop
// is set.
func (s *Store) Rename(db, name, toDB, toName string, drop bool) error {
	if err := CheckNamespace(toDB, toName); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalog[db+"."+name]
	if c == nil {
		return fault.New(fault.NamespaceNotFound, "Source collection %s.%s does not exist", db, name)
	}
	if db == toDB && name == toName {
		return fault.New(fault.IllegalOperation, "Can't rename a collection to itself")
	}
	if db != toDB {
		return fault.NotOffered("renaming a collection into another database")
	}
	_, err := s.rename(c, toDB, toName, drop)
	return err
}

func (s *Store) rename(c *Collection, toDB, toName string, drop bool) (*Collection, error) {
	to := s.catalog[toDB+"."+toName]
	e := &Entry{Kind: Rename, DB: c.DB, Coll: c.Name, UUID: c.UUID, ToDB: toDB, ToColl: toName}
	detail := value.NewBuilder(nil)
	detail.Append("to", value.Of(value.D("db", toDB, "coll", toName)))
	if to != nil {
		if !drop {
			return nil, fault.New(fault.NamespaceExists, "target namespace exists")
		}
		to.dropped = true
		e.Dropped = to.UUID
		detail.Append("dropTarget", to.UUID.Value())
	}
	e.Detail = detail.Doc()
	delete(s.catalog, c.NS())
	renamed := *c // those who read under the old name see that it is gone
	c.dropped = true
	renamed.DB, renamed.Name = toDB, toName
	s.catalog[renamed.NS()] = &renamed
	s.append(e)
	return &renamed, nil
}

// Modification is what collMod changes.
type Modification struct {
	Images     *bool
	Validator  value.Doc
	Level      string
	Action     string
	Index      string // by name
	IndexSpec  value.Doc
	Expire     *int64 // of that index
	Hidden     *bool
	Detail     value.Doc // the fields of the command, for the change event
	NewOptions value.Doc // the collection's options after it
}

// Modify changes a collection's options. The index that it changed is given
// before and after.
func (s *Store) Modify(db, name string, m Modification) (before, after *Index, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalog[db+"."+name]
	if c == nil {
		return nil, nil, fault.New(fault.NamespaceNotFound, "ns does not exist")
	}
	at := -1
	if m.Index != "" || m.IndexSpec != nil {
		at = slices.IndexFunc(c.indexes, func(x *Index) bool {
			return x.Name == m.Index || m.IndexSpec != nil && value.Equal(value.Document(x.Spec), value.Document(m.IndexSpec))
		})
		if at < 0 {
			return nil, nil, fault.New(fault.IndexNotFound, "cannot find index %s for ns %s", m.Index, c.NS())
		}
	}
	if err := c.validate(m.Validator, m.Level, m.Action); err != nil {
		return nil, nil, err
	}
	if at >= 0 {
		changed := *c.indexes[at]
		before = c.indexes[at]
		if m.Expire != nil {
			changed.Expire = *m.Expire
		}
		if m.Hidden != nil {
			changed.Hidden = *m.Hidden
		}
		c.indexes[at], after = &changed, &changed
	}
	if m.Images != nil {
		c.images = *m.Images
	}
	state := value.D("collectionOptions", value.Of(withUUID(c.Options, c.UUID)))
	c.Options = m.NewOptions
	s.append(&Entry{Kind: Modify, DB: db, Coll: name, UUID: c.UUID, Detail: m.Detail, State: state})
	return before, after, nil
}

func withUUID(options value.Doc, u UUID) value.Doc {
	b := value.NewBuilder(nil)
	b.Append("uuid", u.Value())
	for field, v := range value.Elements(options) {
		b.Append(field, v)
	}
	return b.Doc()
}

// Indexes gives a collection's indexes, that over _id first.
func (s *Store) Indexes(db, name string) ([]*Index, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.catalog[db+"."+name]
	if c == nil {
		return nil, fault.New(fault.NamespaceNotFound, "ns does not exist: %s.%s", db, name)
	}
	return append([]*Index{c.ids}, c.indexes...), nil
}

// NewIndex makes an index to be built; its fields other than the name and the
// key pattern may be set until then.
func NewIndex(name string, spec value.Doc) *Index { return newIndex(name, spec) }

// Index builds indexes, in a collection that is made if need be. It gives how
// many there were before and are after.
func (s *Store) Index(db, name string, indexes []*Index) (before, after int, created bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalog[db+"."+name]
	if c == nil {
		if c, err = s.create(db, name, CreateOptions{}); err != nil {
			return 0, 0, false, err
		}
		created = true
	}
	if err := c.writable(); err != nil {
		return 0, 0, false, err
	}
	before = len(c.indexes) + 1
	var fresh []*Index
	for _, x := range indexes {
		switch same, err := c.like(x); {
		case err != nil:
			return 0, 0, false, err
		case same:
			continue
		}
		if err := x.build(c); err != nil {
			return 0, 0, false, err
		}
		fresh = append(fresh, x)
	}
	for _, x := range fresh {
		c.indexes = append(c.indexes, x)
		s.append(&Entry{Kind: CreateIndexes, DB: db, Coll: name, UUID: c.UUID,
			Detail: value.D("indexes", []value.Doc{x.Describe()})})
	}
	return before, len(c.indexes) + 1, created, nil
}

// like says whether a collection has an index already. One that is alike only
// in part is an error.
func (c *Collection) like(x *Index) (same bool, err error) {
	if value.Equal(value.Document(x.Spec), value.Document(c.ids.Spec)) {
		return true, nil
	}
	for _, y := range c.indexes {
		// What may differ between two indexes of one key pattern.
		spec := value.Equal(value.Document(x.Spec), value.Document(y.Spec)) && value.Equal(partial(x), partial(y)) &&
			x.Sparse == y.Sparse && x.Unique == y.Unique
		switch {
		case spec && x.Name == y.Name && x.Expire == y.Expire:
			return true, nil
		case spec && x.Name == y.Name:
			return false, fault.New(fault.IndexOptionsConflict,
				"An equivalent index already exists with the same name but different options: %s", x.Name)
		case spec && x.Expire == y.Expire:
			return false, fault.New(fault.IndexOptionsConflict, "Index already exists with a different name: %s", y.Name)
		case spec:
			return false, fault.New(fault.IndexOptionsConflict, "An equivalent index already exists with a different name and options: %s", y.Name)
		case x.Name == y.Name:
			return false, fault.New(fault.IndexKeySpecsConflict,
				"An existing index has the same name as the requested index but another key or other options: %s", x.Name)
		}
	}
	return false, nil
}

func partial(x *Index) value.Value {
	if x.PartialDoc == nil {
		return value.Value{}
	}
	return value.Document(x.PartialDoc)
}

func (x *Index) build(c *Collection) (err error) {
	c.natural.Scan(func(rec *Record) bool {
		var keys keySet
		if keys, err = x.keys(rec.Doc); err == nil {
			err = x.free(c, rec, keys)
		}
		if err == nil {
			x.add(rec, keys)
		}
		return err == nil
	})
	return err
}

// DropIndexes drops indexes: by name, by key pattern, or all but that over _id
// with "*".
func (s *Store) DropIndexes(db, name string, which []value.Value) (before int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalog[db+"."+name]
	if c == nil {
		return 0, fault.New(fault.NamespaceNotFound, "ns not found %s.%s", db, name)
	}
	before = len(c.indexes) + 1
	var gone []*Index
	for _, w := range which {
		text, _ := value.Text(w)
		if text == "*" {
			gone = c.indexes
			break
		}
		if text == "_id_" || w.Type == bson.TypeEmbeddedDocument && value.Equal(w, value.Document(c.ids.Spec)) {
			return 0, fault.New(fault.InvalidOptions, "cannot drop _id index")
		}
		at := slices.IndexFunc(c.indexes, func(x *Index) bool {
			return x.Name == text || w.Type == bson.TypeEmbeddedDocument && value.Equal(w, value.Document(x.Spec))
		})
		if at < 0 {
			return 0, fault.New(fault.IndexNotFound, "index not found with name [%s]", text)
		}
		gone = append(gone, c.indexes[at])
	}
	for _, x := range gone {
		s.append(&Entry{Kind: DropIndexes, DB: db, Coll: name, UUID: c.UUID,
			Detail: value.D("indexes", []value.Doc{x.Describe()})})
	}
	c.indexes = slices.DeleteFunc(slices.Clone(c.indexes), func(x *Index) bool { return slices.Contains(gone, x) })
	return before, nil
}

// Stats are a collection's figures.
type Stats struct {
	Count, Bytes int64
	Indexes      int
	Capped       bool
}

// Stats gives a collection's figures.
func (s *Store) Stats(c *Collection) Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Stats{int64(c.natural.Len()), c.bytes, len(c.indexes) + 1, c.capped > 0}
}
