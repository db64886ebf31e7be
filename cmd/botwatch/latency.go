package main

import (
	"context"
	"hash/maphash"
	"math/bits"
	"sync"
	"time"

	"botwatch/store"
)

// A meter times changes of accounts, each from the moment at which its crawler
// meant to write it, so that a late crawler hides no delay, until a prediction
// that covers it is durable. Safe for concurrent use.
type meter struct {
	now func() time.Time

	mu      sync.Mutex
	pending map[store.ID][]time.Time // intended moments, oldest first
	waiting int
	times   histogram
}

func newMeter(now func() time.Time) *meter {
	return &meter{now: now, pending: make(map[store.ID][]time.Time)}
}

// change notes that an account's change is about to be written.
func (m *meter) change(id store.ID, _ store.Op, intended time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending[id] = append(m.pending[id], intended)
	m.waiting++
}

// forget takes back the newest change of an account: it wrote what was there.
func (m *meter) forget(id store.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch waits := m.pending[id]; len(waits) {
	case 0: // covered by an earlier write
		return
	case 1:
		delete(m.pending, id)
	default:
		m.pending[id] = waits[:len(waits)-1]
	}
	m.waiting--
}

// covered notes that a write which began at began is durable: it speaks for the
// changes of its account that were due by then.
func (m *meter) covered(id store.ID, began, done time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	waits := m.pending[id]
	n := 0
	for n < len(waits) && !waits[n].After(began) {
		m.times.add(done.Sub(waits[n]))
		n++
	}
	m.waiting -= n
	if n == len(waits) {
		delete(m.pending, id)
	} else {
		m.pending[id] = waits[n:]
	}
}

// view gives the times so far, and how many changes still wait.
func (m *meter) view() (times histogram, waiting int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.times, m.waiting
}

// wrap gives a store whose writes the meter sees.
func (m *meter) wrap(s store.Store) store.Store { return &metered{s, m} }

// metered is a store whose writes a meter sees.
type metered struct {
	store.Store
	meter *meter
}

func (s *metered) Write(ctx context.Context, writes []store.Write) ([]store.Outcome, error) {
	began := s.meter.now()
	outcomes, err := s.Store.Write(ctx, writes)
	if err != nil {
		return outcomes, err
	}
	done := s.meter.now()
	for i, o := range outcomes {
		if o.Result == store.Written || o.Result == store.Superseded {
			s.meter.covered(writes[i].ID, began, done)
		}
	}
	return outcomes, nil
}

// unlike is where a crawler writes. An account that comes twice within a second
// may be the same both times, which to MongoDB is no change: the meter forgets it.
type unlike struct {
	store.Accounts
	meter *meter
	seed  maphash.Seed
	last  map[store.ID]uint64 // what was written, by hash
}

func newUnlike(s store.Accounts, m *meter) *unlike {
	return &unlike{Accounts: s, meter: m, seed: maphash.MakeSeed(), last: make(map[store.ID]uint64)}
}

func (u *unlike) PutAccounts(ctx context.Context, accounts []store.Account) error {
	if err := u.Accounts.PutAccounts(ctx, accounts); err != nil {
		return err
	}
	for _, a := range accounts {
		hash := maphash.Bytes(u.seed, a.Doc)
		if last, ok := u.last[a.ID]; ok && last == hash {
			u.meter.forget(a.ID)
		}
		u.last[a.ID] = hash
	}
	return nil
}

func (u *unlike) DeleteAccounts(ctx context.Context, ids []store.ID) error {
	for _, id := range ids {
		delete(u.last, id)
	}
	return u.Accounts.DeleteAccounts(ctx, ids)
}

// A histogram counts durations in buckets that are at most 1/32 wide of what
// they hold. The zero histogram is empty.
type histogram struct {
	counts  [32 * 40]uint32
	n       int
	longest time.Duration
}

// bucket gives the bucket of so many microseconds: exact below 32, and then 32
// for each doubling.
func bucket(us uint64) int {
	if us < 32 {
		return int(us)
	}
	shift := bits.Len64(us) - 6
	return min(32*(shift+1)+int(us>>shift)-32, len(histogram{}.counts)-1)
}

// bound gives the least number of microseconds above a bucket.
func bound(bucket int) uint64 {
	if bucket < 32 {
		return uint64(bucket) + 1
	}
	shift := bucket/32 - 1
	return uint64(bucket%32+33) << shift
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(0, d.Microseconds())))]++
	h.n++
	h.longest = max(h.longest, d)
}

// quantile gives what a share q of all durations, 0 to 1, does not exceed; 0
// where there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank, seen := int(q*float64(h.n)), 0
	for i, n := range h.counts {
		if seen += int(n); seen > rank || seen == h.n && seen > 0 {
			return min(time.Duration(bound(i))*time.Microsecond, h.longest)
		}
	}
	return 0
}
