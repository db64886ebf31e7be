package mongo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/store"
)

const (
	// scanDocs and scanKeys bound a batch in accounts. A reply of the server bounds
	// it in bytes: to 16 MiB.
	scanDocs = 500
	scanKeys = 2000
	// identityEvery is how often a scan looks whether the collection is the same.
	identityEvery = 5 * time.Second
)

// Scan walks the accounts by _id, across types, in the order of the _id index.
// Each batch is a find of its own, after the time that the one before saw.
func (s *Store) Scan(ctx context.Context, from store.Position, mode store.ScanMode) (store.Feed, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	last, err := scanPlace(from)
	if err != nil {
		return nil, err
	}
	return &scan{s: s, mode: mode, last: last}, nil
}

const scanMark = 's'

func scanPosition(id store.ID) store.Position { return append(store.Position{scanMark}, id...) }

func scanPlace(p store.Position) (store.ID, error) {
	if len(p) == 0 {
		return "", nil
	}
	if p[0] != scanMark {
		return "", fmt.Errorf("read position %x: it is of no scan", []byte(p))
	}
	return store.ID(p[1:]), nil
}

type scan struct {
	s        *Store
	mode     store.ScanMode
	last     store.ID
	identity string
	looked   time.Time // at the identity
	ahead    chan read // the batch that is read ahead; nil for none
	cancel   context.CancelFunc
	err      error
}

// read is what a find gave.
type read struct {
	page page
	head store.Head // from before it
	err  error
}

// Next gives the next accounts, and io.EOF after the last.
func (f *scan) Next(ctx context.Context) (store.Batch, error) {
	if f.err != nil {
		return store.Batch{}, f.err
	}
	b, err := f.next(ctx)
	if err == nil || ctx.Err() != nil {
		if err != nil {
			err = fmt.Errorf("read scan: %w", ctx.Err())
		}
		return b, err
	}
	if f.err = err; err != io.EOF {
		f.err = fmt.Errorf("read scan: %w", err)
	}
	return store.Batch{}, f.err
}

func (f *scan) next(ctx context.Context) (store.Batch, error) {
	if err := ctx.Err(); err != nil {
		return store.Batch{}, err
	}
	r, err := f.take(ctx)
	if err != nil {
		return store.Batch{}, err
	}
	b := store.Batch{Seq: r.head.Seq, At: r.head.At}
	if err := f.add(&b, r.page.docs); err != nil {
		return b, err
	}
	if len(b.Changes) == 0 && len(r.page.docs) > 0 {
		// A reply may have no room for more than the one that is known.
		r = f.find(ctx, r.head, f.last, true)
		if r.err != nil {
			return b, r.err
		}
		if err := f.add(&b, r.page.docs); err != nil {
			return b, err
		}
	}
	end := len(b.Changes) == 0
	if end || time.Since(f.looked) > identityEvery {
		if err := f.same(ctx); err != nil {
			return b, err
		}
	}
	if end {
		return b, io.EOF
	}
	f.last = b.Changes[len(b.Changes)-1].ID
	b.After = scanPosition(f.last)
	f.fetchAhead(ctx, r)
	return b, nil
}

// add adds accounts to a batch, but for the one where the last batch ended.
func (f *scan) add(b *store.Batch, docs []bson.Raw) error {
	for _, doc := range docs {
		ch, err := change(doc, f.mode, b.Seq)
		if err != nil {
			return err
		}
		if ch.ID != f.last {
			b.Changes = append(b.Changes, ch)
		}
	}
	return nil
}

// change makes a change of an account as a find gives it.
func change(doc bson.Raw, mode store.ScanMode, seq uint64) (store.Change, error) {
	id, err := doc.LookupErr("_id")
	if err != nil {
		return store.Change{}, err
	}
	ch := store.Change{Op: store.OpUpsert, Seq: seq}
	if ch.ID, err = toID(id); err != nil {
		return ch, err
	}
	ch.Key = keyOf(id, ch.ID)
	if mode == store.ScanKeys {
		at, _ := crawledAt(doc)
		ch.CrawledAt = storedMicros(at) // as the stamp has it
	} else {
		ch.Doc = doc
	}
	return ch, nil
}

