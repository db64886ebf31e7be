package mongotest_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	driverevent "go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
	"botwatch/integration/mongotest/internal/value"
)

// TestFailPointMode: how often it acts.
func TestFailPointMode(t *testing.T) {
	const n = 8
	tests := []struct {
		rule string
		mode any
		want string // which of n commands fail
	}{
		{"alwaysOn", "alwaysOn", "xxxxxxxx"},
		{"off", "off", "........"},
		{"times", value.D("times", 3), "xxx....."},
		{"times as a double", value.D("times", 2.0), "xx......"},
		{"no times", value.D("times", 0), "........"},
		{"skip", value.D("skip", 3), "...xxxxx"},
		{"never", value.D("activationProbability", 0.0), "........"},
		{"in any case", value.D("activationProbability", 1), "xxxxxxxx"},
	}
	for _, test := range tests {
		s := mongotest.Start(t, mongotest.Options{})
		failing(t, s, test.mode, "failCommands", []string{"ping", "find"}, "errorCode", 8000)
		w := dial(t, s)
		got, hits := "", 0
		for i := range n {
			w.good("buildInfo", 1, "$db", "d") // which it is not about
			switch refused(w.ask([]string{"ping", "find"}[i%2], "c", "$db", "d")) {
			case 0:
				got += "."
			case 8000:
				got += "x"
				hits++
			default:
				got += "?"
			}
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.rule, got, test.want)
		}
		// The count is of entries, and goes on over all of them.
		if count := failing(t, s, "alwaysOn", "failCommands", []string{"ping"}, "errorCode", 1); count != hits {
			t.Errorf("%s: the count is %d, want %d", test.rule, count, hits)
		}
		w.bad(1, "ping", 1, "$db", "d")
		if count := failing(t, s, "off"); count != hits+1 {
			t.Errorf("%s: the count is %d then, want %d", test.rule, count, hits+1)
		}
		w.good("ping", 1, "$db", "d")
	}
	// A share of the commands, at random.
	s := mongotest.Start(t, mongotest.Options{})
	failing(t, s, value.D("activationProbability", 0.5), "failCommands", []string{"ping"}, "errorCode", 1)
	w := dial(t, s)
	for range 400 {
		w.ask("ping", 1, "$db", "d")
	}
	if count := failing(t, s, "off"); count < 100 || count > 300 {
		t.Errorf("%d of 400 failed, where half should", count)
	}
}

// TestFailPointRefused: what configureFailPoint does not take.
func TestFailPointRefused(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	tests := []struct {
		rule string
		code int
		name any
		mode any
		data any
	}{
		{"another fail point", 115, "rsSyncApplyStop", "alwaysOn", nil},
		{"a name that is none", 115, 7, "alwaysOn", nil},
		{"no mode", 14, "failCommand", nil, nil},
		{"a mode that is none", 2, "failCommand", "sometimes", nil},
		{"a field of mode that is none", 2, "failCommand", value.D("often", 1), nil},
		{"an empty mode", 2, "failCommand", value.D(), nil},
		{"two modes", 2, "failCommand", value.D("times", 1, "skip", 1), nil},
		{"times below 0", 2, "failCommand", value.D("times", -1), nil},
		{"times that are no number", 14, "failCommand", value.D("times", "once"), nil},
		{"a probability above 1", 2, "failCommand", value.D("activationProbability", 1.5), nil},
		{"a probability below 0", 2, "failCommand", value.D("activationProbability", -0.5), nil},
		{"a probability that is no number", 14, "failCommand", value.D("activationProbability", "half"), nil},
		{"data that are none", 14, "failCommand", "alwaysOn", "x"},
		{"a thread's name", 115, "failCommand", "alwaysOn", value.D("threadName", "conn1")},
		{"a field of data that is not offered", 115, "failCommand", "alwaysOn", value.D("errorExtraInfo", value.D())},
		{"failCommands that are no array", 14, "failCommand", "alwaysOn", value.D("failCommands", "ping")},
		{"an errorCode that is no number", 14, "failCommand", "alwaysOn", value.D("errorCode", "x")},
		{"errorLabels that are no array", 14, "failCommand", "alwaysOn", value.D("errorLabels", "x")},
		{"a writeConcernError that is no document", 14, "failCommand", "alwaysOn", value.D("writeConcernError", 1)},
		{"blockTimeMS below 0", 14, "failCommand", "alwaysOn", value.D("blockTimeMS", -1)},
		{"blockConnection without a time", 72, "failCommand", "alwaysOn", value.D("blockConnection", true)},
		{"failCommand's data in another", 115, "onPrimaryTransactionalWrite", "alwaysOn", value.D("errorCode", 1)},
		{"closeConnection where it is not offered", 115, "failGetMoreAfterCursorCheckout", "alwaysOn", value.D("closeConnection", true)},
	}
	for _, test := range tests {
		command := []any{"configureFailPoint", test.name, "$db", "admin"}
		if test.mode != nil {
			command = append(command, "mode", test.mode)
		}
		if test.data != nil {
			command = append(command, "data", test.data)
		}
		if got := refused(w.ask(command...)); got != test.code {
			t.Errorf("%s: got the code %d, want %d", test.rule, got, test.code)
		}
	}
	w.bad(13, "configureFailPoint", "failCommand", "mode", "off", "$db", "d")
}

