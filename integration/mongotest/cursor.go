package mongotest

import (
	"math/rand/v2"
	"sync"
	"time"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/changes"
	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

const (
	// firstBatch is how many documents a first batch has where the client does not
	// say.
	firstBatch = 101
	// maxBatch is how many bytes a batch has, beside its last document.
	maxBatch = 16 << 20
	// cursorTimeout is after how long an idle cursor is closed.
	cursorTimeout = 10 * time.Minute
	// awaitTime is how long a getMore waits for events where the client does not
	// say.
	awaitTime = time.Second
)

// cursors are the open cursors.
type cursors struct {
	mu   sync.Mutex
	byID map[int64]*cursor
}

// cursor is a result that is fetched in batches.
type cursor struct {
	id     int64
	db     string
	coll   string
	source aggregate.Iterator
	scan   *engine.Scan    // beneath the source; nil for none
	stream *changes.Stream // nil for other results
	stash  value.Doc       // what did not fit into the last batch
	forget bool            // noCursorTimeout is not set
	size   int64           // of batches, where getMore does not say

	session string
	used    time.Time
	busy    bool
	killed  chan struct{}
}

func (cs *cursors) init() { cs.byID = map[int64]*cursor{} }

// add gives a cursor its number. It is in use until give.
func (cs *cursors) add(c *cursor) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c.id == 0 || cs.byID[c.id] != nil {
		c.id = rand.Int64()
	}
	c.killed = make(chan struct{})
	c.used, c.busy = time.Now(), true
	cs.byID[c.id] = c
}

// take gives a cursor to its one user.
func (cs *cursors) take(id int64, ns, session string) (*cursor, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[id]
	if c == nil {
		return nil, fault.New(fault.CursorNotFound, "cursor id %d not found", id)
	}
	if c.db+"."+c.coll != ns {
		return nil, fault.New(fault.Unauthorized, "Requested getMore on namespace '%s', but cursor belongs to a different namespace %s.%s", ns, c.db, c.coll)
	}
	switch {
	case c.session == session:
	case c.session == "":
		return nil, fault.New(50736, "Cannot run getMore on cursor %d, which was not created in a session, in a session", id)
	case session == "":
		return nil, fault.New(50737, "Cannot run getMore on cursor %d, which was created in a session, without an lsid", id)
	default:
		return nil, fault.New(50738, "Cannot run getMore on cursor %d, which was created in one session, in another", id)
	}
	if c.busy {
		return nil, fault.New(fault.CursorInUse, "cursor id %d is already in use", id)
	}
	c.busy = true
	return c, nil
}

// give takes a cursor back, or closes it.
func (cs *cursors) give(c *cursor, open bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.busy, c.used = false, time.Now()
	if !open {
		delete(cs.byID, c.id)
	}
}

func (cs *cursors) kill(id int64) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[id]
	if c == nil {
		return false
	}
	delete(cs.byID, id)
	close(c.killed)
	return true
}

func (cs *cursors) killSession(session string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for id, c := range cs.byID {
		if c.session == session {
			delete(cs.byID, id)
			close(c.killed)
		}
	}
}

func (cs *cursors) clear() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for id, c := range cs.byID {
		delete(cs.byID, id)
		close(c.killed)
	}
}

func (cs *cursors) reap(now time.Time) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for id, c := range cs.byID {
		if !c.busy && c.forget && now.Sub(c.used) > cursorTimeout {
			delete(cs.byID, id)
		}
	}
}

// OpenCursors says how many cursors are open.
func (s *Server) OpenCursors() int {
	s.cursors.mu.Lock()
	defer s.cursors.mu.Unlock()
	return len(s.cursors.byID)
}

// KillCursors closes all cursors, as a server does that starts anew; connections
// stay.
func (s *Server) KillCursors() { s.cursors.clear() }

// fill takes up to n documents, and about maxBatch bytes; n below 0 is no limit.
// more says that the result may have others.
func (c *cursor) fill(n int64) (docs []value.Doc, more bool, err error) {
	size := 0
	for n < 0 || int64(len(docs)) < n {
		doc := c.stash
		c.stash = nil
		if doc == nil {
			var ok bool
			if doc, ok, err = c.source.Next(); err != nil {
				return nil, false, err
			} else if !ok {
				return docs, c.stream != nil && !c.stream.Closed(), nil
			}
		}
		if size += len(doc); size > maxBatch && len(docs) > 0 {
			if c.stream != nil {
				c.stream.Unread(doc)
			} else {
				c.stash = doc
			}
			break
		}
		docs = append(docs, doc)
	}
	if c.scan != nil {
		c.scan.Rest()
	}
	if l, ok := c.source.(*limited); ok && l.left == 0 {
		return docs, c.stash != nil, nil
	}
	return docs, c.stream == nil || !c.stream.Closed(), nil
}

