// Package storetest holds the conformance suite that every store.Store must
// pass. Each case is named after what it pins of the contract in package store.
//
// Where the contract leaves room, the suite reads it so:
//   - A position that a stream cannot read, the empty one too, is lost history,
//     said by Stream or by its first Next.
//   - A stream may leave out changes of an account that a later one follows.
//   - A lease is its holder's by name: the same name may take it again, which
//     raises the epoch and fences the one before.
//   - A Touch of a tombstone raises its version.
//   - A Superseded write leaves no new letter and clears none; one to Retry
//     clears none.
//   - The stamp of a tombstone holds nothing but ID, Found, Version and Status.
//   - Load refuses the checkpoint of a newer schema.
//   - A closed store answers with errors, and ends its open streams.
package storetest

import (
	"context"
	"testing"
	"time"

	"botwatch/store"
)

// patience is how long a case waits for what must come.
const patience = time.Minute

// A Harness gives the suite its stores. Functions report errors to t. The
// suite closes every store that it is given. Hooks that are nil leave out the
// cases that need them.
type Harness struct {
	// Open gives a store that is new and empty, and that no other case uses.
	Open func(t *testing.T) store.Store
	// Connect gives another handle on the data of s, as another process has it,
	// or the same one after a restart: s is open or closed.
	Connect func(t *testing.T, s store.Store) store.Store
	// Holds says whether the store can hold an ID as it is; nil: all of them can.
	Holds func(id store.ID) bool

	// LoseHistory makes the source forget the changes so far, of which there is
	// one at least: streams from a position before the last one are lost.
	LoseHistory func(t *testing.T, s store.Store)
	// ReplaceAccounts drops the accounts and makes an empty place for new ones.
	ReplaceAccounts func(t *testing.T, s store.Store)
	// Backup remembers the accounts as they are, for restore to bring back.
	Backup func(t *testing.T, s store.Store) (restore func())
	// ExpireLease makes the lease run out, as if its holder had died long ago.
	ExpireLease func(t *testing.T, s store.Store)

	// Clock is the finest time that the store keeps in predictions, letters and
	// checkpoints, a microsecond or a multiple of it; 0 means a microsecond. What is
	// finer must be cut off, towards the past.
	Clock time.Duration
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"ids", idCases},
		{"stream", streamCases},
		{"source", sourceCases},
		{"scan", scanCases},
		{"fetch", fetchCases},
		{"fence", fenceCases},
		{"sink", sinkCases},
		{"letters", letterCases},
		{"lease", leaseCases},
		{"checkpoint", checkpointCases},
		{"desk", deskCases},
		{"reader", readerCases},
		{"life", lifeCases},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) { c.run(newEnv(t, h)) })
			}
		})
	}
}

type testCase struct {
	name string
	run  func(*env)
}

// env is what a case works with: a fresh store, and calls that must succeed.
type env struct {
	*testing.T
	h   Harness
	s   store.Store
	ctx context.Context
}

func newEnv(t *testing.T, h Harness) *env {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	e := &env{T: t, h: h, ctx: ctx}
	e.s = e.closing(h.Open(t))
	return e
}

// closing closes a store with the case.
func (e *env) closing(s store.Store) store.Store {
	e.Cleanup(func() {
		if err := s.Close(); err != nil {
			e.Errorf("Close: %v", err)
		}
	})
	return s
}

// connect gives a second handle.
func (e *env) connect() store.Store {
	e.Helper()
	return e.closing(e.h.Connect(e.T, e.s))
}

// restart closes the store and goes on with another handle.
func (e *env) restart() {
	e.Helper()
	if err := e.s.Close(); err != nil {
		e.Fatalf("Close: %v", err)
	}
	e.s = e.connect()
}

// must ends the case on an error.
func (e *env) must(what string, err error) {
	e.Helper()
	if err != nil {
		e.Fatalf("%s: %v", what, err)
	}
}

// head reads the head.
func (e *env) head() store.Head {
	e.Helper()
	h, err := e.s.Head(e.ctx)
	e.must("Head", err)
	return h
}

// put stores accounts, each under the name that its id and the version make.
func (e *env) put(version int, ids ...store.ID) {
	e.Helper()
	accounts := make([]store.Account, len(ids))
	for i, id := range ids {
		accounts[i] = store.Account{ID: id, Doc: Doc(nameOf(id, version), crawled(version))}
	}
	e.must("PutAccounts", e.s.PutAccounts(e.ctx, accounts))
}

func (e *env) delete(ids ...store.ID) {
	e.Helper()
	e.must("DeleteAccounts", e.s.DeleteAccounts(e.ctx, ids))
}

// write does one write.
func (e *env) write(w store.Write) store.Outcome {
	e.Helper()
	outcomes, err := e.s.Write(e.ctx, []store.Write{w})
	e.must("Write", err)
	if len(outcomes) != 1 {
		e.Fatalf("Write: %d outcomes for one write", len(outcomes))
	}
	return outcomes[0]
}

// written does one write that must be written.
func (e *env) written(w store.Write) {
	e.Helper()
	if o := e.write(w); o.Result != store.Written {
		e.Fatalf("Write of %v: %v (%v), want written", w.ID, o.Result, o.Err)
	}
}

// stamps looks up one stamp for each id.
func (e *env) stamps(ids ...store.ID) []store.Stamp {
	e.Helper()
	stamps, err := e.s.Stamps(e.ctx, ids)
	e.must("Stamps", err)
	if len(stamps) != len(ids) {
		e.Fatalf("Stamps: %d for %d ids", len(stamps), len(ids))
	}
	return stamps
}

// prediction reads a document; nil where there is none.
func (e *env) prediction(id store.ID) *store.Prediction {
	e.Helper()
	list, err := e.s.Predictions(e.ctx, []store.ID{id})
	e.must("Predictions", err)
	switch len(list) {
	case 0:
		return nil
	case 1:
		return &list[0]
	}
	e.Fatalf("Predictions: %d for one id", len(list))
	return nil
}

// letter reads a letter; nil where there is none.
func (e *env) letter(id store.ID) *store.Letter {
	e.Helper()
	list, err := e.s.GetLetters(e.ctx, []store.ID{id})
	e.must("GetLetters", err)
	switch len(list) {
	case 0:
		return nil
	case 1:
		return &list[0]
	}
	e.Fatalf("GetLetters: %d for one id", len(list))
	return nil
}
