package mongo

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"botwatch/classifier"
	"botwatch/classifier/model"
	"botwatch/integration/mongotest"
	"botwatch/pipeline"
	"botwatch/simulate"
	"botwatch/store"
)

// These benchmarks measure the pipeline on this store beside the bare driver, in
// turns, each pass over all accounts: "of-bare" is botwatch's rate as a share of
// the driver's, so that a noisy machine is noisy for both. The driver gets what
// the pipeline has: reading goes on while two others write, 256 at a time.
//
// The server is the one that BOTWATCH_TEST_MONGODB_URI names, else mongotest in
// this process, which then shares its memory and its garbage collector.

// The numbers of accounts of a pass.
const (
	benchScanned  = 4000  // of 20 tweets, about 9 kB
	benchStreamed = 10000 // of 4 tweets, about 1 KB as events
)

// bench is a store in a database of its own.
type bench struct {
	*testing.B
	s     *Store
	m     *classifier.Model
	epoch int64
}

func newBench(b *testing.B) *bench {
	b.Helper()
	uri := os.Getenv("BOTWATCH_TEST_MONGODB_URI")
	if uri == "" {
		uri = mongotest.Start(b, mongotest.Options{}).URI()
	}
	scheme, rest, _ := strings.Cut(uri, "://")
	rest, params, asked := strings.Cut(rest, "?")
	hosts, _, _ := strings.Cut(rest, "/")
	uri = fmt.Sprintf("%s://%s/botwatch_bench_%d", scheme, hosts, time.Now().UnixNano())
	if asked {
		uri += "?" + params
	}
	spec, err := model.Default()
	if err != nil {
		b.Fatal(err)
	}
	m, err := classifier.NewModel(spec)
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(b.Context(), Options{URI: uri})
	if err != nil {
		b.Fatal(err)
	}
	t := &bench{B: b, s: s, m: m}
	b.Cleanup(func() {
		if err := s.source.Drop(context.Background()); err != nil {
			b.Error(err)
		}
		s.Close()
	})
	if t.epoch, err = s.Acquire(b.Context(), "bench"); err != nil {
		b.Fatal(err)
	}
	return t
}

func (t *bench) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put inserts or replaces n accounts of so many tweets.
func (t *bench) put(n, tweets int) {
	t.Helper()
	g := simulate.Generator{Seed: 1, Tweets: tweets, Lean: true}
	var batch []store.Account
	now := time.Now()
	for i := range n {
		doc := g.Account(i, 0, now)
		batch = append(batch, store.Account{ID: store.StringID(doc.ID), Doc: doc.JSON})
		if len(batch) == 256 || i == n-1 {
			t.must(t.s.PutAccounts(t.Context(), batch))
			batch = batch[:0]
		}
	}
}

// piped runs work on a pipeline between this source and this sink.
func (t *bench) piped(source store.Source, sink store.Sink, work func(context.Context, *pipeline.Pipeline) error) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	p := pipeline.New(pipeline.Options{Source: source, Sink: sink, Model: t.m, Epoch: t.epoch, Log: log})
	g, ctx := errgroup.WithContext(t.Context())
	g.Go(func() error { return p.Run(ctx) })
	g.Go(func() error {
		defer p.Drain()
		return work(ctx, p)
	})
	t.must(g.Wait())
}

// inTurns times passes of both, and reports.
func (t *bench) inTurns(n int, prepare, botwatch, bare func()) {
	t.Helper()
	var ours, theirs time.Duration
	timed := func(total *time.Duration, pass func()) {
		prepare()
		start := time.Now()
		pass()
		*total += time.Since(start)
	}
	passes := 0
	for t.Loop() {
		timed(&theirs, bare)
		timed(&ours, botwatch)
		passes++
	}
	all := float64(n * passes)
	t.ReportMetric(all/ours.Seconds(), "accounts/s")
	t.ReportMetric(all/theirs.Seconds(), "bare/s")
	t.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-bare")
	t.ReportMetric(0, "ns/op")
}

// clear removes all predictions.
func (t *bench) clear() {
	_, err := t.s.predictions.DeleteMany(t.Context(), bson.D{})
	t.must(err)
}