// TestFailPointLabels: which labels an error, or a write concern error, gets.
func TestFailPointLabels(t *testing.T) {
	const retry, resume, fatal = "RetryableWriteError", "ResumableChangeStreamError", "NonResumableChangeStreamError"
	watch := []value.Doc{value.D("$changeStream", value.D())}
	insert := func() value.Doc { return value.D("insert", "c", "documents", one(1), "$db", "d") }
	retried := func() value.Doc {
		return value.D("insert", "c", "documents", one(1), "lsid", session(), "txnNumber", int64(1), "$db", "d")
	}
	find := func() value.Doc { return value.D("find", "c", "$db", "d") }
	stream := func() value.Doc { return value.D("aggregate", "c", "pipeline", watch, "cursor", value.D(), "$db", "d") }
	tests := []struct {
		rule    string
		data    []any
		command func() value.Doc
		want    []string
	}{
		{"a retryable write", []any{"errorCode", 91}, retried, []string{retry}},
		{"another write", []any{"errorCode", 91}, insert, []string{}},
		{"another error of a retryable write", []any{"errorCode", 8}, retried, []string{}},
		{"a read", []any{"errorCode", 91}, find, []string{}},
		{"no labels are dictated", []any{"errorCode", 91, "errorLabels", []string{}}, retried, []string{}},
		{"labels are dictated", []any{"errorCode", 8, "errorLabels", []string{"A", "B"}}, insert, []string{"A", "B"}},
		{"labels are dictated instead of others", []any{"errorCode", 91, "errorLabels", []string{"A"}}, retried, []string{"A"}},
		{"a change stream", []any{"errorCode", 6}, stream, []string{resume}},
		{"another error of a change stream", []any{"errorCode", 8}, stream, []string{}},
		{"a lost cursor goes by its code", []any{"errorCode", 43}, stream, []string{}},
		{"lost history", []any{"errorCode", 286}, stream, []string{fatal}},
		{"a write concern error of a retryable write", []any{"writeConcernError", value.D("code", 91)}, retried, []string{retry}},
		{"a write concern error of another write", []any{"writeConcernError", value.D("code", 91)}, insert, []string{}},
		{"another write concern error", []any{"writeConcernError", value.D("code", 64)}, retried, []string{}},
		{"labels within the write concern error", []any{"writeConcernError", value.D("code", 91, "errorLabels", []string{})}, retried, []string{}},
		{"labels beside a write concern error", []any{"writeConcernError", value.D("code", 64), "errorLabels", []string{"A"}}, retried, []string{"A"}},
	}
	for code := range map[int]bool{6: true, 7: true, 89: true, 91: true, 189: true, 262: true, 9001: true, 10107: true, 11600: true, 11602: true, 13435: true, 13436: true} {
		tests = append(tests, tests[0], tests[7])
		tests[len(tests)-2].data, tests[len(tests)-1].data = []any{"errorCode", code}, []any{"errorCode", code}
	}
	for _, test := range tests {
		s := mongotest.Start(t, mongotest.Options{})
		failing(t, s, "alwaysOn", append(test.data, "failCommands", []string{"insert", "find", "aggregate"})...)
		w := dial(t, s)
		w.send(0, test.command())
		reply := w.receive().Body
		if d := cmp.Diff(test.want, labelled(reply)); d != "" {
			t.Errorf("%s, %v (-want +got):\n%s", test.rule, test.data, d)
		}
		// Errors about who is primary go with topologyVersion, for stale ones to be told.
		about := slices.Contains([]int{189, 10107, 11602, 13435, 13436}, number(reply, "code"))
		if got := !value.Missing(at(reply, "topologyVersion")); got != about {
			t.Errorf("%v with a topologyVersion: %t", test.data, got)
		}
	}
}

