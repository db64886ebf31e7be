package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"botwatch/store"
)

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
