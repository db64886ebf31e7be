package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/store"
	"botwatch/store/sqlite"
)

func TestOpenMakesFileForItsOwnerAlone(t *testing.T) {
	path := dbPath(t)
	open(t, path, sqlite.Options{})
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		check(t, err)
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", filepath.Base(name), mode)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		is      error
		says    string
	}{
		{"a directory", func(t *testing.T, path string) { check(t, os.Mkdir(path, 0o700)) }, nil, "not a regular file"},
		{"what is no database", func(t *testing.T, path string) {
			check(t, os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600))
		}, nil, "not an SQLite database"},
		{"a newer schema", func(t *testing.T, path string) {
			s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			check(t, err)
			check(t, s.Close())
			other(t, path, "UPDATE state SET value = '99' WHERE key = 'schema'", "ALTER TABLE predictions ADD COLUMN future")
		}, store.ErrNewerSchema, "99"},
		{"foreign predictions", func(t *testing.T, path string) {
			other(t, path, "CREATE TABLE predictions (id INTEGER PRIMARY KEY, weather TEXT)")
		}, store.ErrForeign, "class_changed_at"},
		{"predictions that are a view", func(t *testing.T, path string) {
			other(t, path, "CREATE VIEW predictions AS SELECT 1 AS id")
		}, store.ErrForeign, "is a view"},
		{"foreign accounts", func(t *testing.T, path string) {
			other(t, path, "CREATE TABLE accounts (number INTEGER PRIMARY KEY, balance)")
		}, store.ErrForeign, "should have id, doc"},
		{"accounts without a key", func(t *testing.T, path string) {
			other(t, path, "CREATE TABLE accounts (id, doc)")
		}, store.ErrForeign, "CREATE TABLE accounts"},
		{"accounts with a second key", func(t *testing.T, path string) {
			other(t, path, "CREATE TABLE accounts (id NOT NULL PRIMARY KEY, doc UNIQUE)")
		}, store.ErrForeign, "CREATE TABLE accounts"},
		{"accounts whose ids are equal when their bytes are not", func(t *testing.T, path string) {
			other(t, path, "CREATE TABLE accounts (id TEXT COLLATE NOCASE PRIMARY KEY, doc)")
		}, store.ErrForeign, "CREATE TABLE accounts"},
		{"accounts without rowid", func(t *testing.T, path string) {
			other(t, path, "CREATE TABLE accounts (id PRIMARY KEY, doc) WITHOUT ROWID")
		}, store.ErrForeign, "WITHOUT ROWID"},
		{"another text encoding", func(t *testing.T, path string) {
			client(t, path, "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (x);")
		}, nil, "UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := dbPath(t)
			tt.prepare(t, path)
			s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err == nil {
				check(t, s.Close())
				t.Fatal("it was opened")
			}
			if tt.is != nil {
				wantErr(t, err, tt.is)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %q", err, tt.says)
			}
		})
	}
}

func TestOpenTakesTheCrawlersOwnTable(t *testing.T) {
	for _, ddl := range []string{
		"CREATE TABLE accounts (id NOT NULL PRIMARY KEY, doc)",
		"CREATE TABLE accounts (id TEXT PRIMARY KEY, doc TEXT)",
		"CREATE TABLE accounts (id INTEGER PRIMARY KEY, doc)",
	} {
		path := dbPath(t)
		other(t, path, "CREATE TABLE crawls (at)", ddl, "INSERT INTO accounts VALUES (7, '{}')")
		s := open(t, path, sqlite.Options{})
		from := head(t, s)
		if got := len(scanAll(t, s, store.ScanDocs)); got != 1 {
			t.Errorf("%s: %d accounts, want 1", ddl, got)
		}
		other(t, path, "INSERT INTO accounts VALUES (8, '{}')", "UPDATE accounts SET id = 9 WHERE id = 7")
		if got := changes(t, s, from); len(got) != 3 {
			t.Errorf("%s: changes %v, want three", ddl, show(got))
		}
	}
}

func TestReadOnly(t *testing.T) {
	path := dbPath(t)
	if _, err := sqlite.Open(t.Context(), path, sqlite.Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want that the file does not exist", err)
	}
	// A crawler's file, before the first daemon: it can be looked at and sampled.
	other(t, path, "CREATE TABLE accounts (id NOT NULL PRIMARY KEY, doc)", "INSERT INTO accounts VALUES ('a', '{}')")
	s := open(t, path, sqlite.Options{ReadOnly: true})
	if diff := cmp.Diff([]string{`upsert "a" {}`}, show(scanAll(t, s, store.ScanDocs))); diff != "" {
		t.Error(diff)
	}
	findings, err := s.Check(t.Context())
	check(t, err)
	for _, f := range findings {
		if f.Level != store.LevelOK {
			t.Errorf("%+v", f)
		}
	}
	if _, err := s.Count(t.Context()); err == nil || !strings.Contains(err.Error(), "no daemon") {
		t.Errorf("got %v, want that no daemon has run", err)
	}
	wantErr(t, s.PutAccounts(t.Context(), nil), store.ErrReadOnly)
	if _, err := s.Acquire(t.Context(), "me"); err == nil {
		t.Error("it took the lease")
	}
	if err := s.Publish(t.Context(), 1, []byte("{}")); err == nil {
		t.Error("it wrote")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	check(t, err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".lock") {
			t.Errorf("it made %s", e.Name())
		}
	}
}

func TestProtectedAccounts(t *testing.T) {
	s := open(t, dbPath(t), sqlite.Options{ProtectAccounts: true})
	wantErr(t, s.PutAccounts(t.Context(), nil), store.ErrReadOnly)
	wantErr(t, s.DeleteAccounts(t.Context(), nil), store.ErrReadOnly)
}

func TestUseAfterClose(t *testing.T) {
	s, err := sqlite.Open(t.Context(), dbPath(t), sqlite.Options{})
	check(t, err)
	f, err := s.Stream(t.Context(), head(t, s).Position)
	check(t, err)
	check(t, s.Close())
	check(t, s.Close())
	if _, err := s.Head(t.Context()); err == nil {
		t.Error("Head after Close")
	}
	for range 3 { // perhaps a first answer, as if before the end
		_, err = f.Next(t.Context())
	}
	if err == nil {
		t.Error("Next after Close")
	}
	check(t, f.Close())
	check(t, f.Close())
}

func TestCheckNamesTroubles(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	level := func(subject string) (levels []store.Level) {
		t.Helper()
		findings, err := s.Check(t.Context())
		check(t, err)
		for _, f := range findings {
			if f.Subject == subject {
				levels = append(levels, f.Level)
			}
		}
		return levels
	}
	other(t, path, "DROP TRIGGER accounts_updated")
	if diff := cmp.Diff([]store.Level{store.LevelWarn}, level("triggers")); diff != "" {
		t.Error(diff)
	}
	other(t, path, "ALTER TABLE predictions RENAME COLUMN doc TO document")
	if diff := cmp.Diff([]store.Level{store.LevelFail}, level("tables")); diff != "" {
		t.Error(diff)
	}
}
