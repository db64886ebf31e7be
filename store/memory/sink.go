package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"botwatch/store"
)

// errNothingStored is why a Touch is to be tried again as something else.
var errNothingStored = errors.New("nothing is stored")

// errDuplicateKey and errRejected stand for the faults of a write.
var (
	errDuplicateKey = errors.New("duplicate key (injected)")
	errUnconfirmed  = errors.New("write not confirmed (injected)")
	errRejected     = errors.New("document refused (injected)")
)

// Stamps looks up what is stored.
func (s *Store) Stamps(ctx context.Context, ids []store.ID) (stamps []store.Stamp, err error) {
	err = s.doHooked(ctx, Call{Op: OpStamps}, func(hooks Faults, call Call) error {
		s.locked(func() {
			for _, id := range ids {
				p, found := s.predictions.get(id)
				if !found {
					stamps = append(stamps, store.Stamp{ID: id})
					continue
				}
				st := stamp(p)
				st.History = slices.Clone(p.History)
				stamps = append(stamps, st)
			}
		})
		run(hooks.AfterRead, call)
		return nil
	})
	return onlyIf(stamps, err)
}

// Walk gives stamps in the order of the ids' bytes.
func (s *Store) Walk(ctx context.Context, from store.Position, n int) (stamps []store.Stamp, after store.Position, err error) {
	err = s.doHooked(ctx, Call{Op: OpWalk}, func(hooks Faults, call Call) error {
		last, err := scanPlace(from)
		if err != nil {
			return err
		}
		s.locked(func() {
			for _, id := range s.predictions.after(last) {
				if len(stamps) == n {
					break
				}
				if p, _ := s.predictions.get(id); p.Status != store.StatusDeleted {
					stamps = append(stamps, stamp(p))
					last = id
				}
			}
		})
		if last != "" {
			after = scanPosition(last)
		}
		run(hooks.AfterRead, call)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return stamps, after, nil
}

// Newest gives the greatest version that is stored.
func (s *Store) Newest(ctx context.Context) (v store.Version, err error) {
	err = s.do(ctx, Call{Op: OpNewest}, func() error {
		s.locked(func() { v = s.newest() })
		return nil
	})
	return onlyIf(v, err)
}

// newest must be called with the data locked.
func (d *data) newest() (v store.Version) {
	for _, id := range d.predictions.ids {
		if p, _ := d.predictions.get(id); v.Less(p.Source.Version) {
			v = p.Source.Version
		}
	}
	return v
}

// stamp gives a prediction's stamp, without its history.
func stamp(p *store.Prediction) store.Stamp {
	st := store.Stamp{
		ID: p.ID, Found: true, Version: p.Source.Version, Status: p.Status, Fingerprint: p.Source.Fingerprint,
		Model: p.Model.Digest, Class: p.Slug, Stale: p.Stale, Faulty: p.Error != nil, CrawledAt: p.Source.CrawledAt,
		ClassifiedAt: p.ClassifiedAt, ClassChangedAt: p.ClassChangedAt,
	}
	if p.Status != store.StatusDeleted {
		st.Support = p.Support.String()
	}
	return st
}

// Write does its writes one after the other. A Replace, Fault or Remove without
// a Prediction, or with one that cannot be encoded, is rejected.
func (s *Store) Write(ctx context.Context, writes []store.Write) (outcomes []store.Outcome, err error) {
	err = s.doHooked(ctx, Call{Op: OpWrite, Writes: writes}, func(hooks Faults, call Call) error {
		for _, w := range writes {
			fault := WritePasses
			if hooks.Write != nil {
				fault = hooks.Write(call, w)
			}
			outcomes = append(outcomes, s.write(w, fault))
		}
		return nil
	})
	return onlyIf(outcomes, err)
}

func (s *Store) write(w store.Write, fault WriteFault) (o store.Outcome) {
	switch fault {
	case RetryUndone:
		return store.Outcome{Result: store.Retry, Err: errDuplicateKey}
	case RejectWrite:
		return store.Outcome{Result: store.Rejected, Err: errRejected}
	}
	p, err := stored(w)
	if err != nil {
		return store.Outcome{Result: store.Rejected, Err: err}
	}
	s.locked(func() { o = s.apply(w, p) })
	if fault == RetryDone && o.Result == store.Written {
		return store.Outcome{Result: store.Retry, Err: errUnconfirmed}
	}
	return o
}

// stored gives the document that a write brings, as reading it would give it
// back; nil for a Touch.
func stored(w store.Write) (*store.Prediction, error) {
	if w.Kind == store.Touch {
		return nil, nil
	}
	if w.Kind < store.Replace || w.Kind > store.Remove || w.Prediction == nil {
		return nil, fmt.Errorf("write of kind %d: it has no prediction", w.Kind)
	}
	p := *w.Prediction
	p.ID, p.Source.Version = w.ID, w.Version
	if w.Kind == store.Remove {
		p.Status = store.StatusDeleted
	}
	return copyOf(&p)
}

// copyOf encodes and decodes a document.
func copyOf(p *store.Prediction) (*store.Prediction, error) {
	q := new(store.Prediction)
	if err := q.UnmarshalJSON(p.AppendJSON(nil)); err != nil {
		return nil, err
	}
	q.ID = p.ID
	return q, nil
}

// apply does a write under its fence.
func (d *data) apply(w store.Write, p *store.Prediction) store.Outcome {
	old, found := d.predictions.get(w.ID)
	if found && w.Version.Less(old.Source.Version) {
		return store.Outcome{Result: store.Superseded}
	}
	switch {
	case w.Kind == store.Touch && !found:
		return store.Outcome{Result: store.Retry, Err: errNothingStored}
	case w.Kind == store.Touch:
		q := *old
		q.Source.Version = w.Version
		p = &q
	case w.Kind == store.Fault && found && old.Status != store.StatusDeleted:
		q := *old
		q.Stale, q.Error, q.Source.Version = true, p.Error, w.Version
		p = &q
	}
	if w.Letter != nil {
		d.putLetter(w.ID, *w.Letter)
	}
	d.predictions.put(w.ID, p)
	if w.ClearLetter {
		d.letters.delete(w.ID)
	}
	d.applied = append(d.applied, Applied{w.ID, w.Version, w.Kind})
	return store.Outcome{Result: store.Written}
}

// expire drops the tombstones that have expired.
func (d *data) expire(now time.Time) {
	for _, id := range slices.Clone(d.predictions.ids) {
		if p, _ := d.predictions.get(id); p.Status == store.StatusDeleted && p.ExpiresAt.Before(now) {
			d.predictions.delete(id)
		}
	}
}
