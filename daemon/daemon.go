// Package daemon keeps a pipeline running: it takes the lease, resumes from
// the checkpoint, recovers from lost history, runs the scheduled scans and the
// jobs that are asked for by hand, opens and closes breakers, and publishes
// its status.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"botwatch/classifier"
	"botwatch/internal/killpoint"
	"botwatch/pipeline"
	"botwatch/store"
)

// Options say how a Daemon works. Store, Model, Holder and Log are needed.
type Options struct {
	Store  store.Store
	Model  *classifier.Model
	Holder string // names this daemon to others, such as host:pid
	Log    logrus.FieldLogger
	Now    func() time.Time // time.Now

	// Pipeline is the pattern for each lease's pipeline; its Source, Sink, Model,
	// Epoch, Log, Now and Trip are set by the Daemon.
	Pipeline pipeline.Options

	Backfill, Rescore Schedule
	Zone              *time.Location // of the schedules: UTC

	CheckpointEvery time.Duration // 1 s
	ProgressEvery   time.Duration // of the log's progress line: 10 s
	ShutdownTimeout time.Duration // for what is read already to be written: 30 s

	// Standby waits for the lease where another daemon has it; without it Run
	// answers *store.HeldError.
	Standby bool
	// Once works off the filed requests and ends: no stream, no schedule.
	Once bool
	// DryRun classifies and writes nothing, takes no lease, and keeps its
	// checkpoint to itself.
	DryRun bool
}

func (o *Options) defaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = time.Second
	}
	if o.ProgressEvery == 0 {
		o.ProgressEvery = 10 * time.Second
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = 30 * time.Second
	}
}

// The keys of log fields.
const (
	fieldEpoch   = "epoch"
	fieldReason  = "reason"
	fieldAttempt = "attempt"
	fieldJob     = "job"
)

// Limits and intervals of the daemon's own work.
const (
	restartPause  = time.Second      // before a new epoch, where the source was replaced
	standbyEvery  = 2 * time.Second  // how often a standby asks for the lease
	renewEvery    = 3 * time.Second  // how often a leader renews it
	deskEvery     = time.Second      // how often requests are looked for
	publishEvery  = 2 * time.Second  // how often the status is published
	callTimeout   = 10 * time.Second // of one call for state
	askTimeout    = 2 * time.Second  // of asking whether the lease is still ours
	stallAfter    = 5 * time.Second  // a write that takes longer is shown as stalled
	maxRecoveries = 3                // of lost history without progress, before the breaker
)

// The names of breakers.
const (
	breakerFaults   = "faults"   // too many accounts fail: the fault is ours
	breakerHistory  = "history"  // history is lost again and again
	BreakerRemovals = "removals" // a mass removal waits to be confirmed; stops removals alone
)

// Daemon runs a pipeline for as long as it holds the lease.
type Daemon struct {
	o       Options
	watched store.Store // the store itself, where o.Store is another's cover
	reached bool        // the store has answered once: what fails from now on may pass
}

// New makes a Daemon.
func New(o Options) *Daemon {
	o.defaults()
	d := &Daemon{o: o, watched: o.Store}
	if o.DryRun {
		d.o.Store = &dryStore{Store: o.Store}
	}
	return d
}

// Run leads until ctx ends, and then returns nil once everything that was read
// is written, or the shutdown time-out passed. Where the source was replaced,
// or the lease was lost, it starts over with a new epoch.
//
// The first call of all must succeed, since a mistake in a name is likelier than
// an outage then. From there on it ends only on what cannot pass, and tries
// anything else again, whatever the moment; with Once it never does.
func (d *Daemon) Run(ctx context.Context) error {
	var lost error // why the stream could not go on, whatever the source's head says now
	t := newTrouble(&d.o, "lead")
	for {
		epoch, err := d.acquire(ctx)
		var l *leader
		if err == nil {
			l, err = d.lead(ctx, epoch, lost)
		}
		if err == nil {
			t.over()
			lost = nil
			err = l.run(ctx)
		}
		again := err != nil && ctx.Err() == nil && !d.o.Once && !ends(err) && !isLost(err)
		if epoch > 0 && !again { // else it is taken again
			d.release(ctx, epoch)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			return nil // Once, and done
		case again && d.reached:
			t.failed(err)
			if t.wait(ctx) != nil {
				return nil
			}
		case isLost(err):
			d.o.Log.WithError(err).Warn("the stream cannot go on; starting over under a new epoch")
			lost = err
			if sleep(ctx, restartPause) != nil {
				return nil
			}
		case errors.Is(err, store.ErrFenced) && d.o.Standby:
			d.o.Log.WithError(err).Warn("the lease is lost; standing by")
		default:
			return err
		}
	}
}

