package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"botwatch/store"
)

type lease struct {
	holder       string // empty: nobody
	epoch        int64  // of the last one that had it
	since, until time.Time
}

// held says whether the lease is that epoch's.
func (l *lease) held(epoch int64) bool { return l.holder != "" && l.epoch == epoch }

// Acquire takes the lease. The one who holds it may take it again.
func (s *Store) Acquire(ctx context.Context, holder string) (epoch int64, err error) {
	err = s.do(ctx, Call{Op: OpAcquire}, func() (err error) {
		s.locked(func() {
			l, now := &s.lease, s.opts.Now()
			if l.holder != "" && l.holder != holder && now.Before(l.until) {
				err = &store.HeldError{Holder: l.holder, Since: l.since}
				return
			}
			*l = lease{holder: holder, epoch: max(l.epoch, s.newest().Epoch) + 1, since: now, until: now.Add(s.opts.LeaseTTL)}
			epoch = l.epoch
		})
		return err
	})
	return onlyIf(epoch, err)
}

// Renew keeps the lease, an expired one too where nobody took it.
func (s *Store) Renew(ctx context.Context, epoch int64) error {
	return s.do(ctx, Call{Op: OpRenew}, func() (err error) {
		s.locked(func() {
			if !s.lease.held(epoch) {
				err = s.fenced("renew lease", epoch)
				return
			}
			s.lease.until = s.opts.Now().Add(s.opts.LeaseTTL)
		})
		return err
	})
}

// Release gives the lease up.
func (s *Store) Release(ctx context.Context, epoch int64) error {
	return s.do(ctx, Call{Op: OpRelease}, func() error {
		s.locked(func() {
			if s.lease.held(epoch) {
				s.lease.holder = ""
			}
		})
		return nil
	})
}

// Expire ends the lease's time, as if its holder had been silent for long:
// another may take it, and then Renew and Save of the old epoch are fenced.
func (s *Store) Expire() {
	s.locked(func() { s.lease.until = time.Time{} })
}

func (d *data) fenced(what string, epoch int64) error {
	return fmt.Errorf("%s of epoch %d, now %d by %q: %w", what, epoch, d.lease.epoch, d.lease.holder, store.ErrFenced)
}

// LoseState forgets the lease and the checkpoint, as if somebody had dropped
// them; predictions and accounts stay.
func (s *Store) LoseState() {
	s.locked(func() { s.lease, s.checkpoint = lease{}, nil })
}

// Load reads the checkpoint.
func (s *Store) Load(ctx context.Context) (c store.Checkpoint, err error) {
	err = s.do(ctx, Call{Op: OpLoad}, func() (err error) {
		s.locked(func() {
			if s.checkpoint != nil {
				err = json.Unmarshal(s.checkpoint, &c)
			}
		})
		if err == nil && c.Schema > store.Schema {
			err = fmt.Errorf("load checkpoint of schema %d: %w", c.Schema, store.ErrNewerSchema)
		}
		return err
	})
	return onlyIf(c, err)
}

// Save replaces the checkpoint, forgets the changes before its position, and
// drops expired tombstones.
func (s *Store) Save(ctx context.Context, epoch int64, c store.Checkpoint) error {
	return s.do(ctx, Call{Op: OpSave}, func() error {
		text, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("save checkpoint: %w", err)
		}
		s.locked(func() {
			if !s.lease.held(epoch) {
				err = s.fenced("save checkpoint", epoch)
				return
			}
			s.checkpoint = text
			s.saves = append(s.saves, Saved{epoch, text})
			s.trim(c.Position)
			s.expire(s.opts.Now())
		})
		return err
	})
}

// trim forgets the changes up to a position.
func (d *data) trim(to store.Position) {
	var p place
	if json.Unmarshal(to, &p) != nil {
		return
	}
	if after, err := d.resolve(p); err == nil {
		d.log = d.log[after-d.floor:]
		d.floor = after
	}
}
