package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"botwatch/daemon"
	"botwatch/internal/fixture"
	"botwatch/store"
	"botwatch/store/memory"
)

var errOutage = errors.New("no server can be reached")

// failing makes operations fail, all others pass.
func failing(err error, ops ...memory.Op) memory.Faults {
	return memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
		if slices.Contains(ops, c.Op) {
			f.Before = err
		}
		return f
	}}
}

// journal keeps what a daemon logs.
func journal(o *daemon.Options) *logtest.Hook {
	log, hook := logtest.NewNullLogger()
	o.Log = log
	return hook
}

// lines gives the messages of a level that contain a text.
func lines(h *logtest.Hook, level logrus.Level, text string) (found []string) {
	for _, e := range h.AllEntries() {
		if e.Level == level && strings.Contains(e.Message, text) {
			found = append(found, e.Message)
		}
	}
	return found
}

// status reads what was published last.
func (b bench) status() (st daemon.Status) {
	b.t.Helper()
	text, err := b.Published(b.t.Context())
	if err == nil {
		err = json.Unmarshal(text, &st)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

// TestOutage: errors that may pass do not end a daemon, whatever it is doing.
func TestOutage(t *testing.T) {
	for _, op := range []memory.Op{memory.OpAcquire, memory.OpNewest, memory.OpLoad, memory.OpHead, memory.OpSave} {
		rule(t, string(op)+" fails in the middle of a recovery", func(b bench) {
			var hook *logtest.Hook
			stop := b.run(func(o *daemon.Options) { hook = journal(o) })
			defer func() { stop() }()
			b.put(0, 10, false)
			time.Sleep(time.Minute)
			b.SetFaults(failing(errOutage, op))
			b.Replace()
			for i := range 7 {
				if err := b.Connect().PutAccounts(b.t.Context(), []store.Account{{ID: store.IntID(int64(i)), Doc: fixture.Doc(10, 3, false)}}); err != nil {
					b.t.Fatal(err)
				}
			}
			time.Sleep(10 * time.Minute)
			b.SetFaults(memory.Faults{})
			time.Sleep(time.Minute)
			if c := b.saved(); b.live() != 7 || c.HistoryLost != 1 || c.Owed != nil {
				b.t.Errorf("%d of 7 predictions, history lost %d times, owed %v", b.live(), c.HistoryLost, c.Owed)
			}
			if n := len(lines(hook, logrus.WarnLevel, "will try again")); n < 5 || n > 30 {
				b.t.Errorf("%d warnings in ten minutes: %v", n, lines(hook, logrus.WarnLevel, ""))
			}
			if len(lines(hook, logrus.InfoLevel, "recovered")) == 0 {
				b.t.Error("no word of the recovery")
			}
		})
	}
	rule(t, "the first call of all fails", func(b bench) {
		b.SetFaults(failing(errOutage, memory.OpAcquire))
		d := daemon.New(daemon.Options{Store: b.Store, Model: fixture.Model(b.t, false), Holder: "daemon", Log: fixture.Quiet(), Standby: true})
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Hour)
		defer cancel()
		if err := d.Run(ctx); !errors.Is(err, errOutage) || ctx.Err() != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
	rule(t, "what cannot pass ends it", func(b bench) {
		for _, final := range []error{store.ErrNewerSchema, store.ErrForeign} {
			b.SetFaults(failing(final, memory.OpLoad))
			d := daemon.New(daemon.Options{Store: b.Store, Model: fixture.Model(b.t, false), Holder: "daemon", Log: fixture.Quiet(), Standby: true})
			ctx, cancel := context.WithTimeout(b.t.Context(), time.Hour)
			if err := d.Run(ctx); !errors.Is(err, final) || ctx.Err() != nil {
				b.t.Errorf("Run: %v", err)
			}
			cancel()
		}
	})
	rule(t, "a standby's polls fail", func(b bench) {
		other := b.Connect()
		defer other.Close()
		epoch, err := other.Acquire(b.t.Context(), "other")
		if err != nil {
			b.t.Fatal(err)
		}
		stop := b.run(func(o *daemon.Options) { o.Standby = true })
		defer func() { stop() }()
		time.Sleep(10 * time.Second)
		b.SetFaults(failing(errOutage, memory.OpAcquire))
		if err := other.Release(b.t.Context(), epoch); err != nil {
			b.t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.SetFaults(memory.Faults{})
		time.Sleep(15 * time.Second)
		if st := b.status(); st.Holder != "daemon" || st.Role != "leader" {
			b.t.Errorf("%s of %s", st.Role, st.Holder)
		}
	})
}

// TestStalled: while nothing becomes durable, status and log say so.
func TestStalled(t *testing.T) {
	for _, test := range []struct {
		name   string
		reason string
		call   func(memory.Call, <-chan struct{}) memory.Fault
	}{
		{"writes that are not acknowledged", "predictions", func(c memory.Call, end <-chan struct{}) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Stall = end
			}
			return f
		}},
		{"writes that fail", errOutage.Error(), func(c memory.Call, _ <-chan struct{}) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Before = errOutage
			}
			return f
		}},
		{"a lease and checkpoints that no majority has", "deadline exceeded", func(c memory.Call, end <-chan struct{}) (f memory.Fault) {
			if c.Op == memory.OpRenew || c.Op == memory.OpSave || c.Op == memory.OpDesk {
				f.Hold = end // the status, too, is done, and its acknowledgement is missing
			}
			return f
		}},
	} {
		rule(t, test.name, func(b bench) {
			var hook *logtest.Hook
			stop := b.run(func(o *daemon.Options) { hook = journal(o) })
			defer func() { stop() }()
			time.Sleep(time.Minute)
			if st := b.status(); st.Stalled != nil {
				b.t.Errorf("stalled at first: %+v", st.Stalled)
			}
			end := make(chan struct{})
			b.SetFaults(memory.Faults{Call: func(c memory.Call) memory.Fault { return test.call(c, end) }})
			began := time.Now()
			look := bench{b.t, b.Connect()}
			look.put(0, 10, false)
			time.Sleep(40 * time.Second)
			if st := look.status(); st.Stalled == nil || !strings.Contains(st.Stalled.Reason, test.reason) || st.Stalled.Since.Sub(began).Abs() > 15*time.Second {
				b.t.Errorf("40 s into it, since %v: %+v, of %v", began, st.Stalled, st.At)
			}
			close(end)
			b.SetFaults(memory.Faults{})
			time.Sleep(time.Minute)
			if st := b.status(); st.Stalled != nil || b.live() != 10 {
				b.t.Errorf("after it: %+v, %d of 10 predictions", st.Stalled, b.live())
			}
			if warned, over := lines(hook, logrus.WarnLevel, "stalled"), lines(hook, logrus.InfoLevel, "stalled: recovered"); len(warned) != 1 || len(over) != 1 {
				b.t.Errorf("log: %v, %v", warned, over)
			}
		})
	}
}

