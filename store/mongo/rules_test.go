package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest"
	"botwatch/internal/fixture"
	"botwatch/pipeline"
	"botwatch/store"
	"botwatch/store/mongo"
)

// soon bounds what a test waits for.
const soon = 15 * time.Second

// connect opens a store in a place, with options of its own.
func (p *place) connect(t *testing.T, change func(*mongo.Options)) *mongo.Store {
	t.Helper()
	o := mongo.Options{URI: p.uri}
	if change != nil {
		change(&o)
	}
	s, err := mongo.Open(t.Context(), o)
	check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// put stores accounts as the crawler does.
func (p *place) put(t *testing.T, docs ...any) {
	t.Helper()
	for _, d := range docs {
		raw, err := bson.Marshal(d)
		check(t, err)
		_, err = p.coll("accounts").DeleteOne(t.Context(), bson.D{{Key: "_id", Value: bson.Raw(raw).Lookup("_id")}})
		check(t, err)
		_, err = p.coll("accounts").InsertOne(t.Context(), bson.Raw(raw))
		check(t, err)
	}
}

// account is a small one, with the fields that follow.
func account(id any, followers int, more ...bson.E) bson.D {
	return append(bson.D{
		{Key: "_id", Value: id},
		{Key: "user_data", Value: bson.D{{Key: "created_at", Value: "2015-01-01 00:00:00"}, {Key: "followers_count", Value: followers}, {Key: "statuses_count", Value: 9}}},
		{Key: "tweets", Value: bson.A{tweet(), tweet(), tweet()}},
		{Key: "crawled_at", Value: "2020-05-20 09:18:42"},
	}, more...)
}

// fail sets a failpoint on commands until the test's end.
func (p *place) fail(t *testing.T, mode any, data bson.D) {
	t.Helper()
	admin := p.client.Database("admin")
	set := func(mode any, data bson.D) error {
		return admin.RunCommand(context.Background(), bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: mode}, {Key: "data", Value: data}}).Err()
	}
	check(t, set(mode, data))
	t.Cleanup(func() { _ = set("off", data) })
}

// times is a failpoint's mode.
func times(n int) bson.D { return bson.D{{Key: "times", Value: n}} }

// next gives a feed's next batch that has changes.
func next(t *testing.T, f store.Feed) store.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	for {
		b, err := f.Next(ctx)
		check(t, err)
		if len(b.Changes) > 0 {
			return b
		}
	}
}

// take gives a feed's next n changes.
func take(t *testing.T, f store.Feed, n int) (all []store.Change, after store.Position) {
	t.Helper()
	for len(all) < n {
		b := next(t, f)
		all, after = append(all, b.Changes...), b.After
	}
	if len(all) > n {
		t.Fatalf("%d changes; want %d", len(all), n)
	}
	return all, after
}

// stream opens a stream from the head on.
func stream(t *testing.T, s *mongo.Store) (store.Feed, store.Head) {
	t.Helper()
	head, err := s.Head(t.Context())
	check(t, err)
	return follow(t, s, head.Position), head
}

func follow(t *testing.T, s *mongo.Store, from store.Position) store.Feed {
	t.Helper()
	f, err := s.Stream(t.Context(), from)
	check(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// ids gives the ids of changes as text.
func ids(changes []store.Change) (all []string) {
	for _, c := range changes {
		all = append(all, fmt.Sprint(c.Op, " ", c.ID))
	}
	return all
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(soon)
	for !so() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: not within %v", what, soon)
		}
	}
}

// arrived waits for a command that a rule acts on.
func arrived(t *testing.T, ch <-chan mongotest.Command) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(soon):
		t.Fatal("the command did not come")
	}
}

// bench is a pipeline over a store.
type bench struct {
	t      *testing.T
	s      *mongo.Store
	p      *pipeline.Pipeline
	stream *pipeline.Stream
}

// work runs a pipeline over a store under an epoch, and a stream from its head
// on, until the end of the test.
func work(t *testing.T, s *mongo.Store, epoch int64) *bench {
	t.Helper()
	b := &bench{t: t, s: s, p: pipeline.New(pipeline.Options{
		Source: s, Sink: s, Model: fixture.Model(t, false), Epoch: epoch, Log: fixture.Quiet(), Timeout: 5 * time.Second,
	})}
	head, err := s.Head(t.Context())
	check(t, err)
	b.stream = b.p.NewStream(pipeline.Mark{Position: head.Position, Seq: head.Seq})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- b.p.Run(ctx) }()
	go func() { done <- b.stream.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("the pipeline ended: %v", err)
			}
		}
	})
	return b
}

// stored gives what is stored for an account; nil for nothing.
func (b *bench) stored(id store.ID) *store.Prediction {
	b.t.Helper()
	list, err := b.s.Predictions(context.Background(), []store.ID{id})
	check(b.t, err)
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// waitFor waits until an account's prediction has a status.
func (b *bench) waitFor(id store.ID, status store.Status) *store.Prediction {
	b.t.Helper()
	var p *store.Prediction
	eventually(b.t, fmt.Sprintf("account %s is %s", id, status), func() bool {
		p = b.stored(id)
		return p != nil && p.Status == status
	})
	return p
}

// passed waits until the stream's mark is at what a prediction was made from.
func (b *bench) passed(of *store.Prediction) {
	b.t.Helper()
	eventually(b.t, "the stream's mark", func() bool {
		low, _ := b.stream.Low()
		return low.Seq >= of.Source.Seq
	})
}
