package sqlite_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/store"
	"botwatch/store/sqlite"
	"botwatch/store/storetest"
)

// TestIDsAsText: an id of a type that SQLite does not have is its text,
// everywhere, and is found by what it was.
func TestIDsAsText(t *testing.T) {
	for _, test := range []struct{ id, text string }{
		{`{"$oid":"507f1f77bcf86cd799439011"}`, "507f1f77bcf86cd799439011"},
		{`{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}`, `{"$binary":{"base64":"ABEiM0RVZneImaq7zN3u/w==","subType":"04"}}`},
		{`{"$date":"2020-05-20T09:18:42Z"}`, `{"$date":"2020-05-20T09:18:42Z"}`},
		{`{"b":1.0,"a":[true,null]}`, `{"b":1,"a":[true,null]}`},
		{`{"$numberDecimal":"0.10"}`, `{"$numberDecimal":"0.1"}`},
		{`{"$numberDouble":"NaN"}`, `{"$numberDouble":"NaN"}`},
		{`true`, "true"},
		{`null`, "null"},
	} {
		t.Run(test.id, func(t *testing.T) {
			path := dbPath(t)
			s := open(t, path, sqlite.Options{})
			ctx := t.Context()
			id, err := store.ParseID([]byte(test.id))
			check(t, err)
			stored := store.StringID(test.text)
			check(t, s.PutAccounts(ctx, []store.Account{{ID: id, Doc: storetest.Doc("a", time.Unix(1590000000, 0))}}))
			w := replace(id, 1, 1)
			w.Letter = &store.Letter{ID: id, Reason: "odd", Attempts: 1}
			if o := write(t, s, w); o[0].Result != store.Written {
				t.Fatalf("Write: %v (%v)", o[0].Result, o[0].Err)
			}
			for table := range map[string]bool{"accounts": true, "predictions": true, "dead_letters": true} {
				if got := client(t, path, "SELECT typeof(id), id FROM "+table); got != "text|"+test.text {
					t.Errorf("%s: %s", table, got)
				}
			}
			for _, id := range []store.ID{id, stored} {
				ids := []store.ID{id}
				changes, err := s.Fetch(ctx, ids, store.ScanKeys)
				check(t, err)
				stamps, err := s.Stamps(ctx, ids)
				check(t, err)
				predictions, err := s.Predictions(ctx, ids)
				check(t, err)
				letters, err := s.GetLetters(ctx, ids)
				check(t, err)
				if len(predictions) != 1 || len(letters) != 1 || changes[0].Op != store.OpUpsert || !stamps[0].Found {
					t.Fatalf("of %s: %d predictions, %d letters, change %+v, stamp %+v", id, len(predictions), len(letters), changes[0], stamps[0])
				}
				got := []store.ID{changes[0].ID, stamps[0].ID, predictions[0].ID, letters[0].ID}
				if diff := cmp.Diff([]store.ID{stored, stored, stored, stored}, got); diff != "" {
					t.Errorf("ids (-want +got):\n%s", diff)
				}
			}
			if got := client(t, path, "SELECT doc->>'$._id' FROM predictions"); got != test.text {
				t.Errorf("_id of the document: %s, want %s", got, test.text)
			}
			n, err := s.DiscardLetters(ctx, []store.ID{id})
			check(t, err)
			check(t, s.DeleteAccounts(ctx, []store.ID{id}))
			left, err := s.CountAccounts(ctx)
			check(t, err)
			if n != 1 || left != 0 {
				t.Errorf("%d letters discarded, %d accounts left", n, left)
			}
		})
	}
}

// native says whether SQLite has the type of an ID.
func native(id store.ID) bool {
	v, err := id.Value()
	f, _ := v.(float64)
	return err == nil && !math.IsNaN(f)
}
