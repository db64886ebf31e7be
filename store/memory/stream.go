package memory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"botwatch/store"
)

// Stream follows changes. A position that it cannot read is lost history.
func (s *Store) Stream(ctx context.Context, from store.Position) (store.Feed, error) {
	f := &stream{s: s}
	err := s.do(ctx, Call{Op: OpStream}, func() error {
		if err := json.Unmarshal(from, &f.at); err != nil {
			return fmt.Errorf("stream from position %q: %w", from, store.ErrHistoryLost)
		}
		var err error
		s.locked(func() { _, err = s.resolve(f.at) })
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// stream is the Feed of changes. An error ends it, unless it is the context's.
type stream struct {
	s   *Store
	at  place
	err error
}

func (f *stream) Next(ctx context.Context) (b store.Batch, err error) {
	if f.err != nil {
		return store.Batch{}, f.err
	}
	err = f.s.doHooked(ctx, Call{Op: OpStreamNext}, func(hooks Faults, call Call) error {
		shape := hooks.shape(call)
		timer := time.NewTimer(f.s.opts.Heartbeat)
		defer timer.Stop()
		for beat := false; ; {
			batch, changed, err := f.read(shape)
			if err != nil {
				return err
			}
			if len(batch.Changes) > 0 || beat {
				run(hooks.AfterRead, call)
				b = batch
				return nil
			}
			select {
			case <-changed:
			case <-timer.C:
				beat = true
			case <-ctx.Done():
				return ctx.Err()
			case <-f.s.closed:
				return errClosed
			}
		}
	})
	if err != nil {
		if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
			f.err = err
		}
		return store.Batch{}, err
	}
	if err := json.Unmarshal(b.After, &f.at); err != nil {
		return store.Batch{}, err
	}
	return b, nil
}

// read gives what follows, perhaps nothing, and what to wait for then.
func (f *stream) read(shape Shape) (b store.Batch, changed <-chan struct{}, err error) {
	s := f.s
	s.mu.Lock()
	defer s.mu.Unlock()
	at, err := s.resolve(f.at)
	if err != nil {
		return b, nil, err
	}
	size := s.opts.BatchSize
	if shape.Max > 0 {
		size = min(size, shape.Max)
	}
	end := min(at+size, s.last())
	from := max(at-shape.Replay, s.floor)
	for _, e := range s.log[from-s.floor : end-s.floor] {
		c := store.Change{ID: e.id, Op: e.op, Seq: e.seq}
		if e.op == store.OpUpsert {
			c.Doc = e.doc
			if !s.opts.DocsAtEvent {
				c.Doc, _ = s.accounts.get(e.id)
			}
			c.Doc = slices.Clone(c.Doc)
		}
		b.Changes = append(b.Changes, c)
	}
	b.After, b.At, b.Seq = s.position(end), s.opts.Now(), s.seq
	if end < s.last() {
		b.Seq = s.log[end-s.floor-1].seq
	}
	return b, s.changed, nil
}

func (f *stream) Close() error {
	f.err = errors.New("the stream is closed")
	return nil
}
