package engine

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
)

// view is the data as they were at a time.
type view struct {
	at      bson.Timestamp
	end     uint64 // of the oplog
	catalog map[string]*Collection
}

func (s *Store) view() *view {
	v := &view{s.last, s.log.end(), make(map[string]*Collection, len(s.catalog))}
	for ns, c := range s.catalog {
		v.catalog[ns] = c.copy()
	}
	return v
}

// Freeze lets the majority fall behind: what is written from now on is not
// committed until Thaw.
func (s *Store) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen == nil {
		s.frozen = s.view()
	}
}

// Thaw commits all that was written since Freeze.
func (s *Store) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = nil
	s.notify()
}

// Backup is a copy of a store's data, with its oplog.
type Backup struct {
	view *view
	log  oplog
}

// Backup copies the data and the oplog.
func (s *Store) Backup() *Backup {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &Backup{s.view(), s.log}
	b.log.entries = append([]*Entry(nil), s.log.entries...)
	return b
}

// Restore puts a backup in place of what there is. The oplog ends where the
// backup's did, and the clock goes on from there.
func (s *Store) Restore(b *Backup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.catalog {
		c.dropped = true
	}
	s.catalog = make(map[string]*Collection, len(b.view.catalog))
	for ns, c := range b.view.catalog {
		s.catalog[ns] = c.copy()
	}
	limit := s.log.limit
	s.log = b.log
	s.log.entries = append([]*Entry(nil), b.log.entries...)
	s.log.limit = limit
	s.frozen = nil
	s.last = b.view.at
	s.offset = time.Until(time.Unix(int64(s.last.T), 0))
	s.notify()
}

// SetBack sets the clock back and empties the oplog, and leaves the data as
// they are: what a restore of newer data into an older server looks like.
func (s *Store) SetBack(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset -= by
	s.last = bson.Timestamp{}
	s.log = oplog{limit: s.log.limit, base: s.log.end(), lost: true}
	s.frozen = nil
	s.append(&Entry{Kind: Noop})
}

// Replace puts a collection with the same documents and indexes in place of
// another one, without a word in the oplog: as where another server answers
// under the same name.
func (s *Store) Replace(db, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.catalog[db+"."+name]
	if c == nil {
		return fault.New(fault.NamespaceNotFound, "ns not found %s.%s", db, name)
	}
	d := c.copy()
	c.dropped = true
	d.UUID = newUUID()
	s.catalog[c.NS()] = d
	return nil
}

// Committed gives the collection that majority reads see; nil for none.
func (s *Store) committed(db, name string) *Collection {
	if s.frozen != nil {
		return s.frozen.catalog[db+"."+name]
	}
	return s.catalog[db+"."+name]
}
