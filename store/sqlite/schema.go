package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	_ "embed" // schema.sql
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"botwatch/store"
)

//go:embed schema.sql
var schemaSQL string

// versionIndex makes what files from before it lack; schema.sql has it too.
const versionIndex = "CREATE INDEX IF NOT EXISTS predictions_by_version ON predictions (epoch, seq)"

// accountsWanted is how a crawler makes the accounts table by itself.
const accountsWanted = "CREATE TABLE accounts (id NOT NULL PRIMARY KEY, doc)"

// tables are the columns of the tables of schema.sql, in order.
var tables = map[string][]string{
	"accounts": {"id", "doc"},
	"changes":  {"seq", "id", "op"},
	"predictions": {"id", "epoch", "seq", "status", "class", "support", "score", "margin", "stale", "has_error", "user_id", "screen_name", "model",
		"fingerprint", "crawled_at", "classified_at", "class_changed_at", "expires_at", "history", "doc"},
	"state":        {"key", "value"},
	"dead_letters": {"id", "reason", "field", "error", "attempts", "first_seen", "last_seen", "model", "epoch", "seq"},
	"requests":     {"n", "finished", "doc"},
}

// triggers record the changes of accounts. Their text must be as SQLite keeps
// it, since it is compared. They must suit the older SQLite of any client.
//
// REPLACE fires no trigger for the row that it displaces. Where that row has the
// new row's id, the upsert says all; the first two triggers are for the other
// way, a row that takes another's hidden rowid. (Where an INSERT names no rowid,
// NEW.rowid is -1.) A delete that is recorded though the account is there is
// harmless: who follows the changes looks at the account.
var triggers = map[string]string{
	"accounts_inserting": `CREATE TRIGGER accounts_inserting BEFORE INSERT ON accounts BEGIN
  INSERT INTO changes (id, op) SELECT id, 'delete' FROM accounts WHERE rowid = NEW.rowid AND id IS NOT NEW.id;
END`,
	"accounts_moving": `CREATE TRIGGER accounts_moving BEFORE UPDATE ON accounts WHEN OLD.rowid <> NEW.rowid BEGIN
  INSERT INTO changes (id, op) SELECT id, 'delete' FROM accounts WHERE rowid = NEW.rowid;
END`,
	"accounts_inserted": `CREATE TRIGGER accounts_inserted AFTER INSERT ON accounts BEGIN
  INSERT INTO changes (id, op) VALUES (NEW.id, 'upsert');
END`,
	"accounts_updated": `CREATE TRIGGER accounts_updated AFTER UPDATE ON accounts BEGIN
  INSERT INTO changes (id, op) SELECT OLD.id, 'delete' WHERE OLD.id IS NOT NEW.id;
  INSERT INTO changes (id, op) VALUES (NEW.id, 'upsert');
END`,
	"accounts_deleted": `CREATE TRIGGER accounts_deleted AFTER DELETE ON accounts BEGIN
  INSERT INTO changes (id, op) VALUES (OLD.id, 'delete');
END`,
}

// installed says what of the schema a file has.
type installed struct {
	missing  []string // tables
	triggers bool     // all of them are there as they should be
}

func (i installed) complete() bool { return len(i.missing) == 0 && i.triggers }

// has says whether a table is there.
func (i installed) has(table string) bool { return !slices.Contains(i.missing, table) }

