package engine

import (
	"bytes"
	"cmp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

// Insert stores a document in a collection, which is made if need be. unchecked
// passes the validator by.
func (s *Store) Insert(db, name string, doc value.Doc, unchecked bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.ensure(db, name)
	if err != nil {
		return err
	}
	if doc, err = s.prepared(doc); err != nil {
		return err
	}
	return s.insert(c, doc, unchecked)
}

func (s *Store) insert(c *Collection, doc value.Doc, unchecked bool) error {
	if !unchecked {
		if err := c.check(nil, doc); err != nil {
			return err
		}
	}
	if _, err := c.put(nil, doc); err != nil {
		return err
	}
	s.append(&Entry{Kind: Insert, DB: c.DB, Coll: c.Name, UUID: c.UUID, ID: value.Get(doc, "_id"), Doc: doc})
	s.cap(c)
	return nil
}

// cap removes the oldest documents of a capped collection, which the oplog does
// not say.
func (s *Store) cap(c *Collection) {
	for c.capped > 0 && (c.bytes > c.capped || c.maxDocs > 0 && int64(c.natural.Len()) > c.maxDocs) {
		oldest, ok := c.natural.Min()
		if !ok {
			return
		}
		c.remove(oldest)
	}
}

// Order gives keys that order documents as a query's sort does.
type Order interface {
	Key(doc value.Doc) ([]byte, error)
}

// Change makes of a document what an update makes of it; an *update.Update is
// one.
type Change interface {
	Apply(doc value.Doc, position int, inserting bool) (update.Result, error)
	Upsert(filter *match.Filter) (value.Doc, error)
	IsReplacement() bool
}

// Updating says how documents are updated.
type Updating struct {
	Query
	Order     Order // where Query.Sort is set
	Update    Change
	Multi     bool
	Upsert    bool
	Unchecked bool // passes the validator by
}

// Changed says what an update or a removal did.
type Changed struct {
	Matched, Modified int64
	Upserted          value.Value // the _id; missing where nothing was inserted
	Before, After     value.Doc   // of the one document, where only one is meant
}

// Update updates the documents that a query matches, and inserts one where none
// does if that is asked for.
func (s *Store) Update(db, name string, u Updating) (Changed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var done Changed
	limit := 1
	if u.Multi {
		limit = 0
	}
	found, c, err := s.find(db, name, u.Query, u.Order, limit)
	if err != nil {
		return done, err
	}
	for _, rec := range found {
		done.Matched++
		position, _, err := u.Filter.MatchAt(rec.Doc)
		if err != nil {
			return done, err
		}
		result, err := u.Update.Apply(rec.Doc, position, false)
		if err != nil {
			return done, err
		}
		done.Before, done.After = rec.Doc, result.Doc
		if !result.Changed {
			continue
		}
		if err := s.replace(c, rec, result, u); err != nil {
			return done, err
		}
		done.Modified++
	}
	if done.Matched > 0 || !u.Upsert {
		return done, nil
	}
	doc, err := u.Update.Upsert(u.Filter)
	if err != nil {
		return done, err
	}
	if c == nil {
		if c, err = s.ensure(db, name); err != nil {
			return done, err
		}
	}
	if doc, err = s.prepared(doc); err != nil {
		return done, err
	}
	if err := s.insert(c, doc, u.Unchecked); err != nil {
		return done, err
	}
	done.Upserted, done.After = value.Get(doc, "_id"), doc
	return done, nil
}

func (s *Store) replace(c *Collection, rec *Record, result update.Result, u Updating) error {
	if len(result.Doc) > MaxDocument {
		return fault.New(17419, "Resulting document after update is larger than %d", MaxDocument)
	}
	if !u.Unchecked {
		if err := c.check(rec.Doc, result.Doc); err != nil {
			return err
		}
	}
	e := &Entry{Kind: Update, DB: c.DB, Coll: c.Name, UUID: c.UUID, ID: value.Get(result.Doc, "_id")}
	if result.Replaced {
		doc, err := s.prepared(result.Doc)
		if err != nil {
			return err
		}
		result.Doc = doc
		e.Kind, e.Doc = Replace, doc
	} else {
		e.Update = &result.Description
	}
	if c.images {
		e.Before, e.Doc = rec.Doc, result.Doc
	}
	if _, err := c.put(rec, result.Doc); err != nil {
		return err
	}
	s.append(e)
	return nil
}

// Delete removes the documents that a query matches: the first one, or all where
// one is not set.
func (s *Store) Delete(db, name string, q Query, order Order, one bool) (Changed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var done Changed
	limit := 0
	if one {
		limit = 1
	}
	found, c, err := s.find(db, name, q, order, limit)
	if err != nil {
		return done, err
	}
	for _, rec := range found {
		s.delete(c, rec)
		done.Matched++
		done.Before = rec.Doc
	}
	return done, nil
}

func (s *Store) delete(c *Collection, rec *Record) {
	c.remove(rec)
	e := &Entry{Kind: Delete, DB: c.DB, Coll: c.Name, UUID: c.UUID, ID: value.Get(rec.Doc, "_id")}
	if c.images {
		e.Before = rec.Doc
	}
	s.append(e)
}

// find gives the records that a query matches, the first ones of its order;
// all of them for a limit of 0. The caller holds the lock.
func (s *Store) find(db, name string, q Query, order Order, limit int) ([]*Record, *Collection, error) {
	sc, err := s.open(db, name, q)
	if err != nil || sc.coll == nil {
		return nil, nil, err
	}
	if err := sc.coll.writable(); err != nil {
		return nil, nil, err
	}
	var found []*Record
	for {
		if len(sc.ahead) == 0 {
			if sc.done {
				break
			}
			n := readAhead
			if limit == 1 && sc.Sorted() {
				n = 1
			}
			if err := sc.take(n); err != nil {
				return nil, nil, err
			}
			continue
		}
		rec := sc.pop()
		ok, err := q.Filter.Match(rec.Doc)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			found = append(found, rec)
			if limit > 0 && len(found) == limit && sc.Sorted() {
				return found, sc.coll, nil
			}
		}
	}
	if !sc.Sorted() && order != nil {
		keys := make(map[*Record][]byte, len(found))
		for _, rec := range found {
			if keys[rec], err = order.Key(rec.Doc); err != nil {
				return nil, nil, err
			}
		}
		slices.SortStableFunc(found, func(a, b *Record) int { return bytes.Compare(keys[a], keys[b]) })
		if limit > 0 {
			found = found[:min(limit, len(found))]
		}
	}
	return found, sc.coll, nil
}

