package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"botwatch/store"
)

// Predictions gives documents by id.
func (s *Store) Predictions(ctx context.Context, ids []store.ID) (list []store.Prediction, err error) {
	err = s.readTx(ctx, func(c *conn) error {
		for _, id := range ids {
			place, err := toValue(id)
			if err != nil {
				continue // no such id can be stored
			}
			_, err = c.one(quick, "SELECT doc FROM predictions WHERE id = ?", func(v []driver.Value) error {
				var p store.Prediction
				if err := p.UnmarshalJSON([]byte(text(v[0]))); err != nil {
					return fmt.Errorf("prediction of %s: %w", id, err)
				}
				p.ID = toID(place)
				list = append(list, p)
				return nil
			}, place)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read predictions: %w", err)
	}
	return list, nil
}

// Count counts predictions, by an index alone.
func (s *Store) Count(ctx context.Context) (store.Counts, error) {
	counts := store.Counts{Classes: make(map[string]map[string]int)}
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT class, support, count(*), sum(stale), sum(has_error) FROM predictions
			WHERE status <> 'deleted' GROUP BY class, support`, func(v []driver.Value) error {
			class, support := text(v[0]), text(v[1])
			n, _ := v[2].(int64)
			stale, _ := v[3].(int64)
			errs, _ := v[4].(int64)
			if counts.Classes[class] == nil {
				counts.Classes[class] = make(map[string]int)
			}
			counts.Classes[class][support] += int(n)
			counts.Total += int(n)
			counts.Stale += int(stale)
			counts.Errors += int(errs)
			return nil
		})
	})
	if err != nil {
		return store.Counts{}, fmt.Errorf("count predictions: %w", err)
	}
	return counts, nil
}
