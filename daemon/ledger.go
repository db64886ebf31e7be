package daemon

import (
	"context"
	"maps"
	"sync"

	"botwatch/store"
)

// A ledger owns the checkpoint: every change goes through it, and it alone
// saves. Safe for concurrent use.
type ledger struct {
	state  store.State
	epoch  int64
	saving chan struct{} // holds a token while a save is under way, so that saves keep their order

	mu      sync.Mutex
	c       store.Checkpoint
	changes int // ever made
	saved   int // of those, durable
}

func newLedger(state store.State, epoch int64, c store.Checkpoint) *ledger {
	return &ledger{state: state, epoch: epoch, c: c, saving: make(chan struct{}, 1)}
}

// update changes the checkpoint in memory; flush makes it durable.
func (l *ledger) update(change func(*store.Checkpoint)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.c.Scans, l.c.Breakers, l.c.Jobs = cloned(l.c.Scans), cloned(l.c.Breakers), cloned(l.c.Jobs)
	change(&l.c)
	l.changes++
}

// cloned gives a map to write to: the old one may be on its way to the store.
func cloned[V any](m map[string]V) map[string]V {
	if m == nil {
		return make(map[string]V)
	}
	return maps.Clone(m)
}

// view gives the checkpoint, whose maps must not be changed.
func (l *ledger) view() store.Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.c
}

// flush saves the checkpoint if it changed. Nothing is locked meanwhile: a slow
// store holds up nobody who only reads or changes the checkpoint.
func (l *ledger) flush(ctx context.Context) error {
	select {
	case l.saving <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.saving }()
	l.mu.Lock()
	c, changes, saved := l.c, l.changes, l.saved
	l.mu.Unlock()
	if changes == saved {
		return nil
	}
	if err := l.state.Save(ctx, l.epoch, c); err != nil {
		return err
	}
	l.mu.Lock()
	l.saved = changes
	l.mu.Unlock()
	return nil
}
