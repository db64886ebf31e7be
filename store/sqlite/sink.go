package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"botwatch/classifier"
	"botwatch/store"
)

const stampColumns = "epoch, seq, status, fingerprint, model, class, support, stale, has_error, crawled_at, classified_at, class_changed_at"

// Stamps looks up what is stored, under the ids as SQLite holds them.
func (s *Store) Stamps(ctx context.Context, ids []store.ID) ([]store.Stamp, error) {
	stamps := make([]store.Stamp, len(ids))
	err := s.readTx(ctx, func(c *conn) error {
		for i, id := range ids {
			stamps[i].ID = id
			v, err := toValue(id)
			if err != nil {
				continue // no such id can be stored
			}
			stamps[i].ID = toID(v)
			_, err = c.one(quick, "SELECT "+stampColumns+", history FROM predictions WHERE id = ?", func(v []driver.Value) error {
				setStamp(&stamps[i], v)
				return setHistory(&stamps[i], text(v[12]))
			}, v)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read stamps: %w", err)
	}
	return stamps, nil
}

// setStamp fills a stamp from stampColumns.
func setStamp(st *store.Stamp, v []driver.Value) {
	epoch, _ := v[0].(int64)
	seq, _ := v[1].(int64)
	stale, _ := v[7].(int64)
	faulty, _ := v[8].(int64)
	st.Found = true
	st.Version = store.Version{Epoch: epoch, Seq: uint64(seq)}
	st.Status = store.Status(text(v[2]))
	st.Fingerprint, st.Model = text(v[3]), text(v[4])
	st.Class, st.Support = text(v[5]), text(v[6])
	st.Stale, st.Faulty = stale != 0, faulty != 0
	if t := parseTime(text(v[9])); !t.IsZero() {
		st.CrawledAt = classifier.Micros(t.UnixMicro())
	}
	st.ClassifiedAt, st.ClassChangedAt = parseTime(text(v[10])), parseTime(text(v[11]))
}

func setHistory(st *store.Stamp, history string) error {
	if history == "" || history == "[]" {
		return nil
	}
	if err := json.Unmarshal([]byte(history), &st.History); err != nil {
		return fmt.Errorf("history of %s: %w", st.ID, err)
	}
	return nil
}

// Walk gives stamps in the order of the accounts' scans.
func (s *Store) Walk(ctx context.Context, from store.Position, n int) ([]store.Stamp, store.Position, error) {
	last, err := scanPlace(from)
	if err != nil {
		return nil, nil, err
	}
	var stamps []store.Stamp
	take := func(v []driver.Value) error {
		st := store.Stamp{ID: toID(v[0])}
		setStamp(&st, v[1:])
		stamps = append(stamps, st)
		return nil
	}
	err = s.read(ctx, func(c *conn) error {
		if last == nil {
			return c.query(ctx, "SELECT id, "+stampColumns+" FROM predictions WHERE status <> 'deleted' ORDER BY id LIMIT ?", take, n)
		}
		return c.query(ctx, "SELECT id, "+stampColumns+" FROM predictions WHERE status <> 'deleted' AND id > ? ORDER BY id LIMIT ?", take, last, n)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("walk predictions: %w", err)
	}
	if len(stamps) == 0 {
		return nil, from, nil
	}
	return stamps, scanPosition(stamps[len(stamps)-1].ID), nil
}

// Newest gives the greatest version that is stored.
func (s *Store) Newest(ctx context.Context) (v store.Version, err error) {
	err = s.read(ctx, func(c *conn) (err error) {
		v, err = newest(ctx, c)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("read the newest version: %w", err)
	}
	return v, nil
}

func newest(ctx context.Context, c *conn) (v store.Version, err error) {
	_, err = c.one(ctx, "SELECT epoch, seq FROM predictions ORDER BY epoch DESC, seq DESC LIMIT 1", func(row []driver.Value) error {
		v.Epoch, _ = row[0].(int64)
		seq, _ := row[1].(int64)
		v.Seq = uint64(seq)
		return nil
	})
	return v, err
}

// formatTime gives a time as the tables hold it; null for the zero time.
func formatTime(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(store.TimeFormat)
}

// parseTime reads what formatTime gives; the zero time for anything else.
func parseTime(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(store.TimeFormat, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
