package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"botwatch/internal/killpoint"
	"botwatch/pipeline"
	"botwatch/store"
)

// Schedule says when a job runs, and how fast.
type Schedule struct {
	Cron   cron.Schedule // nil: never by itself
	Jitter time.Duration // each run starts up to this much later
	Rate   float64       // accounts a second; 0 for no limit
}

// The names of jobs, and of the requests that ask for them.
const (
	jobReconcile = "reconcile" // owed after lost history; never asked for
	JobBackfill  = "backfill"
	JobRescore   = "rescore"
	JobReplay    = "replay" // of the dead letters named in Args["ids"], all without
	JobResume    = "resume" // closes the breakers
)

// ArgConfirm is the argument of a backfill that lets a mass removal pass.
const ArgConfirm = "confirm_removals"

// jobs runs one scan at a time: an owed reconcile first, then what is asked for.
type jobs struct {
	l *leader

	mu    sync.Mutex
	queue []*job
	wake  chan struct{}

	owed *trouble // of the reconcile
}

// job is one run of a scan that waits or runs.
type job struct {
	name    string
	request *store.Request // by hand; nil: by the scheduler
}

// scanState is what the status says of the scan that runs.
type scanState struct {
	name   string
	cursor store.Cursor
}

func newJobs(l *leader) *jobs {
	return &jobs{l: l, wake: make(chan struct{}, 1), owed: newTrouble(l.o, "reconcile")}
}

// add queues a job, unless the scheduler asks for one that waits already.
func (j *jobs) add(n *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n.request == nil {
		for _, q := range j.queue {
			if q.name == n.name {
				return
			}
		}
	}
	j.queue = append(j.queue, n)
	token(j.wake)
}

func (j *jobs) first() *job {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 {
		return nil
	}
	return j.queue[0]
}

func (j *jobs) remove(n *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, q := range j.queue {
		if q == n {
			j.queue = append(j.queue[:i], j.queue[i+1:]...)
			return
		}
	}
}

// run works off jobs until ctx ends.
func (j *jobs) run(ctx context.Context) error {
	for {
		var err error
		switch n := j.first(); {
		case j.l.ledger.view().Owed != nil:
			err = j.reconcile(ctx)
		case n != nil:
			err = j.do(ctx, n)
		default:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-j.wake:
			}
		}
		if err != nil {
			return err
		}
	}
}

