package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/classifier"
	"botwatch/integration/mongotest"
	"botwatch/store"
)

// insert stores accounts in batches.
func (p *place) insert(t *testing.T, docs ...any) {
	t.Helper()
	for part := range slices.Chunk(docs, 1000) {
		_, err := p.coll("accounts").InsertMany(t.Context(), part, options.InsertMany().SetOrdered(false))
		check(t, err)
	}
}

// mixed gives n accounts of each of several types of _id.
func mixed(n int) (docs []any) {
	for i := range n {
		for _, id := range []any{
			int32(i), int64(1)<<40 + int64(i), float64(i) + 0.5, fmt.Sprint("s", i), bson.D{{Key: "k", Value: i}},
			bson.Binary{Subtype: 4, Data: fmt.Appendf(nil, "%016d", i)}, bson.NewObjectID(), bson.DateTime(i), bson.Timestamp{T: uint32(i + 1)},
		} {
			docs = append(docs, account(id, 1))
		}
	}
	for _, id := range []any{nil, true, false, bson.MinKey{}, bson.MaxKey{}} {
		docs = append(docs, account(id, 1))
	}
	return docs
}

// scanned walks a scan to its end, and gives the ids and each batch's position.
func scanned(t *testing.T, s store.Source, from store.Position, mode store.ScanMode) (all []store.ID, after []store.Position) {
	t.Helper()
	f, err := s.Scan(t.Context(), from, mode)
	check(t, err)
	defer f.Close()
	for {
		b, err := f.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return all, after
		}
		check(t, err)
		for _, c := range b.Changes {
			all = append(all, c.ID)
		}
		after = append(after, b.After)
	}
}

// TestScanResumes: rule 10. A scan skips no type of _id and gives none twice, and
// goes on from the position of each batch, in another process too.
func TestScanResumes(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	docs := mixed(300)
	p.insert(t, docs...)
	s := p.connect(t, nil)
	for _, mode := range []store.ScanMode{store.ScanDocs, store.ScanKeys} {
		all, after := scanned(t, s, nil, mode)
		if unique := len(distinct(all)); len(all) != len(docs) || unique != len(docs) {
			t.Fatalf("mode %d: %d accounts, %d distinct; want %d", mode, len(all), unique, len(docs))
		}
		if len(after) < 2 {
			t.Fatalf("%d batches; the test wants several", len(after))
		}
		other, n := p.connect(t, nil), 0
		for _, from := range after {
			rest, _ := scanned(t, other, from, mode)
			if n == 0 {
				n = len(all) - len(rest)
			}
			if !slices.Equal(rest, all[len(all)-len(rest):]) {
				t.Fatalf("mode %d: from a saved position came %d others", mode, len(rest))
			}
		}
		if n == 0 {
			t.Error("the first position is the start")
		}
		// The account that the position names may be gone.
		check(t, s.DeleteAccounts(t.Context(), all[n-1:n]))
		if rest, _ := scanned(t, s, after[0], mode); len(rest) != len(all)-n {
			t.Errorf("mode %d: with the last one deleted came %d; want %d", mode, len(rest), len(all)-n)
		}
		p.put(t, docs[slices.IndexFunc(docs, func(d any) bool { return idOf(t, d) == all[n-1] })])
	}
}

func distinct(all []store.ID) map[store.ID]bool {
	m := map[store.ID]bool{}
	for _, id := range all {
		m[id] = true
	}
	return m
}

func idOf(t *testing.T, doc any) store.ID {
	t.Helper()
	raw, err := bson.Marshal(doc)
	check(t, err)
	v := bson.Raw(raw).Lookup("_id")
	id, err := store.BSONID(byte(v.Type), v.Value)
	check(t, err)
	return id
}

