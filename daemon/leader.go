package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"botwatch/internal/killpoint"
	"botwatch/pipeline"
	"botwatch/store"
)

// leader is a daemon's work under one lease.
type leader struct {
	d        *Daemon
	o        *Options
	pipeline *pipeline.Pipeline
	ledger   *ledger
	started  time.Time

	jobs    *jobs
	owed    chan struct{} // takes a token when a reconcile is owed
	resumed chan struct{} // takes a token when the breakers were closed

	mu        sync.Mutex
	stream    *pipeline.Stream
	lostAt    uint64             // seq of the head from which the stream went on last
	preempt   context.CancelFunc // ends the scan that runs, for a reconcile; nil: none does
	scanState scanState
}

func newLeader(d *Daemon, epoch int64, c store.Checkpoint) *leader {
	c.Schema = store.Schema
	l := &leader{
		d: d, o: &d.o, started: d.o.Now(),
		ledger:  newLedger(d.o.Store, epoch, c),
		owed:    make(chan struct{}, 1),
		resumed: make(chan struct{}, 1),
	}
	p := d.o.Pipeline
	p.Source, p.Sink, p.Model = d.o.Store, d.o.Store, d.o.Model
	p.Epoch, p.Log, p.Now = epoch, d.o.Log, d.o.Now
	p.Trip = func(reason string) { l.trip(breakerFaults, reason) }
	l.pipeline = pipeline.New(p)
	l.jobs = newJobs(l)
	for name, b := range c.Breakers {
		if name != breakerRemovals {
			l.pipeline.Pause()
			d.o.Log.WithField(fieldReason, b.Reason).Warnf("breaker %s is open: nothing is written until `botwatch resume`", name)
		}
	}
	return l
}

// restart makes the stream go on from head and owes a reconcile, in one change
// of the checkpoint.
func (l *leader) restart(head store.Head, reason string) {
	now := l.o.Now()
	l.ledger.update(func(c *store.Checkpoint) {
		c.Identity, c.Position, c.Seq, c.At = head.Identity, head.Position, head.Seq, head.At
		c.Owed = &store.Reconcile{Reason: reason, Since: now}
		c.Owing++
		delete(c.Scans, jobReconcile)
	})
	l.mu.Lock()
	l.lostAt = head.Seq
	if l.preempt != nil {
		l.preempt()
	}
	l.mu.Unlock()
	token(l.owed)
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run reads, writes and keeps the books until ctx ends or something fails for
// good; then it stops reading, drains, writes, and saves, within a bound.
func (l *leader) run(ctx context.Context) error {
	reading, stopReading := context.WithCancelCause(ctx)
	defer stopReading(nil)
	working, stopWorking := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopWorking(nil)

	var writers, keepers errgroup.Group
	writers.Go(func() error {
		err := l.pipeline.Run(working)
		if err != nil {
			stopReading(err)
		}
		return err
	})
	keeping, stopKeeping := context.WithCancel(working)
	defer stopKeeping()
	keepers.Go(func() error {
		err := l.keep(keeping)
		if err != nil { // fenced: whatever is still written is no longer ours to write
			stopReading(err)
			stopWorking(err)
		}
		return err
	})

	err := l.read(reading)
	if cause := context.Cause(reading); cause != nil && ctx.Err() == nil {
		err = cause
	}
	if errors.Is(err, store.ErrSourceReplaced) {
		stopWorking(err) // what waits is the old source's
	}
	l.pipeline.Drain()
	bound := time.AfterFunc(l.o.ShutdownTimeout, func() { stopWorking(context.DeadlineExceeded) })
	werr := writers.Wait()
	bound.Stop()
	if werr != nil && ctx.Err() != nil {
		l.o.Log.WithError(werr).Warn("not all that was read could be written in time; it will be read again")
	}
	stopKeeping()
	kerr := keepers.Wait()
	if err == nil && kerr == nil {
		err = werr
	}
	if kerr == nil && !errors.Is(err, store.ErrSourceReplaced) {
		l.last(ctx)
	}
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(kerr, err)
}

// last saves what is durable by now and says that the daemon is gone.
func (l *leader) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if err := l.checkpoint(ctx); err != nil {
		l.o.Log.WithError(err).Warn("save the last checkpoint")
	}
	l.publish(ctx, roleStopped)
}

