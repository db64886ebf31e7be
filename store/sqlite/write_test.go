package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/store"
	"botwatch/store/sqlite"
)

func replace(id store.ID, epoch int64, seq uint64) store.Write {
	p := benchPrediction(id, seq)
	return store.Write{ID: id, Version: store.Version{Epoch: epoch, Seq: seq}, Kind: store.Replace, Prediction: p}
}

func write(t testing.TB, s *sqlite.Store, writes ...store.Write) []store.Outcome {
	t.Helper()
	outcomes, err := s.Write(t.Context(), writes)
	check(t, err)
	return outcomes
}

// TestColumns: what dashboards ask by agrees with the document, whatever wrote it.
func TestColumns(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	id, fault := store.StringID("a"), &classifier.FieldError{Code: classifier.CodeBadTime, Field: "crawled_at", Message: "is bad"}
	gone := store.StringID("gone")
	never := store.StringID("never")
	touch := store.Write{ID: id, Version: store.Version{Epoch: 2, Seq: 7}, Kind: store.Touch}
	faulty := store.Write{ID: id, Version: store.Version{Epoch: 2, Seq: 8}, Kind: store.Fault, Prediction: store.NewFault(id, nil, fault, store.ModelRef{})}
	unread := store.Write{ID: never, Version: store.Version{Epoch: 2, Seq: 8}, Kind: store.Fault, Prediction: store.NewFault(never, nil, fault, store.ModelRef{})}
	removed := store.Write{ID: gone, Version: store.Version{Epoch: 2, Seq: 9}, Kind: store.Remove, Prediction: store.NewTombstone(gone, "scan", newClock().now)}
	for _, w := range []store.Write{replace(id, 1, 5), touch, faulty, replace(gone, 2, 8), removed, unread} {
		if o := write(t, s, w)[0]; o.Result != store.Written {
			t.Fatal(o)
		}
		const disagree = `SELECT id FROM predictions WHERE NOT (epoch IS doc->>'$.source.epoch' AND CAST(seq AS TEXT) IS doc->>'$.source.seq'
			AND status IS doc->>'$.status' AND class IS doc->>'$.class' AND support IS doc->>'$.support' AND margin IS doc->>'$.margin'
			AND stale IS coalesce(doc->>'$.stale', 0) AND has_error IS (doc->>'$.error' IS NOT NULL) AND screen_name IS doc->>'$.screen_name'
			AND model IS doc->>'$.model.digest' AND nullif(fingerprint, '') IS doc->>'$.source.fingerprint' AND crawled_at IS doc->>'$.source.crawled_at'
			AND class_changed_at IS doc->>'$.class_changed_at' AND expires_at IS doc->>'$.expires_at' AND history IS doc->>'$.history'
			AND score IS (SELECT max(value) FROM json_each(doc, '$.scores')))`
		if got := client(t, path, disagree); got != "" {
			t.Errorf("write of kind %d: columns and document disagree: %s\n%s", w.Kind, got, client(t, path, ".mode line\nSELECT * FROM predictions"))
		}
	}
	if got := client(t, path, "EXPLAIN QUERY PLAN SELECT class, support, count(*), sum(stale), sum(has_error) FROM predictions WHERE status <> 'deleted' GROUP BY class, support"); !strings.Contains(got, "COVERING INDEX predictions_by_class") {
		t.Errorf("counts read the table: %s", got)
	}
}

// TestRejected: what can never be stored does not keep the others from it.
func TestRejected(t *testing.T) {
	s := open(t, dbPath(t), sqlite.Options{})
	a, z := store.StringID("a"), store.StringID("z")
	damaged := store.ID("\x07" + "1234")
	tooNew := replace(store.StringID("b"), 1, math.MaxInt64+1)
	bare := replace(store.StringID("c"), 1, 1)
	bare.Prediction = nil
	odd := replace(store.StringID("d"), 1, 1)
	odd.Kind = 9
	outcomes := write(t, s, replace(a, 1, 1), replace(damaged, 1, 1), tooNew, bare, odd, replace("", 1, 1), replace(z, 1, 1))
	var got []store.Result
	for _, o := range outcomes {
		got = append(got, o.Result)
		if (o.Err != nil) != (o.Result == store.Rejected) {
			t.Errorf("%v: error %v", o.Result, o.Err)
		}
	}
	w, r := store.Written, store.Rejected
	if diff := cmp.Diff([]store.Result{w, r, r, r, r, r, w}, got); diff != "" {
		t.Error(diff)
	}
	changes, err := s.Fetch(t.Context(), []store.ID{damaged}, store.ScanDocs)
	check(t, err)
	stamps, err := s.Stamps(t.Context(), []store.ID{damaged})
	check(t, err)
	if changes[0].Op != store.OpDelete || stamps[0].Found {
		t.Errorf("of an id that cannot be: %+v, %+v", changes[0], stamps[0])
	}
}

