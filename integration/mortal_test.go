//go:build unix

package integration_test

import (
	"database/sql"
	"fmt"
	"testing"

	"botwatch/store"
)

// mortal is a store whose daemons are killed.
type mortal interface {
	// address is what a daemon gets as --store.
	address() string
	// free lets the next daemon lead at once.
	free(t testing.TB)
	// head is the number of the last change of an account.
	head(t testing.TB) uint64
	// lose forgets all changes so far, the unread ones too, as if the daemon had
	// been away for so long that they were trimmed, and some that no stream sees of
	// accounts that nobody touches again.
	lose(t testing.TB, looker store.Store)
	// lostThrough is the number of the last change that was lost; 0 for none.
	lostThrough(t testing.TB) uint64
	// unwrittenBetween counts changes after the number from, up to to, whose
	// prediction is not written.
	unwrittenBetween(t testing.TB, from, to uint64) int64
	drained(t testing.TB, looker store.Store)
	verify(t testing.TB) census
}

// mortalFile is an SQLite file. Its lease ends with the process that holds it.
type mortalFile struct {
	file string
	db   *sql.DB
}

func (m *mortalFile) address() string { return "sqlite:" + m.file }
func (m *mortalFile) free(testing.TB) {}
func (m *mortalFile) verify(t testing.TB) census {
	t.Helper()
	return verify(t, m.file)
}

func (m *mortalFile) drained(t testing.TB, looker store.Store) {
	t.Helper()
	drained(t, looker)
}

func (m *mortalFile) head(t testing.TB) uint64 {
	t.Helper()
	return uint64(integer(t, m.db, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes'"))
}

// lose waits until there are changes to lose.
func (m *mortalFile) lose(t testing.TB, looker store.Store) {
	t.Helper()
	await(t, "changes to lose", patience, func() (bool, string) {
		c, err := looker.Load(t.Context())
		check(t, err)
		head := m.head(t)
		return head > c.Seq, fmt.Sprintf("head %d, checkpoint %d", head, c.Seq)
	})
	execute(t, m.db, `INSERT INTO state VALUES ('trimmed_through', (SELECT CAST(seq AS TEXT) FROM sqlite_sequence WHERE name = 'changes'))
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, "DELETE FROM changes",
		// Unseen by the stream, and nobody touches these again.
		`UPDATE accounts SET doc = json_set(doc, '$.user_data.followers_count', json_extract(doc, '$.user_data.followers_count') + 1)
			WHERE id IN (SELECT id FROM accounts WHERE CAST(id AS INTEGER) >= 9000001000000 ORDER BY random() LIMIT 20)`,
		`DELETE FROM accounts WHERE id IN (SELECT id FROM accounts WHERE CAST(id AS INTEGER) >= 9000001000000 ORDER BY random() LIMIT 2)`,
		`UPDATE state SET value = (SELECT CAST(seq AS TEXT) FROM sqlite_sequence WHERE name = 'changes') WHERE key = 'trimmed_through'`, "DELETE FROM changes")
}

func (m *mortalFile) lostThrough(t testing.TB) uint64 {
	t.Helper()
	return uint64(integer(t, m.db, "SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM state WHERE key = 'trimmed_through'"))
}

func (m *mortalFile) unwrittenBetween(t testing.TB, from, to uint64) int64 {
	t.Helper()
	return integer(t, m.db, `SELECT count(*) FROM changes c LEFT JOIN predictions p ON p.id = c.id
		WHERE c.seq > ? AND c.seq <= ? AND (p.id IS NULL OR p.seq < c.seq)`, from, to)
}
