package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"botwatch/store"
)

var streamCases = []testCase{
	{"a head sees in the stream what comes after it", func(e *env) {
		e.put(1, store.StringID("before"))
		head := e.head()
		after := store.StringID("after")
		e.put(1, after)
		changes := e.follow(head.Position, 1)
		e.sameIDs("Stream", idsOf(changes), []store.ID{after})
		if changes[0].Seq <= head.Seq {
			e.Errorf("seq %d, not above that of the head before, %d", changes[0].Seq, head.Seq)
		}
		if now := e.head(); changes[0].Seq > now.Seq {
			e.Errorf("seq %d, above that of the head after, %d", changes[0].Seq, now.Seq)
		}
	}},
	{"positions resume exactly", func(e *env) {
		t := e.open(e.head().Position)
		var got [][]store.ID // after each position, the ids until the next
		at := []store.Position{t.at}
		for i := range 8 {
			ids := numbered(fmt.Sprintf("%d-", i), 3)
			e.put(1, ids...)
			for seen := 0; seen < len(ids); {
				b := t.next()
				seen += len(b.Changes)
				got, at = append(got, idsOf(b.Changes)), append(at, b.After)
			}
		}
		for i, from := range at {
			var want []store.ID
			for _, ids := range got[i:] {
				want = append(want, ids...)
			}
			e.sameIDs(fmt.Sprintf("after %d batches", i), idsOf(e.follow(from, len(want))), want)
		}
	}},
	{"a long backlog comes whole, and resumes exactly", func(e *env) {
		head := e.head()
		ids := numbered("", many)
		e.put(1, ids...)
		t := e.open(head.Position)
		for seen := []store.ID(nil); len(seen) < many; {
			b := t.next()
			seen = append(seen, idsOf(b.Changes)...)
			rest := without(ids, seen)
			e.sameIDs(fmt.Sprintf("after %d changes", len(seen)), idsOf(e.follow(b.After, len(rest))), rest)
		}
	}},
	{"keeps order for each account", func(e *env) {
		head := e.head()
		a, b, gone := store.StringID("a"), store.StringID("b"), store.StringID("gone")
		for i := range 5 {
			e.put(i, a, gone)
			e.put(i, b)
		}
		e.delete(gone)
		e.put(9, a)
		last := make(map[store.ID]store.Change)
		for _, c := range e.followUntil(head.Position, func(all []store.Change) bool {
			return all[len(all)-1].ID == a && e.isVersion(all, 9)
		}) {
			if c.Seq < last[c.ID].Seq {
				e.Errorf("%v: seq %d after %d", c.ID, c.Seq, last[c.ID].Seq)
			}
			last[c.ID] = c
		}
		got := map[string]string{}
		for id, c := range last {
			got[id.String()] = c.Op.String()
			if c.Op == store.OpUpsert {
				got[id.String()], _ = e.read(c.Doc)
			}
		}
		want := map[string]string{"a": nameOf(a, 9), "b": nameOf(b, 4), "gone": "delete"}
		if diff := differ(want, got); diff != "" {
			e.Errorf("last change of each account (-want +got):\n%s", diff)
		}
	}},
	{"beats at least once a second", func(e *env) {
		t := e.open(e.head().Position)
		var batch store.Batch
		quickest := patience // of three, since the machine may be busy
		for i := range 3 {
			began := time.Now()
			b := t.next()
			if len(b.Changes) != 0 {
				e.Fatalf("changes of nothing: %v", idsOf(b.Changes))
			}
			quickest = min(quickest, time.Since(began))
			if b.At.Before(batch.At) {
				e.Errorf("heartbeat %d is of %v, the one before of %v", i, b.At, batch.At)
			}
			batch = b
		}
		if quickest > 1200*time.Millisecond {
			e.Errorf("the quickest of three heartbeats took %v", quickest)
		}
		id := store.StringID("a")
		e.put(1, id)
		e.sameIDs("after a heartbeat", idsOf(e.follow(batch.After, 1)), []store.ID{id})
	}},
	{"wakes for a change", func(e *env) {
		t := e.open(e.head().Position)
		t.next()
		id := store.StringID("a")
		put := make(chan error, 1)
		go func() {
			put <- e.s.PutAccounts(e.ctx, []store.Account{{ID: id, Doc: Doc("a", crawled(1))}})
		}()
		e.sameIDs("Stream", idsOf(t.take(1)), []store.ID{id})
		e.must("PutAccounts", <-put)
	}},
	{"sees what another handle changes", func(e *env) {
		other := e.connect()
		t := e.open(e.head().Position)
		id := store.StringID("a")
		e.must("PutAccounts", other.PutAccounts(e.ctx, []store.Account{{ID: id, Doc: Doc(nameOf(id, 1), crawled(1))}}))
		e.sameIDs("Stream", idsOf(t.take(1)), []store.ID{id})
	}},
	{"an upsert may find its account gone, and the delete follows", func(e *env) {
		head := e.head()
		id := store.StringID("a")
		e.put(1, id)
		e.delete(id)
		changes := e.followUntil(head.Position, func(all []store.Change) bool { return all[len(all)-1].Op == store.OpDelete })
		for _, c := range changes {
			if c.Err != nil || c.ID != id {
				e.Errorf("%v: %v (%v)", c.ID, c.Op, c.Err)
			}
		}
	}},
	{"a delete and a new insert end with the insert", func(e *env) {
		id := store.StringID("a")
		e.put(1, id)
		head := e.head()
		e.delete(id)
		deleted := e.head()
		e.put(2, id)
		changes := e.followUntil(head.Position, func(all []store.Change) bool {
			return e.isVersion(all, 2) && all[len(all)-1].Seq > deleted.Seq
		})
		if c := changes[len(changes)-1]; c.Op != store.OpUpsert {
			e.Errorf("last: %v", c.Op)
		}
	}},
	{"deleting what is not there is no change", func(e *env) {
		head := e.head()
		id := store.StringID("a")
		e.delete(store.StringID("none"))
		e.put(1, id)
		e.sameIDs("Stream", idsOf(e.follow(head.Position, 1)), []store.ID{id})
	}},
	{"a blocked Next ends with its context", func(e *env) {
		feed, err := e.s.Stream(e.ctx, e.head().Position)
		e.must("Stream", err)
		defer e.closeFeed(feed)
		ctx, cancel := context.WithCancel(e.ctx)
		defer cancel()
		_, err = feed.Next(ctx)
		e.must("Next", err)
		ended := make(chan error, 1)
		go func() {
			for {
				if _, err := feed.Next(ctx); err != nil {
					ended <- err
					return
				}
			}
		}()
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				e.Errorf("Next: %v, want context.Canceled", err)
			}
		case <-time.After(patience / 4):
			e.Fatal("Next is still blocked")
		}
	}},
}