// limited ends a result after so many documents.
type limited struct {
	aggregate.Iterator
	left int64
}

func (l *limited) Next() (value.Doc, bool, error) {
	if l.left == 0 {
		return nil, false, nil
	}
	doc, ok, err := l.Iterator.Next()
	if ok {
		l.left--
	}
	return doc, ok, err
}

// batch makes the cursor part of a reply.
func (c *cursor) batch(field string, docs []value.Doc, id int64) value.Doc {
	size := 256 + len(c.db) + len(c.coll)
	for _, d := range docs {
		size += len(d) + 12
	}
	b := value.NewBuilder(make([]byte, 0, size))
	b.Open("cursor", false)
	b.Open(field, true)
	for i, d := range docs {
		b.Append(value.Index(i), value.Document(d))
	}
	b.Close()
	if c.stream != nil {
		b.Append("postBatchResumeToken", value.Document(c.stream.Token()))
	}
	b.Append("id", value.Int64(id))
	b.Append("ns", value.String(c.db+"."+c.coll))
	b.Close()
	return b.Doc()
}

// answer makes the first reply of a result. single asks for one batch alone.
func (s *Server) answer(call *call, c *cursor, n int64, single bool) (value.Doc, error) {
	docs, more, err := c.fill(n)
	if err != nil {
		return nil, err
	}
	if !more || single {
		return c.batch("firstBatch", docs, 0), nil
	}
	c.session = call.session.key()
	s.cursors.add(c)
	defer s.cursors.give(c, true) // once its token is read
	return c.batch("firstBatch", docs, c.id), nil
}

// getMore gives a cursor's next batch. That of a change stream waits for its
// first event.
func (s *Server) getMore(c *call) (value.Doc, error) {
	id := value.Get(c.body, "getMore")
	number, isNumber := value.Integer(id)
	if !isNumber {
		c.typed("getMore", id, "long")
	}
	coll := c.text("collection")
	n := c.natural("batchSize", 0)
	wait := time.Duration(c.natural("maxTimeMS", 0)) * time.Millisecond
	if err := c.bad(); err != nil {
		return nil, err
	}
	cur, err := s.cursors.take(number, c.db+"."+coll, c.session.key())
	if err != nil {
		return nil, err
	}
	c.streaming = cur.stream != nil
	if p := s.failPoints.enter(failGetMore, c); p != nil {
		s.cursors.give(cur, false)
		return nil, fault.New(p.code, "Hit the fail point %s", failGetMore)
	}
	if wait > 0 && cur.stream == nil {
		s.cursors.give(cur, true)
		return nil, fault.New(fault.BadValue, "cannot set maxTimeMS on getMore command for a non-awaitData cursor")
	}
	if n == 0 {
		n = cur.size
	}
	if n == 0 {
		n = -1
	}
	docs, more, err := s.wait(c, cur, n, wait)
	if err != nil {
		s.cursors.give(cur, false)
		return nil, err
	}
	defer s.cursors.give(cur, more) // once its token is read
	open := cur.id
	if !more {
		open = 0
	}
	return cur.batch("nextBatch", docs, open), nil
}

// wait fills a batch, and waits for the first event of a change stream.
func (s *Server) wait(c *call, cur *cursor, n int64, limit time.Duration) ([]value.Doc, bool, error) {
	if limit == 0 {
		limit = awaitTime
	}
	var timer <-chan time.Time
	for {
		changed := s.store.Changed()
		docs, more, err := cur.fill(n)
		if err != nil || len(docs) > 0 || !more || cur.stream == nil {
			return docs, more, err
		}
		if timer == nil {
			t := time.NewTimer(limit)
			defer t.Stop()
			timer = t.C
		}
		select {
		case <-changed:
		case <-timer:
			return docs, more, nil
		case <-cur.killed:
			return nil, false, fault.New(fault.CursorKilled, "cursor was killed")
		case <-c.ctx.Done():
			return nil, false, c.ctx.Err()
		}
	}
}

// killCursors closes cursors.
func (s *Server) killCursors(c *call) (value.Doc, error) {
	c.coll()
	ids := value.Get(c.body, "cursors")
	if !value.IsArray(ids) {
		c.typed("cursors", ids, "array")
		return nil, c.bad()
	}
	var killed, missing []value.Value
	for _, item := range value.Items(ids) {
		n, ok := value.Integer(item)
		if ok && s.cursors.kill(n) {
			killed = append(killed, item)
		} else {
			missing = append(missing, item)
		}
	}
	return ok("cursorsKilled", value.Array(killed...), "cursorsNotFound", value.Array(missing...),
		"cursorsAlive", value.Array(), "cursorsUnknown", value.Array()), nil
}
