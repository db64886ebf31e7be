package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/store"
	"botwatch/store/sqlite"
)

// nextErr reads a stream until it answers an error.
func nextErr(t *testing.T, f store.Feed) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, err := f.Next(ctx); err != nil {
			return err
		}
	}
}

func TestStreamRefusesPositions(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	put(t, s, "a", "1", "b", "2")
	h := head(t, s)
	for _, from := range []store.Position{nil, {}, []byte("nonsense"), {'c', 1}, append(store.Position{'x'}, h.Position[1:]...)} {
		_, err := s.Stream(t.Context(), from)
		wantErr(t, err, store.ErrHistoryLost)
	}
	another := open(t, dbPath(t), sqlite.Options{})
	_, err := another.Stream(t.Context(), h.Position)
	wantErr(t, err, store.ErrSourceReplaced)
}

// TestBatches: documents of an account that changes often come once, with its
// last number, and batches are bounded in number and bytes.
func TestBatches(t *testing.T) {
	s := open(t, dbPath(t), sqlite.Options{})
	from := head(t, s)
	large := strings.Repeat("x", 3<<20)
	for i := range 5 {
		put(t, s, "busy", fmt.Sprint(i), fmt.Sprintf("large %d", i), large)
	}
	put(t, s, "busy", "last")
	f := stream(t, s, from.Position)
	var got [][]string
	for at := from.Seq; at < from.Seq+11; {
		b, err := f.Next(t.Context())
		check(t, err)
		var ids []string
		for _, c := range b.Changes {
			ids = append(ids, c.ID.String())
		}
		got, at = append(got, ids), b.Seq
		if whole := b.Seq == from.Seq+11; whole == b.At.IsZero() {
			t.Errorf("batch up to %d: its time is %v", b.Seq, b.At)
		}
	}
	if diff := cmp.Diff([][]string{{"large 0", "large 1", "large 2"}, {"large 3", "large 4", "busy"}}, got); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
}

// TestFetchIsBounded: an answer ends with the document that fills a batch.
func TestFetchIsBounded(t *testing.T) {
	s := open(t, dbPath(t), sqlite.Options{})
	large := strings.Repeat("x", 2<<20)
	ids := make([]store.ID, 12)
	for i := range ids {
		name := fmt.Sprintf("large %02d", i)
		put(t, s, name, large)
		ids[i] = store.StringID(name)
	}
	got, err := s.Fetch(t.Context(), ids, store.ScanDocs)
	check(t, err)
	if len(got) != 4 || got[3].ID != ids[3] {
		t.Errorf("Fetch: %d of 12 documents of 2 MiB; want the 4 that fill 8", len(got))
	}
	if got, err = s.Fetch(t.Context(), ids, store.ScanKeys); len(got) != 12 {
		t.Errorf("Fetch of keys: %d of 12, %v", len(got), err)
	}
}