// stored gives all predictions as documents.
func (t *bench) stored(n int) []bson.Raw {
	t.Helper()
	cur, err := t.s.predictions.Find(t.Context(), bson.D{})
	t.must(err)
	var docs []bson.Raw
	t.must(cur.All(t.Context(), &docs))
	if len(docs) != n {
		t.Fatalf("%d predictions, want %d", len(docs), n)
	}
	return docs
}

// bareScan drains the cursor of a scan, and gives the documents to each.
func (t *bench) bareScan(ctx context.Context, fields bson.D, each func(bson.Raw) error) error {
	cur, err := t.s.accounts.Find(ctx, bson.D{}, options.Find().SetProjection(fields).SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return err
	}
	defer cur.Close(ctx)
	for cur.Next(ctx) {
		if err := each(cur.Current); err != nil {
			return err
		}
	}
	return cur.Err()
}

// bareWrites writes documents as read asks for it, one for each that it reads.
func (t *bench) bareWrites(docs []bson.Raw, stamps bool, read func(ctx context.Context, next func() error) error) {
	t.Helper()
	const batchItems = 256
	g, ctx := errgroup.WithContext(t.Context())
	batches := make(chan []bson.Raw, 2)
	for range 2 {
		g.Go(func() error {
			for batch := range batches {
				if err := t.bareWrite(ctx, batch, stamps); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(batches)
		from, n := 0, 0
		flush := func() error {
			select {
			case batches <- docs[from:n]:
				from = n
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err := read(ctx, func() error {
			if n++; n-from == batchItems {
				return flush()
			}
			return nil
		})
		if err != nil || n == from {
			return err
		}
		return flush()
	})
	t.must(g.Wait())
}

// bareWrite makes the look-up, if asked for, and the bulk of one batch.
func (t *bench) bareWrite(ctx context.Context, docs []bson.Raw, stamps bool) error {
	if stamps {
		ids := make(bson.A, len(docs))
		for i, doc := range docs {
			ids[i] = doc.Lookup("_id")
		}
		cur, err := t.s.predictions.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, options.Find().SetProjection(stampProjection()))
		if err != nil {
			return err
		}
		for cur.Next(ctx) {
		}
		if err := cur.Err(); err != nil {
			return err
		}
	}
	models := make([]mongo.WriteModel, len(docs))
	for i, doc := range docs {
		models[i] = mongo.NewReplaceOneModel().SetFilter(fence(doc.Lookup("_id"), store.Version{Epoch: t.epoch, Seq: 1 << 62})).SetReplacement(doc).SetUpsert(true)
	}
	_, err := t.s.predictions.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	return err
}

// BenchmarkBackfill scans all accounts: by fingerprint (docs), and by crawled_at
// (keys). The driver drains the same projected cursor, and where everything is to
// be written, writes the same predictions.
func BenchmarkBackfill(b *testing.B) {
	keys := bson.D{{Key: "crawled_at", Value: 1}}
	docs := append(bson.D{{Key: "_id", Value: 1}}, neededFields("$")...)
	for _, mode := range []struct {
		name   string
		fields bson.D
		keys   bool
	}{{"docs", docs, false}, {"keys", keys, true}} {
		scan := func(t *bench) {
			t.piped(t.s, t.s, func(ctx context.Context, p *pipeline.Pipeline) error {
				_, err := p.Scan(ctx, pipeline.Scan{Keys: mode.keys})
				return err
			})
		}
		b.Run(mode.name+"/nothing to write", func(b *testing.B) {
			t := newBench(b)
			t.put(benchScanned, 20)
			scan(t)
			t.stored(benchScanned)
			t.inTurns(benchScanned, func() {}, func() { scan(t) }, func() {
				t.must(t.bareScan(t.Context(), mode.fields, func(bson.Raw) error { return nil }))
			})
		})
		if mode.keys {
			continue // it reads the accounts by _id then: no drain to compare with
		}
		b.Run(mode.name+"/everything to write", func(b *testing.B) {
			t := newBench(b)
			t.put(benchScanned, 20)
			scan(t)
			predictions := t.stored(benchScanned)
			t.inTurns(benchScanned, t.clear, func() { scan(t) }, func() {
				t.bareWrites(predictions, false, func(ctx context.Context, next func() error) error {
					return t.bareScan(ctx, mode.fields, func(bson.Raw) error { return next() })
				})
			})
		})
	}
}

// BenchmarkStream follows inserts of distinct accounts, events of about 1 KB, that were
// made before: end to end, and botwatch's own cost, from recorded batches to a
// sink that only acknowledges.
func BenchmarkStream(b *testing.B) {
	b.Run("end to end", func(b *testing.B) {
		t := newBench(b)
		head, err := t.s.Head(b.Context())
		t.must(err)
		t.put(benchStreamed, 4)
		end, err := t.s.Head(b.Context())
		t.must(err)
		follow := func() { t.follow(t.s, t.s, head.Position, end.Seq) }
		follow()
		predictions := t.stored(benchStreamed)
		t.inTurns(benchStreamed, t.clear, follow, func() {
			t.bareWrites(predictions, true, func(ctx context.Context, next func() error) error {
				return t.bareStream(ctx, head, next)
			})
		})
	})
	b.Run("own cost", func(b *testing.B) {
		t := newBench(b)
		head, err := t.s.Head(b.Context())
		t.must(err)
		t.put(benchStreamed, 4)
		end, err := t.s.Head(b.Context())
		t.must(err)
		r := t.record(head.Position, end.Seq)
		b.SetBytes(int64(r.bytes))
		b.ReportAllocs()
		for b.Loop() {
			t.follow(r, r, head.Position, end.Seq)
		}
		b.ReportMetric(float64(b.N*benchStreamed)/b.Elapsed().Seconds(), "accounts/s")
		b.ReportMetric(float64(r.bytes)/benchStreamed, "B/account")
	})
}

// follow runs a pipeline until all up to a sequence number is durable.
func (t *bench) follow(source store.Source, sink store.Sink, from store.Position, seq uint64) {
	t.Helper()
	t.piped(source, sink, func(ctx context.Context, p *pipeline.Pipeline) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		st := p.NewStream(pipeline.Mark{Position: from})
		done := make(chan error, 1)
		go func() { done <- st.Run(ctx) }()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			if low, _ := st.Low(); low.Seq >= seq {
				stop()
				<-done
				return nil
			}
			select {
			case err := <-done:
				return err
			case <-tick.C:
			}
		}
	})
}

// bareStream reads the events of a pass.
func (t *bench) bareStream(ctx context.Context, from store.Head, next func() error) error {
	at := timestamp(from.Seq)
	cs, err := t.s.accounts.Watch(ctx, streamPipeline, options.ChangeStream().SetFullDocument(options.UpdateLookup).SetStartAtOperationTime(&at))
	if err != nil {
		return err
	}
	defer cs.Close(ctx)
	for range benchStreamed {
		if !cs.Next(ctx) {
			return cs.Err()
		}
		if err := next(); err != nil {
			return err
		}
	}
	return nil
}

// recorded is a source that replays what a stream gave, and a sink that holds
// nothing and acknowledges everything.
type recorded struct {
	*Store
	batches []store.Batch
	bytes   int
}

func (t *bench) record(from store.Position, seq uint64) *recorded {
	t.Helper()
	feed, err := t.s.Stream(t.Context(), from)
	t.must(err)
	defer feed.Close()
	r := &recorded{Store: t.s}
	for last := uint64(0); last < seq; {
		b, err := feed.Next(t.Context())
		t.must(err)
		last = b.Seq
		r.batches = append(r.batches, b)
		for _, c := range b.Changes {
			r.bytes += len(c.Doc)
		}
	}
	return r
}

func (r *recorded) Stream(context.Context, store.Position) (store.Feed, error) {
	return &replay{batches: r.batches}, nil
}

func (r *recorded) Stamps(_ context.Context, ids []store.ID) ([]store.Stamp, error) {
	stamps := make([]store.Stamp, len(ids))
	for i, id := range ids {
		stamps[i].ID = id
	}
	return stamps, nil
}

func (r *recorded) Write(_ context.Context, writes []store.Write) ([]store.Outcome, error) {
	outcomes := make([]store.Outcome, len(writes))
	for i := range outcomes {
		outcomes[i].Result = store.Written
	}
	return outcomes, nil
}

type replay struct{ batches []store.Batch }

func (r *replay) Next(ctx context.Context) (store.Batch, error) {
	if len(r.batches) == 0 {
		<-ctx.Done()
		return store.Batch{}, ctx.Err()
	}
	b := r.batches[0]
	r.batches = r.batches[1:]
	b.Changes = append([]store.Change(nil), b.Changes...) // the pipeline keeps them
	return b, nil
}

func (r *replay) Close() error { return nil }
