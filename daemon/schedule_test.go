package daemon_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"botwatch/daemon"
	"botwatch/internal/fixture"
	"botwatch/store"
	"botwatch/store/memory"
)

// scheduled is a store of a few accounts, and a daemon on it that may be stopped
// and started.
type scheduled struct {
	t       *testing.T
	s       *memory.Store
	options daemon.Options
	stop    func()
}

func newScheduled(t *testing.T, change func(*daemon.Options)) *scheduled {
	d := &scheduled{t: t, s: memory.New(memory.Options{BatchSize: 10})}
	t.Cleanup(func() { d.s.Close() })
	for i := range 300 {
		account := store.Account{ID: store.IntID(int64(i)), Doc: fixture.Doc(10, 3, false)}
		if err := d.s.PutAccounts(t.Context(), []store.Account{account}); err != nil {
			t.Fatal(err)
		}
	}
	d.options = daemon.Options{Store: d.s, Model: fixture.Model(t, false), Holder: "test", Log: fixture.Quiet()}
	change(&d.options)
	d.start()
	return d
}

func (d *scheduled) start() {
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan error, 1)
	go func() { done <- daemon.New(d.options).Run(ctx) }()
	var stopped bool
	d.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			d.t.Error(err)
		}
	}
	d.t.Cleanup(d.stop)
	time.Sleep(10 * time.Second)
}

// job says when a job began and ended last.
func (d *scheduled) job(name string) store.Job {
	d.t.Helper()
	c, err := d.s.Load(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	return c.Jobs[name]
}

// until sleeps until a moment of the bubble's clock, which begins in 2000.
func until(at time.Time) { time.Sleep(time.Until(at)) }

// TestScheduler: jobs run when they are due in their time zone, within the jitter,
// one run at a time, and at the start where a run was missed.
func TestScheduler(t *testing.T) {
	rule := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	// At the clock's beginning it is 03:00 there; 03:30 is 00:30 UTC.
	east := time.FixedZone("east", 3*60*60)
	due := time.Date(2000, 1, 1, 0, 30, 0, 0, time.UTC)

	rule("in the time zone", func(t *testing.T) {
		d := newScheduled(t, func(o *daemon.Options) { o.Rescore, o.Zone = schedule(t, "30 3 * * *"), east })
		until(due.Add(-time.Second))
		if at := d.job(daemon.JobRescore).LastStart; at.After(due.Add(-20 * time.Minute)) {
			t.Errorf("ran at %v, before it was due", at)
		}
		until(due.Add(time.Minute))
		if at := d.job(daemon.JobRescore).LastStart; !at.Equal(due) {
			t.Errorf("ran at %v; want %v", at, due)
		}
	})
	rule("within the jitter", func(t *testing.T) {
		d := newScheduled(t, func(o *daemon.Options) {
			o.Rescore = schedule(t, "30 * * * *")
			o.Rescore.Jitter = 10 * time.Minute
		})
		late := 0
		for hour := range 5 {
			due := due.Add(time.Duration(hour) * time.Hour)
			until(due.Add(15 * time.Minute))
			switch by := d.job(daemon.JobRescore).LastStart.Sub(due); {
			case by < 0 || by > 10*time.Minute:
				t.Errorf("hour %d: ran %v after it was due", hour, by)
			case by > 0:
				late++
			}
		}
		if late == 0 {
			t.Error("there is no jitter")
		}
	})
	rule("at the start, where a run was missed", func(t *testing.T) {
		d := newScheduled(t, func(o *daemon.Options) { o.Rescore, o.Zone = schedule(t, "30 3 * * *"), east })
		first := d.job(daemon.JobRescore).LastSuccess
		d.stop()
		until(due.Add(-10 * time.Minute))
		d.start()
		if at := d.job(daemon.JobRescore).LastSuccess; !at.Equal(first) {
			t.Errorf("ran at %v with nothing missed", at)
		}
		d.stop()
		until(due.Add(time.Hour))
		d.start()
		if at := d.job(daemon.JobRescore).LastSuccess; at.Before(due) {
			t.Errorf("ran last at %v; want a run at the start, for that of %v", at, due)
		}
	})
	rule("no run is queued while one goes on", func(t *testing.T) {
		// A run of 300 accounts takes 150 s: it begins at a full minute, and the next
		// one not before the minute after its end.
		d := newScheduled(t, func(o *daemon.Options) {
			o.Rescore = schedule(t, "* * * * *")
			o.Rescore.Rate = 2
		})
		time.Sleep(2 * time.Minute)
		begun := map[time.Time]bool{}
		for range 120 {
			time.Sleep(5 * time.Second)
			begun[d.job(daemon.JobRescore).LastStart] = true
		}
		if n := len(begun); n < 3 || n > 5 {
			t.Errorf("%d runs in 10 minutes; want one in 3", n)
		}
		for at := range begun {
			if !at.Equal(at.Truncate(time.Minute)) {
				t.Errorf("a run began at %v, as if it had been waiting", at)
			}
		}
	})
}
