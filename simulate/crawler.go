package simulate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"botwatch/store"
)

// Writer is where a Crawler writes; a store.Store is one.
type Writer interface {
	// PutAccounts inserts or replaces accounts.
	PutAccounts(ctx context.Context, accounts []store.Account) error
	// DeleteAccounts deletes those that exist.
	DeleteAccounts(ctx context.Context, ids []store.ID) error
}

// Options say what a Crawler does.
type Options struct {
	// Generator makes the accounts; its seed also decides what happens to whom.
	// Where its epoch is zero, the start of Run is taken for it.
	Generator Generator
	// Rate is how many changes a second come due, above 0.
	Rate float64
	// Accounts is the size that the population grows to, 1 or more.
	Accounts int
	// Changes is how many changes there are before Run ends; 0 for no end.
	Changes int

	// Updates, Deletes and Reinserts are shares of the changes, together at most
	// 1: updates of live accounts, deletes, and re-inserts of what was deleted.
	// The others insert new accounts, and update where the population is full.
	Updates, Deletes, Reinserts float64
	// Poison is the share of upserts that write what cannot be decoded, 0 to 1.
	Poison float64

	// Now is the clock; nil for time.Now. It must go as fast as the real one.
	Now func() time.Time
	// OnChange, if any, is told of each change before it is written, with the
	// moment at which it came due, however late the writer is.
	OnChange func(id store.ID, op store.Op, intended time.Time)
	// OnRetry, if any, is told of each write that did not work and is tried
	// again: the error, and how many attempts there were so far.
	OnRetry func(err error, attempts int)
}

// DefaultOptions gives 10 changes a second on a population of 1,000: mostly
// inserts at first, then mostly updates, with a few deletes and re-inserts.
func DefaultOptions() Options {
	return Options{Rate: 10, Accounts: 1000, Updates: 0.3, Deletes: 0.02, Reinserts: 0.02}
}

func (o *Options) validate() error {
	var errs []error
	check := func(ok bool, format string, v any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, v))
		}
	}
	check(o.Rate > 0 && o.Rate <= 1e6, "rate: is %v; want above 0, at most 1000000 a second", o.Rate)
	check(o.Accounts >= 1, "accounts: is %v; want 1 or more", o.Accounts)
	check(o.Changes >= 0, "changes: is %v; want 0 or more", o.Changes)
	check(o.Generator.Tweets >= 0, "tweets: is %v; want 0 or more", o.Generator.Tweets)
	check(o.Updates >= 0 && o.Deletes >= 0 && o.Reinserts >= 0 && o.Updates+o.Deletes+o.Reinserts <= 1,
		"updates, deletes, reinserts: are %v; want shares of at most 1 together", []float64{o.Updates, o.Deletes, o.Reinserts})
	check(o.Poison >= 0 && o.Poison <= 1, "poison: is %v; want 0 to 1", o.Poison)
	return errors.Join(errs...)
}

// Crawler writes invented accounts on an open-loop schedule: change i is due
// i/Rate seconds after the start, whether or not the writer keeps up.
type Crawler struct {
	o Options

	mu sync.Mutex // guards population
	population
}

// NewCrawler makes a Crawler; the error joins all that is wrong with o.
func NewCrawler(o Options) (*Crawler, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("make crawler: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Crawler{o: o}, nil
}

// Live gives the accounts that exist and their revisions, as though every
// change that OnChange was told of were written: so it is when Run returned nil.
// It may be called while Run goes on.
func (c *Crawler) Live() map[store.ID]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	live := make(map[store.ID]int, len(c.live))
	for _, m := range c.live {
		live[store.StringID(id(m.n))] = m.revision
	}
	return live
}

// From batchedRate changes a second on, those of a tick are written together.
const (
	batchedRate = 100
	tick        = 5 * time.Millisecond
)

// Run writes changes until ctx ends or there were enough of them, and then
// returns nil once everything begun is written; the write at hand
// has 2 seconds to end after ctx does. The error is a write's that was refused, or
// that a number of attempts could not do: then it is not known which changes of
// the last batch took effect. A Crawler runs once.
func (c *Crawler) Run(ctx context.Context, w Writer) error {
	start := c.o.Now()
	if c.o.Generator.Epoch.IsZero() {
		c.o.Generator.Epoch = start
	}
	d := dice(c.o.Generator.Seed).roll(-1)
	b := newBatch(ctx, w, c.o.OnRetry)
	defer b.close()

	for i := 0; (c.o.Changes == 0 || i < c.o.Changes) && ctx.Err() == nil; i++ {
		intended := c.intended(start, i)
		now := c.o.Now()
		if intended.After(now) { // nothing else is due
			if err := b.flush(); err != nil {
				return err
			}
			if !sleep(ctx, c.wake(start, intended).Sub(c.o.Now())) {
				return nil
			}
			now = c.o.Now()
		}
		if err := c.change(&d, b, intended, now); err != nil {
			return err
		}
	}
	return b.flush()
}

// change plans one change and adds it to the batch.
func (c *Crawler) change(d *dice, b *batch, intended, now time.Time) error {
	c.mu.Lock()
	m, op := c.draw(d, &c.o)
	c.mu.Unlock()
	poisoned := d.unit() < c.o.Poison

	id := store.StringID(id(m.n))
	if b.full() || b.has(id) { // a batch has each account once: its order is not kept
		if err := b.flush(); err != nil {
			return err
		}
	}
	if c.o.OnChange != nil {
		c.o.OnChange(id, op, intended)
	}
	switch {
	case op == store.OpDelete:
		b.delete(id)
	case poisoned:
		b.put(id, c.o.Generator.Poison(m.n, m.revision, now).JSON)
	default:
		b.put(id, c.o.Generator.Account(m.n, m.revision, now).JSON)
	}
	return nil
}

// intended gives the moment at which change i comes due.
func (c *Crawler) intended(start time.Time, i int) time.Time {
	return start.Add(time.Duration(math.Round(float64(i) / c.o.Rate * float64(time.Second))))
}

// wake gives when to go on where nothing is due before next.
func (c *Crawler) wake(start, next time.Time) time.Time {
	if c.o.Rate < batchedRate {
		return next
	}
	return start.Add((next.Sub(start) + tick - 1) / tick * tick)
}

// sleep waits for d; it answers false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
