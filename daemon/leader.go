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

	stream  atomic.Pointer[pipeline.Stream]
	polling atomic.Bool // there is no stream
	stalls  stalls
	lostAt  uint64 // seq of the head from which the stream went on after a loss

	mu        sync.Mutex
	scanState scanState
	headroom  *store.Headroom // nil: not known
	stallTold bool

	headroomTold   bool                    // that it is not known
	headroomWarned time.Time               // that it is low
	renewed        time.Time               // when the lease was last known to be ours
	halt           context.CancelCauseFunc // ends the job under way at a breaker; nil: it waits
}

func newLeader(d *Daemon, epoch int64, c store.Checkpoint) *leader {
	c.Schema = store.Schema
	l := &leader{
		d: d, o: &d.o, started: d.o.Now(), renewed: d.o.Now(),
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
	err := l.checkpoint(ctx)
	if err != nil {
		l.o.Log.WithError(err).Warn("save the last checkpoint")
	}
	if errors.Is(err, store.ErrFenced) {
		return
	}
	if err := l.publish(ctx, roleStopped); err != nil {
		l.o.Log.WithError(err).Warn("publish the status")
	}
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
			err := s.Run(ctx)
			if errors.Is(err, store.ErrNoStream) {
				return l.poll(ctx)
			}
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.resumed:
		}
	}
}

// poll stands in for the stream where there is none (rule 11): the scans that are
// owed and scheduled do its work.
func (l *leader) poll(ctx context.Context) error {
	l.polling.Store(true)
	log := l.o.Log.WithError(store.ErrNoStream)
	if l.o.Backfill.Cron == nil {
		log.Warn("polling: there is no backfill in the schedule, so that nothing is noticed but by `botwatch backfill`")
	} else {
		log.WithField("next", l.o.Backfill.Cron.Next(l.o.Now().In(l.o.Zone))).Warn("polling: changes are noticed by the scheduled backfill alone; on a replica set they would be at once")
	}
	<-ctx.Done()
	return ctx.Err()
}

// keep renews the lease, saves checkpoints, publishes the status and logs
// progress, each at its own pace: where a majority is missing, a call takes its
// whole time limit. It fails only when the lease is lost.
func (l *leader) keep(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, k := range []struct {
		what  string
		every time.Duration
		do    func(context.Context) error
	}{
		{"save the checkpoint", l.o.CheckpointEvery, l.checkpoint},
		{"renew the lease", renewEvery, l.renew},
		{"publish the status", publishEvery, func(ctx context.Context) error { return l.publish(ctx, roleLeader) }},
		{"watch the source's history", headroomEvery, l.watchHeadroom},
	} {
		g.Go(func() error { return l.every(ctx, k.every, k.what, k.do) })
	}
	g.Go(func() error {
		progress := time.NewTicker(l.o.ProgressEvery)
		defer progress.Stop()
		var log progressLog
		for {
			select {
			case <-ctx.Done():
				log.line(l) // what is done since the last one
				return nil
			case <-progress.C:
				log.line(l)
			}
		}
	})
	return g.Wait()
}

// every does something now, and again and again, until ctx ends or the lease is lost.
func (l *leader) every(ctx context.Context, every time.Duration, what string, do func(context.Context) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	t := newTrouble(l.o, what)
	for {
		began := l.o.Now()
		err := do(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			t.over()
			l.stalls.end(what)
		case errors.Is(err, store.ErrFenced):
			return fmt.Errorf("%s: %w", what, err)
		default:
			t.failed(err)
			l.stalls.begin(what, err, began)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// renew keeps the lease.
func (l *leader) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := l.o.Store.Renew(ctx, l.ledger.epoch)
	if err == nil {
		l.mu.Lock()
		l.renewed = l.o.Now()
		l.mu.Unlock()
	}
	return err
}

// stillOurs answers store.ErrFenced where the lease is known to be another's: one
// who was paused asks before he says anything. Where nobody can tell, it is ours.
func (l *leader) stillOurs(ctx context.Context) error {
	l.mu.Lock()
	fresh := l.o.Now().Sub(l.renewed) < renewEvery+publishEvery
	l.mu.Unlock()
	if fresh {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := l.renew(ctx); errors.Is(err, store.ErrFenced) {
		return err
	}
	return nil
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
