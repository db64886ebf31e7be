package memory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"botwatch/classifier"
	"botwatch/store"
)

// scanMark begins the Position of a scan or walk; the last id follows.
const scanMark = 's'

func scanPosition(id store.ID) store.Position { return append(store.Position{scanMark}, id...) }

func scanPlace(p store.Position) (store.ID, error) {
	if len(p) == 0 {
		return "", nil
	}
	if p[0] != scanMark {
		return "", fmt.Errorf("read scan position %q: it is none", p)
	}
	return store.ID(p[1:]), nil
}

// Scan walks all accounts in the order of their ids' bytes. Where the accounts
// are replaced or restored meanwhile, its feed ends with ErrSourceReplaced.
func (s *Store) Scan(ctx context.Context, from store.Position, mode store.ScanMode) (store.Feed, error) {
	f := &scan{s: s, mode: mode}
	err := s.do(ctx, Call{Op: OpScan}, func() (err error) {
		f.last, err = scanPlace(from)
		s.locked(func() { f.identity, f.life = s.identity, s.life })
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// scan is the Feed of accounts. An error ends it, unless it is the context's.
type scan struct {
	s              *Store
	mode           store.ScanMode
	last           store.ID
	identity, life int
	builder        classifier.Builder
	err            error
}

func (f *scan) Next(ctx context.Context) (b store.Batch, err error) {
	if f.err != nil {
		return store.Batch{}, f.err
	}
	err = f.s.doHooked(ctx, Call{Op: OpScanNext}, func(hooks Faults, call Call) error {
		var head store.Head
		f.s.locked(func() { head = f.s.head() })
		run(hooks.AfterHead, call)
		var err error
		if b, err = f.read(head, hooks.shape(call)); err != nil {
			return err
		}
		if f.mode == store.ScanKeys {
			f.s.reduce(b.Changes, &f.builder)
		}
		run(hooks.AfterRead, call)
		return nil
	})
	if err != nil {
		if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
			f.err = err
		}
		return store.Batch{}, err
	}
	f.last = b.Changes[len(b.Changes)-1].ID
	return b, nil
}

func (f *scan) read(head store.Head, shape Shape) (store.Batch, error) {
	s := f.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.identity != s.identity || f.life != s.life {
		return store.Batch{}, fmt.Errorf("scan: %w", store.ErrSourceReplaced)
	}
	ids := s.accounts.after(f.last)
	if len(ids) == 0 {
		return store.Batch{}, io.EOF
	}
	size := s.opts.BatchSize
	if shape.Max > 0 {
		size = min(size, shape.Max)
	}
	ids = ids[:min(size, len(ids))]
	b := store.Batch{Seq: head.Seq, At: head.At, After: scanPosition(ids[len(ids)-1])}
	for _, id := range ids {
		doc, _ := s.accounts.get(id)
		b.Changes = append(b.Changes, store.Change{ID: id, Op: store.OpUpsert, Seq: head.Seq, Doc: slices.Clone(doc)})
	}
	return b, nil
}

func (f *scan) Close() error {
	f.err = errors.New("the scan is closed")
	return nil
}
