package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"botwatch/store"
)

const letterColumns = "SELECT id, reason, field, error, attempts, first_seen, last_seen, model, epoch, seq FROM dead_letters "

func toLetter(v []driver.Value) store.Letter {
	attempts, _ := v[4].(int64)
	epoch, _ := v[8].(int64)
	seq, _ := v[9].(int64)
	return store.Letter{
		ID: toID(v[0]), Reason: text(v[1]), Field: text(v[2]), Error: text(v[3]), Attempts: int(attempts),
		FirstSeen: parseTime(text(v[5])), LastSeen: parseTime(text(v[6])), Model: text(v[7]),
		Version: store.Version{Epoch: epoch, Seq: uint64(seq)},
	}
}

// ListLetters gives letters in the order of ids.
func (s *Store) ListLetters(ctx context.Context, after store.ID, n int) (list []store.Letter, err error) {
	take := func(v []driver.Value) error {
		list = append(list, toLetter(v))
		return nil
	}
	err = s.read(ctx, func(c *conn) error {
		if after == "" {
			return c.query(ctx, letterColumns+"ORDER BY id LIMIT ?", take, n)
		}
		v, err := toValue(after)
		if err != nil {
			return err
		}
		return c.query(ctx, letterColumns+"WHERE id > ? ORDER BY id LIMIT ?", take, v, n)
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return list, nil
}

// GetLetters gives letters by id.
func (s *Store) GetLetters(ctx context.Context, ids []store.ID) (list []store.Letter, err error) {
	err = s.readTx(ctx, func(c *conn) error {
		for _, id := range ids {
			v, err := toValue(id)
			if err != nil {
				continue // no such id can be stored
			}
			_, err = c.one(quick, letterColumns+"WHERE id = ?", func(v []driver.Value) error {
				list = append(list, toLetter(v))
				return nil
			}, v)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return list, nil
}

// DiscardLetters removes letters.
func (s *Store) DiscardLetters(ctx context.Context, ids []store.ID) (int, error) {
	n, err := s.deleteRows(ctx, "DELETE FROM dead_letters WHERE id = ?", ids)
	if err != nil {
		return 0, fmt.Errorf("discard dead letters: %w", err)
	}
	return n, nil
}

// CountLetters counts letters by reason.
func (s *Store) CountLetters(ctx context.Context) (map[string]int, error) {
	counts := make(map[string]int)
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, "SELECT reason, count(*) FROM dead_letters GROUP BY reason", func(v []driver.Value) error {
			n, _ := v[1].(int64)
			counts[text(v[0])] = int(n)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	return counts, nil
}