// same looks whether the collection is that of the scan's beginning.
func (f *scan) same(ctx context.Context) error {
	identity, err := f.s.identity(ctx)
	if err != nil {
		return err
	}
	f.looked = time.Now()
	if identity != f.identity {
		return fmt.Errorf("the accounts were %q and are %q: %w", f.identity, identity, store.ErrSourceReplaced)
	}
	return nil
}

// take gives the batch that was read ahead, or reads one.
func (f *scan) take(ctx context.Context) (read, error) {
	if f.ahead != nil {
		select {
		case r := <-f.ahead:
			f.ahead = nil
			f.cancel()
			return r, r.err
		case <-ctx.Done():
			return read{}, ctx.Err()
		}
	}
	head, err := f.s.head(ctx)
	if err != nil {
		return read{}, err
	}
	if f.identity == "" {
		f.identity, f.looked = head.Identity, time.Now()
	}
	r := f.find(ctx, head, f.last, false)
	return r, r.err
}

// fetchAhead reads the next batch while this one is worked on.
func (f *scan) fetchAhead(ctx context.Context, r read) {
	head := r.head
	head.At = f.s.opts.Now()
	if seq := sequence(r.page.at); seq > head.Seq {
		head.Seq = seq
	} else if !f.s.info.streams() {
		return // each batch has a number of its own
	}
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx)) // it outlives this call of Next
	f.ahead = make(chan read, 1)
	go func(ahead chan<- read, last store.ID) { ahead <- f.find(ctx, head, last, false) }(f.ahead, f.last)
}

// find reads accounts from an _id on, that one included, or beyond it.
func (f *scan) find(ctx context.Context, head store.Head, last store.ID, beyond bool) read {
	limit, fields := scanDocs, append(bson.D{{Key: "_id", Value: 1}}, neededFields("$")...)
	if f.mode == store.ScanKeys {
		limit, fields = scanKeys, bson.D{{Key: "crawled_at", Value: 1}}
	}
	cmd := bson.D{
		{Key: "find", Value: f.s.opts.Names.Accounts}, {Key: "sort", Value: bson.D{{Key: "_id", Value: 1}}},
		{Key: "hint", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "projection", Value: fields},
		{Key: "limit", Value: limit + 1}, {Key: "singleBatch", Value: true},
	}
	if last != "" {
		v, err := rawID(last)
		if err != nil {
			return read{err: err}
		}
		cmd = append(cmd, bson.E{Key: "min", Value: bson.D{{Key: "_id", Value: v}}})
		if beyond { // $ne has meanings of its own for some types
			other := bson.D{{Key: "$ne", Value: bson.A{"$_id", bson.D{{Key: "$literal", Value: v}}}}}
			cmd = append(cmd, bson.E{Key: "filter", Value: bson.D{{Key: "$expr", Value: other}}})
		}
	}
	p, err := f.s.find(ctx, f.s.scans, timestamp(head.Seq), cmd)
	return read{p, head, err}
}

// Close ends the scan.
func (f *scan) Close() error {
	if f.ahead != nil {
		f.cancel()
		<-f.ahead
		f.ahead = nil
	}
	f.err = errors.New("the scan is closed")
	return nil
}

// fetchBytes is how many bytes of accounts, and of ids, a Fetch reads, beside the
// last one.
const fetchBytes = 8 << 20

// Fetch reads accounts by _id: first how large each is, then as many as fit.
func (s *Store) Fetch(ctx context.Context, ids []store.ID, mode store.ScanMode) ([]store.Change, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	changes, err := s.fetch(ctx, ids, mode)
	if err != nil {
		return nil, fmt.Errorf("fetch accounts: %w", err)
	}
	return changes, nil
}

