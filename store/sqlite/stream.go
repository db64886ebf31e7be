package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"botwatch/store"
)

const (
	// pollBusy and pollIdle are how long a stream waits before it looks again
	// whether anybody wrote to the file: while changes come, and when none came
	// for idleAfter. A look costs 3 µs, but waking up for it some 100.
	pollBusy  = 5 * time.Millisecond
	pollIdle  = 40 * time.Millisecond
	idleAfter = 5 * time.Second

	// heartbeat is the longest time without an answer.
	heartbeat = 500 * time.Millisecond
)

// Stream follows the changes after a position. Of several changes of an account
// that are read together it gives the last one alone.
func (s *Store) Stream(ctx context.Context, from store.Position) (store.Feed, error) {
	at, ok := decodePosition(from)
	if !ok {
		return nil, fmt.Errorf("stream from position %x, which is none: %w", []byte(from), store.ErrHistoryLost)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-s.closed:
		return nil, errClosed
	default:
	}
	// Its own connection, since PRAGMA data_version tells what others changed.
	c, err := s.connect(ctx, streamCache)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	if err := s.snapshot(ctx, c, at.follows); err != nil {
		_ = c.close()
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return &stream{s: s, c: c, at: at, more: true}, nil
}

type stream struct {
	s    *Store
	c    *conn
	at   position
	data int64     // PRAGMA data_version of the last look
	more bool      // the last look left changes behind
	busy time.Time // when changes came last
	err  error     // what ended the stream
}

// Next gives the next changes. An error that says that the stream cannot go on
// stays.
func (f *stream) Next(ctx context.Context) (store.Batch, error) {
	if f.err != nil {
		return store.Batch{}, f.err
	}
	b, err := f.next(ctx)
	if err == nil {
		return b, nil
	}
	err = fmt.Errorf("read stream: %w", err)
	if errors.Is(err, store.ErrSourceReplaced) || errors.Is(err, store.ErrHistoryLost) {
		f.err = err
	}
	return store.Batch{}, err
}

func (f *stream) next(ctx context.Context) (store.Batch, error) {
	poll := time.NewTimer(0)
	defer poll.Stop()
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	for due := false; ; {
		if err := ctx.Err(); err != nil {
			return store.Batch{}, err
		}
		now := time.Now()
		changed, err := f.changed()
		if err != nil {
			return store.Batch{}, err
		}
		if changed || due {
			b, err := f.look(ctx)
			if len(b.Changes) > 0 {
				f.busy = now
			}
			if err != nil || len(b.Changes) > 0 || due {
				return b, err
			}
		}
		if now.Sub(f.busy) < idleAfter {
			poll.Reset(pollBusy)
		} else {
			poll.Reset(pollIdle)
		}
		select {
		case <-poll.C:
		case <-beat.C:
			due = true
		case <-ctx.Done():
		case <-f.s.closed:
			return store.Batch{}, errClosed
		}
	}
}

// changed says whether there may be something new to read. It remembers the data
// version from before the reading, so that what is written meanwhile is not missed.
func (f *stream) changed() (bool, error) {
	data, err := f.c.integer(quick, "PRAGMA data_version")
	if err != nil {
		return false, err
	}
	changed := f.more || data != f.data
	f.data = data
	return changed, nil
}

// look reads what follows, perhaps nothing.
func (f *stream) look(ctx context.Context) (b store.Batch, err error) {
	f.more = true // should it fail
	at, newest := f.at, uint64(0)
	err = f.s.snapshot(ctx, f.c, func(h head) error {
		if err := f.at.follows(h); err != nil {
			return err
		}
		newest = h.seq
		rows, err := f.rows()
		if err != nil {
			return err
		}
		at.seq, err = f.fill(&b, rows)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			at.seq = h.seq
		}
		if at.seq == h.seq { // all that had happened by then is in the batch
			b.At = h.at
		}
		b.Seq, b.After = at.seq, at.encode()
		return nil
	})
	if err != nil {
		return store.Batch{}, err
	}
	f.at, f.more = at, at.seq != newest
	return b, nil
}

// row is one row of changes.
type row struct {
	seq  uint64
	id   driver.Value
	op   store.Op
	last bool // no later one of those read has its id
}

// rows reads the next rows of changes.
func (f *stream) rows() ([]row, error) {
	var rows []row
	err := f.c.query(quick, "SELECT seq, id, op FROM changes WHERE seq > ? ORDER BY seq LIMIT ?", func(v []driver.Value) error {
		seq, _ := v[0].(int64)
		r := row{seq: uint64(seq), id: v[1], op: store.OpUpsert}
		if text(v[2]) == "delete" {
			r.op = store.OpDelete
		}
		rows = append(rows, r)
		return nil
	}, f.at.seq, batchDocs)
	if err != nil {
		return nil, err
	}
	seen := make(map[store.ID]bool, len(rows))
	for i := len(rows) - 1; i >= 0; i-- {
		id := toID(rows[i].id)
		rows[i].last = !seen[id]
		seen[id] = true
	}
	return rows, nil
}

// fill reads the accounts of the rows, until the batch is full, and says up to
// which change it came. An account whose last row stays behind is given by then:
// nothing newer is known of it, and its row is after the batch.
func (f *stream) fill(b *store.Batch, rows []row) (through uint64, err error) {
	bytes := 0
	b.Changes = make([]store.Change, 0, len(rows))
	for _, r := range rows {
		if bytes >= batchBytes {
			break
		}
		through = r.seq
		if !r.last {
			continue
		}
		// What was deleted and is there again, or inserted and is gone again, has a
		// later change. The account as it is now is right for this one, too.
		ch := store.Change{ID: toID(r.id), Op: r.op, Seq: r.seq}
		found, err := f.c.one(quick, "SELECT "+docColumns+" FROM accounts WHERE id = ?", func(v []driver.Value) error {
			setDoc(&ch, v)
			return nil
		}, r.id)
		if err != nil {
			return 0, err
		}
		if found {
			ch.Op = store.OpUpsert
		}
		bytes += len(ch.Doc)
		b.Changes = append(b.Changes, ch)
	}
	return through, nil
}

// Close gives the stream's connection back.
func (f *stream) Close() error {
	if f.c == nil {
		return nil
	}
	f.err = errors.New("the stream is closed")
	err := f.c.close()
	f.c = nil
	return err
}
