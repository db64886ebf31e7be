package mongotest

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// topology is what the server is in its replica set.
type topology struct {
	// writing is held by commands while they write, and by turns: a write is done
	// by a primary, or refused.
	writing sync.RWMutex

	mu      sync.Mutex
	down    bool // stepped down: a secondary
	term    int64
	process bson.ObjectID
	counter int64
	changed chan struct{}
	again   *time.Timer // the election after a step-down for a time
}

func (t *topology) init() {
	t.term = 1
	t.process = bson.NewObjectID()
	t.counter = 6 // as after an election
	t.changed = make(chan struct{})
}

func (t *topology) primary() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.down
}

// turn makes a primary a secondary, or the reverse.
func (t *topology) turn(down bool) (turned bool) {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.again != nil {
		t.again.Stop()
		t.again = nil
	}
	if t.down == down {
		return false
	}
	t.down = down
	if !down {
		t.term++
	}
	t.counter++
	close(t.changed)
	t.changed = make(chan struct{})
	return true
}

func (t *topology) state() (down bool, term, counter int64, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.down, t.term, t.counter, t.changed
}

// stop ends the wait for an election.
func (t *topology) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.again != nil {
		t.again.Stop()
	}
}

// StepDown makes the server a secondary: writes are refused until Elect.
// Connections and cursors stay. A standalone has no use for either.
func (s *Server) StepDown() { s.turn(true) }

// Elect makes the server the primary again, in a new term.
func (s *Server) Elect() { s.turn(false) }

func (s *Server) turn(down bool) {
	if s.options.Standalone {
		return
	}
	if s.topology.turn(down) && !down {
		s.store.Noop() // a new primary writes its first entry
	}
}

// stepDownFor is StepDown, with an election after a time.
func (s *Server) stepDownFor(d time.Duration) {
	s.StepDown()
	s.topology.mu.Lock()
	defer s.topology.mu.Unlock()
	if s.topology.down && s.ctx.Err() == nil {
		s.topology.again = time.AfterFunc(d, s.Elect)
	}
}

// version gives topologyVersion.
func (t *topology) version(counter int64) value.Doc {
	return value.D("processId", t.process, "counter", value.Int64(counter))
}

// hello answers the handshake. With a topologyVersion that is current it waits
// for a change, for maxAwaitTimeMS at most.
func (s *Server) hello(c *call) (value.Doc, error) {
	legacy := c.name != "hello"
	if err := c.conn.introduce(c); err != nil {
		return nil, err
	}
	if err := s.topology.await(c); err != nil {
		return nil, err
	}
	down, term, counter, _ := s.topology.state()
	b := value.NewBuilder(nil)
	if legacy {
		b.Append("ismaster", value.Bool(!down))
		b.Append("helloOk", value.Bool(true))
	} else {
		b.Append("isWritablePrimary", value.Bool(!down))
		if value.Truthy(value.Get(c.body, "helloOk")) {
			b.Append("helloOk", value.Bool(true))
		}
	}
	b.Append("topologyVersion", value.Document(s.topology.version(counter)))
	if !s.options.Standalone {
		s.member(b, down, term)
	}
	b.Append("maxBsonObjectSize", value.Int32(16<<20))
	b.Append("maxMessageSizeBytes", value.Int32(48000000))
	b.Append("maxWriteBatchSize", value.Int32(100000))
	b.Append("localTime", value.Time(s.store.Now()))
	b.Append("logicalSessionTimeoutMinutes", value.Int32(30))
	b.Append("connectionId", value.Int(c.conn.id))
	b.Append("minWireVersion", value.Int32(0))
	b.Append("maxWireVersion", value.Int32(s.version.wire))
	b.Append("readOnly", value.Bool(false))
	if names := c.conn.compression(c); len(names) > 0 {
		b.Append("compression", value.Of(names))
	}
	if err := s.negotiateAuth(c, b); err != nil {
		return nil, err
	}
	return b.Doc(), nil
}

func (s *Server) member(b *value.Builder, down bool, term int64) {
	b.Append("hosts", value.Of([]string{s.addr}))
	b.Append("setName", value.String(s.options.ReplicaSet))
	b.Append("setVersion", value.Int32(1))
	b.Append("secondary", value.Bool(down))
	if !down {
		b.Append("primary", value.String(s.addr))
		var id bson.ObjectID
		id[0], id[1], id[2], id[3] = 0x7f, 0xff, 0xff, 0xff
		binary.BigEndian.PutUint64(id[4:], uint64(term))
		b.Append("electionId", value.ObjectID(id))
	}
	b.Append("me", value.String(s.addr))
	applied, committed := s.store.Applied(), s.store.Committed()
	b.Append("lastWrite", value.Of(value.D(
		"opTime", value.D("ts", applied, "t", value.Int64(term)),
		"lastWriteDate", time.Unix(int64(applied.T), 0),
		"majorityOpTime", value.D("ts", committed, "t", value.Int64(term)),
		"majorityWriteDate", time.Unix(int64(committed.T), 0))))
}

// await waits while the topologyVersion that a hello knows is current, for its
// maxAwaitTimeMS.
func (t *topology) await(c *call) error {
	tv, wait := c.doc("topologyVersion"), min(c.natural("maxAwaitTimeMS", 0), math.MaxInt32)
	if err := c.bad(); err != nil {
		return err
	}
	if (tv != nil) != c.has("maxAwaitTimeMS") {
		return fault.New(31368, "A request must include both 'topologyVersion' and 'maxAwaitTimeMS', or neither")
	}
	if tv == nil {
		return nil
	}
	_, _, counter, changed := t.state()
	known, ok := value.Integer(value.Get(tv, "counter"))
	process := value.Get(tv, "processId")
	switch {
	case !ok || process.Type != bson.TypeObjectID:
		return fault.New(fault.TypeMismatch, "'topologyVersion' must have a processId and a counter")
	case known < 0:
		return fault.New(31372, "topologyVersion must have a non-negative counter")
	case !value.Equal(process, value.ObjectID(t.process)) || known < counter:
		return nil
	case known > counter:
		return fault.New(31382, "Received a topology version with counter: %d which is greater than the server topology version counter: %d", known, counter)
	}
	timer := time.NewTimer(time.Duration(wait) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-c.ctx.Done():
	}
	return nil
}