// runFiled works off the requests that are filed, and ends.
func (j *jobs) runFiled(ctx context.Context) error {
	if err := j.collect(ctx); err != nil {
		return err
	}
	for n := j.first(); n != nil; n = j.first() {
		if err := j.do(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// reconcile does the scan that is owed, from where it was interrupted.
func (j *jobs) reconcile(ctx context.Context) error {
	killpoint.At("before-reconcile")
	start := j.l.o.Now()
	cursor, err := j.scan(ctx, jobReconcile, pipeline.Scan{}, nil)
	if err != nil {
		return j.passing(ctx, err)
	}
	j.owed.over()
	now := j.l.o.Now()
	j.l.ledger.update(func(c *store.Checkpoint) {
		c.Owed, c.Recoveries = nil, 0
		for _, name := range []string{JobBackfill, JobRescore} { // a reconcile does all that they do
			c.Jobs[name] = store.Job{LastStart: start, LastSuccess: now}
		}
	})
	j.l.o.Log.WithField("accounts", cursor.Seen).WithField("removed", cursor.Removed).Info("reconcile done")
	return nil
}

// passing lets the reconcile go on after an error, unless that ends the lease.
func (j *jobs) passing(ctx context.Context, err error) error {
	if ctx.Err() != nil || isLost(err) {
		return err
	}
	j.owed.failed(err)
	return j.owed.wait(ctx)
}

// do runs one job and records how it ended.
func (j *jobs) do(ctx context.Context, n *job) error {
	l := j.l
	start := l.o.Now()
	l.ledger.update(func(c *store.Checkpoint) {
		b := c.Jobs[n.name]
		b.LastStart = start
		c.Jobs[n.name] = b
	})
	j.report(ctx, n, store.RequestRunning, "", nil)
	work, halt := context.WithCancelCause(ctx)
	defer halt(nil)
	if l.o.Once { // nobody is there to close a breaker
		l.haltAtBreaker(halt)
	}
	var cursor store.Cursor
	var err error
	switch n.name {
	case JobBackfill:
		confirm := n.request != nil && n.request.Args[ArgConfirm] == "true"
		cursor, err = j.scan(work, n.name, pipeline.Scan{Keys: true, Rate: l.o.Backfill.Rate, ConfirmRemovals: confirm}, n)
	case JobRescore:
		cursor, err = j.scan(work, n.name, pipeline.Scan{Rescore: true, Rate: l.o.Rescore.Rate}, n)
	case JobReplay:
		cursor.Seen, err = j.replay(work, n.request.Args["ids"])
	default:
		err = fmt.Errorf("unknown job %q", n.name)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if cause := context.Cause(work); cause != nil {
		err = cause
	}
	defer j.remove(n) // once its end is reported: collect looks at both
	end := l.o.Now()
	l.ledger.update(func(c *store.Checkpoint) {
		b := c.Jobs[n.name]
		b.LastError = ""
		if err != nil {
			b.LastError = err.Error()
		} else {
			b.LastSuccess = end
		}
		c.Jobs[n.name] = b
	})
	log := l.o.Log.WithField(fieldJob, n.name).WithField("accounts", cursor.Seen).WithField("took", end.Sub(start).Round(time.Millisecond))
	if err != nil {
		j.report(ctx, n, store.RequestFailed, "", err)
		log.WithError(err).Error("job ended")
		if errors.Is(err, store.ErrSourceReplaced) {
			return err
		}
		return nil
	}
	cursor.Phase = "" // it is through all of them
	j.report(ctx, n, store.RequestDone, describe(cursor), nil)
	log.WithField("removed", cursor.Removed).Info("job done")
	return nil
}

func describe(c store.Cursor) string {
	s := fmt.Sprintf("%s: %d accounts looked at, %d orphans removed", c.Phase, c.Seen, c.Removed)
	if c.Held > 0 {
		s += fmt.Sprintf(", %d orphans held back (confirm with --confirm-removals)", c.Held)
	}
	return strings.TrimPrefix(s, ": ")
}

// scan runs one scan from its saved cursor on, and saves its progress.
func (j *jobs) scan(ctx context.Context, name string, s pipeline.Scan, n *job) (store.Cursor, error) {
	l := j.l
	s.From = l.ledger.view().Scans[name]
	var reported time.Time
	s.Save = func(c store.Cursor) {
		l.mu.Lock()
		l.scanState = scanState{name, c}
		l.mu.Unlock()
		l.ledger.update(func(k *store.Checkpoint) { k.Scans[name] = c })
		if now := l.o.Now(); n != nil && now.Sub(reported) > time.Second {
			reported = now
			j.report(ctx, n, store.RequestRunning, describe(c), nil)
		}
	}
	cursor, err := l.pipeline.Scan(ctx, s)
	if err == nil {
		err = j.strays(ctx)
	}
	l.mu.Lock()
	l.scanState = scanState{}
	l.mu.Unlock()
	if err != nil {
		return cursor, err
	}
	l.ledger.update(func(c *store.Checkpoint) {
		delete(c.Scans, name)
		if cursor.Held == 0 {
			delete(c.Breakers, BreakerRemovals)
		}
	})
	if cursor.Held > 0 {
		l.trip(BreakerRemovals, fmt.Sprintf("%d predictions have no account any more", cursor.Held))
	}
	return cursor, nil
}

// replay reads accounts with dead letters again: those named, or all.
func (j *jobs) replay(ctx context.Context, named string) (n int64, err error) {
	var ids []store.ID
	if named != "" {
		for _, text := range strings.Split(named, "\n") {
			id, err := store.ParseID([]byte(text))
			if err != nil {
				return 0, err
			}
			ids = append(ids, id)
		}
		return int64(len(ids)), j.l.pipeline.Reread(ctx, ids)
	}
	err = j.letters(ctx, func(ids []store.ID) error {
		n += int64(len(ids))
		return j.l.pipeline.Reread(ctx, ids)
	})
	return n, err
}

// strays reads the accounts again that have a dead letter beside a prediction
// that knows of no fault, so that the letter goes. A writer that was ended, or
// fenced, between the two leaves such.
func (j *jobs) strays(ctx context.Context) error {
	return j.letters(ctx, func(ids []store.ID) error {
		stamps, err := j.l.o.Store.Stamps(ctx, ids)
		if err != nil {
			return fmt.Errorf("look up stamps: %w", err)
		}
		ids = ids[:0]
		for _, s := range stamps {
			if !s.Faulty {
				ids = append(ids, s.ID)
			}
		}
		return j.l.pipeline.Reread(ctx, ids)
	})
}

// letters gives the ids of all dead letters to each, page by page; each may
// change them.
func (j *jobs) letters(ctx context.Context, each func(ids []store.ID) error) error {
	const page = 500
	var after store.ID
	for {
		letters, err := j.l.o.Store.ListLetters(ctx, after, page)
		if err != nil {
			return fmt.Errorf("list dead letters: %w", err)
		}
		ids := make([]store.ID, len(letters))
		for i, l := range letters {
			ids[i], after = l.ID, l.ID
		}
		if err := each(ids); err != nil {
			return err
		}
		if len(letters) < page {
			return nil
		}
	}
}

// report tells who asked how far the job is.
func (j *jobs) report(ctx context.Context, n *job, state store.RequestState, progress string, err error) {
	if n.request == nil {
		return
	}
	n.request.State, n.request.Progress = state, progress
	if err != nil {
		n.request.Error = err.Error()
	}
	if n.request.Finished() {
		n.request.Ended = j.l.o.Now()
	}
	if j.l.stillOurs(ctx) != nil {
		return // its new daemon reports
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := j.l.o.Store.Update(ctx, *n.request); err != nil && ctx.Err() == nil {
		j.l.o.Log.WithError(err).Warn("report on a request")
	}
}

// attend looks for requests until ctx ends.
func (j *jobs) attend(ctx context.Context) error {
	t := newTrouble(j.l.o, "look for requests")
	for {
		switch err := j.collect(ctx); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			t.failed(err)
		default:
			t.over()
		}
		if err := sleep(ctx, deskEvery); err != nil {
			return err
		}
	}
}

// collect queues the requests that are new to this daemon. One that another
// daemon left running is begun again.
func (j *jobs) collect(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	known := j.known() // from before the list: what ends meanwhile is still among them
	requests, err := j.l.o.Store.Requests(call, false)
	if err != nil {
		return fmt.Errorf("look for requests: %w", err)
	}
	for i := range requests {
		r := requests[i]
		if known[r.ID] {
			continue
		}
		n := &job{name: r.Kind, request: &r}
		if r.Kind != JobResume {
			j.add(n)
			continue
		}
		j.l.resume()
		j.report(ctx, n, store.RequestDone, "resumed", j.l.ledger.flush(call))
	}
	return nil
}

// known gives the ids of the requests that wait or run.
func (j *jobs) known() map[string]bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	ids := make(map[string]bool)
	for _, q := range j.queue {
		if q.request != nil {
			ids[q.request.ID] = true
		}
	}
	return ids
}

// schedule queues the scheduled jobs when they are due, and at the start those
// that were missed or interrupted.
func (j *jobs) schedule(ctx context.Context) error {
	c := cron.New(cron.WithLocation(j.l.o.Zone))
	for name, s := range map[string]Schedule{JobBackfill: j.l.o.Backfill, JobRescore: j.l.o.Rescore} {
		if s.Cron == nil {
			continue
		}
		if j.missed(name, s) {
			j.add(&job{name: name})
		}
		c.Schedule(s.Cron, cron.FuncJob(func() {
			if s.Jitter > 0 {
				if sleep(ctx, rand.N(s.Jitter)) != nil {
					return
				}
			}
			j.add(&job{name: name})
		}))
	}
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return ctx.Err()
}

// missed says whether a run was due while no daemon ran, or was interrupted.
func (j *jobs) missed(name string, s Schedule) bool {
	c := j.l.ledger.view()
	if c.Owed != nil {
		return false // does all that the job would
	}
	if _, interrupted := c.Scans[name]; interrupted {
		return true
	}
	last := c.Jobs[name].LastSuccess
	return !last.IsZero() && s.Cron.Next(last.In(j.l.o.Zone)).Before(j.l.o.Now())
}
