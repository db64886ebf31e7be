package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"botwatch/store"
)

// many is more accounts than a store puts into one batch of a scan.
const many = 1500

var scanCases = []testCase{
	{"ends at once where there is nothing", func(e *env) {
		e.sameIDs("Scan", idsOf(e.scan(nil, store.ScanDocs)), nil)
	}},
	{"resumes exactly from every position", func(e *env) {
		ids := append(numbered("", many), e.someIDs()...)
		e.put(1, ids...)
		for _, mode := range []store.ScanMode{store.ScanDocs, store.ScanKeys} {
			batches := e.scanBatches(nil, mode, nil)
			e.sameIDs("Scan", batchIDs(batches), ids)
			for i, b := range batches {
				e.sameIDs(fmt.Sprintf("after %d batches", i+1), idsOf(e.scan(b.After, mode)), batchIDs(batches[i+1:]))
			}
		}
	}},
	{"goes on from a position whose account is gone", func(e *env) {
		ids := numbered("", many)
		e.put(1, ids...)
		first := e.scanBatches(nil, store.ScanKeys, nil)[0]
		e.delete(idsOf(first.Changes)...)
		e.sameIDs("Scan", append(idsOf(first.Changes), idsOf(e.scan(first.After, store.ScanKeys))...), ids)
	}},
	{"goes on after a restart", func(e *env) {
		ids := numbered("", many)
		e.put(1, ids...)
		first := e.scanBatches(nil, store.ScanKeys, nil)[0]
		e.restart()
		e.sameIDs("Scan", append(idsOf(first.Changes), idsOf(e.scan(first.After, store.ScanKeys))...), ids)
	}},
	{"sees all that stays, once, whatever comes and goes beside", func(e *env) {
		ids := numbered("stay", many)
		e.put(1, ids...)
		passing := []store.ID{store.StringID("a"), store.StringID("stay0003x"), store.StringID("stay0900x"), store.StringID("z"), store.IntID(5)}
		batches := e.scanBatches(nil, store.ScanDocs, func(batch int) {
			if batch%2 == 0 {
				e.put(1, passing...)
			} else {
				e.delete(passing...)
			}
		})
		e.sameIDs("Scan", without(batchIDs(batches), passing), ids)
	}},
	{"stamps with a head from before the read", func(e *env) {
		head := e.head()
		e.put(1, store.StringID("a"))
		mid := e.head()
		for _, b := range e.scanBatches(nil, store.ScanDocs, nil) {
			if b.Seq < mid.Seq || mid.Seq <= head.Seq {
				e.Errorf("seq %d, want the head's at least: %d after %d", b.Seq, mid.Seq, head.Seq)
			}
		}
		e.put(2, store.StringID("a"))
	}},
	{"is never stamped newer than its content", neverNewer},
	{"ends with its context", func(e *env) {
		e.put(1, store.StringID("a"))
		feed, err := e.s.Scan(e.ctx, nil, store.ScanDocs)
		e.must("Scan", err)
		defer e.closeFeed(feed)
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		if _, err := feed.Next(ctx); !errors.Is(err, context.Canceled) {
			e.Errorf("Next: %v, want context.Canceled", err)
		}
	}},
}

