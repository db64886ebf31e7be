package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// busyTimeout is how long a statement waits for another process's lock.
const busyTimeout = 5 * time.Second

// quick is the context of short statements. A context that can end costs the
// driver a goroutine for every statement.
var quick = context.Background()

// errStop ends a query early; query does not return it.
var errStop = errors.New("stop")

// conn is one connection with its prepared statements. It goes round
// database/sql, which would convert, copy and lock for every row. It is not safe
// for concurrent use.
type conn struct {
	raw    driverConn
	stmts  map[string]driverStmt
	args   []driver.NamedValue
	schema int64 // PRAGMA schema_version at which the triggers were seen intact
}

type driverConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ExecerContext
}

type driverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// connect opens a connection to an existing file. cache bounds its page cache,
// in KiB.
func connect(ctx context.Context, path string, cache int, readOnly bool) (*conn, error) {
	pragmas := []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		fmt.Sprintf("cache_size(-%d)", cache),
		// In WAL mode NORMAL syncs at checkpoints alone. A power cut may then lose
		// the last transactions, but always a tail of them: accounts, changes,
		// predictions and checkpoint are in one file, whose log is in order, so
		// what remains is a state that once was.
		"synchronous(NORMAL)",
		"temp_store(MEMORY)",
		// Of a new file: a prediction takes 3 KB, and fills a page of 4 badly.
		"page_size(8192)",
		// Checkpoints run in their own goroutine, not in some writer's commit.
		"wal_autocheckpoint(0)",
		"journal_size_limit(67108864)",
	}
	if readOnly {
		pragmas = append(pragmas, "query_only(1)")
	}
	query := url.Values{"_pragma": pragmas, "_error_rc": {"1"}, "mode": {"rw"}}
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a Windows volume
	}
	dsn := url.URL{Scheme: "file", Path: slashed, RawQuery: query.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	raw, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw.(driverConn), stmts: make(map[string]driverStmt), schema: -1}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// prepare gives the statement of a query. Queries are constants, so that there
// are few.
func (c *conn) prepare(query string) (driverStmt, error) {
	if st, ok := c.stmts[query]; ok {
		return st, nil
	}
	prepared, err := c.raw.PrepareContext(quick, query)
	if err != nil {
		return nil, err
	}
	st := prepared.(driverStmt)
	c.stmts[query] = st
	return st, nil
}

func (c *conn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, v := range args {
		switch n := v.(type) {
		case int:
			v = int64(n)
		case uint64:
			v = int64(n)
		case []byte:
			if n == nil { // the driver reads an empty blob as nil, and binds nil as null
				v = []byte{}
			}
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args
}

// exec runs a statement and says how many rows it changed.
func (c *conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(ctx, c.bind(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// script runs statements that are not kept prepared.
func (c *conn) script(query string) error {
	_, err := c.raw.ExecContext(quick, query, nil)
	return err
}

// query runs a statement and calls row for each of its rows. The slice is row's
// only for the call; the values in it may be kept.
func (c *conn) query(ctx context.Context, query string, row func(v []driver.Value) error, args ...any) error {
	st, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, c.bind(args))
	if err != nil {
		return err
	}
	values := make([]driver.Value, len(rows.Columns()))
	for {
		if err = rows.Next(values); err != nil {
			break
		}
		if err = row(values); err != nil {
			break
		}
	}
	if err == io.EOF || err == errStop {
		err = nil
	}
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	return err
}

// one runs a query that gives one row at most and says whether there was one.
func (c *conn) one(ctx context.Context, query string, row func(v []driver.Value) error, args ...any) (found bool, err error) {
	err = c.query(ctx, query, func(v []driver.Value) error {
		if err := row(v); err != nil {
			return err
		}
		found = true
		return errStop
	}, args...)
	return found, err
}

// integer runs a query for one number; 0 where there is none.
func (c *conn) integer(ctx context.Context, query string, args ...any) (n int64, err error) {
	_, err = c.one(ctx, query, func(v []driver.Value) error {
		n, _ = v[0].(int64)
		return nil
	}, args...)
	return n, err
}

// text runs a query for one text; empty where there is none.
func (c *conn) text(ctx context.Context, query string, args ...any) (s string, err error) {
	_, err = c.one(ctx, query, func(v []driver.Value) error {
		s = text(v[0])
		return nil
	}, args...)
	return s, err
}

// The statements that begin a transaction: one sees one state throughout, the
// other also holds the only write lock from the start, so that it cannot fail
// half-way for want of it.
const (
	beginRead  = "BEGIN"
	beginWrite = "BEGIN IMMEDIATE"
)

// tx runs f within a transaction; what f changed stays only if it returns nil.
func (c *conn) tx(ctx context.Context, begin string, f func() error) error {
	done := false
	defer func() {
		if !done { // also where BEGIN succeeded just as the context ended
			_, _ = c.exec(quick, "ROLLBACK")
		}
	}()
	if _, err := c.exec(ctx, begin); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	if _, err := c.exec(quick, "COMMIT"); err != nil {
		return err
	}
	done = true
	return nil
}

// text gives a column's text; empty where it is null or anything else.
func text(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}