func (s *Store) fetch(ctx context.Context, ids []store.ID, mode store.ScanMode) ([]store.Change, error) {
	head, err := s.head(ctx)
	if err != nil {
		return nil, err
	}
	ids = ids[:min(len(ids), scanKeys)]
	for i, bytes := 0, 0; i < len(ids); i++ {
		if bytes += len(ids[i]); bytes > fetchBytes && i > 0 {
			ids = ids[:i]
		}
	}
	fields := bson.D{{Key: "crawled_at", Value: 1}}
	if mode == store.ScanDocs {
		fields = append(fields, bson.E{Key: "size", Value: bson.D{{Key: "$bsonSize", Value: "$$ROOT"}}})
	}
	found, full, err := s.byID(ctx, head, ids, fields)
	for err == nil && full && len(ids) > 1 {
		ids = ids[:len(ids)/2]
		found, full, err = s.byID(ctx, head, ids, fields)
	}
	if err != nil {
		return nil, err
	}
	if mode == store.ScanDocs {
		bytes := int64(0)
		for i, id := range ids {
			if doc, ok := found[id]; ok {
				bytes += doc.Lookup("size").AsInt64()
			}
			if bytes > fetchBytes && i > 0 {
				ids = ids[:i]
				break
			}
		}
		fields = append(bson.D{{Key: "_id", Value: 1}}, neededFields("$")...)
		found, full, err = s.byID(ctx, head, ids, fields)
		for err == nil && full && len(ids) > 1 { // they grew meanwhile
			ids = ids[:len(ids)/2]
			found, full, err = s.byID(ctx, head, ids, fields)
		}
		if err != nil {
			return nil, err
		}
	}
	changes := make([]store.Change, len(ids))
	for i, id := range ids {
		changes[i] = store.Change{ID: id, Op: store.OpDelete, Seq: head.Seq}
		if doc, ok := found[id]; ok {
			if changes[i], err = change(doc, mode, head.Seq); err != nil {
				return nil, err
			}
		}
	}
	return changes, nil
}

// byID finds accounts by _id, in one reply. full says that it had no room for all.
func (s *Store) byID(ctx context.Context, head store.Head, ids []store.ID, fields bson.D) (found map[store.ID]bson.Raw, full bool, err error) {
	p, err := s.find(ctx, s.scans, timestamp(head.Seq), bson.D{
		{Key: "find", Value: s.opts.Names.Accounts},
		{Key: "filter", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: rawIDs(ids)}}}}},
		{Key: "projection", Value: fields}, {Key: "batchSize", Value: len(ids) + 1},
	})
	if err != nil {
		return nil, false, err
	}
	found = make(map[store.ID]bson.Raw, len(p.docs))
	for _, doc := range p.docs {
		id, err := toID(doc.Lookup("_id"))
		if err != nil {
			return nil, false, err
		}
		found[id] = doc
	}
	return found, p.more, nil
}

// complete reads the accounts of a batch that came without them. Those that are
// gone stay without: their delete follows.
func (s *Store) complete(ctx context.Context, b *store.Batch) error {
	var ids []store.ID
	seen := map[store.ID]bool{}
	for _, c := range b.Changes {
		if c.Op == store.OpUpsert && !seen[c.ID] {
			seen[c.ID] = true
			ids = append(ids, c.ID)
		}
	}
	docs := map[store.ID][]byte{}
	for len(ids) > 0 {
		changes, err := s.Fetch(ctx, ids, store.ScanDocs)
		if err != nil {
			return err
		}
		for _, c := range changes {
			docs[c.ID] = c.Doc
		}
		ids = ids[len(changes):]
	}
	for i := range b.Changes {
		if c := &b.Changes[i]; c.Op == store.OpUpsert {
			c.Doc = docs[c.ID]
		}
	}
	return nil
}
