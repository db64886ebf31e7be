package mongo_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/classifier"
	"botwatch/integration/mongotest"
	"botwatch/store"
	"botwatch/store/mongo"
)

// at gives a version of the first epoch.
func at(seq uint64) store.Version { return store.Version{Epoch: 1, Seq: seq} }

// TestRacingUpserts: rule 2. Of two writes that race on an absent document the one
// that meets a duplicate key is to be tried again, unless a greater version is
// stored; nobody is told that he was superseded by an older one.
func TestRacingUpserts(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	a, b := p.connect(t, nil), p.connect(t, nil)
	for _, kind := range []func(store.ID, store.Version) store.Write{replace, remove, fault} {
		for i := range 200 {
			id := store.IntID(int64(i))
			var wg sync.WaitGroup
			out := [2]store.Outcome{}
			for n, s := range []*mongo.Store{a, b} {
				wg.Go(func() {
					w := kind(id, at(uint64(10+n)))
					for range 5 {
						o, err := s.Write(t.Context(), []store.Write{w})
						if err != nil {
							t.Error(err)
							return
						}
						if out[n] = o[0]; out[n].Result != store.Retry {
							return
						}
					}
				})
			}
			wg.Wait()
			if out[1].Result != store.Written || out[0].Result != store.Written && out[0].Result != store.Superseded {
				t.Fatalf("the older one is %v (%v), the newer one %v (%v)", out[0].Result, out[0].Err, out[1].Result, out[1].Err)
			}
			stamps, err := a.Stamps(t.Context(), []store.ID{id})
			check(t, err)
			if stamps[0].Version != at(11) {
				t.Fatalf("stored %v; want the newer version", stamps[0].Version)
			}
		}
		_, err := p.coll("predictions").DeleteMany(t.Context(), bson.M{})
		check(t, err)
	}
}

// TestDuplicateKeyIsLookedInto: a duplicate key from the server over an older
// version, as the loser of a race of inserts meets, is Retry and not Superseded.
func TestDuplicateKeyIsLookedInto(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	for _, c := range []struct {
		name   string
		stored uint64 // 0: nothing
		want   store.Result
	}{
		{"over nothing", 0, store.Retry},
		{"over an older version", 5, store.Retry},
		{"over the same version", 10, store.Retry},
		{"over a newer version", 11, store.Superseded},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := p.coll("predictions").DeleteMany(t.Context(), bson.M{})
			check(t, err)
			if c.stored > 0 {
				write(t, s, replace(one, at(c.stored)))
			}
			// A unique index that the write runs into, while nothing else is wrong.
			index := bson.D{{Key: "createIndexes", Value: "predictions"}, {Key: "indexes", Value: bson.A{bson.D{
				{Key: "key", Value: bson.D{{Key: "platform", Value: 1}}}, {Key: "name", Value: "race"}, {Key: "unique", Value: true},
			}}}}
			_, err = p.coll("predictions").InsertOne(t.Context(), bson.M{"_id": "other", "platform": "race"})
			check(t, err)
			check(t, p.client.Database(p.db).RunCommand(t.Context(), index).Err())
			w := replace(one, at(10))
			w.Prediction.Platform = "race"
			if got := write(t, s, w); got.Result != c.want {
				t.Errorf("%v (%v); want %v", got.Result, got.Err, c.want)
			}
			check(t, p.coll("predictions").Indexes().DropOne(t.Context(), "race"))
		})
	}
}

