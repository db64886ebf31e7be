//go:build unix

package integration_test

import (
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/classifier/model"
	"botwatch/store"
	"botwatch/store/sqlite"
)

// reference gives the path of a reference file. Without BOTWATCH_SHARED, and
// with nothing beside the project, the test is skipped.
func reference(t testing.TB, name string) string {
	t.Helper()
	shared, asked := os.LookupEnv("BOTWATCH_SHARED")
	if !asked {
		shared = filepath.Join("..", "..", "shared")
	}
	path, err := filepath.Abs(filepath.Join(shared, "reference", name))
	check(t, err)
	if _, err := os.Stat(path); err != nil {
		if asked {
			t.Fatal(err)
		}
		t.Skipf("no reference file %s beside the project", name)
	}
	return path
}

// builtIn gives the model that is used where none is named.
func builtIn(t testing.TB) *classifier.Model {
	t.Helper()
	spec, err := model.Default()
	check(t, err)
	m, err := classifier.NewModel(spec)
	check(t, err)
	return m
}

// database gives the path of a store that does not exist yet.
func database(t testing.TB) string { return filepath.Join(t.TempDir(), "accounts.db") }

// open opens a store in this process, as a crawler or a dashboard does.
func open(t testing.TB, file string, readOnly bool) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), file, sqlite.Options{ReadOnly: readOnly})
	check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// connect opens the file as any SQLite client does that knows nothing of
// botwatch.
func connect(t testing.TB, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(10000)&_txlock=immediate")
	check(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// execute runs statements in one transaction.
func execute(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	check(t, err)
	defer tx.Rollback()
	for _, s := range statements {
		if _, err := tx.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
	}
	check(t, tx.Commit())
}

// put inserts or replaces one account as a client does; doc may be of any type.
func put(t testing.TB, db *sql.DB, id string, doc any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "INSERT INTO accounts (id, doc) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc", id, doc)
	check(t, err)
}

// integer runs a query for one number.
func integer(t testing.TB, db *sql.DB, query string, args ...any) (n int64) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	return n
}

// prediction gives what is stored for an account, tombstones included.
func prediction(t testing.TB, s store.Reader, id store.ID) (p store.Prediction, found bool) {
	t.Helper()
	list, err := s.Predictions(t.Context(), []store.ID{id})
	check(t, err)
	if len(list) == 0 {
		return p, false
	}
	return list[0], true
}

// drained waits until all that happened is durable: the checkpoint is at the
// head, no scan is owed or runs.
func drained(t testing.TB, s store.Store) {
	t.Helper()
	await(t, "work off all changes", patience, func() (bool, string) {
		c, err := s.Load(t.Context())
		check(t, err)
		h, err := s.Head(t.Context())
		check(t, err)
		return c.Schema != 0 && c.Seq == h.Seq && c.Identity == h.Identity && c.Owed == nil && len(c.Scans) == 0,
			fmt.Sprintf("checkpoint at %d, head at %d, owed %v, scans %v, breakers %v", c.Seq, h.Seq, c.Owed, c.Scans, c.Breakers)
	})
}

// truth says what a store should hold for its accounts.
type truth struct {
	classifier *classifier.Classifier
	model      store.ModelRef
	slugs      *[classifier.NumClasses]string
	builder    classifier.Builder
	result     classifier.Result
}

func newTruth(t testing.TB) *truth {
	t.Helper()
	return truthBy(builtIn(t))
}

func truthBy(m *classifier.Model) *truth {
	return &truth{classifier: classifier.New(m), model: store.ModelRef{Name: m.Name(), Digest: m.Digest()}, slugs: m.Slugs()}
}

// of makes an account's prediction anew, or its fault.
func (w *truth) of(s store.Source, c store.Change) (*store.Prediction, *classifier.FieldError) {
	err := c.Err
	var a *classifier.Account
	if err == nil {
		err = s.Decode(c.Doc, &w.builder)
	}
	if err == nil {
		a, err = w.builder.Finish()
	}
	if err == nil {
		err = w.classifier.Classify(a, &w.result)
	}
	if err != nil {
		return nil, err.(*classifier.FieldError)
	}
	p := store.NewPrediction(c.ID, a, &w.result, w.model, w.slugs)
	p.Source.Fingerprint, _ = a.Fingerprint(nil)
	return p, nil
}

// census is what verify counted.
type census struct{ good, poison, tombstones int }

// staleAfter is the default of stale_after.
const staleAfter = 365 * 24 * time.Hour

// maxDifferences is how many accounts verify tells in full.
const maxDifferences = 5

