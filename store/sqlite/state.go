package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"botwatch/store"
)

// The keys of the table state.
const (
	keySchema     = "schema"
	keyIdentity   = "identity"
	keyTrimmed    = "trimmed_through"
	keyEpoch      = "epoch"
	keyHolder     = "holder" // empty: nobody
	keySince      = "since"
	keyCheckpoint = "checkpoint"
	keyStatus     = "status"
)

const readState = "SELECT value FROM state WHERE key = ?"

func stateText(ctx context.Context, c *conn, key string) (string, error) {
	return c.text(ctx, readState, key)
}

func stateInteger(ctx context.Context, c *conn, key string) (int64, error) {
	s, err := stateText(ctx, c, key)
	if err != nil || s == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read state %s: %w", key, err)
	}
	return n, nil
}

func setState(c *conn, key, value string) error {
	_, err := c.exec(quick, "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}

// lease is this Store's part of the lease. The lock tells who lives, the epoch
// in the table fences who does not know yet that he lost it.
type lease struct {
	sync.Mutex
	lock   *flock.Flock // nil: not held
	holder string
	since  time.Time
}

func (l *lease) unlock() error {
	l.Lock()
	defer l.Unlock()
	return l.drop()
}

func (l *lease) drop() error {
	if l.lock == nil {
		return nil
	}
	err := l.lock.Close()
	l.lock = nil
	return err
}

// Acquire takes the lease. The one who holds it through this Store may take it
// again, for a new epoch.
func (s *Store) Acquire(ctx context.Context, holder string) (int64, error) {
	epoch, err := s.acquire(ctx, holder)
	if err != nil {
		return 0, fmt.Errorf("acquire lease: %w", err)
	}
	return epoch, nil
}

func (s *Store) acquire(ctx context.Context, holder string) (epoch int64, err error) {
	if s.opts.ReadOnly {
		return 0, errors.New("the file is open for reading only")
	}
	l := &s.lease
	l.Lock()
	defer l.Unlock()
	if l.lock != nil && l.holder != holder {
		return 0, &store.HeldError{Holder: l.holder, Since: l.since}
	}
	if l.lock == nil {
		lock := flock.New(s.path+".lock", flock.SetPermissions(0o600))
		free, err := lock.TryLock()
		if err != nil {
			return 0, err
		}
		if !free {
			_ = lock.Close()
			return 0, s.held(ctx)
		}
		l.lock = lock
		defer func() {
			if err != nil {
				_ = l.drop()
			}
		}()
	}
	now := s.opts.Now()
	err = s.write(ctx, func(c *conn) error {
		last, err := stateInteger(quick, c, keyEpoch)
		if err != nil {
			return err
		}
		epoch = last + 1
		return errors.Join(
			setState(c, keyEpoch, strconv.FormatInt(epoch, 10)),
			setState(c, keyHolder, holder),
			setState(c, keySince, now.UTC().Format(store.TimeFormat)),
		)
	})
	l.holder, l.since = holder, now
	return epoch, err
}

// held names the holder, as the holder wrote it down.
func (s *Store) held(ctx context.Context) error {
	e := &store.HeldError{Holder: "another process"}
	err := s.readTx(ctx, func(c *conn) error {
		holder, err := stateText(ctx, c, keyHolder)
		if err != nil || holder == "" {
			return err // it has the lock, and has not written yet
		}
		since, err := stateText(ctx, c, keySince)
		e.Holder, e.Since = holder, parseTime(since)
		return err
	})
	if err != nil {
		return err
	}
	return e
}

// Renew makes sure that the lease is still this epoch's, and the file still the
// one under that name: what is written to a file that was moved away is lost.
func (s *Store) Renew(ctx context.Context, epoch int64) error {
	s.lease.Lock()
	mine := s.lease.lock != nil
	s.lease.Unlock()
	err := s.sameFile()
	switch {
	case err != nil:
		err = fmt.Errorf("%w: %w", err, store.ErrFenced)
	case !mine:
		err = fmt.Errorf("it was given up: %w", store.ErrFenced)
	default:
		err = s.read(ctx, func(c *conn) error { return fence(ctx, c, epoch) })
	}
	if err != nil {
		return fmt.Errorf("renew lease: %w", err)
	}
	return nil
}

// fence answers ErrFenced unless the lease is that epoch's.
func fence(ctx context.Context, c *conn, epoch int64) error {
	now, err := stateInteger(ctx, c, keyEpoch)
	if err != nil {
		return err
	}
	holder, err := stateText(ctx, c, keyHolder)
	switch {
	case err != nil:
		return err
	case now != epoch:
		return fmt.Errorf("epoch %d is followed by %d of %q: %w", epoch, now, holder, store.ErrFenced)
	case holder == "":
		return fmt.Errorf("epoch %d was given up: %w", epoch, store.ErrFenced)
	}
	return nil
}

// Release gives the lease up.
func (s *Store) Release(ctx context.Context, epoch int64) error {
	err := s.write(ctx, func(c *conn) error {
		if err := fence(quick, c, epoch); err != nil {
			return err
		}
		return setState(c, keyHolder, "")
	})
	if errors.Is(err, store.ErrFenced) {
		return nil
	}
	if err == nil {
		err = s.lease.unlock()
	}
	if err != nil {
		return fmt.Errorf("release lease: %w", err)
	}
	return nil
}

// Load reads the checkpoint.
func (s *Store) Load(ctx context.Context) (store.Checkpoint, error) {
	var saved string
	err := s.read(ctx, func(c *conn) (err error) {
		saved, err = stateText(ctx, c, keyCheckpoint)
		return err
	})
	var cp store.Checkpoint
	if err == nil && saved != "" {
		err = json.Unmarshal([]byte(saved), &cp)
	}
	if err == nil && cp.Schema > store.Schema {
		err = fmt.Errorf("schema %d: %w", cp.Schema, store.ErrNewerSchema)
	}
	if err != nil {
		return store.Checkpoint{}, fmt.Errorf("load checkpoint: %w", err)
	}
	return cp, nil
}

// Save replaces the checkpoint, and then trims the changes that it is past and
// the tombstones that have expired, as many as a bounded time allows.
func (s *Store) Save(ctx context.Context, epoch int64, cp store.Checkpoint) error {
	doc, err := json.Marshal(cp)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	var h head
	err = s.write(ctx, func(c *conn) error {
		if err := fence(quick, c, epoch); err != nil {
			return err
		}
		if h, err = readHead(c); err != nil {
			return err
		}
		return setState(c, keyCheckpoint, string(doc))
	})
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	if p, ok := decodePosition(cp.Position); ok && p.identity == h.identity {
		err = s.trim(ctx, h.trimmed, min(p.seq, h.seq))
	}
	if err == nil {
		err = s.purge(ctx)
	}
	if err != nil {
		return fmt.Errorf("trim after checkpoint: %w", err)
	}
	return nil
}

// The bounds of the clearing after a checkpoint: rows of a transaction, and
// transactions. What remains is for the next checkpoint.
const (
	trimSlice  = 1000
	trimSlices = 16
)

// trim deletes the changes after trimmed up to through, and remembers with each
// slice how far it came. They need no fence: the checkpoint is past them already.
func (s *Store) trim(ctx context.Context, trimmed, through uint64) error {
	for range trimSlices {
		if trimmed >= through {
			return nil
		}
		err := s.write(ctx, func(c *conn) error {
			end, err := c.integer(quick, "SELECT max(seq) FROM (SELECT seq FROM changes WHERE seq <= ? ORDER BY seq LIMIT ?)", through, trimSlice)
			if err != nil {
				return err
			}
			n, err := c.exec(quick, "DELETE FROM changes WHERE seq <= ?", end)
			if err != nil {
				return err
			}
			if n < trimSlice {
				end = int64(through) // also where there were gaps
			}
			trimmed = uint64(end)
			return setState(c, keyTrimmed, strconv.FormatUint(trimmed, 10))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// purge deletes expired tombstones.
func (s *Store) purge(ctx context.Context) error {
	const due = "SELECT rowid FROM predictions WHERE expires_at IS NOT NULL AND expires_at <= ? LIMIT ?"
	now := s.opts.Now().UTC().Format(store.TimeFormat)
	for range trimSlices {
		none := true
		err := s.read(ctx, func(c *conn) error {
			n, err := c.integer(quick, due, now, 1)
			none = n == 0
			return err
		})
		if err != nil || none {
			return err
		}
		err = s.write(ctx, func(c *conn) error {
			_, err := c.exec(quick, "DELETE FROM predictions WHERE rowid IN ("+due+")", now, trimSlice)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