// TestOutcomes: what each kind of write says over what is stored.
func TestOutcomes(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	for _, c := range []struct {
		name   string
		before []store.Write
		w      store.Write
		want   store.Result
		status store.Status
	}{
		{"touch of nothing", nil, touch(one, at(5)), store.Retry, ""},
		{"touch of an older", []store.Write{replace(one, at(4))}, touch(one, at(5)), store.Written, "classified"},
		{"touch of the same", []store.Write{replace(one, at(5))}, touch(one, at(5)), store.Written, "classified"},
		{"touch of a newer", []store.Write{replace(one, at(6))}, touch(one, at(5)), store.Superseded, "classified"},
		{"fault of nothing", nil, fault(one, at(5)), store.Written, store.StatusError},
		{"fault on a prediction", []store.Write{replace(one, at(4))}, fault(one, at(5)), store.Written, "classified"},
		{"fault on a tombstone", []store.Write{remove(one, at(4))}, fault(one, at(5)), store.Written, store.StatusError},
		{"fault under a newer", []store.Write{replace(one, at(6))}, fault(one, at(5)), store.Superseded, "classified"},
		{"remove of nothing", nil, remove(one, at(5)), store.Written, store.StatusDeleted},
		{"remove under a newer", []store.Write{replace(one, at(6))}, remove(one, at(5)), store.Superseded, "classified"},
		{"replace of a newer tombstone", []store.Write{remove(one, at(6))}, replace(one, at(5)), store.Superseded, store.StatusDeleted},
		{"an older epoch", []store.Write{replace(one, store.Version{Epoch: 2, Seq: 1})}, replace(one, at(9)), store.Superseded, "classified"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, coll := range []string{"predictions", "botwatch_dead_letters"} {
				_, err := p.coll(coll).DeleteMany(t.Context(), bson.M{})
				check(t, err)
			}
			for _, w := range c.before {
				write(t, s, w)
			}
			// Others beside it are not disturbed.
			out, err := s.Write(t.Context(), []store.Write{replace(store.IntID(2), at(1)), c.w, replace(store.IntID(3), at(1))})
			check(t, err)
			if out[1].Result != c.want || out[0].Result != store.Written || out[2].Result != store.Written {
				t.Errorf("%v; want %v, and the others written", out, c.want)
			}
			list, err := s.Predictions(t.Context(), []store.ID{one})
			check(t, err)
			switch {
			case c.status == "" && len(list) > 0:
				t.Errorf("stored %+v; want nothing", list[0])
			case c.status != "" && (len(list) != 1 || list[0].Status != c.status):
				t.Errorf("stored %+v; want %s", list, c.status)
			}
			letters, err := s.ListLetters(t.Context(), "", 9)
			check(t, err)
			if want := c.w.Kind == store.Fault && c.want == store.Written; (len(letters) == 1) != want {
				t.Errorf("%d letters", len(letters))
			}
		})
	}
}

// TestTooLargeAlone: what can never be stored is rejected alone.
func TestTooLargeAlone(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	long := strings.Repeat("x", 16<<20)
	big := replace(store.IntID(5), at(1))
	big.Prediction.ScreenName = long
	edge := replace(store.IntID(6), at(1))
	edge.Prediction.ScreenName = long[:16<<20-16<<10]
	wide := replace(store.StringID(long[:9<<20]), at(1)) // twice in one statement
	letter := fault(store.IntID(7), at(1))
	letter.Letter.Error = long
	writes := []store.Write{replace(one, at(1)), big, replace(store.IntID(2), at(1)), edge, wide, letter, touch(store.IntID(8), at(1)), replace(store.IntID(3), at(1))}
	want := []store.Result{store.Written, store.Rejected, store.Written, store.Written, store.Rejected, store.Rejected, store.Retry, store.Written}
	out, err := s.Write(t.Context(), writes)
	check(t, err)
	for i, o := range out {
		if o.Result != want[i] || (o.Err != nil) != (o.Result == store.Retry || o.Result == store.Rejected) {
			t.Errorf("write %d: %v (%v); want %v", i, o.Result, o.Err, want[i])
		}
	}
	stamps, err := s.Stamps(t.Context(), []store.ID{one, store.IntID(5), store.IntID(2), store.IntID(6), store.IntID(7), store.IntID(3)})
	check(t, err)
	for i, found := range []bool{true, false, true, true, false, true} {
		if stamps[i].Found != found {
			t.Errorf("stamp %d: found %v", i, stamps[i].Found)
		}
	}
	// The fault that the pipeline makes of a rejected one is stored.
	if got := write(t, s, fault(store.IntID(5), at(1))); got.Result != store.Written {
		t.Errorf("its fault: %v (%v)", got.Result, got.Err)
	}
}