// verify compares what is stored with a fresh classification of the accounts as
// they are stored: each has its prediction, to the bit, or a letter that says why
// not; and nothing else has either.
func verify(t testing.TB, file string) (n census) {
	t.Helper()
	db := connect(t, file)
	d := &differences{TB: t}
	defer d.end()
	n = compare(d, open(t, file, true), newTruth(t))
	for what, query := range map[string]string{
		"predictions without account": "SELECT count(*) FROM predictions WHERE status <> 'deleted' AND id NOT IN (SELECT id FROM accounts)",
		"letters without account":     "SELECT count(*) FROM dead_letters WHERE id NOT IN (SELECT id FROM accounts)",
		"columns unlike their document": `SELECT count(*) FROM predictions WHERE status IS NOT json_extract(doc, '$.status') OR class IS NOT json_extract(doc, '$.class')
			OR coalesce(fingerprint, '') <> coalesce(json_extract(doc, '$.source.fingerprint'), '') OR stale <> coalesce(json_extract(doc, '$.stale'), 0)
			OR has_error <> (json_extract(doc, '$.error') IS NOT NULL)`,
		"tombstones with personal data": `SELECT count(*) FROM predictions WHERE status = 'deleted' AND (coalesce(user_id, screen_name, class, score, fingerprint, crawled_at, history) IS NOT NULL
			OR (SELECT group_concat(key) FROM (SELECT key FROM json_each(predictions.doc) ORDER BY key)) <> '_id,expires_at,source,status')`,
	} {
		if n := integer(t, db, query); n > 0 {
			d.wrong("%d %s", n, what)
		}
	}
	n.tombstones = int(integer(t, db, "SELECT count(*) FROM predictions WHERE status = 'deleted'"))
	return n
}

// differences are what was found wrong; some of them are told.
type differences struct {
	testing.TB
	told int
}

func (d *differences) wrong(format string, args ...any) {
	d.Helper()
	if d.told++; d.told <= maxDifferences {
		d.Errorf(format, args...)
	} else {
		d.Fail()
	}
}

func (d *differences) end() {
	d.Helper()
	if d.told > maxDifferences {
		d.Errorf("and %d more", d.told-maxDifferences)
	}
}

// compare looks at the prediction of each account that is stored.
func compare(t *differences, s store.Store, w *truth) (n census) {
	t.Helper()
	ctx := t.Context()
	feed, err := s.Scan(ctx, nil, store.ScanDocs)
	check(t, err)
	defer feed.Close()
	for {
		batch, err := feed.Next(ctx)
		if err == io.EOF {
			break
		}
		check(t, err)
		for _, c := range batch.Changes {
			got, found := prediction(t, s, c.ID)
			letters, err := s.GetLetters(ctx, []store.ID{c.ID})
			check(t, err)
			if !found || got.Status == store.StatusDeleted {
				t.wrong("account %s has no prediction (status %q), %d letters", c.ID, got.Status, len(letters))
				continue
			}
			want, fault := w.of(s, c)
			if fault != nil {
				n.poison++
				if diff := differs(&got, fault, letters); diff != "" {
					t.wrong("account %s is poison: %s", c.ID, diff)
				}
				continue
			}
			n.good++
			if len(letters) > 0 {
				t.wrong("account %s is good and has a letter: %+v", c.ID, letters[0])
			}
			if len(got.History) == 0 || len(got.History) > store.MaxHistory || got.History[0].Class != got.Slug {
				t.wrong("account %s is of class %q, its history says %+v", c.ID, got.Slug, got.History)
			}
			want.Stale = got.ClassifiedAt.Sub(want.Source.CrawledAt.Time()) > staleAfter
			if diff := cmp.Diff(want, plain(got)); diff != "" {
				t.wrong("account %s (-want +got):\n%s", c.ID, diff)
			}
		}
	}
	return n
}

// plain leaves out of a prediction what depends on when and how it was come by.
func plain(p store.Prediction) *store.Prediction {
	p.Source.Version, p.Source.Via = store.Version{}, ""
	p.History, p.ClassifiedAt, p.ClassChangedAt = nil, time.Time{}, time.Time{}
	return &p
}

// differs says how a poisonous account's prediction and letters are not as they
// should be.
func differs(p *store.Prediction, fault *classifier.FieldError, letters []store.Letter) string {
	if len(letters) != 1 {
		return fmt.Sprintf("%d letters", len(letters))
	}
	l := letters[0]
	letter := classifier.FieldError{Code: classifier.ErrorCode(l.Reason), Field: l.Field, Message: l.Error}
	if diff := cmp.Diff(*fault, letter); diff != "" {
		return "its letter (-want +got):\n" + diff
	}
	if diff := cmp.Diff(fault, p.Error); diff != "" {
		return "the prediction's error (-want +got):\n" + diff
	}
	if !p.Stale {
		return "the prediction is not stale"
	}
	return ""
}
