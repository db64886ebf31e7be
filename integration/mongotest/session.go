package mongotest

import (
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// sessionTimeout is after how long a session that nobody uses is forgotten, as
// hello says.
const sessionTimeout = 30 * time.Minute

// sessions are the logical sessions of clients, by their lsid's id.
type sessions struct {
	mu   sync.Mutex
	byID map[string]*session
}

// session remembers what its newest retryable write did, statement by statement.
type session struct {
	mu   sync.Mutex
	id   value.Value
	used time.Time
	txn  int64
	done map[int64]value.Doc // by statement
}

// key gives what tells sessions apart; "" for none.
func (s *session) key() string {
	if s == nil {
		return ""
	}
	return value.Key(s.id)
}

func (s *sessions) get(id value.Value) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = map[string]*session{}
	}
	key := value.Key(id)
	found := s.byID[key]
	if found == nil {
		found = &session{id: value.Value{Type: id.Type, Value: append([]byte(nil), id.Value...)}, txn: -1}
		s.byID[key] = found
	}
	found.used = time.Now()
	return found
}

func (s *sessions) end(id value.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, value.Key(id))
}

func (s *sessions) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.byID)
}

func (s *sessions) reap(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, session := range s.byID {
		if now.Sub(session.used) > sessionTimeout {
			delete(s.byID, key)
		}
	}
}

// list gives the sessions as $listLocalSessions does.
func (s *sessions) list() []value.Doc {
	s.mu.Lock()
	defer s.mu.Unlock()
	var docs []value.Doc
	for _, session := range s.byID {
		docs = append(docs, value.D("_id", value.D("id", session.id, "uid", value.Binary(0, make([]byte, 32))), "lastUse", session.used))
	}
	return docs
}

// begin reads what every command may have: the session, the transaction's
// number, the write concern.
func (c *call) begin() error {
	if lsid := c.doc("lsid"); lsid != nil {
		id := value.Get(lsid, "id")
		if id.Type != bson.TypeBinary || len(id.Value) != 21 {
			return fault.New(fault.InvalidUUID, "uuid must be a 16-byte binary field with UUID (4) subtype")
		}
		c.session = c.server.sessions.get(id)
	}
	if c.has("txnNumber") {
		c.txn = c.integer("txnNumber", -1)
		switch {
		case c.txn < 0:
			return fault.New(fault.InvalidOptions, "Transaction number cannot be negative")
		case !retryableCommands[c.name]:
			return fault.New(50768, "txnNumber may only be provided for retryable write commands, and %s is none", c.name)
		case c.server.options.Standalone:
			return fault.New(fault.IllegalOperation, "Transaction numbers are only allowed on a replica set member or mongos")
		case c.session == nil:
			return fault.New(fault.InvalidOptions, "Transaction number requires a session ID to also be specified")
		}
	}
	if err := c.readWriteConcern(); err != nil {
		return err
	}
	return c.bad()
}

// retryableCommands are those that clients may try again, by their txnNumber.
var retryableCommands = set("insert", "update", "delete", "findAndModify", "findandmodify", "bulkWrite")

// retryable says that the command is a write that its client tries again.
func (c *call) retryable() bool {
	return !value.Missing(value.Get(c.body, "txnNumber"))
}

// statements holds the session while a retryable write runs, and forgets those
// before it. The caller calls the function that it gives.
func (c *call) statements() (func(), error) {
	if c.txn < 0 {
		return func() {}, nil
	}
	s := c.session
	s.mu.Lock()
	switch {
	case c.txn < s.txn:
		s.mu.Unlock()
		return nil, fault.New(fault.TransactionTooOld, "Retryable write with txnNumber %d is prohibited on session because a newer retryable write with txnNumber %d has already started on this session.", c.txn, s.txn)
	case c.txn > s.txn:
		s.txn, s.done = c.txn, map[int64]value.Doc{}
	}
	return s.mu.Unlock, nil
}

// before gives what a statement did when it came before; nil for nothing.
func (c *call) before(statement int) value.Doc {
	if c.txn < 0 {
		return nil
	}
	return c.session.done[int64(statement)]
}

// after remembers what a statement did.
func (c *call) after(statement int, result value.Doc) {
	if c.txn >= 0 {
		c.session.done[int64(statement)] = result
	}
}
