// Package sqlite keeps accounts, predictions and state in one SQLite file, the
// embedded default. Its tables are documented in schema.sql; any SQLite client
// may read them, and be the crawler by writing to accounts.
//
// Triggers number each change of an account. A stream follows the numbers, a
// checkpoint that is saved trims those it is past, and none is used twice. All
// transactions are short, so that other clients are not locked out. The lease is
// a lock on FILE.lock, which the operating system gives up when its holder dies.
package sqlite

import (
	"context"
	_ "embed" // schema.sql
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"botwatch/store"
)

// The page caches, in KiB. Four readers, the writer, the checkpointer and two
// streams make 24 MiB.
const (
	writerCache = 8 << 10
	readerCache = 2 << 10
	streamCache = 3 << 10

	readers = 4
)

// Options are what Open may be told.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// ReadOnly opens an existing file, for looking at it: all that writes fails,
	// and nothing is created or repaired.
	ReadOnly bool
	// Existing makes no file where there is none, as ReadOnly does.
	Existing bool
	// ProtectAccounts makes PutAccounts and DeleteAccounts answer ErrReadOnly.
	ProtectAccounts bool
}

// Store is a store.Store in one SQLite file.
type Store struct {
	path   string
	opts   Options
	file   os.FileInfo // the file as it was opened
	lease  lease
	closed chan struct{}
	bare   bool // opened for reading before a first daemon made the tables

	writer pool // of one: whoever has it is the only writer of this Store
	reader pool
	wal    *checkpointer // nil: read-only

	closeOnce sync.Once
	closeErr  error

	gone struct { // since when the accounts table has been seen to be missing
		sync.Mutex
		since time.Time
	}
}

var _ store.Store = (*Store)(nil)

// Open opens the file, creating it and its tables where they are missing. It
// answers store.ErrForeign where a table of one of our names has another shape,
// and store.ErrNewerSchema where a newer botwatch made the tables.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	s, err := open(ctx, path, o)
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err // its path is named below
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && (o.ReadOnly || o.Existing):
		return nil, fmt.Errorf("open %s: there is no such store; `botwatch run` or `botwatch import` makes it: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string, o Options) (_ *Store, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{opts: o, closed: make(chan struct{}), writer: make(pool, 1), reader: make(pool, readers)}
	if s.path, err = prepareFile(path, !o.ReadOnly && !o.Existing); err != nil {
		return nil, err
	}
	if s.file, err = os.Stat(s.path); err != nil {
		return nil, err
	}
	first, err := connect(ctx, s.path, writerCache, o.ReadOnly)
	if err == nil {
		if err = s.start(ctx, first); err != nil {
			_ = first.close()
		}
	}
	if err != nil {
		if code(err) == sqlite3.SQLITE_NOTADB {
			err = fmt.Errorf("it is not an SQLite database: %w", err)
		}
		return nil, err
	}
	for range readers {
		s.reader <- nil
	}
	if o.ReadOnly {
		return s, first.close()
	}
	s.writer <- first
	s.wal = newCheckpointer(s)
	return s, nil
}

// prepareFile resolves the path, so that one file has one lock, and may make
// the file where it is missing, readable by its owner alone: it holds personal data.
func prepareFile(path string, create bool) (string, error) {
	if create {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			err = f.Close()
		case errors.Is(err, fs.ErrExist):
			// Not opened: closing a second descriptor would strip SQLite's locks.
			err = nil
		}
		if err != nil {
			return "", err
		}
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		resolved, err = filepath.Abs(resolved)
	}
	if err != nil {
		return "", err
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file")
	}
	return resolved, nil
}

// start makes the file ready by its first connection.
func (s *Store) start(ctx context.Context, c *conn) error {
	encoding, err := c.text(ctx, "PRAGMA encoding")
	if err != nil {
		return err
	}
	if encoding != "UTF-8" {
		return fmt.Errorf("its text encoding is %s, and must be UTF-8", encoding)
	}
	// Refuse what is foreign before anything of the file is changed.
	have, err := inspect(ctx, c)
	if err != nil || s.opts.ReadOnly {
		s.bare = len(have.missing) > 0
		return err
	}
	mode, err := c.text(ctx, "PRAGMA journal_mode = WAL")
	if err != nil {
		return fmt.Errorf("switch to write-ahead logging: %w", err)
	}
	if mode != "wal" {
		return fmt.Errorf("switch to write-ahead logging: the journal mode stays %s", mode)
	}
	if err := s.install(ctx, c, true); err != nil {
		return err
	}
	return c.script(versionIndex)
}

// connect opens a further connection.
func (s *Store) connect(ctx context.Context, cache int) (*conn, error) {
	if err := s.sameFile(); err != nil {
		return nil, err
	}
	return connect(ctx, s.path, cache, s.opts.ReadOnly)
}

// sameFile fails where the path now names another file than was opened.
func (s *Store) sameFile() error {
	now, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("find the file again: %w", err)
	}
	if !os.SameFile(s.file, now) {
		return errors.New("the file was moved or replaced")
	}
	return nil
}

// Close gives up the lease and closes the file. Feeds answer an error from then
// on; they are closed by their owners.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closed)
		var errs []error
		if s.wal != nil {
			s.wal.stop()
		}
		for _, p := range []pool{s.reader, s.writer} {
			if p == s.writer && s.opts.ReadOnly {
				continue
			}
			for range cap(p) {
				if c := <-p; c != nil {
					errs = append(errs, c.close())
				}
			}
		}
		errs = append(errs, s.lease.unlock())
		if s.closeErr = errors.Join(errs...); s.closeErr != nil {
			s.closeErr = fmt.Errorf("close %s: %w", s.path, s.closeErr)
		}
	})
	return s.closeErr
}

// pool hands out connections one at a time each; nil is one not opened yet.
type pool chan *conn

func (s *Store) take(ctx context.Context, p pool) (*conn, error) {
	select {
	case c := <-p:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closed:
		return nil, errClosed
	}
}

// read runs f on a reading connection. The statements of f see the newest state,
// each on its own.
func (s *Store) read(ctx context.Context, f func(c *conn) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := s.take(ctx, s.reader)
	if err != nil {
		return err
	}
	defer func() { s.reader <- c }()
	if c == nil {
		if c, err = s.connect(ctx, readerCache); err != nil {
			return err
		}
	}
	if err = f(c); s.bare && code(err) == sqlite3.SQLITE_ERROR {
		err = fmt.Errorf("no daemon has made the tables of this file yet: %w", err)
	}
	return err
}

// readTx runs f on a reading connection, in one transaction.
func (s *Store) readTx(ctx context.Context, f func(c *conn) error) error {
	return s.read(ctx, func(c *conn) error {
		return c.tx(ctx, beginRead, func() error { return f(c) })
	})
}

// write runs f on the writing connection, in one transaction, which must be
// short: it locks all other writers out, in other processes too.
func (s *Store) write(ctx context.Context, f func(c *conn) error) error {
	if s.opts.ReadOnly {
		return errors.New("the file is open for reading only")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := s.take(ctx, s.writer)
	if err != nil {
		return err
	}
	defer func() { s.writer <- c }()
	if err := c.tx(ctx, beginWrite, func() error { return f(c) }); err != nil {
		return err
	}
	s.wal.wrote()
	return nil
}