// ByID gives the document of an _id as the majority has it; nil for none.
func (s *Store) ByID(db, name string, uuid UUID, id value.Value) value.Doc {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.committed(db, name)
	if c == nil || c.UUID != uuid {
		return nil
	}
	if rec := c.byKey(value.Key(id)); rec != nil {
		return rec.Doc
	}
	return nil
}

// Expire removes the documents whose time has come, by TTL indexes, and says how
// many.
func (s *Store) Expire() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.catalog {
		for _, x := range c.indexes {
			if x.Expire < 0 || len(x.fields) != 1 {
				continue
			}
			for _, rec := range c.expired(x, s.clock().UnixMilli()-x.Expire*1000) {
				s.delete(c, rec)
				n++
			}
		}
	}
	return n
}

func (c *Collection) expired(x *Index, before int64) []*Record {
	var gone []*Record
	seen := map[int64]bool{}
	x.tree.Scan(func(e entry) bool {
		values, _ := indexed(value.Document(e.rec.Doc), x.fields[0].path, nil)
		if !seen[e.n] && slices.ContainsFunc(values, func(v value.Value) bool {
			return v.Type == bson.TypeDateTime && cmp.Compare(v.DateTime(), before) <= 0
		}) {
			seen[e.n] = true
			gone = append(gone, e.rec)
		}
		return true
	})
	return gone
}