// TestFailPointData: what else data can say.
func TestFailPointData(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	insert := []any{"insert", "c", "documents", one(1), "$db", "d"}
	t.Run("errorCode: the command is not done", func(t *testing.T) {
		failing(t, s, value.D("times", 1), "failCommands", []string{"insert"}, "errorCode", 10107)
		w := dial(t, s)
		if reply := w.bad(10107, insert...); text(reply, "codeName") != "NotWritablePrimary" {
			t.Errorf("%v", reply)
		}
		if n := number(w.good("count", "c", "$db", "d"), "n"); n != 0 {
			t.Errorf("%d documents", n)
		}
	})
	t.Run("closeConnection: nor is it", func(t *testing.T) {
		failing(t, s, value.D("times", 1), "failCommands", []string{"insert"}, "closeConnection", true)
		w := dial(t, s)
		w.send(0, value.D(insert...))
		w.ended()
		if n := number(dial(t, s).good("count", "c", "$db", "d"), "n"); n != 0 {
			t.Errorf("%d documents", n)
		}
	})
	t.Run("writeConcernError: it is", func(t *testing.T) {
		failing(t, s, value.D("times", 1), "failCommands", []string{"insert"},
			"writeConcernError", value.D("code", 64, "errmsg", "late", "errInfo", value.D("wtimeout", true)))
		w := dial(t, s)
		reply := w.good(insert...)
		if number(reply, "n") != 1 || number(reply, "writeConcernError", "code") != 64 ||
			text(reply, "writeConcernError", "codeName") != "WriteConcernFailed" || text(reply, "writeConcernError", "errmsg") != "late" {
			t.Errorf("%v", reply)
		}
		w.good("delete", "c", "deletes", []value.Doc{value.D("q", value.D(), "limit", 0)}, "$db", "d")
		failing(t, s, value.D("times", 1), "failCommands", []string{"find"}, "writeConcernError", value.D("code", 64))
		if reply := w.good("find", "c", "$db", "d"); !value.Missing(at(reply, "writeConcernError")) {
			t.Errorf("a read has a write concern error: %v", reply)
		}
	})
	t.Run("blockConnection: it is, later; with an error not", func(t *testing.T) {
		const wait = 50
		for _, code := range []int{0, 8} {
			failing(t, s, value.D("times", 1), "failCommands", []string{"insert"}, "blockConnection", true, "blockTimeMS", wait, "errorCode", code)
			w := dial(t, s)
			start := time.Now()
			if got := refused(w.ask(insert...)); got != code {
				t.Errorf("got the code %d, want %d", got, code)
			}
			if d := time.Since(start); d < wait*time.Millisecond {
				t.Errorf("after %v", d)
			}
		}
	})
	t.Run("blockTimeMS alone does nothing", func(t *testing.T) {
		for _, data := range [][]any{{}, {"blockConnection", false}} {
			failing(t, s, value.D("times", 1), append(data, "failCommands", []string{"ping"}, "blockTimeMS", 1_000_000)...)
			dial(t, s).good("ping", 1, "$db", "d")
		}
	})
	t.Run("appName: of this client alone, from its first hello on", func(t *testing.T) {
		failing(t, s, "alwaysOn", "failCommands", []string{"hello", "ping"}, "appName", "chosen", "errorCode", 91)
		other := named(t, s, "other")
		other.good("ping", 1, "$db", "d")
		dial(t, s).good("ping", 1, "$db", "d")
		w := dial(t, s)
		w.bad(91, "hello", 1, "client", value.D("application", value.D("name", "chosen")), "$db", "admin")
		failing(t, s, "alwaysOn", "failCommands", []string{"ping"}, "appName", "chosen", "errorCode", 91)
		named(t, s, "chosen").bad(91, "ping", 1, "$db", "d")
		other.good("ping", 1, "$db", "d")
		failing(t, s, "off")
	})
	t.Run("namespace: on this collection alone, getMore too", func(t *testing.T) {
		w := dial(t, s)
		for _, coll := range []string{"n", "o"} {
			w.good("insert", coll, "documents", []value.Doc{value.D("_id", 1), value.D("_id", 2)}, "$db", "d")
		}
		failing(t, s, "alwaysOn", "failCommands", []string{"insert", "getMore"}, "namespace", "d.n", "errorCode", 8)
		w.bad(8, "insert", "n", "documents", one(3), "$db", "d")
		w.good("insert", "o", "documents", one(3), "$db", "d")
		w.good("insert", "n", "documents", one(3), "$db", "e")
		for coll, code := range map[string]int{"n": 8, "o": 0} {
			cursor := at(w.good("find", coll, "batchSize", 1, "$db", "d"), "cursor", "id")
			if got := refused(w.ask("getMore", cursor, "collection", coll, "$db", "d")); got != code {
				t.Errorf("getMore on %s: got the code %d, want %d", coll, got, code)
			}
		}
		failing(t, s, "off")
	})
	t.Run("configureFailPoint itself never fails", func(t *testing.T) {
		failing(t, s, "alwaysOn", "failCommands", []string{"configureFailPoint"}, "errorCode", 8, "closeConnection", true)
		failing(t, s, "off")
	})
}