// TestNoMajority: a write that no majority is known to have is an error for all
// of its batch, though the server has it; and a majority that cannot be reached
// ends by a time limit.
func TestNoMajority(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	concern := bson.D{{Key: "code", Value: 64}, {Key: "codeName", Value: "WriteConcernFailed"}, {Key: "errmsg", Value: "waiting for replication timed out"}, {Key: "errInfo", Value: bson.D{{Key: "wtimeout", Value: true}}}}
	p.fail(t, times(1), bson.D{{Key: "failCommands", Value: bson.A{"update", "bulkWrite"}}, {Key: "writeConcernError", Value: concern}, {Key: "appName", Value: "botwatch"}})
	out, err := s.Write(t.Context(), []store.Write{replace(one, at(1)), replace(store.IntID(2), at(1))})
	if err == nil || out != nil {
		t.Errorf("outcomes %v, error %v; want an error for all", out, err)
	}
	thaw := p.server.Freeze()
	defer thaw()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	out, err = s.Write(ctx, []store.Write{replace(one, at(2))})
	if err == nil {
		t.Errorf("outcomes %v without a majority", out)
	}
	epoch, err := s.Acquire(ctx, "me")
	if err == nil {
		t.Errorf("epoch %d without a majority", epoch)
	}
}

// TestHandEdited: stamps and walks pass documents that somebody's hand was in,
// and a write puts them right.
func TestHandEdited(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	for i := range 5 {
		write(t, s, replace(store.IntID(int64(i)), at(4)))
	}
	for i, set := range []bson.M{
		{"history": "none"}, {"source.seq": "late"}, {"model": 5, "class": bson.A{}}, {"status": 3},
	} {
		_, err := p.coll("predictions").UpdateOne(t.Context(), bson.M{"_id": i}, bson.M{"$set": set})
		check(t, err)
	}
	var all []store.ID
	for i := range 5 {
		all = append(all, store.IntID(int64(i)))
	}
	stamps, err := s.Stamps(t.Context(), all)
	check(t, err)
	for i, st := range stamps {
		if !st.Found {
			t.Errorf("stamp %d is missing", i)
		}
	}
	walked, _, err := s.Walk(t.Context(), nil, 100)
	check(t, err)
	if len(walked) != 5 {
		t.Errorf("walked %d of 5", len(walked))
	}
	for i, id := range all {
		o := write(t, s, replace(id, at(6)))
		if want := store.Written; o.Result != want && i != 1 {
			t.Errorf("write over %d: %v (%v)", i, o.Result, o.Err)
		}
		if i == 1 && o.Result == store.Superseded {
			t.Errorf("a version that is none superseded: %v", o)
		}
	}
}

// TestFaultKeeps: a Fault marks what is stored and keeps the rest, dollars in it too.
func TestFaultKeeps(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	w := replace(one, at(1))
	w.Prediction.ScreenName = "$name"
	write(t, s, w)
	f := fault(one, at(2))
	f.Prediction.Error = &classifier.FieldError{Code: classifier.CodeMissing, Field: "$status", Message: "$$ROOT"}
	write(t, s, f)
	list, err := s.Predictions(t.Context(), []store.ID{one})
	check(t, err)
	if got := list[0]; got.ScreenName != "$name" || !got.Stale || got.Error == nil || got.Error.Message != "$$ROOT" || got.Class != 4 || got.Source.Version != at(2) {
		t.Errorf("stored %+v", got)
	}
	// Nothing in it, either, where the tombstone is replaced.
	write(t, s, remove(one, at(3)))
	f.Version, f.Letter.Version = at(4), at(4)
	write(t, s, f)
	list, err = s.Predictions(t.Context(), []store.ID{one})
	check(t, err)
	if got := list[0]; got.Status != store.StatusError || !got.ExpiresAt.IsZero() {
		t.Errorf("stored %+v; want no expiry", got)
	}
}

