package mongotest_test

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driverevent "go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"botwatch/integration/mongotest"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

// TestStepDown: a secondary refuses writes, and reads that do not allow for
// one; connections and cursors survive; an election makes it all good.
func TestStepDown(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	var docs []value.Doc
	for i := range 5 {
		docs = append(docs, value.D("_id", i))
	}
	w.good("insert", "c", "documents", docs, "$db", "d")
	found := w.good("find", "c", "batchSize", 2, "$db", "d")
	watch := []value.Doc{value.D("$changeStream", value.D())}
	opened := w.good("aggregate", "c", "pipeline", watch, "cursor", value.D(), "$db", "d")
	before := w.good("hello", 1, "$db", "admin")

	s.StepDown()
	down := w.good("hello", 1, "$db", "admin")
	if value.Truthy(at(down, "isWritablePrimary")) || !value.Truthy(at(down, "secondary")) || !value.Missing(at(down, "primary")) || !value.Missing(at(down, "electionId")) {
		t.Errorf("stepped down: %v", down)
	}
	u, q := value.D("$set", value.D("a", 1)), value.D("_id", 1)
	for _, write := range [][]any{
		{"insert", "c", "documents", one(9), "$db", "d"},
		{"update", "c", "updates", []value.Doc{value.D("q", q, "u", u)}, "$db", "d"},
		{"delete", "c", "deletes", []value.Doc{value.D("q", q, "limit", 1)}, "$db", "d"},
		{"findAndModify", "c", "query", q, "update", u, "$db", "d"},
		{"bulkWrite", 1, "ops", []value.Doc{value.D("delete", 0, "filter", q)}, "nsInfo", []value.Doc{value.D("ns", "d.c")}, "$db", "admin"},
		{"aggregate", "c", "pipeline", []value.Doc{value.D("$out", "o")}, "cursor", value.D(), "$db", "d"},
		{"aggregate", "c", "pipeline", []value.Doc{value.D("$merge", "o")}, "cursor", value.D(), "$readPreference", value.D("mode", "secondary"), "$db", "d"},
		{"create", "n", "$db", "d"}, {"drop", "c", "$db", "d"}, {"dropDatabase", 1, "$db", "d"},
		{"createIndexes", "c", "indexes", []value.Doc{value.D("key", value.D("a", 1), "name", "a")}, "$db", "d"},
		{"renameCollection", "d.c", "to", "d.e", "$db", "admin"},
		{"replSetStepDown", 60, "force", true, "$db", "admin"},
	} {
		reply := w.bad(10107, write...)
		if got := at(reply, "topologyVersion"); !value.Equal(got, at(down, "topologyVersion")) {
			t.Errorf("%v: topologyVersion is %v", write[0], got)
		}
	}
	for _, read := range [][]any{
		{"find", "c"}, {"count", "c"}, {"distinct", "c", "key", "_id"}, {"aggregate", "c", "pipeline", []value.Doc{}, "cursor", value.D()},
		{"aggregate", "c", "pipeline", watch, "cursor", value.D()}, {"listCollections", 1}, {"listIndexes", "c"},
	} {
		read = append(read, "$db", "d")
		w.bad(13435, read...)
		w.bad(13435, append(slices.Clone(read), "$readPreference", value.D("mode", "primary"))...)
		for _, mode := range []string{"primaryPreferred", "secondary", "secondaryPreferred", "nearest"} {
			w.good(append(slices.Clone(read), "$readPreference", value.D("mode", mode))...)
		}
	}
	if rest := w.good("getMore", at(found, "cursor", "id"), "collection", "c", "$db", "d"); len(value.Items(at(rest, "cursor", "nextBatch"))) != 3 {
		t.Errorf("the cursor's rest: %v", rest)
	}
	getMore := []any{"getMore", at(opened, "cursor", "id"), "collection", "c", "maxTimeMS", 1, "$db", "d"}
	w.good(getMore...)
	if state := w.good("replSetGetStatus", 1, "$db", "admin"); number(state, "myState") != 2 {
		t.Errorf("the state: %v", state)
	}

	s.Elect()
	after := w.good("hello", 1, "$db", "admin")
	if !value.Truthy(at(after, "isWritablePrimary")) || text(after, "primary") != s.Addr() {
		t.Errorf("elected: %v", after)
	}
	was, _ := at(before, "electionId").ObjectIDOK()
	if is, _ := at(after, "electionId").ObjectIDOK(); bytes.Compare(was[:], is[:]) >= 0 {
		t.Errorf("the electionId is %v after %v", is, was)
	}
	n := number(before, "topologyVersion", "counter")
	for i, h := range []value.Doc{down, after} {
		if got := number(h, "topologyVersion", "counter"); got != n+1+i || !value.Equal(at(h, "topologyVersion", "processId"), at(before, "topologyVersion", "processId")) {
			t.Errorf("the topologyVersion is %v, after %d", at(h, "topologyVersion"), n)
		}
	}
	w.good("insert", "c", "documents", one(9), "$db", "d")
	if events := w.good(getMore...); len(value.Items(at(events, "cursor", "nextBatch"))) != 1 {
		t.Errorf("the stream: %v", events)
	}
	s.Elect() // of a primary it is nothing
	if h := w.good("hello", 1, "$db", "admin"); !value.Equal(at(h, "topologyVersion"), at(after, "topologyVersion")) {
		t.Errorf("elected twice: %v", h)
	}
}