// TestFailPointGetMore: one that has its cursor fails with a change stream's
// label, and the cursor is gone.
func TestFailPointGetMore(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	w := dial(t, s)
	opened := w.good("aggregate", "c", "pipeline", []value.Doc{value.D("$changeStream", value.D())}, "cursor", value.D(), "$db", "d")
	getMore := []any{"getMore", at(opened, "cursor", "id"), "collection", "c", "maxTimeMS", 1, "$db", "d"}
	w.good("configureFailPoint", "failCommand", "mode", value.D("times", 1), "data", value.D("failCommands", []string{"getMore"}, "errorCode", 6), "$db", "admin")
	if got := labelled(w.bad(6, getMore...)); len(got) != 0 { // it does not know yet that it is a stream's
		t.Errorf("the labels %v", got)
	}
	w.good(getMore...)
	w.good("configureFailPoint", "failGetMoreAfterCursorCheckout", "mode", value.D("times", 1), "data", value.D("errorCode", 6), "$db", "admin")
	if got := labelled(w.bad(6, getMore...)); !slices.Equal(got, []string{"ResumableChangeStreamError"}) {
		t.Errorf("the labels %v", got)
	}
	w.bad(43, getMore...)
}

// TestFailPointRetryable: a retryable write's connection ends, after the write
// or instead of it; and the retry does what is left to do, once.
func TestFailPointRetryable(t *testing.T) {
	for _, test := range []struct {
		rule string
		data value.Doc
		done int
	}{
		{"after the write", value.D(), 1},
		{"instead of it", value.D("failBeforeCommitExceptionCode", 1), 0},
	} {
		t.Run(test.rule, func(t *testing.T) {
			s := mongotest.Start(t, mongotest.Options{})
			dial(t, s).good("insert", "c", "documents", []value.Doc{value.D("_id", 1, "n", 0)}, "$db", "d")
			inc := value.D("$inc", value.D("n", 1))
			for i, command := range []value.Doc{
				value.D("update", "c", "updates", []value.Doc{value.D("q", value.D("_id", 1), "u", inc)}, "lsid", session(), "txnNumber", int64(1), "$db", "d"),
				value.D("findAndModify", "c", "query", value.D("_id", 1), "update", inc, "lsid", session(), "txnNumber", int64(1), "$db", "d"),
			} {
				w := dial(t, s)
				w.good("configureFailPoint", "onPrimaryTransactionalWrite", "mode", value.D("times", 1), "data", test.data, "$db", "admin")
				w.good("update", "c", "updates", []value.Doc{value.D("q", value.D("_id", 2), "u", inc)}, "$db", "d") // not retryable
				n := func() int {
					return number(dial(t, s).good("find", "c", "$db", "d"), "cursor", "firstBatch", "0", "n") - i
				}
				w.send(0, command)
				w.ended()
				if got := n(); got != test.done {
					t.Errorf("done %d times, want %d", got, test.done)
				}
				w = dial(t, s)
				w.send(0, command)
				if reply := w.receive().Body; refused(reply) != 0 || n() != 1 {
					t.Errorf("done %d times after the retry: %v", n(), reply)
				}
			}
		})
	}
}