// TestRejectedLetter: a letter that cannot be stored takes its write with it.
func TestRejectedLetter(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	other(t, path, "CREATE UNIQUE INDEX odd ON dead_letters (reason)")
	fault := func(name string) store.Write {
		id := store.StringID(name)
		return store.Write{
			ID: id, Version: store.Version{Epoch: 1, Seq: 1}, Kind: store.Fault, Prediction: store.NewFault(id, nil, &classifier.FieldError{}, store.ModelRef{}),
			Letter: &store.Letter{ID: id, Reason: "same", Attempts: 1},
		}
	}
	outcomes := write(t, s, fault("a"), fault("b"), replace(store.StringID("c"), 1, 1))
	if outcomes[0].Result != store.Written || outcomes[1].Result != store.Rejected || outcomes[2].Result != store.Written {
		t.Errorf("outcomes %+v", outcomes)
	}
	stamps, err := s.Stamps(t.Context(), []store.ID{store.StringID("a"), store.StringID("b"), store.StringID("c")})
	check(t, err)
	if !stamps[0].Found || stamps[1].Found || !stamps[2].Found {
		t.Errorf("stamps %+v", stamps)
	}
}

// TestHandEdited: a document that somebody broke does not stop the writes.
func TestHandEdited(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	id := store.StringID("a")
	write(t, s, replace(id, 1, 1))
	other(t, path, "UPDATE predictions SET doc = 'broken'")
	touch := store.Write{ID: id, Version: store.Version{Epoch: 1, Seq: 2}, Kind: store.Touch}
	fault := store.Write{ID: id, Version: store.Version{Epoch: 1, Seq: 3}, Kind: store.Fault, Prediction: store.NewFault(id, nil, &classifier.FieldError{}, store.ModelRef{})}
	for _, o := range write(t, s, touch, fault) {
		if o.Result != store.Written {
			t.Error(o)
		}
	}
	list, err := s.Predictions(t.Context(), []store.ID{id})
	check(t, err)
	if len(list) != 1 || list[0].Status != store.StatusError {
		t.Errorf("stored: %+v", list)
	}
}

// TestLockedByAnother: a write waits for another program's transaction, but not
// beyond its context, and can be done again.
func TestLockedByAnother(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	db, err := sql.Open("sqlite", path+"?_txlock=immediate")
	check(t, err)
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	check(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	w := replace(store.StringID("a"), 1, 1)
	_, err = s.Write(ctx, []store.Write{w})
	wantErr(t, err, context.DeadlineExceeded)
	if _, err := s.Stamps(t.Context(), []store.ID{w.ID}); err != nil { // readers do not wait
		t.Error(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Write(t.Context(), []store.Write{w})
		done <- err
	}()
	check(t, tx.Commit())
	check(t, <-done)
}

// TestClientIsNotLockedOut: while this program writes all the time, one that
// does not wait for locks gets its turn within a few attempts.
func TestClientIsNotLockedOut(t *testing.T) {
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		client(t, "", "") // skips or fails
	}
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for seq := uint64(1); ; seq++ {
			_, err := s.Write(ctx, []store.Write{replace(store.IntID(int64(seq%1000)), 1, seq)})
			if ctx.Err() != nil {
				done <- nil
				return
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	for i := range 10 {
		for attempt := 1; ; attempt++ {
			out, err := exec.CommandContext(t.Context(), program, path, fmt.Sprintf("INSERT INTO accounts VALUES (%d, '{}')", i)).CombinedOutput()
			if err == nil {
				break
			}
			if attempt == 50 {
				t.Fatalf("locked out %d times: %s", attempt, out)
			}
		}
	}
	cancel()
	check(t, <-done)
	if n, err := s.CountAccounts(t.Context()); err != nil || n != 10 {
		t.Errorf("%d accounts (%v), want 10", n, err)
	}
}
