// Package engine keeps mongotest's data: databases, collections, indexes, and
// the oplog that every write goes through. It knows no connections, no commands
// and no cursors.
package engine

import (
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// MaxDocument is how many bytes a document may have.
const MaxDocument = 16 << 20

// Options say how a Store is made.
type Options struct {
	// Log says whether there is an oplog, as on a member of a replica set.
	Log bool
	// LogBytes bounds the oplog; 0 for 1 GiB.
	LogBytes int64
}

// Store has all the data of one server. It is safe for concurrent use.
type Store struct {
	mu      sync.RWMutex
	offset  time.Duration // of the clock, where a restore has set it back
	last    bson.Timestamp
	hasLog  bool
	log     oplog
	catalog map[string]*Collection // by namespace
	frozen  *view                  // what is committed, while replication stands still

	waiting sync.Mutex
	changed chan struct{} // nil while nobody waits
}

// New makes an empty store.
func New(o Options) *Store {
	if o.LogBytes == 0 {
		o.LogBytes = 1 << 30
	}
	s := &Store{hasLog: o.Log, catalog: map[string]*Collection{}}
	s.log.limit = o.LogBytes
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(&Entry{Kind: Noop})
	return s
}

// Now gives the server's time, which is behind the machine's after a restore.
func (s *Store) Now() time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.clock()
}

func (s *Store) clock() time.Time { return time.Now().Add(s.offset) }

// tick gives the time of the next entry: of the same second, or the clock's.
func (s *Store) tick() bson.Timestamp {
	if now := uint32(s.clock().Unix()); now > s.last.T {
		return bson.Timestamp{T: now, I: 1}
	}
	return bson.Timestamp{T: s.last.T, I: s.last.I + 1}
}

// Applied gives the time of the newest entry of the oplog.
func (s *Store) Applied() bson.Timestamp {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.last
}

// Committed gives the time up to which a majority has what was written.
func (s *Store) Committed() bson.Timestamp {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.frozen != nil {
		return s.frozen.at
	}
	return s.last
}

// Changed gives a channel that is closed when something is written next, or
// committed.
func (s *Store) Changed() <-chan struct{} {
	s.waiting.Lock()
	defer s.waiting.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *Store) notify() {
	s.waiting.Lock()
	defer s.waiting.Unlock()
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Noop writes an entry that changes nothing, as an idle primary does every ten
// seconds, so that time goes on for those who follow.
func (s *Store) Noop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(&Entry{Kind: Noop})
}
