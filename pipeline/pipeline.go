// Package pipeline keeps predictions true to accounts: it reads changes from a
// store's stream and accounts from its scans, classifies them, and writes the
// predictions, fenced by version. It decides what to write; when to scan, and
// what to do when history is lost, is the daemon's part.
//
// Read → queue → classify → write acknowledged → low-watermark. The queue is
// bounded; where it is full, reading stops. Lanes take batches from it, and no
// two lanes ever hold the same account.
package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"botwatch/classifier"
	"botwatch/store"
)

// Options say how a Pipeline works. Source, Sink, Model, Epoch and Log are
// needed; the zero value of anything else means its default.
type Options struct {
	Source store.Source
	Sink   store.Sink
	Model  *classifier.Model
	Epoch  int64 // of the lease that the pipeline writes under
	Log    logrus.FieldLogger
	Now    func() time.Time // time.Now

	Lanes      int           // batches that are classified and written at once: 2
	QueueItems int           // accounts that may wait: 4096
	QueueBytes int64         // bytes of documents that may wait: 32 MiB
	BatchItems int           // accounts a write: 256
	BatchBytes int64         // bytes of documents a batch: 8 MiB
	Timeout    time.Duration // of one look-up or write: 30 s

	StaleAfter   time.Duration // crawled longer ago, a prediction is stale; 0: never
	MaxAge       time.Duration // classified longer ago, an aged rewrite is due; 0: never
	TombstoneTTL time.Duration // how long a deleted account is remembered: 24 h

	// FaultShare is the share, 0 to 1, of the last faultWindow accounts that may
	// fail before Trip is called and writing stops: 0.5.
	FaultShare float64
	// Trip is told, once, that the fault share was passed. The pipeline is
	// paused then, until Resume.
	Trip func(reason string)
}

// faultWindow is the number of accounts over which the fault share is taken.
const faultWindow = 200

func (o *Options) defaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	setDefault(&o.Lanes, 2)
	setDefault(&o.QueueItems, 4096)
	setDefault(&o.QueueBytes, 32<<20)
	setDefault(&o.BatchItems, 256)
	setDefault(&o.BatchBytes, 8<<20)
	setDefault(&o.Timeout, 30*time.Second)
	setDefault(&o.TombstoneTTL, 24*time.Hour)
	setDefault(&o.FaultShare, 0.5)
	if o.Trip == nil {
		o.Trip = func(string) {}
	}
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Pipeline classifies what it reads and writes what it finds. Run must be
// running for Follow and Scan to get anywhere.
type Pipeline struct {
	o     Options
	model store.ModelRef
	slugs *[classifier.NumClasses]string
	queue *queue
	fault faultShare
	stats Stats
	tries []atomic.Pointer[try] // what each lane writes at present
}

// try is a batch that is being written, or tried again.
type try struct {
	since time.Time
	err   error // of the last attempt; nil during the first
}

// New makes a Pipeline.
func New(o Options) *Pipeline {
	o.defaults()
	return &Pipeline{
		o:     o,
		model: store.ModelRef{Name: o.Model.Name(), Digest: o.Model.Digest()},
		slugs: o.Model.Slugs(),
		queue: newQueue(o.QueueItems, o.QueueBytes),
		stats: newStats(),
		tries: make([]atomic.Pointer[try], o.Lanes),
	}
}

// Stalled says for how long the oldest batch at present has been being written,
// and what the last attempt's error was, "" where the first is still under way;
// and whether anything is being written. Short ones are the normal course.
func (p *Pipeline) Stalled() (reason string, since time.Time, yes bool) {
	for i := range p.tries {
		if t := p.tries[i].Load(); t != nil && (!yes || t.since.Before(since)) {
			reason, since, yes = "", t.since, true
			if t.err != nil {
				reason = t.err.Error()
			}
		}
	}
	return reason, since, yes
}

// Run classifies and writes until Drain is called and everything is written,
// or ctx ends.
func (p *Pipeline) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range p.o.Lanes {
		l := newLane(p, &p.tries[i])
		g.Go(func() error { return l.run(ctx) })
	}
	return g.Wait()
}

