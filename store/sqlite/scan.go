package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"botwatch/classifier"
	"botwatch/classifier/format"
	"botwatch/store"
)

// scanMark begins the Position of a scan or a walk; the last id follows.
const scanMark = 's'

func scanPosition(id store.ID) store.Position { return append(store.Position{scanMark}, id...) }

// scanPlace gives the value of the id that a position stands after; nil, the
// smallest value, for the empty position.
func scanPlace(p store.Position) (driver.Value, error) {
	if len(p) == 0 {
		return nil, nil
	}
	if p[0] != scanMark {
		return nil, fmt.Errorf("read position %x: it is of no scan", []byte(p))
	}
	v, err := toValue(store.ID(p[1:]))
	if err != nil {
		return nil, fmt.Errorf("read position %x: %w", []byte(p), err)
	}
	return v, nil
}

// Scan walks the accounts by id: numbers, then texts, then blobs, as SQLite
// orders them. Each batch is read in a transaction of its own.
func (s *Store) Scan(ctx context.Context, from store.Position, mode store.ScanMode) (store.Feed, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	last, err := scanPlace(from)
	if err != nil {
		return nil, err
	}
	return &scan{s: s, mode: mode, last: last}, nil
}

type scan struct {
	s        *Store
	mode     store.ScanMode
	last     driver.Value // of the id; nil: from the start
	identity string       // of the accounts, once a batch was read
	err      error        // what ended the scan
}

// The two statements of a scan: SQLite compares with null to null.
const (
	scanFirst = "SELECT id, " + docColumns + " FROM accounts WHERE id IS NOT NULL ORDER BY id LIMIT ?"
	scanNext  = "SELECT id, " + docColumns + " FROM accounts WHERE id > ? ORDER BY id LIMIT ?"
)

// Next gives the next accounts, io.EOF after the last, and ErrSourceReplaced
// where the table was made anew meanwhile.
func (f *scan) Next(ctx context.Context) (store.Batch, error) {
	if f.err != nil {
		return store.Batch{}, f.err
	}
	var b store.Batch
	var last driver.Value
	err := f.s.read(ctx, func(c *conn) error {
		return f.s.snapshot(ctx, c, func(h head) (err error) {
			if f.identity == "" {
				f.identity = h.identity
			}
			if f.identity != h.identity {
				f.err = fmt.Errorf("read scan: the accounts were %s and are %s: %w", f.identity, h.identity, store.ErrSourceReplaced)
				return f.err
			}
			b = store.Batch{Seq: h.seq, At: h.at}
			last, err = f.fill(c, &b)
			return err
		})
	})
	switch {
	case f.err != nil:
		return store.Batch{}, f.err
	case err != nil:
		return store.Batch{}, fmt.Errorf("read scan: %w", err)
	case len(b.Changes) == 0:
		f.err = io.EOF
		return store.Batch{}, io.EOF
	}
	f.last = last
	b.After = scanPosition(toID(last))
	return b, nil
}

func (f *scan) fill(c *conn, b *store.Batch) (last driver.Value, err error) {
	bytes := 0
	take := func(v []driver.Value) error {
		last = v[0]
		ch := store.Change{ID: toID(v[0]), Op: store.OpUpsert, Seq: b.Seq}
		setDoc(&ch, v[1:])
		if bytes += len(ch.Doc); f.mode == store.ScanKeys {
			reduce(&ch)
		}
		b.Changes = append(b.Changes, ch)
		if bytes >= batchBytes {
			return errStop
		}
		return nil
	}
	if f.last == nil {
		return last, c.query(quick, scanFirst, take, batchDocs)
	}
	err = c.query(quick, scanNext, take, f.last, batchDocs)
	return last, err
}

// Close ends the scan.
func (f *scan) Close() error {
	f.err = errors.New("the scan is closed")
	return nil
}

// Fetch reads accounts by id, in one transaction, until the documents fill a batch.
// The changes' ids are as SQLite holds them.
func (s *Store) Fetch(ctx context.Context, ids []store.ID, mode store.ScanMode) ([]store.Change, error) {
	changes := make([]store.Change, 0, len(ids))
	err := s.read(ctx, func(c *conn) error {
		return s.snapshot(ctx, c, func(h head) error {
			bytes := 0
			for _, id := range ids {
				if bytes >= batchBytes {
					break
				}
				ch := store.Change{ID: id, Op: store.OpDelete, Seq: h.seq}
				v, err := toValue(id)
				if err != nil { // no such id can be stored
					changes = append(changes, ch)
					continue
				}
				ch.ID = toID(v)
				found, err := c.one(quick, "SELECT "+docColumns+" FROM accounts WHERE id = ?", func(v []driver.Value) error {
					setDoc(&ch, v)
					return nil
				}, v)
				if err != nil {
					return err
				}
				if found {
					ch.Op = store.OpUpsert
				}
				if mode == store.ScanKeys {
					reduce(&ch)
				}
				bytes += len(ch.Doc)
				changes = append(changes, ch)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("fetch accounts: %w", err)
	}
	return changes, nil
}

// Decode reads an account from JSON.
func (s *Store) Decode(doc []byte, b *classifier.Builder) error {
	b.Reset()
	return format.DecodeJSON(doc, b)
}

// reduce leaves of a document what a keys scan gives.
func reduce(ch *store.Change) {
	if ch.Doc != nil {
		ch.CrawledAt, _ = format.CrawledAt(ch.Doc)
	}
	ch.Doc, ch.Err = nil, nil // whoever wants the document will be told why not
}
