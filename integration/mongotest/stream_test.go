package mongotest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/integration/mongotest"
)

// streamed is a collection to be watched, by a client of its own.
type streamed struct {
	*mongo.Collection
	server *mongotest.Server // nil for a real one
	ctx    context.Context
}

// eachStreamed runs a test on each kind of server, or on the one that is asked
// for.
func eachStreamed(t *testing.T, test func(t *testing.T, c streamed)) {
	one := func(t *testing.T, uri string, s *mongotest.Server) {
		client := connect(t, uri)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		t.Cleanup(cancel)
		db := client.Database("streams_" + bson.NewObjectID().Hex())
		t.Cleanup(func() { db.Drop(context.Background()) })
		test(t, streamed{db.Collection("c"), s, ctx})
	}
	if uri := os.Getenv("BOTWATCH_TEST_MONGODB_URI"); uri != "" {
		one(t, uri, nil)
		return
	}
	for _, version := range []string{"6.0", "7.0", "8.0"} {
		t.Run(version, func(t *testing.T) {
			s := mongotest.Start(t, mongotest.Options{Version: version})
			one(t, s.URI(), s)
		})
	}
}

func (c streamed) watch(t *testing.T, o ...options.Lister[options.ChangeStreamOptions]) *mongo.ChangeStream {
	t.Helper()
	return c.pipe(t, mongo.Pipeline{}, o...)
}

