package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"botwatch/classifier"
	"botwatch/internal/killpoint"
	"botwatch/store"
)

// Scan says what to walk, and how.
type Scan struct {
	// Keys reads ids and crawled_at only, and then the accounts whose prediction
	// is missing, faulty, of an older crawl or of another model. Without it every
	// account is read and compared by fingerprint.
	Keys bool
	// Rescore also rewrites what is older than Options.MaxAge, or has the wrong
	// stale mark.
	Rescore bool
	// Rate is the most accounts a second; 0 for no limit.
	Rate float64
	// ConfirmRemovals lets a mass removal of orphans pass.
	ConfirmRemovals bool
	// From is where to begin: the zero Cursor for all.
	From store.Cursor
	// Save is called now and then with progress that is durable. May be nil.
	Save func(store.Cursor)
}

// The phases of a scan.
const (
	phaseAccounts = "accounts"
	phaseOrphans  = "orphans"
)

// The mass-removal guard: more orphans than removalsMin, and a larger share of
// all predictions than removalsShare, are removed only when confirmed.
const (
	removalsMin   = 100
	removalsShare = 0.2
)

// scanShare is the share of the queue that a scan may fill, so that it slows
// down when the stream has much to do.
const scanShare = 0.5

// walkSize is the number of predictions that are looked at together.
const walkSize = 500

func isFinal(err error) bool {
	return errors.Is(err, store.ErrHistoryLost) || errors.Is(err, store.ErrSourceReplaced) || errors.Is(err, store.ErrNoStream)
}

// Scan walks the accounts and then the predictions, for orphans, and returns
// once all that it found is durable. Faults that may pass are waited out;
// ErrSourceReplaced and ctx's end are not. The Cursor says how far it came.
func (p *Pipeline) Scan(ctx context.Context, s Scan) (store.Cursor, error) {
	r := &scanRun{p: p, s: s, cursor: s.From, pace: pace{rate: s.Rate}}
	if r.cursor.Phase == "" {
		r.cursor.Phase = phaseAccounts
	}
	if r.cursor.Phase == phaseAccounts {
		if err := r.retry(ctx, "scan accounts", r.accounts); err != nil {
			return r.cursor, err
		}
		r.cursor.Phase, r.cursor.Position = phaseOrphans, nil
		r.save()
	}
	err := r.retry(ctx, "look for orphans", r.orphans)
	return r.cursor, err
}

// scanRun is one run of a Scan.
type scanRun struct {
	p      *Pipeline
	s      Scan
	cursor store.Cursor
	pace   pace
}

func (r *scanRun) save() {
	if r.s.Save != nil {
		r.s.Save(r.cursor)
	}
}

// retry does a phase until it ends, or fails for good.
func (r *scanRun) retry(ctx context.Context, what string, phase func(context.Context) error) error {
	var b backoff
	for {
		at := r.cursor.Seen
		err := phase(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case isFinal(err):
			return fmt.Errorf("%s: %w", what, err)
		}
		if r.cursor.Seen > at {
			b.attempt = 0
		}
		b.report(r.p.o.Log, what, err)
		if err := b.wait(ctx); err != nil {
			return err
		}
	}
}

// accounts walks the accounts from the cursor on.
func (r *scanRun) accounts(ctx context.Context) error {
	mode := store.ScanDocs
	if r.s.Keys {
		mode = store.ScanKeys
	}
	feed, err := r.p.o.Source.Scan(ctx, r.cursor.Position, mode)
	if err != nil {
		return err
	}
	defer feed.Close()
	t := newTracker(Mark{Position: r.cursor.Position})
	before := r.cursor.Position
	for {
		batch, err := feed.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		seen := len(batch.Changes)
		if r.s.Keys {
			if err := r.needed(ctx, t, &batch, before); err != nil {
				return err
			}
		}
		killpoint.At("in-scan")
		if err := r.p.enqueue(ctx, t, &batch, scanShare, r.item); err != nil {
			return err
		}
		before = batch.After
		r.p.stats.Scanned.Add(int64(seen))
		r.cursor.Seen += int64(seen)
		if low, moved := t.low(); moved {
			r.cursor.Position = low.Position
			r.save()
		}
		if err := r.pace.wait(ctx, seen); err != nil {
			return err
		}
	}
	return r.settle(ctx, t)
}

func (r *scanRun) item(c store.Change) *item {
	return &item{change: c, via: viaScan, rescore: r.s.Rescore}
}

// settle waits until all that was enqueued is durable.
func (r *scanRun) settle(ctx context.Context, t *tracker) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.drained():
	}
	if low, moved := t.low(); moved {
		r.cursor.Position = low.Position
	}
	return nil
}

// needed reads the accounts of a batch of keys that must be read, and enqueues
// them in batches that leave the mark where it was before. It empties the batch.
func (r *scanRun) needed(ctx context.Context, t *tracker, batch *store.Batch, before store.Position) error {
	ids := make([]store.ID, len(batch.Changes))
	for i := range batch.Changes {
		ids[i] = batch.Changes[i].ID
	}
	stamps, err := r.p.o.Sink.Stamps(ctx, ids)
	if err != nil {
		return fmt.Errorf("look up stamps: %w", err)
	}
	var want []store.ID
	for i := range stamps {
		if r.p.outdated(&stamps[i], batch.Changes[i].CrawledAt) {
			want = append(want, ids[i])
		}
	}
	batch.Changes = nil
	return r.p.fetch(ctx, want, store.ScanDocs, func(changes []store.Change) error {
		return r.p.enqueue(ctx, t, &store.Batch{Changes: changes, After: before}, scanShare, r.item)
	})
}

