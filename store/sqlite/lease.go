package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"botwatch/store"
)

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
		v, err := newest(quick, c)
		if err != nil {
			return err
		}
		epoch = max(last, v.Epoch) + 1
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