// TestStepDownIsFinal: no write is done after StepDown returns.
func TestStepDownIsFinal(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	const writers = 4
	var done atomic.Int64
	var wait sync.WaitGroup
	for i := range writers {
		w := dial(t, s)
		wait.Go(func() {
			for j := 0; ; j++ {
				id := w.last + 1
				w.send(0, value.D("insert", "c", "documents", one(i*1_000_000+j), "$db", "d"))
				m, err := w.in.Read()
				if err != nil || m.ResponseTo != id || refused(m.Body) != 0 {
					return
				}
				done.Add(1)
			}
		})
	}
	w := dial(t, s)
	count := func() int {
		return number(w.good("count", "c", "$readPreference", value.D("mode", "nearest"), "$db", "d"), "n")
	}
	for count() < 200 {
	}
	s.StepDown()
	n := count()
	wait.Wait()
	if got := count(); got != n || int(done.Load()) != n {
		t.Errorf("%d documents after %d, and %d writes that succeeded", got, n, done.Load())
	}
}

// kinds gives what a driver learns of the server, as it does. It asks once an
// hour: what it learns before, it is told.
func kinds(t *testing.T, s *mongotest.Server) <-chan string {
	learned := make(chan string, 64)
	connected(t, s, func(o *options.ClientOptions) {
		o.SetHeartbeatInterval(time.Hour)
		o.SetServerMonitor(&driverevent.ServerMonitor{
			ServerDescriptionChanged: func(e *driverevent.ServerDescriptionChangedEvent) { learned <- e.NewDescription.Kind },
		})
	})
	return learned
}

// TestStepDownDriver: a driver learns of each turn at once, waits for a primary
// to write to, and does the write.
func TestStepDownDriver(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	learned := kinds(t, s)
	// Another one does the writes: a command that begins to wait while its driver
	// learns something can miss that, up to the next heartbeat (Go driver 2.10).
	c := connected(t, s)
	ctx := within(t)
	coll := c.Database("d").Collection("c")
	if _, err := coll.InsertOne(ctx, bson.M{"_id": 0}); err != nil {
		t.Fatal(err)
	}
	until := func(kind string) {
		t.Helper()
		for {
			select {
			case got := <-learned:
				if got == kind {
					return
				}
			case <-ctx.Done():
				t.Fatalf("the driver never learned of %s", kind)
			}
		}
	}
	until("RSPrimary")
	for i := range 5 {
		s.StepDown()
		until("RSSecondary")
		if err := c.Ping(ctx, readpref.Secondary()); err != nil {
			t.Error(err)
		}
		written := make(chan error, 1)
		go func() {
			_, err := coll.InsertOne(ctx, bson.M{"_id": i + 1})
			written <- err
		}()
		s.Elect()
		until("RSPrimary")
		if err := <-written; err != nil {
			t.Error(err)
		}
	}
	if n, err := coll.CountDocuments(ctx, bson.M{}); err != nil || n != 6 {
		t.Errorf("%d documents: %v", n, err)
	}
}