// TestScanFrozen: a scan reads what a majority has, and its stamp is not newer than
// its content.
func TestScanFrozen(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	p.insert(t, account(1, 1), account(2, 1))
	s := p.connect(t, nil)
	head, err := s.Head(t.Context())
	check(t, err)
	thaw := p.server.Freeze()
	check(t, p.client.Database(p.db).RunCommand(t.Context(), bson.D{
		{Key: "update", Value: "accounts"}, {Key: "writeConcern", Value: bson.M{"w": 1}},
		{Key: "updates", Value: bson.A{bson.M{"q": bson.M{"_id": 1}, "u": bson.M{"$set": bson.M{"crawled_at": "2022-01-01 00:00:00"}}}}},
	}).Err())
	crawled := func() (classifier.Micros, uint64) {
		f, err := s.Scan(t.Context(), nil, store.ScanDocs)
		check(t, err)
		defer f.Close()
		changes, _ := take(t, f, 2)
		var b classifier.Builder
		check(t, s.Decode(changes[0].Doc, &b))
		a, err := b.Finish()
		check(t, err)
		return a.CrawledAt, changes[0].Seq
	}
	before, seq := crawled()
	if seq > head.Seq {
		t.Errorf("frozen: scanned at %d, past the majority's %d", seq, head.Seq)
	}
	thaw()
	after, newer := crawled()
	if before == after || newer <= seq {
		t.Errorf("crawl %d at %d before, %d at %d after; want the majority's each time", before, seq, after, newer)
	}
}

// TestScanStampIsOlder: what is written after a batch's stamp may be in it, what was
// written before it is.
func TestScanStampIsOlder(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	p.insert(t, anys(many(1200))...)
	s := p.connect(t, nil)
	f, err := s.Scan(t.Context(), nil, store.ScanDocs)
	check(t, err)
	defer f.Close()
	first := next(t, f)
	eventually(t, "the batch that is read ahead", func() bool { return p.server.Count("find") >= 3 })
	p.put(t, account(1100, 5)) // newer than what was read ahead, and maybe than its stamp
	head, err := s.Head(t.Context())
	check(t, err)
	second := next(t, f)
	if second.Seq >= head.Seq || second.Seq < first.Seq {
		t.Errorf("read ahead of a write at %d, stamped %d, after %d", head.Seq, second.Seq, first.Seq)
	}
}

func anys[T any](list []T) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = v
	}
	return all
}

// TestScanOutlivesCalls: what is read ahead does not end with the context of the
// call that began it, and does not outlive Close.
func TestScanOutlivesCalls(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	p.insert(t, anys(many(1600))...)
	s := p.connect(t, named("reader"))
	f, err := s.Scan(t.Context(), nil, store.ScanDocs)
	check(t, err)
	n := 0
	for {
		ctx, cancel := context.WithCancel(t.Context())
		b, err := f.Next(ctx)
		cancel()
		if errors.Is(err, io.EOF) {
			break
		}
		check(t, err)
		n += len(b.Changes)
	}
	check(t, f.Close())
	if n != 1600 {
		t.Errorf("%d accounts; want 1600", n)
	}
	f, err = s.Scan(t.Context(), nil, store.ScanDocs)
	check(t, err)
	hold := make(chan struct{})
	came := make(chan mongotest.Command, 64)
	defer close(hold)
	defer p.server.Inject(mongotest.Rule{App: "reader", Commands: []string{"find"}, Skip: 2, Arrived: came, Hold: hold})()
	next(t, f)
	arrived(t, came)
	closed := make(chan error, 1)
	go func() { closed <- f.Close() }()
	select {
	case err := <-closed:
		check(t, err)
	case <-time.After(5 * time.Second):
		t.Fatal("Close waits for what is read ahead")
	}
	if _, err := f.Next(t.Context()); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("Next of a closed scan: %v", err)
	}
}

