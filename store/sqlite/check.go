package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"botwatch/store"
)

// Check looks at the file, its tables and triggers, and what is in them.
func (s *Store) Check(ctx context.Context) ([]store.Finding, error) {
	var found []store.Finding
	add := func(level store.Level, subject, format string, args ...any) {
		found = append(found, store.Finding{Level: level, Subject: subject, Message: fmt.Sprintf(format, args...)})
	}
	err := s.read(ctx, func(c *conn) error {
		pages, err := c.integer(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
		if err != nil {
			return err
		}
		mode, err := c.text(ctx, "PRAGMA journal_mode")
		if err != nil {
			return err
		}
		if add(store.LevelOK, "file", "%s, %d MiB", s.path, pages>>20); mode != "wal" {
			add(store.LevelOK, "file", "journal mode %s; the daemon switches it to WAL", mode)
		}
		have, err := inspect(ctx, c)
		switch {
		case errors.Is(err, store.ErrForeign) || errors.Is(err, store.ErrNewerSchema):
			add(store.LevelFail, "tables", "%v", err)
			return nil
		case err != nil:
			return err
		case len(have.missing) > 0:
			add(store.LevelOK, "tables", "not made yet: %s; the daemon makes them", strings.Join(have.missing, ", "))
		case !have.triggers:
			add(store.LevelWarn, "triggers", "those on accounts are missing or not ours, so that changes go unseen; the daemon makes them anew and reads all accounts again")
		default:
			add(store.LevelOK, "tables", "all tables and triggers are in place")
		}
		for _, table := range []string{"accounts", "predictions", "dead_letters"} {
			if !have.has(table) {
				continue
			}
			n, err := c.integer(ctx, "SELECT count(*) FROM "+table)
			if err != nil {
				return err
			}
			add(store.LevelOK, strings.ReplaceAll(table, "_", " "), "%d", n)
		}
		if !have.has("changes") || !have.has("state") {
			return nil
		}
		return s.checkLease(ctx, c, add)
	})
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return found, nil
}

// checkLease says who took the lease, and what waits for him.
func (s *Store) checkLease(ctx context.Context, c *conn, add func(level store.Level, subject, format string, args ...any)) error {
	waiting, err := c.integer(ctx, "SELECT count(*) FROM changes")
	if err != nil {
		return err
	}
	add(store.LevelOK, "changes", "%d not past a checkpoint", waiting)
	holder, err := stateText(ctx, c, keyHolder)
	if err != nil {
		return err
	}
	since, err := stateText(ctx, c, keySince)
	if err != nil {
		return err
	}
	if holder == "" {
		add(store.LevelOK, "lease", "free")
	} else { // the lock itself is not tried, so as not to be in a daemon's way
		add(store.LevelOK, "lease", "taken by %s at %s and not given up since", holder, since)
	}
	return nil
}