// neverNewer scans beside a writer. Version n of an account is replaced by
// n+1 at the latest at the head that was read after that: content n must be
// stamped below it, or the stream's change n+1 would lose against the scan.
func neverNewer(e *env) {
	ids := numbered("", 300)
	e.put(0, ids...)
	replaced := make(map[string]uint64) // name → a head at or after its replacement
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for v := 1; ; v++ {
			for at := 0; at < len(ids); at += 50 {
				select {
				case <-stop:
					return
				default:
				}
				page := ids[at : at+50]
				accounts := make([]store.Account, len(page))
				for i, id := range page {
					accounts[i] = store.Account{ID: id, Doc: Doc(nameOf(id, v), crawled(v))}
				}
				if err := e.s.PutAccounts(e.ctx, accounts); err != nil {
					e.Errorf("PutAccounts: %v", err)
					return
				}
				head, err := e.s.Head(e.ctx)
				if err != nil {
					e.Errorf("Head: %v", err)
					return
				}
				for _, id := range page {
					replaced[nameOf(id, v-1)] = head.Seq
				}
			}
		}
	})
	type seen struct {
		name string
		seq  uint64
	}
	var content []seen
	scans := func() error {
		for range 20 {
			feed, err := e.s.Scan(e.ctx, nil, store.ScanDocs)
			if err != nil {
				return err
			}
			n := 0
			for {
				b, err := feed.Next(e.ctx)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return errors.Join(err, feed.Close())
				}
				n += len(b.Changes)
				for _, c := range b.Changes {
					name, _ := e.read(c.Doc)
					content = append(content, seen{name, c.Seq})
				}
			}
			if err := feed.Close(); err != nil {
				return err
			}
			if n != len(ids) {
				return fmt.Errorf("%d accounts, want %d", n, len(ids))
			}
		}
		return nil
	}
	err := scans()
	close(stop)
	writer.Wait()
	e.must("Scan", err)
	for _, c := range content {
		if at, found := replaced[c.name]; found && c.seq >= at {
			e.Fatalf("%s, replaced by %d, is stamped %d", c.name, at, c.seq)
		}
	}
}

var fetchCases = []testCase{
	{"answers in the order asked, the gone as deletes", func(e *env) {
		ids := []store.ID{store.StringID("z"), store.StringID("none"), store.IntID(3), store.StringID("a"), store.StringID("gone")}
		e.put(1, ids[0], ids[2], ids[3], ids[4])
		e.delete(ids[4])
		for _, mode := range []store.ScanMode{store.ScanDocs, store.ScanKeys} {
			before := e.head()
			changes, err := e.s.Fetch(e.ctx, ids, mode)
			e.must("Fetch", err)
			after := e.head()
			if len(changes) != len(ids) {
				e.Fatalf("Fetch: %d changes for %d ids", len(changes), len(ids))
			}
			for i, c := range changes {
				op := store.OpUpsert
				if i == 1 || i == 4 {
					op = store.OpDelete
				}
				if c.ID != ids[i] || c.Op != op || c.Err != nil {
					e.Errorf("Fetch[%d]: %v of %v (%v), want %v of %v", i, c.Op, c.ID, c.Err, op, ids[i])
				}
				if c.Seq < before.Seq || c.Seq > after.Seq {
					e.Errorf("Fetch[%d]: seq %d, the head was %d to %d", i, c.Seq, before.Seq, after.Seq)
				}
				if has := c.Doc != nil; has != (op == store.OpUpsert && mode == store.ScanDocs) {
					e.Errorf("Fetch[%d] of mode %d: has a document: %v", i, mode, has)
				}
				if has := c.CrawledAt != 0; has && op == store.OpDelete {
					e.Errorf("Fetch[%d]: a gone account was crawled at %v", i, c.CrawledAt.Time())
				}
			}
		}
	}},
	{"of nothing answers nothing", func(e *env) {
		changes, err := e.s.Fetch(e.ctx, nil, store.ScanDocs)
		e.must("Fetch", err)
		if len(changes) != 0 {
			e.Errorf("Fetch: %d changes", len(changes))
		}
	}},
}

func batchIDs(batches []store.Batch) []store.ID {
	var ids []store.ID
	for _, b := range batches {
		ids = append(ids, idsOf(b.Changes)...)
	}
	return ids
}

// without gives the ids that are not among others.
func without(ids, others []store.ID) []store.ID {
	drop := make(map[store.ID]bool)
	for _, id := range others {
		drop[id] = true
	}
	var kept []store.ID
	for _, id := range ids {
		if !drop[id] {
			kept = append(kept, id)
		}
	}
	return kept
}
