package memory

import (
	"context"
	"maps"
	"slices"

	"botwatch/store"
)

// PutAccounts inserts or replaces accounts, each a change, equal ones too. It
// takes any bytes for a document, so that tests can store poison.
func (s *Store) PutAccounts(ctx context.Context, accounts []store.Account) error {
	return s.do(ctx, Call{Op: OpAccounts}, func() error {
		s.locked(func() {
			first := s.seq + 1
			for _, a := range accounts {
				doc := slices.Clone(a.Doc)
				s.accounts.put(a.ID, doc)
				s.record(event{id: a.ID, op: store.OpUpsert, doc: doc}, first)
			}
		})
		return nil
	})
}

// DeleteAccounts deletes accounts, each a change.
func (s *Store) DeleteAccounts(ctx context.Context, ids []store.ID) error {
	return s.do(ctx, Call{Op: OpAccounts}, func() error {
		s.locked(func() {
			first := s.seq + 1
			for _, id := range ids {
				if s.accounts.delete(id) {
					s.record(event{id: id, op: store.OpDelete}, first)
				}
			}
		})
		return nil
	})
}

// CountAccounts counts what is stored.
func (s *Store) CountAccounts(ctx context.Context) (n int, err error) {
	err = s.do(ctx, Call{Op: OpAccounts}, func() error {
		s.locked(func() { n = s.accounts.len() })
		return nil
	})
	return onlyIf(n, err)
}

// record adds a change to the history; first is the call's first number.
func (d *data) record(e event, first uint64) {
	if d.seq < first || !d.opts.OneSeqPerCall {
		d.seq++
	}
	e.seq = d.seq
	d.log = append(d.log, e)
	d.wake()
}

// wake makes waiting streams look again.
func (d *data) wake() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// LoseHistory forgets all changes so far: every position given out before is
// lost, that of the head and those of open streams included.
func (s *Store) LoseHistory() {
	s.locked(func() {
		s.floor, s.log = s.last()+1, nil
		s.seq++
		s.wake()
	})
}

// Replace drops the accounts and makes a new, empty place for them: it has
// another identity, its sequence numbers begin again, and streams and scans of
// the old one end with ErrSourceReplaced. Predictions and state stay.
func (s *Store) Replace() {
	s.locked(s.replace)
}

func (d *data) replace() {
	d.places++
	d.source = source{identity: d.places, life: d.life, cuts: d.cuts}
	d.accounts = index[[]byte]{}
	d.wake()
}

// Snapshot is a backup of the accounts and their history.
type Snapshot struct {
	source   source
	accounts index[[]byte]
}

// Snapshot backs the accounts up.
func (s *Store) Snapshot() (b Snapshot) {
	s.locked(func() {
		b.source = s.source
		b.source.log = slices.Clone(s.log)
		b.accounts = index[[]byte]{maps.Clone(s.accounts.values), slices.Clone(s.accounts.ids)}
	})
	return b
}

// Restore brings a backup back: accounts, history and sequence numbers are as
// they were then, under the same identity. Streams from later positions, and
// all open scans, end with ErrSourceReplaced. Predictions and state stay.
func (s *Store) Restore(b Snapshot) {
	s.locked(func() {
		life := s.life
		cuts := maps.Clone(s.cuts)
		if cuts == nil {
			cuts = make(map[int]int)
		}
		s.source = b.source
		s.log = slices.Clone(b.source.log)
		cuts[life] = s.last()
		s.life, s.cuts = life+1, cuts
		s.accounts = index[[]byte]{maps.Clone(b.accounts.values), slices.Clone(b.accounts.ids)}
		s.wake()
	})
}