// TestStepDownInterrupts: a write that waits for a majority is told, although it
// is done; its retry gets the first answer, and waits in its turn.
func TestStepDownInterrupts(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	thaw := s.Freeze()
	arrived := make(chan mongotest.Command, 8)
	s.Inject(mongotest.Rule{Commands: []string{"insert"}, Arrived: arrived})
	w := dial(t, s)
	command := value.D("insert", "c", "documents", one(1), "lsid", session(), "txnNumber", int64(1), "writeConcern", value.D("w", "majority"), "$db", "d")
	w.send(0, command)
	<-arrived
	other := dial(t, s)
	for number(other.good("count", "c", "$db", "d"), "n") == 0 { // it waits then
	}
	s.StepDown()
	reply := w.receive().Body
	if number(reply, "n") != 1 || number(reply, "writeConcernError", "code") != 11602 || !slices.Equal(labelled(reply), []string{"RetryableWriteError"}) || value.Missing(at(reply, "topologyVersion")) {
		t.Errorf("interrupted: %v", reply)
	}
	w.send(0, command)
	<-arrived
	if reply := w.receive().Body; refused(reply) != 10107 {
		t.Errorf("the retry on a secondary: %v", reply)
	}
	s.Elect()
	w.send(0, command)
	<-arrived
	thaw()
	if reply := w.receive().Body; number(reply, "n") != 1 || !value.Missing(at(reply, "writeConcernError")) {
		t.Errorf("the retry: %v", reply)
	}
	if n := number(w.good("count", "c", "$db", "d"), "n"); n != 1 {
		t.Errorf("%d documents", n)
	}

	// And so a driver does.
	thaw = s.Freeze()
	coll := connected(t, s).Database("d").Collection("driver")
	written := make(chan error, 1)
	go func() {
		_, err := coll.InsertOne(within(t), bson.M{"_id": 1})
		written <- err
	}()
	<-arrived
	for number(other.good("count", "driver", "$db", "d"), "n") == 0 {
	}
	s.StepDown()
	s.Elect()
	<-arrived
	thaw()
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// TestReplSetStepDown: the command's rules, and the election when its time is
// over.
func TestReplSetStepDown(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	w.bad(2, "replSetStepDown", 0, "force", true, "$db", "admin")
	w.bad(2, "replSetStepDown", -1, "force", true, "$db", "admin")
	w.bad(2, "replSetStepDown", 10, "force", true, "secondaryCatchUpPeriodSecs", 10, "$db", "admin")
	w.bad(2, "replSetStepDown", 10, "$db", "admin") // which is the time to catch up
	w.bad(262, "replSetStepDown", 60, "$db", "admin")
	w.bad(14, "replSetStepDown", "x", "$db", "admin")
	w.bad(13, "replSetStepDown", 60, "force", true, "$db", "d")
	h := w.good("hello", 1, "$db", "admin")
	hello := dial(t, s)
	hello.send(wire.ExhaustAllowed, value.D("hello", 1, "topologyVersion", at(h, "topologyVersion"), "maxAwaitTimeMS", 1_000_000, "$db", "admin"))
	w.good("replSetStepDown", 1, "force", true, "$db", "admin")
	w.bad(10107, "insert", "c", "documents", one(1), "$db", "d")
	for _, primary := range []bool{false, true} {
		if h := hello.receive().Body; value.Truthy(at(h, "isWritablePrimary")) != primary {
			t.Errorf("primary is not %t: %v", primary, h)
		}
	}
	w.good("insert", "c", "documents", one(1), "$db", "d")
	// An election before its time is the only one.
	w.good("replSetStepDown", 1000, "force", true, "$db", "admin")
	s.Elect()
	w.good("insert", "c", "documents", one(2), "$db", "d")
	w.good("replSetStepDown", 1000, "force", true, "$db", "admin") // and Close does not wait for it
}

// TestRetryableWrites: a write that comes again gets its first answer, and an
// older one is refused.
func TestRetryableWrites(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	lsid := session()
	inc := func(txn int, n ...int) []any {
		var updates []value.Doc
		for _, id := range n {
			updates = append(updates, value.D("q", value.D("_id", id), "u", value.D("$inc", value.D("n", 1)), "upsert", true))
		}
		return []any{"update", "c", "updates", updates, "lsid", lsid, "txnNumber", int64(txn), "$db", "d"}
	}
	first := w.good(inc(3, 1, 2)...)
	again := w.good(inc(3, 1, 2)...)
	if !value.Equal(at(first, "upserted"), at(again, "upserted")) || number(again, "n") != 2 {
		t.Errorf("%v, then %v", first, again)
	}
	w.good(inc(3, 1, 2, 5)...) // statements that are new are done
	w.bad(225, inc(2, 1)...)
	w.good(inc(4, 1)...)
	if reply := w.good("find", "c", "sort", value.D("_id", 1), "$db", "d"); number(reply, "cursor", "firstBatch", "0", "n") != 2 ||
		number(reply, "cursor", "firstBatch", "1", "n") != 1 || number(reply, "cursor", "firstBatch", "2", "n") != 1 {
		t.Errorf("%v", reply)
	}
	w.bad(72, "insert", "c", "documents", one(1), "txnNumber", int64(1), "$db", "d")
	w.bad(72, "insert", "c", "documents", one(1), "lsid", session(), "txnNumber", int64(-1), "$db", "d")
	w.bad(50768, "find", "c", "lsid", session(), "txnNumber", int64(1), "$db", "d")
	w.bad(207, "ping", 1, "lsid", value.D("id", value.Binary(4, []byte("short"))), "$db", "d")
	multi := []value.Doc{value.D("q", value.D(), "u", value.D("$set", value.D("a", 1)), "multi", true)}
	if reply := w.ask("update", "c", "updates", multi, "lsid", session(), "txnNumber", int64(1), "$db", "d"); refused(reply) != 72 && number(reply, "writeErrors", "0", "code") != 72 {
		t.Errorf("a multi-update with a txnNumber: %v", reply)
	}
}