// paused makes every call wait, as of a process that is stopped by a signal.
type paused struct {
	mu   sync.Mutex
	gate chan struct{} // nil: it runs
}

func (p *paused) faults() memory.Faults {
	return memory.Faults{Call: func(memory.Call) (f memory.Fault) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.gate != nil {
			f.Stall = p.gate
		}
		return f
	}}
}

func (p *paused) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = make(chan struct{})
}

func (p *paused) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.gate)
	p.gate = nil
}

// TestStandby: a standby takes over within 15 s, and the old leader, back from a
// pause, changes nothing.
func TestStandby(t *testing.T) {
	rule(t, "takes over, and what comes back stands by", func(b bench) {
		b.Store = memory.New(memory.Options{LeaseTTL: 10 * time.Second})
		defer b.Close()
		old := bench{b.t, b.Connect()}
		p := new(paused)
		old.SetFaults(p.faults())
		stopOld := old.run(func(o *daemon.Options) { o.Holder, o.Standby = "old", true })
		b.put(0, 10, false)
		time.Sleep(20 * time.Second)
		var hook *logtest.Hook
		stop := b.run(func(o *daemon.Options) { hook, o.Holder, o.Standby = journal(o), "new", true })
		time.Sleep(20 * time.Second)
		if st := b.status(); st.Holder != "old" {
			b.t.Errorf("a standby published a status: %+v", st)
		}
		var told string
		for _, e := range hook.AllEntries() {
			if h, ok := e.Data["holder"].(string); ok {
				told = h
			}
		}
		if told != "old" {
			b.t.Errorf("the standby says that it waits for %q", told)
		}
		b.put(0, 5, true) // the old one has read some of it when it is paused
		time.Sleep(10 * time.Millisecond)
		p.pause()
		b.put(5, 15, false)
		time.Sleep(15 * time.Second)
		if st := b.status(); st.Holder != "new" || st.Role != "leader" {
			b.t.Fatalf("after 15 s: %s of %s", st.Role, st.Holder)
		}
		time.Sleep(time.Minute)
		b.put(0, 5, false)
		time.Sleep(time.Minute)
		before, writes := b.saved(), len(b.Applied())
		p.resume()
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			if st := b.status(); st.Holder != "new" || st.Role != "leader" {
				b.t.Fatalf("the old one published: %s of %s", st.Role, st.Holder)
			}
		}
		if diff := cmp.Diff(before.Seq, b.saved().Seq); diff != "" || len(b.Applied()) != writes || b.live() != 15 {
			b.t.Errorf("checkpoint: %s; %d writes more; %d of 15 predictions", diff, len(b.Applied())-writes, b.live())
		}
		stop()
		time.Sleep(5 * time.Second)
		if st := b.status(); st.Holder != "old" || st.Role != "leader" {
			b.t.Errorf("after the new one's end: %s of %s", st.Role, st.Holder)
		}
		stopOld()
	})
}

