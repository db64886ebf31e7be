package pipeline

import (
	"context"
	"sync"

	"botwatch/store"
)

// item is an account that waits to be classified, or is being classified.
type item struct {
	change  store.Change
	via     string
	rescore bool      // a scan that also rewrites what is too old
	event   bool      // the stream told of it: what is stored must not stay at an older version
	letter  bool      // a dead letter may be there, whatever the stamp says: it goes unless the account is at fault
	tickets []*ticket // of this change and of those that it superseded
}

// How a change was come by, as predictions say it.
const (
	viaStream = "stream"
	viaScan   = "scan"
)

func (i *item) size() int64 { return int64(len(i.change.Doc)) + itemOverhead }

// replaces says whether an item is the newer one of two of one account, of which
// old came first.
func (i *item) replaces(old *item) bool { return i.change.Seq >= old.change.Seq }

// itemOverhead is about what an item costs beside its document, in bytes.
const itemOverhead = 512

// finish counts the item's changes as durable.
func (i *item) finish() {
	for _, k := range i.tickets {
		k.done()
	}
}

// A queue holds items until a lane takes them. It is bounded in items and
// bytes; of one account at most one item waits, the newest, and at most one is
// in flight. Safe for concurrent use.
type queue struct {
	maxItems int
	maxBytes int64

	mu      sync.Mutex
	changed sync.Cond
	ready   []*item            // oldest first
	waiting map[store.ID]*item // in ready, or parked behind the one in flight
	flying  map[store.ID]bool  // true: an item is parked behind it
	items   int
	bytes   int64 // of what waits
	paused  bool
	closed  bool
}

func newQueue(maxItems int, maxBytes int64) *queue {
	q := &queue{maxItems: maxItems, maxBytes: maxBytes, waiting: make(map[store.ID]*item), flying: make(map[store.ID]bool)}
	q.changed.L = &q.mu
	return q
}

// wait blocks until ok holds, which is called under the lock, or ctx ends.
func (q *queue) wait(ctx context.Context, ok func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.changed.Broadcast()
	})
	defer stop()
	for !ok() {
		if err := ctx.Err(); err != nil {
			return err
		}
		q.changed.Wait()
	}
	return nil
}

// push adds an item once there is room; share is the part of the queue that
// items of its kind may fill, 0 to 1. One that waits for the same account is
// superseded by the newer of the two, once there is room for what that adds.
func (q *queue) push(ctx context.Context, it *item, share float64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.wait(ctx, func() bool {
		most := int64(share * float64(q.maxBytes))
		if old := q.waiting[it.change.ID]; old != nil {
			more := it.size() - old.size()
			return more <= 0 || q.items == 1 || !it.replaces(old) || q.bytes+more <= most
		}
		return q.items == 0 || float64(q.items) < share*float64(q.maxItems) && q.bytes+it.size() <= most
	})
	if err != nil {
		return err
	}
	if old := q.waiting[it.change.ID]; old != nil {
		q.merge(old, it)
		return nil
	}
	q.waiting[it.change.ID] = it
	q.items++
	q.bytes += it.size()
	if _, ok := q.flying[it.change.ID]; ok {
		q.flying[it.change.ID] = true
		return nil
	}
	q.ready = append(q.ready, it)
	q.changed.Broadcast()
	return nil
}

// merge lets the newer of two items of one account go on with both's tickets.
func (q *queue) merge(old, it *item) {
	q.bytes -= old.size()
	if it.replaces(old) {
		old.change, old.via = it.change, it.via
	}
	old.rescore, old.event, old.letter = old.rescore || it.rescore, old.event || it.event, old.letter || it.letter
	old.tickets = append(old.tickets, it.tickets...)
	q.bytes += old.size()
}

// take waits for items and gives at most n of them, of at most about so many
// bytes; none once the queue is closed, and empty or paused.
func (q *queue) take(ctx context.Context, n int, bytes int64) ([]*item, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.wait(ctx, func() bool { return !q.paused && len(q.ready) > 0 || q.closed && (q.paused || q.items == 0) })
	if err != nil || q.paused {
		return nil, err
	}
	var taken []*item
	for len(taken) < n && len(q.ready) > 0 && (len(taken) == 0 || bytes >= q.ready[0].size()) {
		it := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		delete(q.waiting, it.change.ID)
		q.flying[it.change.ID] = false
		q.items--
		q.bytes -= it.size()
		bytes -= it.size()
		taken = append(taken, it)
	}
	q.changed.Broadcast()
	return taken, nil
}

// land ends an item's flight: what was parked behind it becomes ready.
func (q *queue) land(items []*item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range items {
		if q.flying[it.change.ID] {
			q.ready = append(q.ready, q.waiting[it.change.ID])
		}
		delete(q.flying, it.change.ID)
	}
	q.changed.Broadcast()
}

// pause keeps take from giving anything until resume.
func (q *queue) pause(on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = on
	q.changed.Broadcast()
}

// waitOpen waits while the queue is paused. It answers false where the queue
// was closed meanwhile: what is in flight is to be given up.
func (q *queue) waitOpen(ctx context.Context) (bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.wait(ctx, func() bool { return !q.paused || q.closed })
	return !q.paused, err
}

// close lets take end once everything is taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// load gives the number and the bytes of what waits, and the number in flight.
func (q *queue) load() (items int, bytes int64, flying int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.items, q.bytes, len(q.flying)
}
