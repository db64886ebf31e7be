package mongotest_test

import (
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"botwatch/integration/mongotest"
	"botwatch/integration/mongotest/internal/value"
)

// frozen is a server whose replication stands still after {_id: 1}.
func frozen(t *testing.T) (s *mongotest.Server, w *wired, thaw func()) {
	t.Helper()
	s = mongotest.Start(t, mongotest.Options{})
	w = dial(t, s)
	w.good("insert", "c", "documents", one(1), "$db", "d")
	return s, w, s.Freeze()
}

var majority = value.D("level", "majority")

// TestFreezeWrites: what waits for a majority waits in vain; the rest goes on.
func TestFreezeWrites(t *testing.T) {
	s, w, thaw := frozen(t)
	insert := func(id int, concern value.Doc, more ...any) value.Doc {
		command := []any{"insert", "c", "documents", one(id), "$db", "d"}
		if concern != nil {
			command = append(command, "writeConcern", concern)
		}
		return w.ask(append(command, more...)...)
	}
	tests := []struct {
		rule string
		got  value.Doc
		code int // of the write concern error; -1 for none
	}{
		{"w: 1", insert(2, value.D("w", 1)), -1},
		{"w: 0, with a reply", insert(3, value.D("w", 0)), -1},
		{"w: majority, for a time", insert(4, value.D("w", "majority", "wtimeout", 1)), 64},
		{"the default, for a time", insert(5, value.D("wtimeout", 1)), 64},
		{"w: majority, with maxTimeMS", insert(6, value.D("w", "majority"), "maxTimeMS", 5), 50},
		{"more members than there are", insert(7, value.D("w", 2)), 100},
		{"a mode that is none", insert(8, value.D("w", "everywhere")), 79},
	}
	for _, test := range tests {
		if number(test.got, "n") != 1 || refused(test.got) != 0 {
			t.Errorf("%s: it is not written: %v", test.rule, test.got)
		}
		if code := number(test.got, "writeConcernError", "code"); code != test.code {
			t.Errorf("%s: got the code %d, want %d: %v", test.rule, code, test.code, test.got)
		}
	}
	if e := tests[2].got; !value.Truthy(at(e, "writeConcernError", "errInfo", "wtimeout")) {
		t.Errorf("without errInfo: %v", e)
	}
	for _, concern := range []value.Doc{value.D("w", -1), value.D("w", 51), value.D("w", 1.5)} {
		if code := refused(insert(9, concern)); code != 9 {
			t.Errorf("%v: got the code %d, want 9", concern, code)
		}
	}
	if code := refused(insert(9, value.D("W", 1))); code != 40415 {
		t.Errorf("a field that is none: got the code %d", code)
	}

	// Without a time it waits for the thaw.
	arrived := make(chan mongotest.Command, 8)
	s.Inject(mongotest.Rule{Match: func(c mongotest.Command) bool { return c.Coll == "driver" && c.Name == "insert" }, Arrived: arrived})
	var thawed atomic.Bool
	written := make(chan bool, 2)
	db := connected(t, s).Database("d")
	for i, wc := range []*writeconcern.WriteConcern{nil, writeconcern.Majority()} {
		coll := db.Collection("driver", options.Collection().SetWriteConcern(wc))
		ctx := within(t)
		go func() {
			_, err := coll.InsertOne(ctx, bson.M{"_id": i})
			written <- err == nil && thawed.Load()
		}()
		<-arrived
	}
	if _, err := db.Collection("driver", options.Collection().SetWriteConcern(writeconcern.W1())).InsertOne(within(t), bson.M{"_id": 9}); err != nil {
		t.Error(err)
	}
	for number(w.good("count", "driver", "$db", "d"), "n") < 3 {
	}
	thawed.Store(true)
	thaw()
	for range 2 {
		if !<-written {
			t.Error("a majority write failed, or did not wait for the thaw")
		}
	}
	if number(insert(20, nil), "n") != 1 {
		t.Error("after the thaw no write succeeds")
	}
}