// TestEveryCallEnds: every call of the store has a time limit of its own where
// its context has none.
func TestEveryCallEnds(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, func(o *mongo.Options) { o.URI += "&appName=limited&timeoutMS=100" })
	head, err := s.Head(t.Context())
	check(t, err)
	hold := make(chan struct{})
	defer close(hold)
	held := func(c mongotest.Command) bool {
		return c.Name != "hello" && c.Name != "isMaster" && c.Name != "endSessions"
	}
	defer p.server.Inject(mongotest.Rule{App: "limited", Match: held, Hold: hold})()
	ctx := context.Background()
	list := []store.ID{one}
	for name, call := range map[string]func() error{
		"Head":   func() error { _, err := s.Head(ctx); return err },
		"Stream": func() error { _, err := s.Stream(ctx, head.Position); return err },
		"Scan": func() error {
			f, err := s.Scan(ctx, nil, store.ScanDocs)
			if err == nil {
				defer f.Close()
				_, err = f.Next(ctx)
			}
			return err
		},
		"Fetch":          func() error { _, err := s.Fetch(ctx, list, store.ScanDocs); return err },
		"Stamps":         func() error { _, err := s.Stamps(ctx, list); return err },
		"Walk":           func() error { _, _, err := s.Walk(ctx, nil, 5); return err },
		"Write":          func() error { _, err := s.Write(ctx, []store.Write{replace(one, at(1))}); return err },
		"Acquire":        func() error { _, err := s.Acquire(ctx, "me"); return err },
		"Renew":          func() error { return s.Renew(ctx, 1) },
		"Release":        func() error { return s.Release(ctx, 1) },
		"Load":           func() error { _, err := s.Load(ctx); return err },
		"Save":           func() error { return s.Save(ctx, 1, store.Checkpoint{}) },
		"Submit":         func() error { _, err := s.Submit(ctx, store.Request{}); return err },
		"Requests":       func() error { _, err := s.Requests(ctx, true); return err },
		"Update":         func() error { return s.Update(ctx, store.Request{ID: bson.NewObjectID().Hex()}) },
		"Publish":        func() error { return s.Publish(ctx, 1, nil) },
		"Published":      func() error { _, err := s.Published(ctx); return err },
		"ListLetters":    func() error { _, err := s.ListLetters(ctx, "", 5); return err },
		"GetLetters":     func() error { _, err := s.GetLetters(ctx, list); return err },
		"DiscardLetters": func() error { _, err := s.DiscardLetters(ctx, list); return err },
		"CountLetters":   func() error { _, err := s.CountLetters(ctx); return err },
		"Predictions":    func() error { _, err := s.Predictions(ctx, list); return err },
		"Count":          func() error { _, err := s.Count(ctx); return err },
		"PutAccounts":    func() error { return s.PutAccounts(ctx, []store.Account{{ID: one, Doc: []byte("{}")}}) },
		"DeleteAccounts": func() error { return s.DeleteAccounts(ctx, list) },
		"CountAccounts":  func() error { _, err := s.CountAccounts(ctx); return err },
		"Check":          func() error { _, err := s.Check(ctx); return err },
		"Headroom":       func() error { _, err := s.Headroom(ctx, 1); return err },
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() { done <- call() }()
			select {
			case err := <-done:
				if err == nil {
					t.Error("no error, though the server does not answer")
				}
			case <-time.After(5 * time.Second):
				t.Error("it waits without end")
			}
		})
	}
}
