package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"botwatch/store"
)

// The bounds of a batch, and how long and how often a write is tried.
const (
	batchChanges = 256
	batchBytes   = 4 << 20

	writeTimeout  = 30 * time.Second
	writeGrace    = 2 * time.Second
	writeAttempts = 10
	minPause      = 50 * time.Millisecond
	maxPause      = 2 * time.Second
)

// A batch gathers changes of different accounts and writes them.
type batch struct {
	ctx     context.Context // ends pauses
	write   context.Context // ends writes, writeGrace later
	close   func()
	w       Writer
	onRetry func(error, int)

	puts    []store.Account
	deletes []store.ID
	ids     map[store.ID]struct{}
	bytes   int
}

func newBatch(ctx context.Context, w Writer, onRetry func(error, int)) *batch {
	write, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(writeGrace, cancel) })
	return &batch{ctx: ctx, write: write, close: func() { stop(); cancel() }, w: w, onRetry: onRetry,
		ids: make(map[store.ID]struct{})}
}

func (b *batch) put(id store.ID, doc []byte) {
	b.puts = append(b.puts, store.Account{ID: id, Doc: doc})
	b.ids[id] = struct{}{}
	b.bytes += len(doc)
}

func (b *batch) delete(id store.ID) {
	b.deletes = append(b.deletes, id)
	b.ids[id] = struct{}{}
}

func (b *batch) has(id store.ID) bool {
	_, ok := b.ids[id]
	return ok
}

func (b *batch) full() bool { return len(b.ids) >= batchChanges || b.bytes >= batchBytes }

// flush writes what was gathered.
func (b *batch) flush() error {
	if len(b.puts) > 0 {
		err := b.try(func(ctx context.Context) error { return b.w.PutAccounts(ctx, b.puts) })
		if err != nil {
			return fmt.Errorf("put accounts: %w", err)
		}
	}
	if len(b.deletes) > 0 {
		err := b.try(func(ctx context.Context) error { return b.w.DeleteAccounts(ctx, b.deletes) })
		if err != nil {
			return fmt.Errorf("delete accounts: %w", err)
		}
	}
	clear(b.puts)
	clear(b.ids)
	b.puts, b.deletes, b.bytes = b.puts[:0], b.deletes[:0], 0
	return nil
}

// try does a write until it works, is refused, or has been tried often enough.
// Both kinds of write may be done twice.
func (b *batch) try(write func(context.Context) error) error {
	for attempts, pause := 1, minPause; ; attempts, pause = attempts+1, min(2*pause, maxPause) {
		ctx, cancel := context.WithTimeout(b.write, writeTimeout)
		err := write(ctx)
		cancel()
		if err == nil || errors.Is(err, store.ErrReadOnly) || attempts == writeAttempts {
			return err
		}
		if b.onRetry != nil {
			b.onRetry(err, attempts)
		}
		if !sleep(b.ctx, pause/2+rand.N(pause)) {
			return err
		}
	}
}