// TestFailPointDriver: what a driver makes of it: one retry of a retryable
// write, an error that keeps its labels, and a stream that resumes.
func TestFailPointDriver(t *testing.T) {
	s := mongotest.Start(t, mongotest.Options{})
	var inserts atomic.Int64
	c := connected(t, s, func(o *options.ClientOptions) {
		o.SetMonitor(&driverevent.CommandMonitor{Started: func(_ context.Context, e *driverevent.CommandStartedEvent) {
			if e.CommandName == "insert" {
				inserts.Add(1)
			}
		}})
	})
	coll := c.Database("d").Collection("c")
	ctx := within(t)
	for i, data := range [][]any{
		{"errorCode", 10107}, {"errorCode", 91}, {"closeConnection", true}, {"writeConcernError", value.D("code", 91)},
	} {
		failing(t, s, value.D("times", 1), append(data, "failCommands", []string{"insert"})...)
		if _, err := coll.InsertOne(ctx, bson.M{"_id": i}); err != nil {
			t.Errorf("%v: %v", data, err)
		}
		if n := inserts.Swap(0); n != 2 {
			t.Errorf("%v: %d attempts, want 2", data, n)
		}
		if n, err := coll.CountDocuments(ctx, bson.M{"_id": i}); err != nil || n != 1 {
			t.Errorf("%v: %d documents: %v", data, n, err)
		}
	}
	failing(t, s, value.D("times", 1), "failCommands", []string{"insert"}, "errorCode", 91, "errorLabels", []string{})
	_, err := coll.InsertOne(ctx, bson.M{"_id": 10})
	var failed mongo.ServerError
	if !errors.As(err, &failed) || !failed.HasErrorCode(91) || failed.HasErrorLabel("RetryableWriteError") || inserts.Load() != 1 {
		t.Errorf("without a label: %v after %d attempts", err, inserts.Load())
	}
	stream, err := coll.Watch(ctx, bson.A{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close(ctx)
	failing(t, s, value.D("times", 1), "failCommands", []string{"getMore"}, "closeConnection", true)
	if _, err := coll.InsertOne(ctx, bson.M{"_id": 11}); err != nil {
		t.Fatal(err)
	}
	if !stream.Next(ctx) {
		t.Fatal(stream.Err())
	}
	if n := s.Count("aggregate"); n < 2 {
		t.Errorf("the stream was opened %d times, want another", n)
	}
}
