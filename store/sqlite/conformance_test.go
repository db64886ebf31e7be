package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"botwatch/store"
	"botwatch/store/sqlite"
	"botwatch/store/storetest"
)

func TestConformance(t *testing.T) {
	var mu sync.Mutex
	paths := make(map[store.Store]string)
	connect := func(t *testing.T, path string) store.Store {
		s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		check(t, err)
		mu.Lock()
		defer mu.Unlock()
		paths[s] = path
		return s
	}
	path := func(s store.Store) string {
		mu.Lock()
		defer mu.Unlock()
		return paths[s]
	}
	storetest.Run(t, storetest.Harness{
		Open:    func(t *testing.T) store.Store { return connect(t, filepath.Join(t.TempDir(), "botwatch.db")) },
		Connect: func(t *testing.T, s store.Store) store.Store { return connect(t, path(s)) },
		Holds:   native,
		LoseHistory: func(t *testing.T, s store.Store) {
			other(t, path(s), `INSERT INTO state VALUES ('trimmed_through', (SELECT CAST(max(seq) AS TEXT) FROM changes))
				ON CONFLICT (key) DO UPDATE SET value = excluded.value`, "DELETE FROM changes")
		},
		ReplaceAccounts: func(t *testing.T, s store.Store) {
			other(t, path(s), "DROP TABLE accounts", "CREATE TABLE accounts (id NOT NULL PRIMARY KEY, doc)")
		},
		Backup: func(t *testing.T, s store.Store) func() {
			other(t, path(s), "CREATE TABLE kept_accounts AS SELECT * FROM accounts", "CREATE TABLE kept_changes AS SELECT * FROM changes",
				"CREATE TABLE kept_seq AS SELECT * FROM sqlite_sequence")
			return func() {
				other(t, path(s), "DELETE FROM accounts", "INSERT INTO accounts SELECT * FROM kept_accounts",
					"DELETE FROM changes", "INSERT INTO changes SELECT * FROM kept_changes",
					"UPDATE sqlite_sequence SET seq = coalesce((SELECT k.seq FROM kept_seq k WHERE k.name = sqlite_sequence.name), 0)")
			}
		},
	})
}

// other runs statements in one transaction, as another program would.
func other(t testing.TB, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)&_txlock=immediate")
	check(t, err)
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	check(t, err)
	defer tx.Rollback()
	for _, sql := range statements {
		if _, err := tx.ExecContext(t.Context(), sql); err != nil {
			t.Fatalf("%v\n%s", err, sql)
		}
	}
	check(t, tx.Commit())
}