// fetch reads accounts by id and gives them to each, as many at a time as the
// source answers.
func (p *Pipeline) fetch(ctx context.Context, ids []store.ID, mode store.ScanMode, each func([]store.Change) error) error {
	for len(ids) > 0 {
		changes, err := p.o.Source.Fetch(ctx, ids[:min(len(ids), walkSize)], mode)
		if err == nil && len(changes) == 0 {
			err = errors.New("the source answers for none of them")
		}
		if err != nil {
			return fmt.Errorf("read accounts: %w", err)
		}
		ids = ids[len(changes):]
		if err := each(changes); err != nil {
			return err
		}
	}
	return nil
}

// outdated says whether a prediction must be looked at again, seen from the
// account's crawled_at alone. An unknown one cannot vouch for it.
func (p *Pipeline) outdated(s *store.Stamp, crawledAt classifier.Micros) bool {
	return !s.Found || s.Status == store.StatusDeleted || s.Faulty || s.Model != p.model.Digest ||
		crawledAt == 0 || crawledAt != s.CrawledAt
}

// orphans makes tombstones of the predictions whose account is gone, unless
// they are so many that a mistake is likelier.
func (r *scanRun) orphans(ctx context.Context) error {
	var total, gone int64
	err := r.walk(ctx, func(batch *store.Batch, looked int) error {
		total += int64(looked)
		gone += int64(len(batch.Changes))
		return nil
	})
	if err != nil {
		return err
	}
	killpoint.At("before-orphans")
	r.cursor.Held = 0
	if gone == 0 || r.held(gone, total) {
		return nil
	}
	t := newTracker(Mark{})
	removed := int64(0)
	err = r.walk(ctx, func(batch *store.Batch, _ int) error {
		n := int64(len(batch.Changes))
		if removed += n; r.held(removed, total) { // the accounts vanished since they were counted
			return errHeld
		}
		r.cursor.Removed += n
		return r.p.enqueue(ctx, t, batch, scanShare, r.item)
	})
	if err != nil && !errors.Is(err, errHeld) {
		return err
	}
	return r.settle(ctx, t)
}

// errHeld ends a walk at the mass-removal guard.
var errHeld = errors.New("a mass removal is held back")

// held says whether the guard keeps so many orphans of a total of predictions.
func (r *scanRun) held(gone, total int64) bool {
	if gone <= removalsMin || float64(gone) <= removalsShare*float64(total) || r.s.ConfirmRemovals {
		return false
	}
	r.cursor.Held = gone
	r.p.o.Log.WithField("orphans", gone).WithField("predictions", total).
		Warn("so many predictions have no account any more that they are not removed; `botwatch backfill --confirm-removals` does it")
	return true
}

// walk gives the predictions whose account is gone to each, batch by batch, as
// deletes stamped with a head from before the account was looked for.
func (r *scanRun) walk(ctx context.Context, each func(gone *store.Batch, looked int) error) error {
	var from store.Position
	for {
		stamps, next, err := r.p.o.Sink.Walk(ctx, from, walkSize)
		if err != nil {
			return fmt.Errorf("walk predictions: %w", err)
		}
		if len(stamps) == 0 {
			return nil
		}
		ids := make([]store.ID, len(stamps))
		for i := range stamps {
			ids[i] = stamps[i].ID
		}
		batch := store.Batch{After: next}
		err = r.p.fetch(ctx, ids, store.ScanKeys, func(changes []store.Change) error {
			for _, c := range changes {
				if c.Op == store.OpDelete {
					batch.Changes = append(batch.Changes, c)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := each(&batch, len(stamps)); err != nil {
			return err
		}
		if len(stamps) < walkSize {
			return nil
		}
		if err := r.pace.wait(ctx, len(stamps)); err != nil {
			return err
		}
		from = next
	}
}

// Reread fetches accounts by id and sees them through again, whatever is
// stored; it returns once that is durable. The dead letters of those that are not
// at fault go, also where the prediction knows of none: a store that cannot write
// both at once may leave a letter beside a good prediction.
func (p *Pipeline) Reread(ctx context.Context, ids []store.ID) error {
	r := &scanRun{p: p}
	t := newTracker(Mark{})
	err := p.fetch(ctx, ids, store.ScanDocs, func(changes []store.Change) error {
		return p.enqueue(ctx, t, &store.Batch{Changes: changes}, scanShare, func(c store.Change) *item {
			it := r.item(c)
			it.letter = true
			return it
		})
	})
	if err != nil {
		return err
	}
	return r.settle(ctx, t)
}

// pace keeps a scan to a rate.
type pace struct {
	rate float64 // a second; 0 for no limit
	debt float64 // accounts looked at beyond what the rate allowed
	last time.Time
}

// wait sleeps until n more accounts are within the rate.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.rate <= 0 {
		return nil
	}
	now := time.Now()
	if !p.last.IsZero() {
		p.debt = math.Max(0, p.debt-now.Sub(p.last).Seconds()*p.rate)
	}
	p.last = now
	p.debt += float64(n)
	t := time.NewTimer(time.Duration(p.debt / p.rate * float64(time.Second)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
