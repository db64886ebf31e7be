package format

import (
	"io"
	"sync"

	"botwatch/classifier"
)

// Each decodes all accounts of r in a number of goroutines (at least one), calls
// f for each, and emit for what f gave, in the order of the input. worker, from
// 0, names the goroutine: what f keeps for each worker needs no lock. Frame and
// Account are valid until f returns. emit is called by one goroutine at a time.
//
// Each worker reads and cuts a block by itself, one after the other, and then
// decodes it: so no more than a block and an account are in flight for each. The
// first error of emit, or what ended the input early, ends it all and is
// returned after the goroutines have.
func Each[T any](r *Reader, workers int, f func(worker int, frame *Frame, account *classifier.Account, err error) T, emit func(T) error) error {
	var (
		source sync.Mutex // guards r and taken
		taken  int        // batches
		order  = turns{}
		wg     sync.WaitGroup
	)
	order.changed.L = &order.mu
	for worker := range max(workers, 1) {
		wg.Go(func() {
			var (
				bt      batch
				builder classifier.Builder
				results []T
			)
			for {
				source.Lock()
				turn := taken
				taken++
				err := r.fill(&bt)
				source.Unlock()
				if err != nil {
					order.end(turn, err)
					return
				}
				clear(results)
				results = results[:0]
				for i := range bt.frames {
					frame := &bt.frames[i]
					account, err := frame.Decode(&builder)
					results = append(results, f(worker, frame, account, err))
				}
				if !order.wait(turn) {
					return
				}
				for _, result := range results {
					if err = emit(result); err != nil {
						break
					}
				}
				order.pass(err)
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if order.err == io.EOF {
		return nil
	}
	return order.err
}

// turns puts what several goroutines have done into order.
type turns struct {
	mu      sync.Mutex
	changed sync.Cond
	now     int
	err     error // nil: go on
}

// wait blocks until it is that turn, and reports whether to go on.
func (t *turns) wait(turn int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.now != turn && t.err == nil {
		t.changed.Wait()
	}
	return t.err == nil
}

// pass ends the turn at hand; an error ends all.
func (t *turns) pass(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now++
	t.err = err
	t.changed.Broadcast()
}

// end ends all with err once it is that turn.
func (t *turns) end(turn int, err error) {
	if t.wait(turn) {
		t.pass(err)
	}
}