// TestFreezeReads: majority reads see what was committed before; those after a
// later time wait, at most for their maxTimeMS.
func TestFreezeReads(t *testing.T) {
	s, w, thaw := frozen(t)
	w.good("insert", "c", "documents", one(2), "writeConcern", value.D("w", 1), "$db", "d")
	w.good("update", "c", "updates", []value.Doc{value.D("q", value.D("_id", 1), "u", value.D("$set", value.D("new", true)))}, "writeConcern", value.D("w", 1), "$db", "d")
	w.good("insert", "other", "documents", one(1), "writeConcern", value.D("w", 1), "$db", "d")
	now := w.good("ping", 1, "$db", "d")
	later := at(now, "operationTime")
	batch := func(reply value.Doc) []value.Value { return value.Items(at(reply, "cursor", "firstBatch")) }
	for rule, test := range map[string]struct {
		concern value.Doc
		docs    int
	}{
		"local":     {value.D("level", "local"), 2},
		"available": {value.D("level", "available"), 2},
		"local, after the time of a write that is there": {value.D("level", "local", "afterClusterTime", later), 2},
		"majority": {majority, 1},
		"none":     {value.D(), 2},
	} {
		for _, read := range [][]any{{"find", "c"}, {"aggregate", "c", "pipeline", []value.Doc{}, "cursor", value.D()}} {
			reply := w.good(append(read, "readConcern", test.concern, "$db", "d")...)
			docs := batch(reply)
			if len(docs) != test.docs || value.Missing(at(value.Doc(docs[0].Value), "new")) != (test.docs == 1) {
				t.Errorf("%s, %s: %v", rule, read[0], docs)
			}
		}
	}
	if docs := batch(w.good("find", "other", "readConcern", majority, "$db", "d")); len(docs) != 0 {
		t.Errorf("a majority read sees a collection that no majority has: %v", docs)
	}
	if reply := w.good("find", "c", "readConcern", majority, "$db", "d"); value.Compare(at(reply, "operationTime"), later) >= 0 {
		t.Errorf("a majority read is of %v, and %v is not committed", at(reply, "operationTime"), later)
	}
	after := value.D("level", "majority", "afterClusterTime", later)
	w.bad(50, "find", "c", "readConcern", after, "maxTimeMS", 5, "$db", "d")
	w.bad(50, "find", "c", "readConcern", value.D("level", "linearizable"), "maxTimeMS", 5, "$db", "d")
	w.bad(72, "find", "c", "readConcern", value.D("level", "majority", "afterClusterTime", bson.Timestamp{T: 1 << 31}), "$db", "d")
	w.bad(9, "find", "c", "readConcern", value.D("level", "strong"), "$db", "d")
	w.bad(115, "find", "c", "readConcern", value.D("level", "snapshot"), "$db", "d")

	// A session's majority read of its own write waits for the thaw.
	c := connected(t, s)
	ctx := within(t)
	session, err := c.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(ctx)
	var written bson.Timestamp
	written.T, written.I = later.Timestamp()
	if err := session.AdvanceOperationTime(&written); err != nil {
		t.Fatal(err)
	}
	arrived := make(chan mongotest.Command, 8)
	s.Inject(mongotest.Rule{Commands: []string{"find", "aggregate"}, Arrived: arrived})
	var thawed atomic.Bool
	read := make(chan bool, 1)
	go func() {
		coll := c.Database("d").Collection("c", options.Collection().SetReadConcern(readconcern.Majority()))
		var got bson.M
		err := coll.FindOne(mongo.NewSessionContext(ctx, session), bson.M{"_id": 2}).Decode(&got)
		read <- err == nil && thawed.Load()
	}()
	<-arrived
	s.StepDown() // a read goes on
	s.Elect()
	w.good("ping", 1, "$db", "d")
	thawed.Store(true)
	thaw()
	if !<-read {
		t.Error("the read failed, or did not wait for the thaw")
	}
}

// TestFreezeStream: a change stream gives nothing that no majority has.
func TestFreezeStream(t *testing.T) {
	s, w, thaw := frozen(t)
	ctx := within(t)
	coll := connected(t, s).Database("d").Collection("c")
	stream, err := coll.Watch(ctx, bson.A{}, options.ChangeStream().SetMaxAwaitTime(5*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close(ctx)
	token := stream.ResumeToken().String()
	w.good("insert", "c", "documents", one(2), "writeConcern", value.D("w", 1), "$db", "d")
	for range 5 {
		if stream.TryNext(ctx) || stream.Err() != nil {
			t.Fatalf("%v: %v", stream.Current, stream.Err())
		}
		if got := stream.ResumeToken().String(); got != token {
			t.Errorf("the token moves on: %s after %s", got, token)
		}
	}
	w.good("insert", "c", "documents", one(3), "writeConcern", value.D("w", 1), "$db", "d")
	thaw()
	for _, id := range []int32{2, 3} {
		if !stream.Next(ctx) || stream.Current.Lookup("documentKey", "_id").Int32() != id {
			t.Errorf("%v: %v", stream.Current, stream.Err())
		}
	}
	thaw() // twice is once
	w.good("insert", "c", "documents", one(4), "writeConcern", value.D("w", "majority"), "$db", "d")
}
