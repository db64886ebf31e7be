package sqlite_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/store"
	"botwatch/store/sqlite"
)

// TestTriggers has the sqlite3 program as the crawler, and each statement read
// by itself.
func TestTriggers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before string
		sql    string
		want   []string
	}{
		{"insert", "", "INSERT INTO accounts VALUES ('a', '{}');", []string{`upsert "a" {}`}},
		{"insert of many", "", "INSERT INTO accounts (id, doc) VALUES ('b', '1'), ('a', '2');", []string{`upsert "b" 1`, `upsert "a" 2`}},
		{"insert or ignore", "INSERT INTO accounts VALUES ('a', '1');", "INSERT OR IGNORE INTO accounts VALUES ('a', '2');", nil},
		{"insert or replace, new", "", "INSERT OR REPLACE INTO accounts VALUES ('a', '{}');", []string{`upsert "a" {}`}},
		{"insert or replace, old", "INSERT INTO accounts VALUES ('a', '1');", "REPLACE INTO accounts VALUES ('a', '2');", []string{`upsert "a" 2`}},
		{
			"insert or replace with recursive triggers", "INSERT INTO accounts VALUES ('a', '1');",
			"PRAGMA recursive_triggers = 1; REPLACE INTO accounts VALUES ('a', '2');",
			[]string{`upsert "a" 2`},
		},
		{
			"upsert", "INSERT INTO accounts VALUES ('a', '1');",
			"INSERT INTO accounts VALUES ('a', '2'), ('b', '3') ON CONFLICT (id) DO UPDATE SET doc = excluded.doc;",
			[]string{`upsert "a" 2`, `upsert "b" 3`},
		},
		{"update", "INSERT INTO accounts VALUES ('a', '1');", "UPDATE accounts SET doc = '2';", []string{`upsert "a" 2`}},
		{"update of nothing", "INSERT INTO accounts VALUES ('a', '1');", "UPDATE accounts SET doc = '2' WHERE id = 'b';", nil},
		{
			"changed id", "INSERT INTO accounts VALUES ('a', '1');", "UPDATE accounts SET id = 'b';",
			[]string{`delete "a"`, `upsert "b" 1`},
		},
		{
			"id changed in case alone", "INSERT INTO accounts VALUES ('a', '1');", "UPDATE accounts SET id = 'A';",
			[]string{`delete "a"`, `upsert "A" 1`},
		},
		{
			"id changed onto another's", "INSERT INTO accounts VALUES ('a', '1'), ('b', '2');", "UPDATE OR REPLACE accounts SET id = 'b' WHERE id = 'a';",
			[]string{`delete "a"`, `upsert "b" 1`},
		},
		{
			"hidden rowid taken by an insert", "INSERT INTO accounts (rowid, id, doc) VALUES (5, 'a', '1');",
			"INSERT OR REPLACE INTO accounts (rowid, id, doc) VALUES (5, 'b', '2');",
			[]string{`delete "a"`, `upsert "b" 2`},
		},
		{
			"hidden rowid taken by an update", "INSERT INTO accounts (rowid, id, doc) VALUES (5, 'a', '1'), (6, 'b', '2');",
			"UPDATE OR REPLACE accounts SET _rowid_ = 5 WHERE id = 'b';",
			[]string{`delete "a"`, `upsert "b" 2`},
		},
		{"delete", "INSERT INTO accounts VALUES ('a', '1');", "DELETE FROM accounts WHERE id = 'a';", []string{`delete "a"`}},
		{
			"delete of all", "INSERT INTO accounts VALUES ('a', '1'), ('b', '2');", "DELETE FROM accounts;",
			[]string{`delete "a"`, `delete "b"`},
		},
		{
			"delete and insert", "INSERT INTO accounts VALUES ('a', '1');",
			"DELETE FROM accounts; INSERT INTO accounts VALUES ('a', '2');",
			[]string{`upsert "a" 2`},
		},
		{"insert and delete", "", "INSERT INTO accounts VALUES ('a', '1'); DELETE FROM accounts;", []string{`delete "a"`}},
		{"rolled back", "", "BEGIN; INSERT INTO accounts VALUES ('a', '1'); ROLLBACK;", nil},
		{
			"ids of every type", "", "INSERT INTO accounts VALUES (1, '{}'), ('1', '{}'), (1.5, '{}'), (x'31', '{}'), (x'', '{}'), (9007199254740993, '{}');",
			[]string{
				"upsert 1 {}", `upsert "1" {}`, "upsert 1.5 {}", `upsert {"$binary":{"base64":"MQ==","subType":"00"}} {}`,
				`upsert {"$binary":{"base64":"","subType":"00"}} {}`, "upsert 9007199254740993 {}",
			},
		},
		{"1 and 1.0 are one id", "INSERT INTO accounts VALUES (1, 'a');", "UPDATE accounts SET id = 1.0;", []string{"upsert 1 a"}},
		{
			"doc of other types", "", "INSERT INTO accounts VALUES ('null', NULL), ('number', 7), ('blob', CAST('{}' AS BLOB)), ('empty', '');",
			[]string{
				`upsert "null" error doc is null; want the account as JSON text`,
				`upsert "number" error doc is integer; want the account as JSON text`,
				`upsert "blob" {}`,
				`upsert "empty" error doc is empty; want the account as JSON text`,
			},
		},
		{
			"doc that is too large", "", "INSERT INTO accounts VALUES ('large', zeroblob(67108865)), ('small', '{}');",
			[]string{`upsert "large" error doc has 67108865 bytes; at most 67108864 are read`, `upsert "small" {}`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := dbPath(t)
			s := open(t, path, sqlite.Options{})
			client(t, path, tt.before)
			from := head(t, s)
			client(t, path, tt.sql)
			got := changes(t, s, from)
			if diff := cmp.Diff(tt.want, show(got)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			for i := range got[:max(len(got)-1, 0)] {
				if got[i].Seq >= got[i+1].Seq {
					t.Errorf("seq %d is followed by %d", got[i].Seq, got[i+1].Seq)
				}
			}
		})
	}
}

// TestScanSeesWhatStreamSees: the same documents, and the same faults.
func TestScanSeesWhatStreamSees(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, sqlite.Options{})
	from := head(t, s)
	client(t, path, `INSERT INTO accounts VALUES (-1, '{}'), (2.5, NULL), ('a', ''), ('b', '{"x": 1}'), (x'00', 7), (x'', '[]');`)
	streamed, scanned := map[store.ID]string{}, map[store.ID]string{}
	for _, c := range changes(t, s, from) {
		streamed[c.ID] = show([]store.Change{c})[0]
	}
	for _, c := range scanAll(t, s, store.ScanDocs) {
		scanned[c.ID] = show([]store.Change{c})[0]
	}
	if diff := cmp.Diff(streamed, scanned); diff != "" || len(scanned) != 6 {
		t.Errorf("%d accounts (-streamed +scanned):\n%s", len(scanned), diff)
	}
	for _, c := range scanAll(t, s, store.ScanKeys) {
		if c.Doc != nil || c.Err != nil {
			t.Errorf("keys: %+v", c)
		}
	}
}