// read runs everything that brings in accounts.
func (l *leader) read(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if l.o.Once {
		g.Go(func() error { return l.jobs.runFiled(ctx) })
		return g.Wait()
	}
	g.Go(func() error { return l.follow(ctx) })
	g.Go(func() error { return l.jobs.run(ctx) })
	g.Go(func() error { return l.jobs.schedule(ctx) })
	g.Go(func() error { return l.jobs.attend(ctx) })
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// follow keeps a stream going, from a new position wherever history is lost.
func (l *leader) follow(ctx context.Context) error {
	for {
		c := l.ledger.view()
		s := l.pipeline.NewStream(pipeline.Mark{Position: c.Position, Seq: c.Seq, At: c.At})
		l.mu.Lock()
		l.stream = s
		l.mu.Unlock()
		err := s.Run(ctx)
		if !errors.Is(err, store.ErrHistoryLost) {
			return err
		}
		if err := l.recover(ctx, err); err != nil {
			return err
		}
	}
}

// recover goes on from the source's head after history was lost: the new
// position and the owed reconcile are saved in one write (rule 7).
func (l *leader) recover(ctx context.Context, lost error) error {
	l.mu.Lock()
	l.stream = nil
	l.mu.Unlock()
	n := 0
	l.ledger.update(func(c *store.Checkpoint) {
		c.HistoryLost++
		c.Recoveries++
		n = c.Recoveries
	})
	l.o.Log.WithError(lost).WithField("recoveries", n).Warn("history is lost; going on from now, and looking at all accounts again")
	if n > maxRecoveries {
		l.trip(breakerHistory, fmt.Sprintf("history was lost %d times without progress", n))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.resumed:
		}
	}
	for {
		err := l.recoverOnce(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrSourceReplaced) {
			return err
		}
		l.o.Log.WithError(err).Warn("recover from lost history; will try again")
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

func (l *leader) recoverOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	head, err := l.o.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read where the source stands: %w", err)
	}
	if c := l.ledger.view(); c.Identity != head.Identity || head.Seq < c.Seq {
		return store.ErrSourceReplaced
	}
	l.restart(head, "history was lost")
	if err := l.ledger.flush(ctx); err != nil {
		return fmt.Errorf("save the checkpoint: %w", err)
	}
	killpoint.At("after-owed")
	return nil
}

// keep renews the lease, saves checkpoints, publishes the status and logs
// progress. It fails only when the lease is lost.
func (l *leader) keep(ctx context.Context) error {
	save := time.NewTicker(l.o.CheckpointEvery)
	defer save.Stop()
	renew := time.NewTicker(renewEvery)
	defer renew.Stop()
	publish := time.NewTicker(publishEvery)
	defer publish.Stop()
	progress := time.NewTicker(l.o.ProgressEvery)
	defer progress.Stop()
	var log progressLog
	l.publish(ctx, roleLeader)
	for {
		var err error
		what := "save the checkpoint"
		select {
		case <-ctx.Done():
			return nil
		case <-save.C:
			err = l.checkpoint(ctx)
		case <-renew.C:
			what = "renew the lease"
			call, cancel := context.WithTimeout(ctx, callTimeout)
			err = l.o.Store.Renew(call, l.ledger.epoch)
			cancel()
		case <-publish.C:
			l.publish(ctx, roleLeader)
		case <-progress.C:
			log.line(l)
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, store.ErrFenced):
			return fmt.Errorf("%s: %w", what, err)
		default:
			l.o.Log.WithError(err).Warn(what + "; will try again")
		}
	}
}

// checkpoint saves the stream's low-watermark, if it moved.
func (l *leader) checkpoint(ctx context.Context) error {
	l.mu.Lock()
	if s := l.stream; s != nil {
		if low, moved := s.Low(); moved {
			progress := low.Seq > l.lostAt
			l.ledger.update(func(c *store.Checkpoint) {
				c.Position, c.Seq, c.At = low.Position, low.Seq, low.At
				if progress {
					c.Recoveries = 0
				}
			})
		}
	}
	l.mu.Unlock()
	killpoint.At("before-checkpoint")
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return l.ledger.flush(ctx)
}

// trip opens a breaker: nothing is written until it is closed, also after a
// restart.
func (l *leader) trip(name, reason string) {
	if name != breakerRemovals {
		l.pipeline.Pause()
	}
	now := l.o.Now()
	l.ledger.update(func(c *store.Checkpoint) {
		c.Breakers[name] = store.Breaker{Reason: reason, Since: now}
	})
	l.o.Log.WithField(fieldReason, reason).Errorf("breaker %s opened", name)
}

// resume closes the breakers that stop the pipeline.
func (l *leader) resume() {
	l.ledger.update(func(c *store.Checkpoint) {
		held, ok := c.Breakers[breakerRemovals]
		clear(c.Breakers)
		c.Recoveries = 0
		if ok {
			c.Breakers[breakerRemovals] = held
		}
	})
	l.pipeline.Resume()
	token(l.resumed)
	l.o.Log.Info("resumed by hand")
}