// streamless is a store without a stream of changes.
type streamless struct{ *memory.Store }

func (s streamless) Stream(context.Context, store.Position) (store.Feed, error) {
	return nil, store.ErrNoStream
}

// TestPolling: without a stream the scans do the work (rule 11).
func TestPolling(t *testing.T) {
	rule(t, "scheduled scans follow the accounts, orphans too", func(b bench) {
		b.put(0, 10, false)
		var hook *logtest.Hook
		stop := b.run(func(o *daemon.Options) {
			hook, o.Store, o.Backfill = journal(o), streamless{b.Store}, schedule(b.t, "0 * * * *")
		})
		defer func() { stop() }()
		time.Sleep(time.Minute)
		if b.live() != 10 {
			b.t.Errorf("%d of 10 predictions after the first look", b.live())
		}
		if st := b.status(); !st.Polling || st.LagKnown || len(lines(hook, logrus.WarnLevel, "polling")) != 1 {
			b.t.Errorf("status: polling %v, lag known %v; log %v", st.Polling, st.LagKnown, lines(hook, logrus.WarnLevel, ""))
		}
		b.put(10, 20, false)
		if err := b.DeleteAccounts(b.t.Context(), []store.ID{store.IntID(3), store.IntID(4)}); err != nil {
			b.t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if b.live() != 18 {
			b.t.Errorf("%d of 18 predictions after an hour", b.live())
		}
		if warnings := lines(hook, logrus.WarnLevel, ""); len(warnings) != 1 {
			b.t.Errorf("log: %v", warnings)
		}
	})
}

// narrow is a store whose history reaches back a day.
type narrow struct {
	*memory.Store
	left time.Duration
	err  error
}

func (n *narrow) Headroom(context.Context, uint64) (store.Headroom, error) {
	return store.Headroom{Window: 24 * time.Hour, Left: n.left}, n.err
}

func TestHeadroom(t *testing.T) {
	for _, test := range []struct {
		name   string
		left   time.Duration
		err    error
		warned int
	}{
		{"enough", 20 * time.Hour, nil, 0},
		{"little: it warns, and not every minute", 5 * time.Hour, nil, 3},
		{"unknown", 5 * time.Hour, errOutage, 0},
	} {
		rule(t, test.name, func(b bench) {
			var hook *logtest.Hook
			stop := b.run(func(o *daemon.Options) { hook, o.Store = journal(o), &narrow{b.Store, test.left, test.err} })
			defer func() { stop() }()
			time.Sleep(150 * time.Minute)
			if warnings := lines(hook, logrus.WarnLevel, "history"); len(warnings) != test.warned {
				b.t.Errorf("log: %v", warnings)
			}
			var want *store.Headroom
			if test.err == nil {
				want = &store.Headroom{Window: 24 * time.Hour, Left: test.left}
			}
			if diff := cmp.Diff(want, b.status().History); diff != "" {
				b.t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}