// isLost says whether a stream ended for good. What was written under the epoch
// of before may be newer than all that the source has now, so that a new one is
// needed for anything to be written over it.
func isLost(err error) bool {
	return errors.Is(err, store.ErrSourceReplaced) || errors.Is(err, store.ErrHistoryLost)
}

// acquire takes the lease, waiting for it on standby.
func (d *Daemon) acquire(ctx context.Context) (int64, error) {
	told := ""
	t := newTrouble(&d.o, "take the lease")
	for {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		epoch, err := d.o.Store.Acquire(call, d.o.Holder)
		cancel()
		var held *store.HeldError
		standby := d.o.Standby && errors.As(err, &held)
		if err == nil || standby {
			d.reached = true
			t.over()
		}
		switch {
		case err == nil:
			if !d.o.DryRun {
				d.o.Log.WithField(fieldEpoch, epoch).Info("took the lease")
			}
			return epoch, nil
		case standby:
			if told != held.Holder {
				d.o.Log.WithField("holder", held.Holder).WithField("since", held.Since).Info("standing by for the daemon that holds the lease")
				told = held.Holder
			}
			err = sleep(ctx, standbyEvery)
		case ctx.Err() != nil || !d.reached || d.o.Once || ends(err):
			return 0, fmt.Errorf("take the lease: %w", err)
		default:
			t.failed(err)
			err = t.wait(ctx)
		}
		if err != nil {
			return 0, err
		}
	}
}

func (d *Daemon) release(ctx context.Context, epoch int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if err := d.o.Store.Release(ctx, epoch); err != nil && !errors.Is(err, store.ErrFenced) {
		d.o.Log.WithError(err).Warn("give up the lease")
	}
}

// lead loads the checkpoint and compares it with where the source stands: on a
// first start, and where the source is another or its time ran backwards, a
// reconcile is owed from here on.
func (d *Daemon) lead(ctx context.Context, epoch int64, lost error) (*leader, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := d.o.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the checkpoint: %w", err)
	}
	if c.Schema > store.Schema {
		return nil, fmt.Errorf("load the checkpoint: schema %d, this botwatch knows %d: %w", c.Schema, store.Schema, store.ErrNewerSchema)
	}
	newest, err := d.o.Store.Newest(ctx) // before the head, which must not be behind it
	if err != nil {
		return nil, fmt.Errorf("look for the newest prediction: %w", err)
	}
	l := newLeader(d, epoch, c)
	head, err := d.o.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("read where the source stands: %w", err)
	}
	reason := ""
	switch {
	case c.Schema == 0:
		reason = "first start"
	case c.Identity != head.Identity && c.Identity != "": // from before there were accounts, the stream has seen all since
		reason = "the accounts' place is another than before"
	case head.Seq < c.Seq, head.Seq < newest.Seq && newest.Epoch >= c.Epoch: // what is older was compared by then
		reason = "the source's time ran backwards (a restore)"
	case lost != nil:
		reason = lost.Error()
	}
	l.ledger.update(func(c *store.Checkpoint) { c.Epoch, c.Identity = epoch, head.Identity })
	if reason == "" {
		return l, nil
	}
	l.restart(head, reason, c.Schema != 0)
	if err := l.ledger.flush(ctx); err != nil {
		return nil, fmt.Errorf("save the checkpoint: %w", err)
	}
	killpoint.At("after-owed")
	d.o.Log.WithField(fieldReason, reason).Info("all accounts will be looked at")
	return l, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
