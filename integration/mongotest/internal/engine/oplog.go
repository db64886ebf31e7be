package engine

import (
	"sort"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

// Kind says what an entry of the oplog did.
type Kind byte

// The kinds of entries.
const (
	Noop Kind = iota
	Insert
	Update
	Replace
	Delete
	Create
	Drop
	Rename
	DropDatabase
	Modify
	CreateIndexes
	DropIndexes
)

// Entry is one write. Entries do not change once they are written.
type Entry struct {
	TS   bson.Timestamp
	Wall int64 // milliseconds since 1970
	Kind Kind

	DB, Coll string
	UUID     UUID
	ID       value.Value         // of the document
	Doc      value.Doc           // inserted or replacing; of an update where images are kept
	Before   value.Doc           // where images are kept
	Update   *update.Description // of an update
	Detail   value.Doc           // of a command: what a change event calls its operationDescription
	State    value.Doc           // of a collMod: the options before it

	ToDB, ToColl string // of a rename
	Dropped      UUID   // of a rename: the collection that was in its place
}

// size is about what a real oplog needs for an entry.
func (e *Entry) size() int64 {
	n := 160 + len(e.Doc) + len(e.Before) + len(e.ID.Value) + len(e.Detail)
	if e.Update != nil {
		for _, f := range e.Update.Updated {
			n += len(f.Path) + len(f.Value.Value)
		}
	}
	return int64(n)
}

// oplog is a queue of entries, bounded in bytes. An entry's index stays the
// same while older ones go.
type oplog struct {
	entries []*Entry
	base    uint64 // index of the first
	bytes   int64
	limit   int64
	lost    bool // whether entries have gone
}

func (l *oplog) end() uint64 { return l.base + uint64(len(l.entries)) }

func (l *oplog) add(e *Entry) {
	l.entries = append(l.entries, e)
	l.bytes += e.size()
	l.trim()
}

// trim drops the oldest entries, never the newest.
func (l *oplog) trim() {
	n := 0
	for l.bytes > l.limit && n < len(l.entries)-1 {
		l.bytes -= l.entries[n].size()
		l.entries[n] = nil
		n++
	}
	if n > 0 {
		l.entries = l.entries[n:] // append moves the rest when it grows
		l.base += uint64(n)
		l.lost = true
	}
}

// append writes an entry at the next time. The caller holds the lock.
func (s *Store) append(e *Entry) {
	if !s.hasLog {
		return
	}
	e.TS = s.tick()
	e.Wall = s.clock().UnixMilli()
	s.last = e.TS
	s.log.add(e)
	s.notify()
}

// Read gives the committed entries from an index on, at most n, and the index
// behind them. What has left the oplog is a CappedPositionLost.
func (s *Store) Read(from uint64, n int) ([]*Entry, uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	end := s.log.end()
	if s.frozen != nil {
		end = min(end, s.frozen.end)
	}
	switch {
	case from < s.log.base:
		return nil, from, fault.New(fault.CappedPositionLost, "the position of the change stream has left the oplog")
	case from >= end:
		return nil, from, nil
	}
	end = min(end, from+uint64(n))
	return append([]*Entry(nil), s.log.entries[from-s.log.base:end-s.log.base]...), end, nil
}

// Locate gives the index of the first entry at or after a time, and whether
// the oplog still has all that happened since.
func (s *Store) Locate(at bson.Timestamp) (index uint64, covered bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := sort.Search(len(s.log.entries), func(i int) bool { return !s.log.entries[i].TS.Before(at) })
	return s.log.base + uint64(i), !s.log.lost || !s.log.entries[0].TS.After(at)
}

// Shorten drops all entries of the oplog but the newest n, at least one.
func (s *Store) Shorten(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.log.limit
	s.log.limit = 0
	for _, e := range s.log.entries[max(0, len(s.log.entries)-max(n, 1)):] {
		s.log.limit += e.size()
	}
	s.log.trim()
	s.log.limit = limit
}

// Resize bounds the oplog anew.
func (s *Store) Resize(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.limit = bytes
	s.log.trim()
}

// Span gives the times of the oplog's first and last entry, its size and its
// bound in bytes.
func (s *Store) Span() (first, last bson.Timestamp, bytes, limit int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.log.entries) == 0 {
		return first, last, 0, s.log.limit
	}
	return s.log.entries[0].TS, s.last, s.log.bytes, s.log.limit
}

// Bounds gives the index of the oplog's first entry, and that behind its last.
func (s *Store) Bounds() (first, end uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.log.base, s.log.end()
}

// EntryDoc gives an entry as a document of local.oplog.rs has it, in part: ts, t,
// v, op, ns, ui, o, o2 and wall. ok is false where there is none of that index.
func (s *Store) EntryDoc(index uint64) (doc value.Doc, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if index < s.log.base || index >= s.log.end() {
		return nil, false
	}
	e := s.log.entries[index-s.log.base]
	b := value.NewBuilder(nil)
	op, ns, o := "c", e.DB+"."+e.Coll, e.Detail
	switch e.Kind {
	case Noop:
		op, ns, o = "n", "", value.D("msg", "periodic noop")
	case Insert:
		op, o = "i", e.Doc
	case Replace:
		op, o = "u", e.Doc
	case Update:
		op, o = "u", value.D("$v", 2)
	case Delete:
		op, o = "d", value.D("_id", e.ID)
	case Drop:
		o = value.D("drop", e.Coll)
	case DropDatabase:
		o = value.D("dropDatabase", 1)
	}
	if op == "c" {
		ns = e.DB + ".$cmd"
	}
	if o == nil {
		o = value.D()
	}
	b.Append("op", value.String(op)).Append("ns", value.String(ns))
	if e.UUID != (UUID{}) {
		b.Append("ui", e.UUID.Value())
	}
	b.Append("o", value.Document(o))
	if op == "u" {
		b.Append("o2", value.Of(value.D("_id", e.ID)))
	}
	b.Append("ts", value.Timestamp(e.TS)).Append("t", value.Int64(1)).Append("v", value.Int64(2))
	b.Append("wall", value.DateTime(e.Wall))
	return b.Doc(), true
}