func (c streamed) pipe(t *testing.T, pipeline any, o ...options.Lister[options.ChangeStreamOptions]) *mongo.ChangeStream {
	t.Helper()
	s, err := c.Watch(c.ctx, pipeline, o...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func (c streamed) insert(t *testing.T, ids ...int) {
	t.Helper()
	docs := make([]any, len(ids))
	for i, id := range ids {
		docs[i] = bson.D{{Key: "_id", Value: id}}
	}
	if _, err := c.InsertMany(c.ctx, docs); err != nil {
		t.Fatal(err)
	}
}

func (c streamed) set(t *testing.T, id int, field string, v any) {
	t.Helper()
	if _, err := c.UpdateByID(c.ctx, id, bson.M{"$set": bson.M{field: v}}); err != nil {
		t.Fatal(err)
	}
}

// event is what tests look at.
type event struct {
	ID   bson.Raw `bson:"_id"`
	Kind string   `bson:"operationType"`
	Key  struct {
		ID any `bson:"_id"`
	} `bson:"documentKey"`
	Full   bson.RawValue              `bson:"fullDocument"`
	Before bson.RawValue              `bson:"fullDocumentBeforeChange"`
	Update bson.Raw                   `bson:"updateDescription"`
	Split  struct{ Fragment, Of int } `bson:"splitEvent"`
}

func next(t *testing.T, c streamed, s *mongo.ChangeStream) event {
	t.Helper()
	var e event
	if !s.Next(c.ctx) {
		t.Fatalf("no event: %v", s.Err())
	}
	if err := s.Decode(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

// keys reads n events as "insert 1".
func keys(t *testing.T, c streamed, s *mongo.ChangeStream, n int) []string {
	t.Helper()
	var all []string
	for range n {
		e := next(t, c, s)
		all = append(all, fmt.Sprint(e.Kind, " ", e.Key.ID))
	}
	return all
}

func wantKeys(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// code gives a server error's code; 0 for none.
func code(err error) int {
	var e mongo.CommandError
	if errors.As(err, &e) {
		return int(e.Code)
	}
	return 0
}

// Order: events come in the order of the writes, across batches, with tokens
// and times that grow.
func TestStreamOrder(t *testing.T) {
	eachStreamed(t, func(t *testing.T, c streamed) {
		s := c.watch(t, options.ChangeStream().SetBatchSize(7))
		var want []string
		for i := range 50 {
			c.insert(t, 2*i, 2*i+1)
			c.set(t, i, "x", i)
			want = append(want, fmt.Sprint("insert ", 2*i), fmt.Sprint("insert ", 2*i+1), fmt.Sprint("update ", i))
			if i%5 == 0 {
				if _, err := c.DeleteOne(c.ctx, bson.M{"_id": 2*i + 1}); err != nil {
					t.Fatal(err)
				}
				c.insert(t, 2*i+1)
				want = append(want, fmt.Sprint("delete ", 2*i+1), fmt.Sprint("insert ", 2*i+1))
			}
		}
		var last string
		var at bson.Timestamp
		for i, w := range want {
			e := next(t, c, s)
			if got := fmt.Sprint(e.Kind, " ", e.Key.ID); got != w {
				t.Fatalf("event %d is %s, want %s", i, got, w)
			}
			token := e.ID.Lookup("_data").StringValue()
			var ts struct{ ClusterTime bson.Timestamp }
			if err := s.Decode(&ts); err != nil {
				t.Fatal(err)
			}
			if token <= last || !ts.ClusterTime.After(at) {
				t.Fatalf("event %d: token %s after %s, time %v after %v", i, token, last, ts.ClusterTime, at)
			}
			last, at = token, ts.ClusterTime
		}
	})
}

// Post-batch token: it moves on while nothing matches, is the last event's after
// a batch that ends with one, and a stream goes on from it without loss and
// without repetition.
func TestStreamPostBatchToken(t *testing.T) {
	eachStreamed(t, func(t *testing.T, c streamed) {
		s := c.watch(t, options.ChangeStream().SetMaxAwaitTime(50*time.Millisecond))
		start := s.ResumeToken()
		if start == nil {
			t.Fatal("no token before the first event")
		}
		c.insert(t, 1)
		e := next(t, c, s)
		if diff := cmp.Diff(e.ID, s.ResumeToken()); diff != "" {
			t.Errorf("the token after an event is not its own (-event +token):\n%s", diff)
		}
		if _, err := c.Database().Collection("other").InsertOne(c.ctx, bson.M{}); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); string(s.ResumeToken()) == string(e.ID); {
			if s.TryNext(c.ctx) || s.Err() != nil || time.Now().After(deadline) {
				t.Fatalf("the token does not move: event %v, error %v", s.Current, s.Err())
			}
		}
		idle := s.ResumeToken()
		c.insert(t, 2)
		wantKeys(t, keys(t, c, c.watch(t, options.ChangeStream().SetResumeAfter(idle)), 1), "insert 2")
		wantKeys(t, keys(t, c, c.watch(t, options.ChangeStream().SetResumeAfter(start)), 2), "insert 1", "insert 2")
	})
}

// Resume: after each event, the last of a batch included, come just those that
// followed it.
func TestStreamResume(t *testing.T) {
	eachStreamed(t, func(t *testing.T, c streamed) {
		start := c.watch(t).ResumeToken()
		c.insert(t, 1, 2, 3, 4, 5, 6)
		all := options.ChangeStream().SetStartAfter(start).SetBatchSize(3)
		s := c.watch(t, all)
		for i := 1; i <= 6; i++ {
			e := next(t, c, s)
			// The token is the event's, or, at a batch's end, the post-batch one.
			for _, token := range []bson.Raw{e.ID, s.ResumeToken()} {
				var want []string
				for j := i + 1; j <= 6; j++ {
					want = append(want, fmt.Sprint("insert ", j))
				}
				for _, o := range []*options.ChangeStreamOptionsBuilder{
					options.ChangeStream().SetResumeAfter(token), options.ChangeStream().SetStartAfter(token),
				} {
					r := c.watch(t, o.SetMaxAwaitTime(20*time.Millisecond))
					wantKeys(t, keys(t, c, r, len(want)), want...)
					if r.TryNext(c.ctx) {
						t.Errorf("after %d there is one more: %v", i, r.Current)
					}
				}
			}
		}
		// Deleted events, and times: from an event's time on it comes again.
		s = c.watch(t, all)
		next(t, c, s)
		var third struct{ ClusterTime bson.Timestamp }
		next(t, c, s)
		next(t, c, s)
		if err := s.Decode(&third); err != nil {
			t.Fatal(err)
		}
		r := c.watch(t, options.ChangeStream().SetStartAtOperationTime(&third.ClusterTime))
		wantKeys(t, keys(t, c, r, 2), "insert 3", "insert 4")
	})
}

// History lost: a token whose place has left the oplog is 286, one that is still
// there is not, and one that is no token is another error.
func TestStreamHistoryLost(t *testing.T) {
	eachStreamed(t, func(t *testing.T, c streamed) {
		for _, token := range []bson.M{{"_data": "82"}, {"_data": "no"}, {"_data": 1}, {}} {
			_, err := c.Watch(c.ctx, mongo.Pipeline{}, options.ChangeStream().SetResumeAfter(token))
			if code(err) == 0 || code(err) == 286 {
				t.Errorf("token %v: %v", token, err)
			}
		}
		if c.server == nil {
			t.Skip("a real server's oplog is not shortened")
		}
		s := c.watch(t)
		start := s.ResumeToken()
		c.insert(t, 1, 2, 3)
		first := next(t, c, s)
		second := next(t, c, s)
		c.server.ShortenOplog(2) // the inserts of 2 and 3
		for name, token := range map[string]bson.Raw{"the start": start, "the first event": first.ID} {
			_, err := c.Watch(c.ctx, mongo.Pipeline{}, options.ChangeStream().SetResumeAfter(token))
			if code(err) != 286 {
				t.Errorf("resume after %s: %v, want 286", name, err)
			}
		}
		wantKeys(t, keys(t, c, c.watch(t, options.ChangeStream().SetResumeAfter(second.ID)), 1), "insert 3")
		old := bson.Timestamp{T: 1, I: 1}
		if _, err := c.Watch(c.ctx, mongo.Pipeline{}, options.ChangeStream().SetStartAtOperationTime(&old)); code(err) != 286 {
			t.Errorf("start at an old time: %v, want 286", err)
		}
		// An open stream that falls behind ends.
		behind := c.watch(t)
		c.insert(t, 4, 5, 6)
		c.server.ShortenOplog(1)
		if behind.Next(c.ctx) || code(behind.Err()) != 136 && code(behind.Err()) != 286 {
			t.Errorf("an overtaken stream: %v, %v", behind.Current, behind.Err())
		}
	})
}

// Update look-up: the document as it is when the event is read, null where it is
// gone.
func TestStreamUpdateLookup(t *testing.T) {
	eachStreamed(t, func(t *testing.T, c streamed) {
		s := c.watch(t, options.ChangeStream().SetFullDocument(options.UpdateLookup))
		c.insert(t, 1, 2)
		c.set(t, 1, "x", 1)
		c.set(t, 1, "x", 2)
		c.set(t, 2, "x", 1)
		if _, err := c.DeleteOne(c.ctx, bson.M{"_id": 2}); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, keys(t, c, s, 2), "insert 1", "insert 2")
		for i, want := range []any{2, 2, nil} {
			e := next(t, c, s)
			if want == nil {
				if e.Full.Type != bson.TypeNull {
					t.Errorf("update %d of a deleted document has %v, want null", i, e.Full)
				}
			} else if got := e.Full.Document().Lookup("x").AsInt64(); got != int64(want.(int)) {
				t.Errorf("update %d looks up x = %d, want %v", i, got, want)
			}
		}
		if e := next(t, c, s); e.Kind != "delete" || !e.Full.IsZero() {
			t.Errorf("delete: %+v", e)
		}
		// Deleted and inserted again: it is another document of that _id.
		c.insert(t, 2)
		c.set(t, 2, "y", 1)
		next(t, c, s)
		if e := next(t, c, s); e.Full.Document().Lookup("y").AsInt64() != 1 {
			t.Errorf("update: %+v", e)
		}
	})
}

// Images: with changeStreamPreAndPostImages events have the document before and
// after; required ones that are not there are an error.
func TestStreamImages(t *testing.T) {
	eachStreamed(t, func(t *testing.T, c streamed) {
		images := options.ChangeStream().SetFullDocument(options.WhenAvailable).SetFullDocumentBeforeChange(options.WhenAvailable)
		s := c.watch(t, images)
		c.insert(t, 1)
		c.set(t, 1, "x", 1)
		mod := bson.D{{Key: "collMod", Value: c.Name()}, {Key: "changeStreamPreAndPostImages", Value: bson.M{"enabled": true}}}
		if err := c.Database().RunCommand(c.ctx, mod).Err(); err != nil {
			t.Fatal(err)
		}
		c.set(t, 1, "x", 2)
		c.set(t, 1, "x", 3)
		if _, err := c.DeleteOne(c.ctx, bson.M{"_id": 1}); err != nil {
			t.Fatal(err)
		}
		next(t, c, s)
		if e := next(t, c, s); e.Full.Type != bson.TypeNull || e.Before.Type != bson.TypeNull {
			t.Errorf("without images: %+v", e)
		}
		for i := 2; i <= 3; i++ {
			e := next(t, c, s)
			after, before := e.Full.Document().Lookup("x").AsInt64(), e.Before.Document().Lookup("x").AsInt64()
			if after != int64(i) || before != int64(i-1) {
				t.Errorf("update to %d: after %d, before %d", i, after, before)
			}
		}
		if e := next(t, c, s); e.Before.Document().Lookup("x").AsInt64() != 3 || !e.Full.IsZero() {
			t.Errorf("delete: %+v", e)
		}
		off := bson.D{{Key: "collMod", Value: c.Name()}, {Key: "changeStreamPreAndPostImages", Value: bson.M{"enabled": false}}}
		if err := c.Database().RunCommand(c.ctx, off).Err(); err != nil {
			t.Fatal(err)
		}
		r := c.watch(t, options.ChangeStream().SetFullDocumentBeforeChange(options.Required))
		c.insert(t, 2)
		next(t, c, r) // before the update is there: an error costs its whole batch
		c.set(t, 2, "x", 1)
		if r.Next(c.ctx) || code(r.Err()) != 47 {
			t.Errorf("a required image that is not there: %v, want 47", r.Err())
		}
	})
}

// End: a drop and a rename give their event, then invalidate, and the cursor is
// closed. startAfter goes on from there, resumeAfter is 260.
func TestStreamInvalidate(t *testing.T) {
	ends := map[string]func(streamed) error{
		"drop": func(c streamed) error { return c.Drop(c.ctx) },
		"rename": func(c streamed) error {
			admin := c.Database().Client().Database("admin")
			ns := c.Database().Name() + "."
			return admin.RunCommand(c.ctx, bson.D{{Key: "renameCollection", Value: ns + c.Name()}, {Key: "to", Value: ns + "renamed"}}).Err()
		},
		"rename onto, by $out": func(c streamed) error {
			other := c.Database().Collection("other")
			if _, err := other.InsertOne(c.ctx, bson.M{"_id": 9}); err != nil {
				return err
			}
			cur, err := other.Aggregate(c.ctx, bson.A{bson.M{"$out": c.Name()}})
			if err == nil {
				cur.Close(c.ctx)
			}
			return err
		},
	}
	eachStreamed(t, func(t *testing.T, c streamed) {
		for name, end := range ends {
			t.Run(name, func(t *testing.T) {
				if err := c.Drop(c.ctx); err != nil {
					t.Fatal(err)
				}
				c.insert(t, 1)
				s := c.watch(t)
				if err := end(c); err != nil {
					t.Fatal(err)
				}
				kind, _, _ := strings.Cut(name, " ")
				if e := next(t, c, s); e.Kind != kind {
					t.Errorf("the first event is %s, want %s", e.Kind, kind)
				}
				e := next(t, c, s)
				if e.Kind != "invalidate" {
					t.Fatalf("then comes %s, want invalidate", e.Kind)
				}
				if s.TryNext(c.ctx) || s.Err() != nil || s.ID() != 0 {
					t.Errorf("the cursor %d is open: %v, %v", s.ID(), s.Current, s.Err())
				}
				if _, err := c.Watch(c.ctx, mongo.Pipeline{}, options.ChangeStream().SetResumeAfter(e.ID)); code(err) != 260 {
					t.Errorf("resumeAfter an invalidate: %v, want 260", err)
				}
				c.insert(t, 2)
				wantKeys(t, keys(t, c, c.watch(t, options.ChangeStream().SetStartAfter(e.ID)), 1), "insert 2")
			})
		}
	})
}

// Fatal: a pipeline that drops or changes _id, and one that hides the event to
// resume after, are 280.
func TestStreamFatal(t *testing.T) {
	eachStreamed(t, func(t *testing.T, c streamed) {
		for name, stage := range map[string]bson.M{
			"dropped": {"$project": bson.M{"_id": 0}},
			"changed": {"$set": bson.M{"_id": "x"}},
		} {
			s := c.pipe(t, bson.A{stage})
			c.insert(t, len(name)*100+len(t.Name()))
			if s.Next(c.ctx) || code(s.Err()) != 280 {
				t.Errorf("_id is %s: %v, %v, want 280", name, s.Current, s.Err())
			}
			c.DeleteMany(c.ctx, bson.M{})
		}
		s := c.watch(t)
		c.insert(t, 1)
		e := next(t, c, s)
		hiding := bson.A{bson.M{"$match": bson.M{"operationType": "delete"}}}
		r, err := c.Watch(c.ctx, hiding, options.ChangeStream().SetResumeAfter(e.ID))
		if err == nil {
			c.DeleteMany(c.ctx, bson.M{})
			r.Next(c.ctx)
			err = r.Err()
			r.Close(c.ctx)
		}
		if code(err) != 280 {
			t.Errorf("the event to resume after is hidden: %v, want 280", err)
		}
		for _, stage := range []bson.M{{"$group": bson.M{"_id": 1}}, {"$sort": bson.M{"_id": 1}}, {"$limit": 1}} {
			if r, err := c.Watch(c.ctx, bson.A{stage}); err == nil {
				r.Close(c.ctx)
				t.Errorf("%v may not stand in a change stream", stage)
			}
		}
	})
}
