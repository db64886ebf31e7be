package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
	resumed chan struct{} // takes a token when the breakers were closed

	stream atomic.Pointer[pipeline.Stream]
	lostAt uint64 // seq of the head from which the stream went on after a loss

	mu        sync.Mutex
	scanState scanState
	halt      context.CancelCauseFunc // ends the job under way at a breaker; nil: it waits
}

func newLeader(d *Daemon, epoch int64, c store.Checkpoint) *leader {
	c.Schema = store.Schema
	l := &leader{
		d: d, o: &d.o, started: d.o.Now(),
		ledger:  newLedger(d.o.Store, epoch, c),
		resumed: make(chan struct{}, 1),
	}
	p := d.o.Pipeline
	p.Source, p.Sink, p.Model = d.o.Store, d.o.Store, d.o.Model
	p.Epoch, p.Log, p.Now = epoch, d.o.Log, d.o.Now
	p.Trip = func(reason string) { l.trip(breakerFaults, reason) }
	l.pipeline = pipeline.New(p)
	l.jobs = newJobs(l)
	for name, b := range c.Breakers {
		if name != BreakerRemovals {
			l.pipeline.Pause()
			d.o.Log.WithField(fieldReason, b.Reason).Warnf("breaker %s is open: nothing is written until `botwatch resume`", name)
		}
	}
	return l
}

// restart makes the stream go on from head and owes a reconcile, in one change
// of the checkpoint (rule 7). Where history was lost again and again without
// progress, the breaker opens.
func (l *leader) restart(head store.Head, reason string, lost bool) {
	now := l.o.Now()
	n := 0
	l.ledger.update(func(c *store.Checkpoint) {
		c.Identity, c.Position, c.Seq, c.At = head.Identity, head.Position, head.Seq, head.At
		c.Owed = &store.Reconcile{Reason: reason, Since: now}
		delete(c.Scans, jobReconcile)
		if lost {
			c.HistoryLost++
			c.Recoveries++
		}
		n = c.Recoveries
	})
	l.lostAt = head.Seq
	if n > maxRecoveries {
		l.trip(breakerHistory, fmt.Sprintf("history was lost %d times without progress: %s", n, reason))
	}
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
	if isLost(err) {
		stopWorking(err) // what waits may be the old source's, and is read again
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
	if kerr == nil && !isLost(err) {
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

// follow runs the stream from the checkpoint on, once the breakers let it.
func (l *leader) follow(ctx context.Context) error {
	for {
		c := l.ledger.view()
		if _, open := c.Breakers[breakerHistory]; !open {
			s := l.pipeline.NewStream(pipeline.Mark{Position: c.Position, Seq: c.Seq, At: c.At})
			l.stream.Store(s)
			return s.Run(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.resumed:
		}
	}
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
			log.line(l) // what is done since the last one
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
	if s := l.stream.Load(); s != nil {
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
	killpoint.At("before-checkpoint")
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return l.ledger.flush(ctx)
}

// trip opens a breaker: nothing is written until it is closed, also after a
// restart.
func (l *leader) trip(name, reason string) {
	if name != BreakerRemovals {
		l.pipeline.Pause()
	}
	now := l.o.Now()
	l.ledger.update(func(c *store.Checkpoint) {
		c.Breakers[name] = store.Breaker{Reason: reason, Since: now}
	})
	l.o.Log.WithField(fieldReason, reason).Errorf("breaker %s opened", name)
	l.mu.Lock()
	halt := l.halt
	l.mu.Unlock()
	if halt != nil {
		l.haltAtBreaker(halt)
	}
}

// haltAtBreaker ends a job by halt when a breaker that stops writing is open, or
// opens.
func (l *leader) haltAtBreaker(halt context.CancelCauseFunc) {
	l.mu.Lock()
	l.halt = halt
	l.mu.Unlock()
	for name, b := range l.ledger.view().Breakers {
		if name != BreakerRemovals {
			halt(fmt.Errorf("breaker %s is open: %s; `botwatch resume` closes it", name, b.Reason))
		}
	}
}

// resume closes the breakers that stop the pipeline.
func (l *leader) resume() {
	l.ledger.update(func(c *store.Checkpoint) {
		held, ok := c.Breakers[BreakerRemovals]
		clear(c.Breakers)
		c.Recoveries = 0
		if ok {
			c.Breakers[BreakerRemovals] = held
		}
	})
	l.pipeline.Resume()
	token(l.resumed)
	l.o.Log.Info("resumed by hand")
}