func TestDroppedAccounts(t *testing.T) {
	for _, tt := range []struct {
		name       string
		statements []string
	}{
		{"made anew", []string{"DROP TABLE accounts", "CREATE TABLE accounts (id NOT NULL PRIMARY KEY, doc)", "INSERT INTO accounts VALUES ('new', '{}')"}},
		{"exchanged by renaming", []string{
			"CREATE TABLE fresh (id NOT NULL PRIMARY KEY, doc)", "INSERT INTO fresh VALUES ('new', '{}')",
			"ALTER TABLE accounts RENAME TO gone", "ALTER TABLE fresh RENAME TO accounts",
		}},
		{"a trigger dropped", []string{"DELETE FROM accounts", "DROP TRIGGER accounts_inserted", "INSERT INTO accounts VALUES ('new', '{}')"}},
		{"a trigger altered", []string{
			"DELETE FROM accounts", "DROP TRIGGER accounts_inserted",
			"CREATE TRIGGER accounts_inserted AFTER INSERT ON accounts BEGIN SELECT 1; END", "INSERT INTO accounts VALUES ('new', '{}')",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := dbPath(t)
			s := open(t, path, sqlite.Options{})
			put(t, s, "old", "{}")
			before := head(t, s)
			f := stream(t, s, before.Position)
			scan, err := s.Scan(t.Context(), nil, store.ScanDocs)
			check(t, err)
			_, err = scan.Next(t.Context())
			check(t, err)

			other(t, path, tt.statements...)
			wantErr(t, nextErr(t, f), store.ErrSourceReplaced)
			wantErr(t, nextErr(t, f), store.ErrSourceReplaced) // it stays
			_, err = scan.Next(t.Context())
			wantErr(t, err, store.ErrSourceReplaced)
			_, err = s.Stream(t.Context(), before.Position)
			wantErr(t, err, store.ErrSourceReplaced)

			after := head(t, s)
			if after.Identity == before.Identity || after.Seq < before.Seq {
				t.Errorf("head %v %d after %v %d", after.Identity, after.Seq, before.Identity, before.Seq)
			}
			if diff := cmp.Diff([]string{`upsert "new" {}`}, show(scanAll(t, s, store.ScanDocs))); diff != "" {
				t.Error(diff)
			}
			other(t, path, "INSERT INTO accounts VALUES ('newer', '{}')")
			if diff := cmp.Diff([]string{`upsert "newer" {}`}, show(changes(t, s, after))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAccountsGone: a crawler that drops the table gets a second to make it
// anew, then it is made for it.
func TestAccountsGone(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	before := head(t, s)
	other(t, path, "DROP TABLE accounts")
	if _, err := s.Head(t.Context()); err == nil {
		t.Fatal("the table was made at once")
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		h, err := s.Head(t.Context())
		if err == nil {
			if h.Identity == before.Identity {
				t.Error("the identity is still that of before")
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	put(t, s, "a", "{}")
}

// TestDroppedWhileClosed: what happened without triggers is told at the next start.
func TestDroppedWhileClosed(t *testing.T) {
	path := dbPath(t)
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	check(t, err)
	from := head(t, s)
	check(t, s.Close())
	other(t, path, "DROP TABLE accounts", "CREATE TABLE accounts (id NOT NULL PRIMARY KEY, doc)")
	s = open(t, path, sqlite.Options{})
	_, err = s.Stream(t.Context(), from.Position)
	wantErr(t, err, store.ErrSourceReplaced)
}

// TestRestoredFile: the file is copied, goes on, and is put back.
func TestRestoredFile(t *testing.T) {
	path := dbPath(t)
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	check(t, err)
	put(t, s, "a", "1")
	check(t, s.Close())
	kept, err := os.ReadFile(path)
	check(t, err)
	s, err = sqlite.Open(t.Context(), path, sqlite.Options{})
	check(t, err)
	put(t, s, "b", "2")
	later := head(t, s)
	check(t, s.Close())
	check(t, os.WriteFile(path, kept, 0o600))

	s = open(t, path, sqlite.Options{})
	_, err = s.Stream(t.Context(), later.Position)
	wantErr(t, err, store.ErrSourceReplaced)
	if h := head(t, s); h.Identity != later.Identity || h.Seq >= later.Seq {
		t.Errorf("head %d of %s, before the restore %d of %s", h.Seq, h.Identity, later.Seq, later.Identity)
	}
}

// TestRestoredUnderStream: the same, by the client's own restore into an open file.
func TestRestoredUnderStream(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	put(t, s, "a", "1")
	client(t, path, ".backup '"+path+".backup'")
	put(t, s, "b", "2")
	f := stream(t, s, head(t, s).Position)
	_, err := f.Next(t.Context())
	check(t, err)
	client(t, path, ".restore '"+path+".backup'")
	wantErr(t, nextErr(t, f), store.ErrSourceReplaced)
}

// TestTrimmed: changes before the checkpoint go, and their numbers never come again.
func TestTrimmed(t *testing.T) {
	path := dbPath(t)
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	check(t, err)
	epoch, err := s.Acquire(t.Context(), "me")
	check(t, err)
	start := head(t, s)
	var docs []string
	for i := range 2500 {
		docs = append(docs, fmt.Sprint(i), "{}")
	}
	put(t, s, docs...)
	middle := head(t, s)
	put(t, s, "last", "{}")
	check(t, s.Save(t.Context(), epoch, store.Checkpoint{Position: middle.Position, Seq: middle.Seq}))

	_, err = s.Stream(t.Context(), start.Position)
	wantErr(t, err, store.ErrHistoryLost)
	if diff := cmp.Diff([]string{`upsert "last" {}`}, show(changes(t, s, middle))); diff != "" {
		t.Error(diff)
	}
	end := head(t, s)
	check(t, s.Save(t.Context(), epoch, store.Checkpoint{Position: end.Position, Seq: end.Seq}))
	check(t, s.Close())

	s = open(t, path, sqlite.Options{})
	put(t, s, "next", "{}")
	got := changes(t, s, end)
	if len(got) != 1 || got[0].Seq != end.Seq+1 {
		t.Errorf("changes %+v after all were trimmed up to %d", got, end.Seq)
	}
	_, err = s.Stream(t.Context(), middle.Position)
	wantErr(t, err, store.ErrHistoryLost)
}

// TestTrimmedUnderStream: a stream that falls behind the checkpoint is told.
func TestTrimmedUnderStream(t *testing.T) {
	s := open(t, dbPath(t), sqlite.Options{})
	epoch, err := s.Acquire(t.Context(), "me")
	check(t, err)
	f := stream(t, s, head(t, s).Position)
	put(t, s, "a", "{}", "b", "{}")
	h := head(t, s)
	check(t, s.Save(t.Context(), epoch, store.Checkpoint{Position: h.Position}))
	wantErr(t, nextErr(t, f), store.ErrHistoryLost)
}

// TestConcurrentClient: another program and this one write at the same time;
// the stream and then a scan see all of it, in order for each account.
func TestConcurrentClient(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	from := head(t, s)
	f := stream(t, s, from.Position)
	const rounds = 20
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rounds {
			id := store.StringID("ours")
			if err := s.PutAccounts(t.Context(), []store.Account{{ID: id, Doc: fmt.Appendf(nil, "%d", i)}}); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := range rounds {
		client(t, path, fmt.Sprintf("INSERT INTO accounts VALUES ('t%d', '%d'); REPLACE INTO accounts VALUES ('theirs', '%d');", i, i, i))
	}
	<-done
	last := map[store.ID]store.Change{}
	end := head(t, s).Seq
	for at := from.Seq; at < end; {
		b, err := f.Next(t.Context())
		check(t, err)
		for _, c := range b.Changes {
			if c.Seq <= last[c.ID].Seq {
				t.Errorf("%s: %d after %d", c.ID, c.Seq, last[c.ID].Seq)
			}
			last[c.ID] = c
		}
		at = b.Seq
	}
	streamed := show(slices.Collect(func(yield func(store.Change) bool) {
		for _, c := range last {
			if !yield(c) {
				return
			}
		}
	}))
	slices.Sort(streamed)
	scanned := show(scanAll(t, s, store.ScanDocs))
	slices.Sort(scanned)
	if diff := cmp.Diff(scanned, streamed); diff != "" || len(scanned) != rounds+2 {
		t.Errorf("%d accounts (-scanned +streamed):\n%s", len(scanned), diff)
	}
}

// TestScanBesideWrites: a scan's number is from before its content, and inserted
// and deleted accounts neither stop it nor make it skip.
func TestScanBesideWrites(t *testing.T) {
	s := open(t, dbPath(t), sqlite.Options{})
	var docs []string
	for i := range 1200 {
		docs = append(docs, fmt.Sprintf("%05d", i*2), "1")
	}
	put(t, s, docs...)
	f, err := s.Scan(t.Context(), nil, store.ScanDocs)
	check(t, err)
	seen := map[string]bool{}
	for batches := 0; ; batches++ {
		before := head(t, s)
		b, err := f.Next(t.Context())
		if err != nil {
			if batches < 3 {
				t.Fatalf("the scan ends after %d batches: %v", batches, err)
			}
			break
		}
		if b.Seq != before.Seq {
			t.Errorf("batch of %d, the head was %d", b.Seq, before.Seq)
		}
		for _, c := range b.Changes {
			if seen[c.ID.String()] {
				t.Errorf("%s comes twice", c.ID)
			}
			seen[c.ID.String()] = true
		}
		last := b.Changes[len(b.Changes)-1].ID
		check(t, s.DeleteAccounts(t.Context(), []store.ID{last})) // where the scan stands
		put(t, s, "00001", "{}", "02399", "{}")
	}
	check(t, f.Close())
	if len(seen) != 1201 || !seen["02399"] {
		t.Errorf("%d accounts seen, want 1201", len(seen))
	}
}
