package mongo_test

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest"
	"botwatch/pipeline"
	"botwatch/store"
	"botwatch/store/mongo"
)

var one = store.IntID(1)

// named gives a store a name of its own, so that rules meet it alone.
func named(name string) func(*mongo.Options) {
	return func(o *mongo.Options) { o.URI += "&appName=" + name }
}

// onPredictions meets the predictions' commands.
func onPredictions(c mongotest.Command) bool { return c.Coll == "predictions" }

// TestDeleteAfterScanRead: rule 2. The scan's write comes after the tombstone.
func TestDeleteAfterScanRead(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	b := work(t, p.connect(t, nil), 1)
	p.put(t, account(1, 10))
	b.passed(b.waitFor(one, "classified"))

	// A second store, so that its scan can be held while the stream goes on.
	other := p.connect(t, named("scanner"))
	scanner := pipelineOnly(t, other, 1)
	came, hold := make(chan mongotest.Command, 64), make(chan struct{})
	remove := p.server.Inject(mongotest.Rule{App: "scanner", Commands: []string{"update", "bulkWrite"}, Match: onPredictions, Arrived: came, Hold: hold, Times: 1})
	defer remove()
	_, err := p.coll("predictions").DeleteOne(t.Context(), bson.M{"_id": 1}) // so that the scan has something to write
	check(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := scanner.Scan(t.Context(), pipeline.Scan{})
		done <- err
	}()
	arrived(t, came)
	_, err = p.coll("accounts").DeleteOne(t.Context(), bson.M{"_id": 1})
	check(t, err)
	b.waitFor(one, store.StatusDeleted)
	close(hold)
	check(t, <-done)
	if got := b.stored(one); got == nil || got.Status != store.StatusDeleted {
		t.Errorf("stored %+v; want the tombstone", got)
	}
}

// pipelineOnly runs a pipeline without a stream.
func pipelineOnly(t *testing.T, s *mongo.Store, epoch int64) *pipeline.Pipeline {
	t.Helper()
	p := pipeline.New(pipeline.Options{Source: s, Sink: s, Model: model(t), Epoch: epoch, Log: quiet()})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return p
}

// TestReinsertAfterOrphanCheck: rule 4. The tombstone has the stamp of the look
// that found nothing, and the insert after it wins, whichever is written first.
func TestReinsertAfterOrphanCheck(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	b := work(t, p.connect(t, nil), 1)
	p.put(t, account(1, 10))
	first := b.waitFor(one, "classified")
	b.passed(first)

	scanner := pipelineOnly(t, p.connect(t, named("scanner")), 1)
	came, hold := make(chan mongotest.Command, 64), make(chan struct{})
	// The stream of the first is held, so that the scan finds the orphan.
	streams, streamHold := make(chan mongotest.Command, 64), make(chan struct{})
	defer p.server.Inject(mongotest.Rule{App: "botwatch", Commands: []string{"getMore"}, Arrived: streams, Hold: streamHold})()
	arrived(t, streams)
	defer p.server.Inject(mongotest.Rule{App: "scanner", Commands: []string{"update", "bulkWrite"}, Match: onPredictions, Arrived: came, Hold: hold, Times: 1})()
	_, err := p.coll("accounts").DeleteOne(t.Context(), bson.M{"_id": 1})
	check(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := scanner.Scan(t.Context(), pipeline.Scan{})
		done <- err
	}()
	arrived(t, came) // the tombstone is on its way
	p.put(t, account(1, 1000))
	close(streamHold)
	eventually(t, "the new prediction", func() bool {
		got := b.stored(one)
		return got != nil && got.Status == "classified" && got.Source.Fingerprint != first.Source.Fingerprint
	})
	close(hold)
	check(t, <-done)
	if got := b.stored(one); got == nil || got.Status != "classified" {
		t.Errorf("stored %+v; want the re-inserted account's prediction", got)
	}
}

