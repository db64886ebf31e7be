package daemon

import (
	"context"
	"sync"

	"botwatch/store"
)

// A ledger owns the checkpoint: every change goes through it, and it alone
// saves. Safe for concurrent use.
type ledger struct {
	state store.State
	epoch int64

	mu    sync.Mutex // held while saving, so that saves keep their order
	c     store.Checkpoint
	dirty bool
}

// update changes the checkpoint in memory; flush makes it durable.
func (l *ledger) update(change func(*store.Checkpoint)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.c)
	l.dirty = true
}

// view reads the checkpoint, which look must not keep or change.
func (l *ledger) view(look func(*store.Checkpoint)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	look(&l.c)
}

// flush saves the checkpoint if it changed.
func (l *ledger) flush(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty {
		return nil
	}
	if err := l.state.Save(ctx, l.epoch, l.c); err != nil {
		return err
	}
	l.dirty = false
	return nil
}

// setMap sets a key of a map that may be nil.
func setMap[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[key] = v
}