// isVersion says whether the newest change carries that version's document.
func (e *env) isVersion(all []store.Change, version int) bool {
	c := all[len(all)-1]
	if c.Op != store.OpUpsert || c.Doc == nil {
		return false
	}
	name, _ := e.read(c.Doc)
	return name == nameOf(c.ID, version)
}

// tail is an open stream, whose promises are checked as it goes.
type tail struct {
	*env
	feed store.Feed
	at   store.Position
	seq  uint64
}

// open opens a stream, which the case's end closes.
func (e *env) open(from store.Position) *tail {
	e.Helper()
	feed, err := e.s.Stream(e.ctx, from)
	e.must("Stream", err)
	e.Cleanup(func() { e.closeFeed(feed) })
	return &tail{env: e, feed: feed, at: from}
}

func (t *tail) next() store.Batch {
	t.Helper()
	b, err := t.feed.Next(t.ctx)
	t.must("Stream: Next", err)
	if len(b.After) == 0 {
		t.Fatal("Stream: a batch without a position")
	}
	if b.Seq < t.seq {
		t.Errorf("Stream: a batch up to seq %d after one up to %d", b.Seq, t.seq)
	}
	for _, c := range b.Changes {
		if c.Seq < t.seq || c.Seq > b.Seq {
			t.Errorf("Stream: %v has seq %d in a batch from %d up to %d", c.ID, c.Seq, t.seq, b.Seq)
		}
		if c.Op == store.OpDelete && c.Doc != nil {
			t.Errorf("Stream: a delete of %v with a document", c.ID)
		}
	}
	t.at, t.seq = b.After, b.Seq
	return b
}

// take reads n changes at least.
func (t *tail) take(n int) (all []store.Change) {
	t.Helper()
	for len(all) < n {
		all = append(all, t.next().Changes...)
	}
	return all
}

// follow reads from a position until n changes came; for n = 0, one batch.
func (e *env) follow(from store.Position, n int) []store.Change {
	e.Helper()
	t := e.open(from)
	if n == 0 {
		return t.next().Changes
	}
	return t.take(n)
}

// followUntil reads from a position until done says so of all changes so far.
func (e *env) followUntil(from store.Position, done func([]store.Change) bool) (all []store.Change) {
	e.Helper()
	t := e.open(from)
	for len(all) == 0 || !done(all) {
		all = append(all, t.take(1)...)
	}
	return all
}