// Drain lets Run end once what waits is written. Nothing may be read any more.
func (p *Pipeline) Drain() { p.queue.close() }

// Pause stops writing; reading goes on until the queue is full.
func (p *Pipeline) Pause() { p.queue.pause(true) }

// Resume goes on after Pause or Trip, with a clean record of faults.
func (p *Pipeline) Resume() {
	p.fault.reset()
	p.queue.pause(false)
}

// Stats gives the counters, which go on counting.
func (p *Pipeline) Stats() *Stats { return &p.stats }

// Load says how much waits and how much is being classified.
func (p *Pipeline) Load() (items int, bytes int64, flying int) { return p.queue.load() }

// backoff waits between attempts: exponential, capped, jittered, cancellable.
type backoff struct{ attempt int }

const (
	backoffFirst = 50 * time.Millisecond
	backoffMost  = 5 * time.Second
)

// wait sleeps, longer each time, or until ctx ends.
func (b *backoff) wait(ctx context.Context) error {
	d := min(backoffFirst<<min(b.attempt, 10), backoffMost)
	b.attempt++
	d = d/2 + rand.N(d/2)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// report logs a repeated failure's first attempt, and then every tenth.
func (b *backoff) report(log logrus.FieldLogger, what string, err error) {
	if b.attempt%10 == 0 {
		log.WithError(err).WithField("attempt", b.attempt+1).Warn(what + "; will try again")
	}
}

// recovered logs that a repeated failure is over, and starts anew.
func (b *backoff) recovered(log logrus.FieldLogger, what string) {
	if b.attempt > 0 {
		log.WithField("attempts", b.attempt).Info(what + ": recovered")
	}
	b.attempt = 0
}

// Stream is one run of following a source.
type Stream struct {
	p       *Pipeline
	tracker *tracker
	from    store.Position
}

// maxOpenBatches bounds the batches that are read and not yet durable: items
// that coalesce do not fill the queue.
const maxOpenBatches = 4096

// NewStream prepares to follow the source after a mark.
func (p *Pipeline) NewStream(from Mark) *Stream {
	return &Stream{p: p, tracker: newTracker(from), from: from.Position}
}

// Low gives the low-watermark: everything up to there is durable; and whether
// it moved since the last call.
func (s *Stream) Low() (Mark, bool) { return s.tracker.low() }

// Run follows the source until ctx ends, or it cannot go on: ErrHistoryLost,
// ErrSourceReplaced, ErrNoStream. Faults that may pass are waited out.
func (s *Stream) Run(ctx context.Context) error {
	log := s.p.o.Log
	var b backoff
	for {
		err := s.follow(ctx, &b)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isFinal(err):
			return fmt.Errorf("follow the stream: %w", err)
		}
		s.p.stats.StreamErrors.Add(1)
		b.report(log, "follow the stream", err)
		if err := b.wait(ctx); err != nil {
			return err
		}
	}
}

func (s *Stream) follow(ctx context.Context, b *backoff) error {
	feed, err := s.p.o.Source.Stream(ctx, s.from)
	if err != nil {
		return err
	}
	defer feed.Close()
	for {
		batch, err := feed.Next(ctx)
		if err != nil {
			return err
		}
		b.recovered(s.p.o.Log, "follow the stream")
		s.p.stats.read(&batch)
		if err := s.p.enqueue(ctx, s.tracker, &batch, 1, newStreamItem); err != nil {
			return err
		}
		s.from = batch.After
	}
}

func newStreamItem(c store.Change) *item { return &item{change: c, via: viaStream, event: true} }

// enqueue opens a ticket for a batch and pushes its changes. Where it fails
// midway the ticket stays open, so that the mark never passes the batch.
func (p *Pipeline) enqueue(ctx context.Context, t *tracker, batch *store.Batch, share float64, make func(store.Change) *item) error {
	if err := t.room(ctx, maxOpenBatches); err != nil {
		return err
	}
	k := t.begin(batch)
	for i := range batch.Changes {
		it := make(batch.Changes[i])
		batch.Changes[i].Doc = nil // the item's now
		it.tickets = []*ticket{k}
		if err := p.queue.push(ctx, it, share); err != nil {
			return err
		}
	}
	return nil
}
