package storetest

import (
	"errors"

	"botwatch/store"
)

var sourceCases = []testCase{
	{"a position that nobody can read is lost history", func(e *env) {
		e.put(1, store.StringID("a"))
		for _, from := range []store.Position{nil, store.Position("garbage"), {0}} {
			if err := e.streamError(e.s, from); !errors.Is(err, store.ErrHistoryLost) {
				e.Errorf("position %q: %v, want ErrHistoryLost", from, err)
			}
		}
	}},
	{"lost history is told, and a new head goes on", func(e *env) {
		if e.h.LoseHistory == nil {
			e.Skip("the harness cannot lose history")
		}
		head := e.head()
		e.put(1, store.StringID("a"), store.StringID("b"))
		e.h.LoseHistory(e.T, e.s)
		if err := e.streamError(e.s, head.Position); !errors.Is(err, store.ErrHistoryLost) {
			e.Errorf("Stream: %v, want ErrHistoryLost", err)
		}
		now := e.head()
		if now.Identity != head.Identity || now.Seq < head.Seq {
			e.Errorf("head: %s at %d, want %s at %d or later", now.Identity, now.Seq, head.Identity, head.Seq)
		}
		c := store.StringID("c")
		e.put(1, c)
		e.sameIDs("Stream", idsOf(e.follow(now.Position, 1)), []store.ID{c})
	}},
	{"replaced accounts are told, by streams and by the identity", func(e *env) {
		if e.h.ReplaceAccounts == nil {
			e.Skip("the harness cannot replace the accounts")
		}
		e.put(1, store.StringID("a"))
		head := e.head()
		open := e.open(head.Position)
		e.h.ReplaceAccounts(e.T, e.s)
		for i := 0; ; i++ {
			b, err := open.feed.Next(e.ctx)
			if errors.Is(err, store.ErrSourceReplaced) {
				break
			}
			e.must("Next", err)
			if i > 10 && len(b.Changes) == 0 {
				e.Fatal("an open stream beats on, want ErrSourceReplaced")
			}
		}
		b := store.StringID("b")
		now := e.head()
		if now.Identity == head.Identity {
			e.Errorf("the identity is still %q", now.Identity)
		}
		e.put(1, b)
		for range 2 { // also when the new history has become as long as the old one
			if err := e.streamError(e.s, head.Position); !errors.Is(err, store.ErrSourceReplaced) {
				e.Errorf("a new stream: %v, want ErrSourceReplaced", err)
			}
			e.put(2, b)
			e.put(3, b)
		}
		e.sameIDs("Scan", idsOf(e.scan(nil, store.ScanKeys)), []store.ID{b})
		if got := e.follow(now.Position, 1)[0]; got.ID != b {
			e.Errorf("Stream from the new head: %v, want %v", got.ID, b)
		}
	}},
	{"a restore shows in the head", func(e *env) {
		if e.h.Backup == nil {
			e.Skip("the harness cannot restore")
		}
		a, b := store.StringID("a"), store.StringID("b")
		e.put(1, a)
		restore := e.h.Backup(e.T, e.s)
		e.put(1, b)
		before := e.head()
		restore()
		if now := e.head(); now.Identity == before.Identity && now.Seq >= before.Seq {
			e.Errorf("%s at %d, as before the restore", now.Identity, now.Seq)
		}
		e.sameIDs("Scan", idsOf(e.scan(nil, store.ScanKeys)), []store.ID{a})
	}},
	{"the identity and the head outlast a restart", func(e *env) {
		e.put(1, store.StringID("a"))
		before := e.head()
		e.restart()
		if now := e.head(); now.Identity != before.Identity || now.Seq < before.Seq {
			e.Errorf("head: %s at %d, want %s at %d or later", now.Identity, now.Seq, before.Identity, before.Seq)
		}
		e.put(1, store.StringID("b"))
		e.sameIDs("Stream", idsOf(e.follow(before.Position, 1)), []store.ID{store.StringID("b")})
	}},
}

// streamError gives the error of a stream, from opening it or from its first
// batch.
func (e *env) streamError(s store.Store, from store.Position) error {
	e.Helper()
	feed, err := s.Stream(e.ctx, from)
	if err != nil {
		return err
	}
	defer e.closeFeed(feed)
	_, err = feed.Next(e.ctx)
	return err
}
