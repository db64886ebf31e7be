package mongotest_test

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
	"botwatch/integration/mongotest/internal/value"
)

// entries gives how many entries the oplog has.
func (w *wired) entries() int {
	w.t.Helper()
	return number(w.good("count", "oplog.rs", "$db", "local"), "n")
}

// begun gives the token of a stream that saw nothing.
func begun(t *testing.T, coll *mongo.Collection) bson.Raw {
	t.Helper()
	stream, err := coll.Watch(within(t), bson.A{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close(within(t))
	return stream.ResumeToken()
}

// resumed gives the error of a stream that goes on after a token, up to an event.
func resumed(t *testing.T, coll *mongo.Collection, token bson.Raw) error {
	t.Helper()
	stream, err := coll.Watch(within(t), bson.A{}, options.ChangeStream().SetResumeAfter(token))
	if err != nil {
		return err
	}
	defer stream.Close(within(t))
	stream.Next(within(t))
	return stream.Err()
}

// TestOplogLength: history is lost when the oplog is shortened, resized or full,
// and not before.
func TestOplogLength(t *testing.T) {
	for rule, shorten := range map[string]func(s *mongotest.Server, w *wired){
		"shortened":                            func(s *mongotest.Server, _ *wired) { s.ShortenOplog(2) },
		"shortened to less than there must be": func(s *mongotest.Server, _ *wired) { s.ShortenOplog(-1) },
		"resized": func(_ *mongotest.Server, w *wired) {
			w.good("replSetResizeOplog", 1, "size", 0.001, "$db", "admin")
		},
		"full": func(_ *mongotest.Server, w *wired) {
			for i := range 20 {
				w.good("insert", "big", "documents", []value.Doc{value.D("_id", i, "x", value.Binary(0, make([]byte, 100_000)))}, "$db", "d")
			}
		},
	} {
		t.Run(rule, func(t *testing.T) {
			s := mongotest.Start(t, mongotest.Options{OplogMB: 1})
			coll := connected(t, s).Database("d").Collection("c")
			w := dial(t, s)
			token := begun(t, coll)
			for i := range 100 {
				w.good("insert", "c", "documents", one(i), "$db", "d")
			}
			n := w.entries()
			if err := resumed(t, coll, token); err != nil {
				t.Errorf("while the oplog has %d entries: %v", n, err)
			}
			s.ShortenOplog(n) // which is as long as it is
			if err := resumed(t, coll, token); err != nil || w.entries() < n {
				t.Errorf("while the oplog has %d entries: %v", w.entries(), err)
			}
			shorten(s, w)
			if err := resumed(t, coll, token); !hasCode(err, 286) {
				t.Errorf("got %v, want lost history", err)
			}
			if got := w.entries(); got >= n || got < 1 {
				t.Errorf("the oplog has %d entries, of %d", got, n)
			}
			w.good("insert", "c", "documents", one(1000), "$db", "d")
		})
	}
	w := dial(t, mongotest.Start(t, mongotest.Options{}))
	w.bad(2, "replSetResizeOplog", 1, "size", 0, "$db", "admin")
	w.bad(2, "replSetResizeOplog", 1, "$db", "admin")
	w.bad(115, "replSetResizeOplog", 1, "size", 1000.0, "minRetentionHours", 1.0, "$db", "admin")
}

func hasCode(err error, code int) bool {
	var e mongo.ServerError
	return errors.As(err, &e) && e.HasErrorCode(code)
}

// TestSetClockBack: the time is earlier, the oplog empty, the data as they are;
// connections and cursors are gone.
func TestSetClockBack(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	w.good("insert", "c", "documents", []value.Doc{value.D("_id", 1), value.D("_id", 2)}, "$db", "d")
	w.good("find", "c", "batchSize", 1, "$db", "d")
	before := w.good("hello", 1, "$db", "admin")
	if n := s.OpenCursors(); n != 1 {
		t.Errorf("%d open cursors", n)
	}
	s.SetClockBack(time.Hour)
	w.ended()
	if n := s.OpenCursors(); n != 0 {
		t.Errorf("%d open cursors", n)
	}
	w = dial(t, s)
	after := w.good("hello", 1, "$db", "admin")
	was, is := at(before, "localTime").Time(), at(after, "localTime").Time()
	if d := was.Sub(is); d < 59*time.Minute || d > time.Hour {
		t.Errorf("the time is %v after %v", is, was)
	}
	for _, name := range []string{"operationTime", "$clusterTime"} {
		was, is := at(before, name), at(after, name)
		if name == "$clusterTime" {
			was, is = at(before, name, "clusterTime"), at(after, name, "clusterTime")
		}
		if value.Compare(is, was) >= 0 {
			t.Errorf("%s is %v after %v", name, is, was)
		}
	}
	if n := number(w.good("count", "c", "$db", "d"), "n"); n != 2 || w.entries() != 1 {
		t.Errorf("%d documents, %d entries", n, w.entries())
	}
	w.good("insert", "c", "documents", one(3), "$db", "d")
	if n := w.entries(); n != 2 {
		t.Errorf("%d entries", n)
	}
}

// TestBackup: what was backed up comes back, as often as one likes: the
// documents, the indexes, the oplog and its time.
func TestBackup(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	coll := func() *mongo.Collection { return connected(t, s).Database("d").Collection("c") }
	w := dial(t, s)
	token := begun(t, coll())
	w.good("insert", "c", "documents", one(1), "$db", "d")
	w.good("createIndexes", "c", "indexes", []value.Doc{value.D("key", value.D("a", 1), "name", "a")}, "$db", "d")
	uuid := func(w *wired) value.Value {
		return at(w.good("listCollections", 1, "filter", value.D("name", "c"), "$db", "d"), "cursor", "firstBatch", "0", "info", "uuid")
	}
	id, n := uuid(w), w.entries()
	b := s.Backup()
	for range 3 {
		w.good("insert", "c", "documents", one(2), "$db", "d")
		w.good("dropIndexes", "c", "index", "a", "$db", "d")
		w.good("drop", "c", "$db", "d")
		w.good("insert", "new", "documents", one(1), "$db", "d")
		thaw := s.Freeze()
		w.good("find", "new", "$db", "d")
		s.Restore(b)
		thaw()
		w.ended()
		w = dial(t, s)
		if got := number(w.good("count", "c", "$db", "d"), "n"); got != 1 || w.entries() != n {
			t.Errorf("%d documents, %d entries of %d", got, w.entries(), n)
		}
		if got := number(w.good("count", "new", "$db", "d"), "n"); got != 0 {
			t.Errorf("%d documents that were not backed up", got)
		}
		if got := uuid(w); !value.Equal(got, id) {
			t.Errorf("the UUID is %v, and was %v", got, id)
		}
		if got := len(value.Items(at(w.good("listIndexes", "c", "$db", "d"), "cursor", "firstBatch"))); got != 2 {
			t.Errorf("%d indexes", got)
		}
		if err := resumed(t, coll(), token); err != nil {
			t.Errorf("a token from before the backup: %v", err)
		}
	}
}

// TestReplaceCollection: it has the same documents and another UUID, and the
// oplog says nothing.
func TestReplaceCollection(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	if err := s.ReplaceCollection("d", "c"); err == nil {
		t.Error("a collection that is none was replaced")
	}
	w := dial(t, s)
	w.good("insert", "c", "documents", one(1), "$db", "d")
	w.good("createIndexes", "c", "indexes", []value.Doc{value.D("key", value.D("a", 1), "name", "a")}, "$db", "d")
	specs := func() []mongo.CollectionSpecification {
		t.Helper()
		specs, err := connected(t, s).Database("d").ListCollectionSpecifications(within(t), bson.M{"name": "c"})
		if err != nil || len(specs) != 1 {
			t.Fatalf("%v: %v", specs, err)
		}
		return specs
	}
	n, before := w.entries(), specs()[0].UUID
	if err := s.ReplaceCollection("d", "c"); err != nil {
		t.Fatal(err)
	}
	w.ended()
	w = dial(t, s)
	if after := specs()[0].UUID; after.Equal(*before) || len(after.Data) != 16 {
		t.Errorf("the UUID is %v, and was %v", after, before)
	}
	if got := w.entries(); got != n {
		t.Errorf("%d entries, and there were %d", got, n)
	}
	w.bad(11000, "findAndModify", "c", "query", value.D("a", 1), "update", value.D("_id", 1), "upsert", true, "$db", "d")
	if got := len(value.Items(at(w.good("listIndexes", "c", "$db", "d"), "cursor", "firstBatch"))); got != 2 {
		t.Errorf("%d indexes", got)
	}
}

// TestExpire: expired documents go at once, or by and by, and each is an event;
// a secondary removes none.
func TestExpire(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	w.good("createIndexes", "c", "indexes", []value.Doc{value.D("key", value.D("at", 1), "name", "at", "expireAfterSeconds", 60)}, "$db", "d")
	now := time.Now()
	w.good("insert", "c", "documents", []value.Doc{
		value.D("_id", 1, "at", now.Add(-time.Hour)), value.D("_id", 2, "at", now), value.D("_id", 3), value.D("_id", 4, "at", now.Add(-61*time.Second)),
		value.D("_id", 5, "at", "text"),
	}, "$db", "d")
	s.StepDown()
	if n := s.ExpireNow(); n != 0 {
		t.Errorf("a secondary removed %d", n)
	}
	s.Elect()
	if n := s.ExpireNow(); n != 2 {
		t.Errorf("%d removed, want 2", n)
	}
	if n := s.ExpireNow(); n != 0 {
		t.Errorf("%d removed again", n)
	}
	if n := number(w.good("count", "c", "$db", "d"), "n"); n != 3 {
		t.Errorf("%d documents left", n)
	}
	quick := mongotest.Start(t, mongotest.Options{TTLInterval: time.Millisecond})
	ctx := within(t)
	coll := connected(t, quick).Database("d").Collection("c")
	if _, err := coll.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.M{"at": 1}, Options: options.Index().SetExpireAfterSeconds(0)}); err != nil {
		t.Fatal(err)
	}
	stream, err := coll.Watch(ctx, bson.A{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close(ctx)
	if _, err := coll.InsertOne(ctx, bson.M{"_id": 1, "at": now}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"insert", "delete"} {
		if !stream.Next(ctx) || stream.Current.Lookup("operationType").StringValue() != want {
			t.Errorf("%v, want %s: %v", stream.Current, want, stream.Err())
		}
	}
}

// TestOplogRead: the oplog is a collection, whichever command reads it.
func TestOplogRead(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	for i := range 3 {
		w.good("insert", "c", "documents", one(i), "$db", "d")
	}
	q := value.D("ns", "d.c", "op", "i")
	if n := number(w.good("count", "oplog.rs", "query", q, "$db", "local"), "n"); n != 3 {
		t.Errorf("count: %d", n)
	}
	stages := []value.Doc{value.D("$match", q), value.D("$count", "n")}
	if reply := w.good("aggregate", "oplog.rs", "pipeline", stages, "cursor", value.D(), "$db", "local"); number(reply, "cursor", "firstBatch", "0", "n") != 3 {
		t.Errorf("aggregate: %v", reply)
	}
	for natural, want := range map[int]int{1: 0, -1: 2} {
		reply := w.good("find", "oplog.rs", "filter", q, "sort", value.D("$natural", natural), "limit", 1, "$db", "local")
		if got := number(reply, "cursor", "firstBatch", "0", "o", "_id"); got != want {
			t.Errorf("the first in the order %d: %d, want %d", natural, got, want)
		}
	}
	alone := dial(t, mongotest.Start(t, mongotest.Options{Standalone: true}))
	alone.good("insert", "c", "documents", one(1), "$db", "d")
	if n := alone.entries(); n != 0 {
		t.Errorf("a standalone has %d entries", n)
	}
}
