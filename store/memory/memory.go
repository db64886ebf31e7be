// Package memory is a store that lives in memory and fails on demand, for
// tests of what is built on a store. It keeps the contract of package store to
// the letter; [Faults] add what a real store does on its bad days, and the
// methods that store.Store does not have (LoseHistory, Replace, Restore,
// Expire, …) do what only operators and disasters do.
//
// It starts no goroutine and waits on channels and timers alone, so that it
// works under testing/synctest: make the store inside the bubble.
package memory

import (
	"context"
	"errors"
	"sync"
	"time"

	"botwatch/store"
)

var _ store.Store = (*Store)(nil)

// errClosed answers calls on a closed handle.
var errClosed = errors.New("the memory store is closed")

// Options set up a store. The zero Options are ready for use.
type Options struct {
	// Now is the store's clock; time.Now where nil, which is synctest's in a bubble.
	Now func() time.Time
	// LeaseTTL is how long a lease lasts without Renew; 30 s where 0.
	LeaseTTL time.Duration
	// Heartbeat is how long an idle stream waits; 500 ms where 0.
	Heartbeat time.Duration
	// BatchSize is the greatest number of changes in a batch; 100 where 0.
	BatchSize int
	// DocsAtEvent makes streams deliver each document as it was at its change,
	// as an insert of MongoDB does. Else they look it up when they deliver, as an
	// update does: it may be newer than the change, or gone.
	DocsAtEvent bool
	// OneSeqPerCall gives all accounts of one PutAccounts or DeleteAccounts the
	// same sequence number, as a transaction of MongoDB may.
	OneSeqPerCall bool
}

// Store is one handle on a memory store. Safe for concurrent use, the hooks of
// its Faults as well as they are themselves.
type Store struct {
	*data
	closed    chan struct{}
	closeOnce sync.Once

	faultMu sync.Mutex
	faults  Faults
	calls   map[Op]int
}

// data is what all handles share.
type data struct {
	opts Options

	mu      sync.Mutex // held briefly, and never while a hook runs
	changed chan struct{}

	source
	places      int // identities ever
	accounts    index[[]byte]
	predictions index[*store.Prediction] // never modified in place
	letters     index[store.Letter]

	lease      lease
	checkpoint []byte // JSON; nil where there is none
	requests   []store.Request
	filed      int // requests ever
	status     []byte

	statusEpoch int64 // of who published it

	applied []Applied
	saves   []Saved
}

// New makes an empty store.
func New(opts Options) *Store {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.LeaseTTL == 0 {
		opts.LeaseTTL = 30 * time.Second
	}
	if opts.Heartbeat == 0 {
		opts.Heartbeat = 500 * time.Millisecond
	}
	if opts.BatchSize == 0 {
		opts.BatchSize = 100
	}
	d := &data{opts: opts, changed: make(chan struct{})}
	d.replace()
	return d.handle()
}

func (d *data) handle() *Store {
	return &Store{data: d, closed: make(chan struct{}), calls: make(map[Op]int)}
}

// Connect gives another handle on the same data, without faults, as another
// process or a restarted one has it. It works on a closed handle too.
func (s *Store) Connect() *Store { return s.handle() }

// Close closes this handle: its calls fail from now on, and its feeds wake up.
// It is idempotent.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { close(s.closed) })
	return nil
}

// Check finds nothing to complain of.
func (s *Store) Check(ctx context.Context) ([]store.Finding, error) {
	err := s.do(ctx, Call{Op: OpCheck}, func() error { return nil })
	if err != nil {
		return nil, err
	}
	return []store.Finding{{Level: store.LevelOK, Subject: "store", Message: "kept in memory, for tests"}}, nil
}

// locked runs f with the data locked.
func (d *data) locked(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}