// inspect looks at the schema and refuses what is foreign or newer.
func inspect(ctx context.Context, c *conn) (i installed, err error) {
	columns := make(map[string][]string)
	var odd []string
	err = c.query(ctx, `SELECT t.name, t.type = 'table' AND t.wr = 0, c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c
		WHERE t.schema = 'main' AND t.name IN ('accounts', 'changes', 'predictions', 'state', 'dead_letters', 'requests') ORDER BY t.name, c.cid`, func(v []driver.Value) error {
		name := text(v[0])
		if ordinary, _ := v[1].(int64); ordinary == 0 && !slices.Contains(odd, name) {
			odd = append(odd, name)
		}
		columns[name] = append(columns[name], text(v[2]))
		return nil
	})
	if err != nil {
		return i, err
	}
	if columns["state"] != nil && slices.Equal(columns["state"], tables["state"]) {
		schema, err := stateInteger(ctx, c, keySchema)
		if err != nil {
			return i, err
		}
		if schema > store.Schema {
			return i, fmt.Errorf("it has schema %d, this binary knows %d: %w", schema, store.Schema, store.ErrNewerSchema)
		}
	}
	for name, want := range tables {
		have := columns[name]
		switch {
		case have == nil:
			i.missing = append(i.missing, name)
		case slices.Contains(odd, name):
			return i, fmt.Errorf("%s is a view or WITHOUT ROWID, and should be a plain table of the columns %s: %w", name, strings.Join(want, ", "), store.ErrForeign)
		case !slices.Equal(have, want):
			return i, fmt.Errorf("table %s has the columns %s, and should have %s: %w", name, strings.Join(have, ", "), strings.Join(want, ", "), store.ErrForeign)
		}
	}
	slices.Sort(i.missing)
	if i.has("accounts") {
		if err := inspectKey(ctx, c); err != nil {
			return i, err
		}
	}
	intact := 0
	err = c.query(ctx, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'accounts'", func(v []driver.Value) error {
		if want, ours := triggers[text(v[0])]; ours && text(v[1]) == want {
			intact++
		}
		return nil
	})
	i.triggers = intact == len(triggers)
	return i, err
}

// inspectKey refuses accounts whose id is not their only key: equal ids must be
// equal bytes, and a REPLACE must displace no account but that of its id.
func inspectKey(ctx context.Context, c *conn) error {
	alias, err := c.integer(ctx, "SELECT count(*) FROM pragma_table_info('accounts') WHERE name = 'id' AND pk = 1 AND upper(type) = 'INTEGER'")
	if err != nil {
		return err
	}
	var unique, good int64
	err = c.query(ctx, `SELECT l.origin = 'pk' AND count(*) = 1 AND max(x.name = 'id' AND x.coll = 'BINARY')
		FROM pragma_index_list('accounts') l JOIN pragma_index_xinfo(l.name) x WHERE l."unique" AND x.key GROUP BY l.name`, func(v []driver.Value) error {
		unique++
		if ok, _ := v[0].(int64); ok == 1 {
			good++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if unique+alias != 1 || good+alias != 1 {
		return fmt.Errorf("the only key of table accounts should be its id, as in %s: %w", accountsWanted, store.ErrForeign)
	}
	return nil
}

// errNoAccounts may pass: a crawler may be making the table anew.
var errNoAccounts = errors.New("the table accounts was dropped; make it anew with " + accountsWanted)

// goneFor is how long a crawler has to make the accounts table anew after a drop
// before it is made for it.
const goneFor = time.Second

// install makes what is missing of the schema, at first, or after the accounts
// were dropped. Where changes may have gone unrecorded, the accounts get a new
// identity.
func (s *Store) install(ctx context.Context, c *conn, first bool) error {
	have, err := inspect(ctx, c)
	if err != nil || have.complete() {
		return err
	}
	return c.tx(ctx, beginWrite, func() error {
		have, err := inspect(ctx, c)
		if err != nil || have.complete() {
			return err
		}
		if !first && !s.mayMake(have.has("accounts")) {
			return errNoAccounts
		}
		if err := c.script(schemaSQL); err != nil {
			return err
		}
		if err := setState(c, keySchema, strconv.Itoa(store.Schema)); err != nil {
			return err
		}
		if !have.has("changes") { // its numbers begin again
			if err := setState(c, keyTrimmed, "0"); err != nil {
				return err
			}
		}
		for name, sql := range triggers {
			if err := c.script("DROP TRIGGER IF EXISTS " + name + "; " + sql); err != nil {
				return err
			}
		}
		return setState(c, keyIdentity, rand.Text()[:16])
	})
}

// mayMake says whether the accounts table is there, or has been missing for so
// long that no crawler is about to make it.
func (s *Store) mayMake(there bool) bool {
	s.gone.Lock()
	defer s.gone.Unlock()
	switch {
	case there:
		s.gone.since = time.Time{}
		return true
	case s.gone.since.IsZero():
		s.gone.since = time.Now()
		return false
	}
	return time.Since(s.gone.since) >= goneFor
}
