package memory

import (
	"context"

	"botwatch/store"
)

// putLetter keeps what an earlier letter knows.
func (d *data) putLetter(id store.ID, l store.Letter) {
	l.ID = id
	if old, found := d.letters.get(id); found {
		l.FirstSeen, l.Attempts = old.FirstSeen, old.Attempts+1
	}
	d.letters.put(id, l)
}

// ListLetters gives letters in the order of their ids' bytes.
func (s *Store) ListLetters(ctx context.Context, after store.ID, n int) (list []store.Letter, err error) {
	err = s.do(ctx, Call{Op: OpLetters}, func() error {
		s.locked(func() {
			ids := s.letters.after(after)
			for _, id := range ids[:min(n, len(ids))] {
				l, _ := s.letters.get(id)
				list = append(list, l)
			}
		})
		return nil
	})
	return onlyIf(list, err)
}

// GetLetters gives letters by id.
func (s *Store) GetLetters(ctx context.Context, ids []store.ID) (list []store.Letter, err error) {
	err = s.do(ctx, Call{Op: OpLetters}, func() error {
		s.locked(func() {
			for _, id := range ids {
				if l, found := s.letters.get(id); found {
					list = append(list, l)
				}
			}
		})
		return nil
	})
	return onlyIf(list, err)
}

// DiscardLetters removes letters.
func (s *Store) DiscardLetters(ctx context.Context, ids []store.ID) (n int, err error) {
	err = s.do(ctx, Call{Op: OpLetters}, func() error {
		s.locked(func() {
			for _, id := range ids {
				if s.letters.delete(id) {
					n++
				}
			}
		})
		return nil
	})
	return onlyIf(n, err)
}

// CountLetters counts letters by reason.
func (s *Store) CountLetters(ctx context.Context) (counts map[string]int, err error) {
	err = s.do(ctx, Call{Op: OpLetters}, func() error {
		counts = make(map[string]int)
		s.locked(func() {
			for _, l := range s.letters.values {
				counts[l.Reason]++
			}
		})
		return nil
	})
	return onlyIf(counts, err)
}
