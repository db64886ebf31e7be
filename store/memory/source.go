package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"botwatch/classifier"
	"botwatch/classifier/format"
	"botwatch/store"
)

// source is the accounts' history. Changes are numbered without a gap; those up
// to floor are forgotten.
type source struct {
	identity int
	life     int         // restores so far
	cuts     map[int]int // life → the number at which the next one branched off
	floor    int
	log      []event // log[i] has the number floor+1+i
	seq      uint64  // of the newest change
}

type event struct {
	id  store.ID
	op  store.Op
	seq uint64
	doc []byte
}

// last is the number of the newest change.
func (s *source) last() int { return s.floor + len(s.log) }

// place is what a stream's Position says.
type place struct {
	Identity int `json:"identity"`
	Life     int `json:"life"`
	After    int `json:"after"` // number of the change
}

func (d *data) position(after int) store.Position {
	text, _ := json.Marshal(place{d.identity, d.life, after})
	return text
}

// resolve says after which change a position stands, or why no stream can go
// on from there.
func (d *data) resolve(p place) (int, error) {
	if p.Identity != d.identity {
		return 0, fmt.Errorf("stream of accounts %d, now %d: %w", p.Identity, d.identity, store.ErrSourceReplaced)
	}
	for life := p.Life; life < d.life; life++ {
		if p.After > d.cuts[life] {
			return 0, fmt.Errorf("stream after change %d of life %d, restored to %d: %w", p.After, life, d.cuts[life], store.ErrSourceReplaced)
		}
	}
	if p.After < d.floor {
		return 0, fmt.Errorf("stream after change %d, kept from %d on: %w", p.After, d.floor+1, store.ErrHistoryLost)
	}
	return p.After, nil
}

// head must be called with the data locked.
func (d *data) head() store.Head {
	return store.Head{
		Position: d.position(d.last()), Seq: d.seq,
		Identity: fmt.Sprintf("memory-%d", d.identity), At: d.opts.Now(),
	}
}

// Head reads where the source stands.
func (s *Store) Head(ctx context.Context) (h store.Head, err error) {
	err = s.do(ctx, Call{Op: OpHead}, func() error {
		s.locked(func() { h = s.head() })
		return nil
	})
	return onlyIf(h, err)
}

// Fetch reads accounts by id.
func (s *Store) Fetch(ctx context.Context, ids []store.ID, mode store.ScanMode) (changes []store.Change, err error) {
	err = s.doHooked(ctx, Call{Op: OpFetch}, func(hooks Faults, call Call) error {
		var head store.Head
		s.locked(func() { head = s.head() })
		run(hooks.AfterHead, call)
		if most := hooks.shape(call).Max; most > 0 {
			ids = ids[:min(most, len(ids))]
		}
		s.locked(func() {
			for _, id := range ids {
				c := store.Change{ID: id, Op: store.OpDelete, Seq: head.Seq}
				if doc, found := s.accounts.get(id); found {
					c.Op, c.Doc = store.OpUpsert, slices.Clone(doc)
				}
				changes = append(changes, c)
			}
		})
		if mode == store.ScanKeys {
			s.reduce(changes, new(classifier.Builder))
		}
		run(hooks.AfterRead, call)
		return nil
	})
	return onlyIf(changes, err)
}

// reduce leaves of documents what ScanKeys gives.
func (s *Store) reduce(changes []store.Change, b *classifier.Builder) {
	for i := range changes {
		c := &changes[i]
		if c.Doc != nil && s.Decode(c.Doc, b) == nil {
			account, _ := b.Finish() // what could be read of a faulty one
			c.CrawledAt = account.CrawledAt
		}
		c.Doc = nil
	}
}

// Decode reads a document of the upload format.
func (s *Store) Decode(doc []byte, b *classifier.Builder) error {
	b.Reset()
	return format.DecodeJSON(doc, b)
}

// onlyIf gives v where there is no error.
func onlyIf[T any](v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}
