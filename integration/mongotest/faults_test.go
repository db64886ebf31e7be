package mongotest_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
	"botwatch/integration/mongotest/internal/value"
)

// TestRuleChoice: which commands a rule acts on, and how often.
func TestRuleChoice(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	insert := func(id int) value.Doc { return value.D("insert", "c", "documents", one(id), "$db", "d") }
	sent := []value.Doc{
		insert(1), insert(2), value.D("find", "c", "batchSize", 1, "$db", "d"), value.D("ping", 1, "$db", "e"),
		value.D("count", "x", "$db", "d"), insert(3),
	}
	command := func(name, db, coll string) mongotest.Command {
		return mongotest.Command{Name: name, DB: db, Coll: coll, App: "a"}
	}
	i, f, p, n := command("insert", "d", "c"), command("find", "d", "c"), command("ping", "e", ""), command("count", "d", "x")
	tests := []struct {
		rule string
		r    mongotest.Rule
		want []mongotest.Command
	}{
		{"all", mongotest.Rule{}, []mongotest.Command{i, i, f, p, n, i}},
		{"by name", mongotest.Rule{Commands: []string{"find", "ping"}}, []mongotest.Command{f, p}},
		{"by appName", mongotest.Rule{App: "a", Commands: []string{"find"}}, []mongotest.Command{f}},
		{"by another appName", mongotest.Rule{App: "b"}, nil},
		{"by a function", mongotest.Rule{Match: func(c mongotest.Command) bool { return c.DB == "d" && c.Coll == "x" }}, []mongotest.Command{n}},
		{"by all of them", mongotest.Rule{App: "a", Commands: []string{"find"}, Match: func(c mongotest.Command) bool { return c.Coll == "x" }}, nil},
		{"some pass first", mongotest.Rule{Skip: 4}, []mongotest.Command{n, i}},
		{"some times", mongotest.Rule{Times: 2}, []mongotest.Command{i, i}},
		{"some times, when some have passed", mongotest.Rule{Commands: []string{"insert", "ping"}, Skip: 1, Times: 2}, []mongotest.Command{i, p}},
	}
	for _, test := range tests {
		w := named(t, s, "a")
		arrived := make(chan mongotest.Command, len(sent))
		test.r.Arrived = arrived
		remove := s.Inject(test.r)
		for _, c := range sent {
			w.send(0, c)
			w.receive()
		}
		remove()
		remove() // twice is once
		w.good("ping", 1, "$db", "d")
		close(arrived)
		var got []mongotest.Command
		for c := range arrived {
			got = append(got, c)
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.rule, d)
		}
	}
	// getMore names its collection elsewhere, and the first hello its appName.
	arrived := make(chan mongotest.Command, 8)
	defer s.Inject(mongotest.Rule{Commands: []string{"getMore", "hello"}, App: "new", Arrived: arrived})()
	w := named(t, s, "new")
	w.good("getMore", at(w.good("find", "c", "batchSize", 1, "$db", "d"), "cursor", "id"), "collection", "c", "$db", "d")
	for _, want := range []mongotest.Command{{Name: "hello", DB: "admin", App: "new"}, {Name: "getMore", DB: "d", Coll: "c", App: "new"}} {
		if got := <-arrived; got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// TestRuleHold: a command waits until it is released, one by one or all; others
// go on meanwhile.
func TestRuleHold(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	hold, arrived := make(chan struct{}), make(chan mongotest.Command)
	defer s.Inject(mongotest.Rule{Commands: []string{"insert"}, Hold: hold, Arrived: arrived})()
	clients := make([]*wired, 3)
	other := dial(t, s)
	for i := range clients {
		clients[i] = dial(t, s)
		clients[i].send(0, value.D("insert", "c", "documents", one(i), "$db", "d"))
		if c := <-arrived; c.Name != "insert" || c.Coll != "c" {
			t.Errorf("%v arrived", c)
		}
	}
	count := func() int { return number(other.good("count", "c", "$db", "d"), "n") }
	if n := count(); n != 0 {
		t.Errorf("%d documents while all are held", n)
	}
	hold <- struct{}{}
	for count() == 0 {
	}
	if n := count(); n != 1 {
		t.Errorf("%d documents after one was released", n)
	}
	close(hold)
	for i, w := range clients {
		if reply := w.receive().Body; number(reply, "n") != 1 {
			t.Errorf("client %d: %v", i, reply)
		}
	}
	// What is held is not done when its client goes.
	hold = make(chan struct{})
	defer s.Inject(mongotest.Rule{Commands: []string{"delete"}, Hold: hold, Arrived: arrived})()
	w := dial(t, s)
	w.send(0, value.D("delete", "c", "deletes", []value.Doc{value.D("q", value.D(), "limit", 0)}, "$db", "d"))
	<-arrived
	w.Close()
	for number(other.good("serverStatus", 1, "$db", "admin"), "connections", "current") > 4 {
	}
	close(hold)
	if n := count(); n != 3 {
		t.Errorf("%d documents", n)
	}
}

// TestRuleDelay: a command comes later, and is done.
func TestRuleDelay(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	defer s.Inject(mongotest.Rule{Commands: []string{"ping"}, Delay: 30 * time.Millisecond, Times: 1})()
	w := dial(t, s)
	start := time.Now()
	w.good("ping", 1, "$db", "d")
	if d := time.Since(start); d < 30*time.Millisecond {
		t.Errorf("after %v", d)
	}
	// A client whose time is over before finds out by itself.
	defer s.Inject(mongotest.Rule{Commands: []string{"find"}, Delay: time.Hour, Times: 1})()
	c := connected(t, s, func(o *options.ClientOptions) { o.SetTimeout(100 * time.Millisecond).SetRetryReads(false) })
	err := c.Database("d").Collection("c").FindOne(t.Context(), bson.M{}).Err()
	if !mongo.IsTimeout(err) {
		t.Errorf("got %v, want a time-out", err)
	}
}

// TestRuleCut: the connection ends before the command is done, or after.
func TestRuleCut(t *testing.T) {
	for done, rule := range []mongotest.Rule{{Cut: true}, {CutReply: true}} {
		s := mongotest.Start(t, mongotest.Options{})
		rule.Commands, rule.Times = []string{"insert"}, 1
		s.Inject(rule)
		w := dial(t, s)
		w.send(0, value.D("insert", "c", "documents", one(1), "$db", "d"))
		w.ended()
		other := dial(t, s)
		if n := number(other.good("count", "c", "$db", "d"), "n"); n != done {
			t.Errorf("%+v: %d documents, want %d", rule, n, done)
		}
		// A driver tries again, and the write is done once.
		rule.Match = func(c mongotest.Command) bool { return c.Coll == "driver" }
		s.Inject(rule)
		coll := connected(t, s).Database("d").Collection("driver")
		if _, err := coll.UpdateOne(within(t), bson.M{"_id": 1}, bson.M{"$inc": bson.M{"n": 1}}, options.UpdateOne().SetUpsert(true)); err != nil {
			t.Errorf("%+v: %v", rule, err)
		}
		if _, err := coll.InsertOne(within(t), bson.M{"_id": 2}); err != nil {
			t.Errorf("%+v: %v", rule, err)
		}
		if n, err := coll.CountDocuments(within(t), bson.M{}); err != nil || n != 2 {
			t.Errorf("%+v: %d documents: %v", rule, n, err)
		}
	}
}

// TestCut: connections end by their client's appName, or all.
func TestCut(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	a, b, c := named(t, s, "a"), named(t, s, "b"), dial(t, s)
	s.Cut("a")
	a.ended()
	b.good("ping", 1, "$db", "d")
	c.good("ping", 1, "$db", "d")
	s.Cut("nobody")
	b.good("ping", 1, "$db", "d")

	// A driver's stream survives, and misses nothing.
	ctx := within(t)
	coll := connected(t, s, func(o *options.ClientOptions) { o.SetAppName("stream") }).Database("d").Collection("c")
	stream, err := coll.Watch(ctx, bson.A{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close(ctx)
	for i := range 5 {
		remove := s.Inject(mongotest.Rule{App: "stream", Commands: []string{"getMore"}, Cut: i%2 == 0, CutReply: true, Times: 1})
		b.good("insert", "c", "documents", one(i), "$db", "d")
		if !stream.Next(ctx) || stream.Current.Lookup("documentKey", "_id").Int32() != int32(i) {
			t.Fatalf("event %d: %v, %v", i, stream.Current, stream.Err())
		}
		remove()
	}
	s.Cut("")
	for _, w := range []*wired{b, c} {
		w.ended()
	}
	dial(t, s).good("ping", 1, "$db", "d")
}

// TestCounts: commands are counted as they come, whatever becomes of them.
func TestCounts(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	before := s.Counts()
	w := dial(t, s)
	w.good("ping", 1, "$db", "d")
	w.bad(40414, "find", "c") // no $db
	w.good("find", "c", "$db", "d")
	w.bad(59, "nonsense", 1, "$db", "d")
	w.bad(59, "nonsense too", 1, "$db", "d")
	s.Inject(mongotest.Rule{Commands: []string{"count"}, Cut: true})
	w.send(0, value.D("count", "c", "$db", "d"))
	w.ended()
	counts := s.Counts()
	want := maps.Clone(counts)
	for name, n := range map[string]int64{"ping": 1, "find": 2, "count": 1, "insert": 0} {
		if got := s.Count(name); got != n {
			t.Errorf("%s: %d, want %d", name, got, n)
		}
	}
	counts["find"] = 100 // it is the caller's
	if d := cmp.Diff(want, s.Counts()); d != "" || len(before) != 0 {
		t.Errorf("before %v (-want +got):\n%s", before, d)
	}
	if len(want) != 4 { // unknown ones count as one
		t.Errorf("%v", want)
	}
}