// TestInsertNewerThanLateDelete: rule 2. A tombstone that was held back does not
// take the prediction of what was inserted since.
func TestInsertNewerThanLateDelete(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	f, _ := stream(t, s)
	p.put(t, account(1, 10))
	_, err := p.coll("accounts").DeleteOne(t.Context(), bson.M{"_id": 1})
	check(t, err)
	p.put(t, account(1, 1000))
	changes, _ := take(t, f, 3)
	if changes[1].Op != store.OpDelete || changes[0].Seq >= changes[1].Seq || changes[1].Seq >= changes[2].Seq {
		t.Fatalf("changes %v", ids(changes))
	}
	version := func(i int) store.Version { return store.Version{Epoch: 1, Seq: changes[i].Seq} }
	for _, c := range []struct {
		w    store.Write
		want store.Result
	}{
		{replace(one, version(2)), store.Written},
		{remove(one, version(1)), store.Superseded},
		{replace(one, version(0)), store.Superseded},
	} {
		if got := write(t, s, c.w); got.Result != c.want {
			t.Errorf("%v of %v: %v (%v); want %v", c.w.Kind, c.w.Version, got.Result, got.Err, c.want)
		}
	}
	list, err := s.Predictions(t.Context(), []store.ID{one})
	check(t, err)
	if len(list) != 1 || list[0].Status == store.StatusDeleted {
		t.Errorf("stored %+v", list)
	}
}

// TestWriterBackFromPause: rule 2. What an old leader had on its way when it was
// paused changes nothing that the new one wrote, nor the checkpoint.
func TestWriterBackFromPause(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	old := p.connect(t, named("old"))
	epoch, err := old.Acquire(t.Context(), "old")
	check(t, err)
	came, hold := make(chan mongotest.Command, 64), make(chan struct{})
	defer p.server.Inject(mongotest.Rule{App: "old", Commands: []string{"update", "bulkWrite"}, Arrived: came, Hold: hold})()
	outcome := make(chan store.Outcome, 1)
	saved := make(chan error, 1)
	go func() {
		// A greater seq than the new leader's: it is the epoch that decides.
		out, err := old.Write(t.Context(), []store.Write{replace(one, store.Version{Epoch: epoch, Seq: 900})})
		if err != nil || len(out) != 1 {
			out = []store.Outcome{{Err: err}}
		}
		outcome <- out[0]
	}()
	go func() { saved <- old.Save(t.Context(), epoch, store.Checkpoint{Schema: store.Schema, Seq: 900}) }()
	arrived(t, came)
	arrived(t, came)

	fresh := p.connect(t, nil)
	_, err = p.coll("botwatch_state").UpdateOne(t.Context(), bson.M{"_id": "daemon"}, bson.M{"$set": bson.M{"expires": bson.DateTime(0)}})
	check(t, err)
	newer, err := fresh.Acquire(t.Context(), "new")
	check(t, err)
	if got := write(t, fresh, replace(one, store.Version{Epoch: newer, Seq: 500})); got.Result != store.Written {
		t.Fatal(got)
	}
	check(t, fresh.Save(t.Context(), newer, store.Checkpoint{Schema: store.Schema, Seq: 500}))
	close(hold)
	if got := <-outcome; got.Result != store.Superseded {
		t.Errorf("the old leader's write: %v (%v); want superseded", got.Result, got.Err)
	}
	wantErr(t, <-saved, store.ErrFenced)
	wantErr(t, old.Renew(t.Context(), epoch), store.ErrFenced)
	stamps, err := fresh.Stamps(t.Context(), []store.ID{one})
	check(t, err)
	if want := (store.Version{Epoch: newer, Seq: 500}); stamps[0].Version != want {
		t.Errorf("stored %v; want %v", stamps[0].Version, want)
	}
	cp, err := fresh.Load(t.Context())
	check(t, err)
	if cp.Seq != 500 {
		t.Errorf("checkpoint %d; want the new leader's", cp.Seq)
	}
}

// TestMalformedBehindProjection: rules 6 and 8. Scalars among the tweets, which a
// projection by paths would drop, give a dead letter by stream and by scan.
func TestMalformedBehindProjection(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.connect(t, nil)
	mixed := func(id int) bson.D {
		d := account(id, 10)
		d[2].Value = bson.A{tweet(), 5, nil, tweet()}
		return d
	}
	p.put(t, mixed(1)) // before the stream's head: for the scan alone
	b := work(t, s, 1)
	p.put(t, mixed(2), account(3, 10))
	b.waitFor(store.IntID(3), "classified")
	b.waitFor(store.IntID(2), store.StatusError)
	_, err := b.p.Scan(t.Context(), pipeline.Scan{})
	check(t, err)
	letters, err := s.ListLetters(t.Context(), "", 10)
	check(t, err)
	if len(letters) != 2 || letters[0].ID != one || letters[1].ID != store.IntID(2) {
		t.Fatalf("letters %+v; want those of 1 and 2", letters)
	}
	for _, l := range letters {
		if l.Field != "tweets[1]" {
			t.Errorf("letter of %s: field %q, reason %s; want tweets[1]", l.ID, l.Field, l.Reason)
		}
	}
}
