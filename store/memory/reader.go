package memory

import (
	"context"

	"botwatch/store"
)

// Predictions gives documents by id.
func (s *Store) Predictions(ctx context.Context, ids []store.ID) (list []store.Prediction, err error) {
	err = s.do(ctx, Call{Op: OpReader}, func() error {
		var found []*store.Prediction
		s.locked(func() {
			for _, id := range ids {
				if p, ok := s.predictions.get(id); ok {
					found = append(found, p)
				}
			}
		})
		for _, p := range found {
			q, err := copyOf(p)
			if err != nil {
				return err
			}
			list = append(list, *q)
		}
		return nil
	})
	return onlyIf(list, err)
}

// Count counts predictions.
func (s *Store) Count(ctx context.Context) (c store.Counts, err error) {
	err = s.do(ctx, Call{Op: OpReader}, func() error {
		c.Classes = make(map[string]map[string]int)
		s.locked(func() {
			for _, p := range s.predictions.values {
				if p.Status == store.StatusDeleted {
					continue
				}
				c.Total++
				if c.Classes[p.Slug] == nil {
					c.Classes[p.Slug] = make(map[string]int)
				}
				c.Classes[p.Slug][p.Support.String()]++
				if p.Stale {
					c.Stale++
				}
				if p.Error != nil {
					c.Errors++
				}
			}
		})
		return nil
	})
	return onlyIf(c, err)
}