// TestScanReplaced: a collection that is dropped, or another, while it is scanned.
func TestScanReplaced(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *place){
		"dropped": func(t *testing.T, p *place) { check(t, p.coll("accounts").Drop(t.Context())) },
		"made anew": func(t *testing.T, p *place) {
			check(t, p.coll("accounts").Drop(t.Context()))
			p.insert(t, anys(many(1600))...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, mongotest.Options{})
			p.insert(t, anys(many(1600))...)
			f, err := p.connect(t, nil).Scan(t.Context(), nil, store.ScanDocs)
			check(t, err)
			defer f.Close()
			next(t, f)
			end(t, p)
			for err == nil {
				_, err = f.Next(t.Context())
			}
			wantErr(t, err, store.ErrSourceReplaced)
		})
	}
}

// heavy is an account whose needed fields are of so many bytes.
func heavy(id any, bytes int) bson.D {
	d := account(id, 1)
	tw := tweet()
	tw[0].Value = strings.Repeat("x", bytes)
	d[2].Value = bson.A{tw}
	return d
}

// TestLargeAccounts: scans pass accounts of which no two fit into one reply, and
// Fetch answers for the first ids, with memory for few of them.
func TestLargeAccounts(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	const n, size = 12, 15 << 20
	var all []store.ID
	for i := range n {
		p.insert(t, heavy(i, size))
		all = append(all, store.IntID(int64(i)))
	}
	for i := range n { // and small ones after them
		p.insert(t, account(i+100, 1))
	}
	s := p.connect(t, nil)
	for _, mode := range []store.ScanMode{store.ScanDocs, store.ScanKeys} {
		if got, _ := scanned(t, s, nil, mode); len(got) != 2*n || len(distinct(got)) != 2*n {
			t.Errorf("mode %d: %d accounts, %d distinct; want %d", mode, len(got), len(distinct(got)), 2*n)
		}
	}
	for rest := all; len(rest) > 0; {
		changes, err := s.Fetch(t.Context(), rest, store.ScanDocs)
		check(t, err)
		if len(changes) != 1 {
			t.Errorf("%d accounts of %d bytes fetched at once", len(changes), size)
		}
		for i, c := range changes {
			if c.ID != rest[i] || c.Op != store.OpUpsert || len(c.Doc) < size {
				t.Errorf("fetched %s: %v with %d bytes; want %s", c.ID, c.Op, len(c.Doc), rest[i])
			}
		}
		rest = rest[len(changes):]
	}
	// Only what is read is looked at: keys of large accounts are small.
	changes, err := s.Fetch(t.Context(), all, store.ScanKeys)
	check(t, err)
	if len(changes) != n || changes[0].CrawledAt == 0 {
		t.Errorf("%d keys", len(changes))
	}
}

// TestFetchOfOddKeys: an account whose crawled_at is megabytes is there, though no
// reply has room for two of them, and so are those that are asked for beside it.
func TestFetchOfOddKeys(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	var all []store.ID
	for i := range 5 {
		d := account(i, 1)
		d[3].Value = strings.Repeat("9", 9<<20)
		p.insert(t, d)
		all = append(all, store.IntID(int64(i)))
	}
	all = append(all, store.IntID(99)) // not there
	s := p.connect(t, nil)
	for _, mode := range []store.ScanMode{store.ScanDocs, store.ScanKeys} {
		var got []store.Change
		for rest := all; len(rest) > 0; rest = all[len(got):] {
			changes, err := s.Fetch(t.Context(), rest, mode)
			check(t, err)
			if len(changes) == 0 {
				t.Fatal("nothing fetched")
			}
			got = append(got, changes...)
		}
		for i, c := range got {
			if want := map[bool]store.Op{true: store.OpUpsert, false: store.OpDelete}[i < 5]; c.ID != all[i] || c.Op != want {
				t.Errorf("mode %d: account %s is %v; want %v", mode, c.ID, c.Op, want)
			}
		}
		if got, _ := scanned(t, s, nil, mode); len(got) != 5 {
			t.Errorf("mode %d: scanned %d of 5", mode, len(got))
		}
	}
	if n := p.server.OpenCursors(); n != 0 {
		t.Errorf("%d cursors stay open", n)
	}
}
