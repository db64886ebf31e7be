package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"botwatch/store"
)

// head is where the source stands in one state of the file.
type head struct {
	identity string
	seq      uint64    // of the newest change; the next one's is greater
	trimmed  uint64    // changes up to here are gone
	at       time.Time // from before the state was looked at
}

// errNotIntact says that changes of accounts may go unrecorded: the table or its
// triggers are not those that install made.
var errNotIntact = errors.New("the tables and triggers are not all in place")

// snapshot runs f in one read transaction, with the head of the state that f
// sees. Where it finds the accounts replaced, it makes them a source again first.
func (s *Store) snapshot(ctx context.Context, c *conn, f func(h head) error) error {
	for range 3 {
		at := s.opts.Now()
		err := c.tx(quick, beginRead, func() error {
			version, err := c.integer(quick, "PRAGMA schema_version")
			if err != nil {
				return err
			}
			if version != c.schema {
				have, err := inspect(quick, c)
				if err != nil {
					return err
				}
				if s.opts.ReadOnly && !have.complete() && have.has("accounts") {
					return f(head{at: at}) // before the first daemon: no history yet
				}
				if !have.complete() {
					return errNotIntact
				}
				c.schema = version
			}
			h, err := readHead(c)
			if err != nil {
				return err
			}
			h.at = at
			return f(h)
		})
		if err != errNotIntact || s.opts.ReadOnly {
			return err
		}
		if err := s.repair(ctx); err != nil {
			return err
		}
	}
	return errNotIntact
}

// repair installs what is missing, on the writing connection.
func (s *Store) repair(ctx context.Context) error {
	w, err := s.take(ctx, s.writer)
	if err != nil {
		return err
	}
	defer func() { s.writer <- w }()
	return s.install(ctx, w, false)
}

func readHead(c *conn) (h head, err error) {
	_, err = c.one(quick, `SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'changes'),
		(SELECT value FROM state WHERE key = 'identity'), (SELECT value FROM state WHERE key = 'trimmed_through')`, func(v []driver.Value) error {
		seq, _ := v[0].(int64)
		h.seq, h.identity = uint64(seq), text(v[1])
		h.trimmed, _ = strconv.ParseUint(text(v[2]), 10, 64)
		return nil
	})
	return h, err
}

// Head reads the number of the newest change and the identity of the accounts.
func (s *Store) Head(ctx context.Context) (store.Head, error) {
	var h head
	err := s.read(ctx, func(c *conn) error {
		return s.snapshot(ctx, c, func(now head) error {
			h = now
			return nil
		})
	})
	if err != nil {
		return store.Head{}, fmt.Errorf("read head: %w", err)
	}
	return store.Head{Position: position{h.identity, h.seq}.encode(), Seq: h.seq, Identity: h.identity, At: h.at}, nil
}

// position is a place in the changes: after seq, of the accounts of identity.
type position struct {
	identity string
	seq      uint64
}

const positionMark = 'c'

func (p position) encode() store.Position {
	b := append(store.Position{positionMark}, make([]byte, 8)...)
	binary.BigEndian.PutUint64(b[1:], p.seq)
	return append(b, p.identity...)
}

func decodePosition(b store.Position) (p position, ok bool) {
	if len(b) < 9 || b[0] != positionMark {
		return p, false
	}
	return position{string(b[9:]), binary.BigEndian.Uint64(b[1:])}, true
}

// follows says why a stream cannot go on from p, or nil.
func (p position) follows(h head) error {
	switch {
	case p.identity != h.identity:
		return fmt.Errorf("the position is of accounts %s, these are %s: %w", p.identity, h.identity, store.ErrSourceReplaced)
	case p.seq > h.seq:
		return fmt.Errorf("the position is after change %d, the newest is %d: %w", p.seq, h.seq, store.ErrSourceReplaced)
	case p.seq < h.trimmed:
		return fmt.Errorf("the position is after change %d, those up to %d are trimmed: %w", p.seq, h.trimmed, store.ErrHistoryLost)
	}
	return nil
}
