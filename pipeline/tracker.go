package pipeline

import (
	"context"
	"sync"
	"time"

	"botwatch/store"
)

// Mark is a place up to which everything is durable.
type Mark struct {
	Position store.Position
	Seq      uint64
	At       time.Time // the source's clock there
}

// A tracker computes the low-watermark over batches that are read in order and
// finished in any: everything up to the mark is durable.
type tracker struct {
	mu    sync.Mutex
	open  []*ticket // oldest first
	mark  Mark
	moved bool
	idle  chan struct{} // closed while nothing is open
	freed chan struct{} // takes a token when batches were closed
}

// ticket stands for one batch.
type ticket struct {
	tracker *tracker
	left    int
	mark    Mark
}

func newTracker(from Mark) *tracker {
	t := &tracker{mark: from, idle: make(chan struct{}), freed: make(chan struct{}, 1)}
	close(t.idle)
	return t
}

// begin opens a batch of n changes; one without any is done at once.
func (t *tracker) begin(b *store.Batch) *ticket {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := &ticket{tracker: t, left: len(b.Changes), mark: Mark{b.After, b.Seq, b.At}}
	if len(t.open) == 0 {
		t.idle = make(chan struct{})
	}
	t.open = append(t.open, k)
	t.advance()
	return k
}

// done counts one change of the batch as durable.
func (k *ticket) done() {
	t := k.tracker
	t.mu.Lock()
	defer t.mu.Unlock()
	k.left--
	t.advance()
}

func (t *tracker) advance() {
	n := 0
	for n < len(t.open) && t.open[n].left == 0 {
		m := t.open[n].mark
		m.Seq = max(m.Seq, t.mark.Seq)
		if m.At.IsZero() {
			m.At = t.mark.At
		}
		t.mark, t.moved = m, true
		n++
	}
	if n == 0 {
		return
	}
	rest := copy(t.open, t.open[n:])
	clear(t.open[rest:])
	t.open = t.open[:rest]
	select {
	case t.freed <- struct{}{}:
	default:
	}
	if rest == 0 {
		close(t.idle)
	}
}

// low gives the low-watermark, and whether it moved since the last call.
func (t *tracker) low() (Mark, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	moved := t.moved
	t.moved = false
	return t.mark, moved
}

// room waits until fewer than n batches are open.
func (t *tracker) room(ctx context.Context, n int) error {
	for {
		t.mu.Lock()
		full, freed := len(t.open) >= n, t.freed
		t.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-freed:
		}
	}
}

// drained gives a channel that is closed once nothing is open.
func (t *tracker) drained() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.idle
}
