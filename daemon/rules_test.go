package daemon_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"botwatch/daemon"
	"botwatch/internal/fixture"
	"botwatch/store"
	"botwatch/store/memory"
)

// bench is a memory store with daemons on it, inside a synctest bubble.
type bench struct {
	t *testing.T
	*memory.Store
}

// rule runs a case in a bubble of its own.
func rule(t *testing.T, name string, f func(b bench)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := bench{t, memory.New(memory.Options{})}
			defer b.Close()
			f(b)
		})
	})
}

// run starts a daemon and gives what stops it and waits for its end.
func (b bench) run(change func(*daemon.Options)) (stop func()) {
	b.t.Helper()
	o := daemon.Options{Store: b.Store, Model: fixture.Model(b.t, false), Holder: "daemon", Log: fixture.Quiet()}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- daemon.New(o).Run(ctx) }()
	return func() {
		b.t.Helper()
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	}
}

func (b bench) put(from, to int, bad bool) {
	b.t.Helper()
	for i := from; i < to; i++ {
		if err := b.PutAccounts(b.t.Context(), []store.Account{{ID: store.IntID(int64(i)), Doc: fixture.Doc(10, 3, bad)}}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// live counts the predictions that are no tombstones.
func (b bench) live() int {
	b.t.Helper()
	n, err := b.Count(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return n.Total
}

func (b bench) saved() store.Checkpoint {
	b.t.Helper()
	c, err := b.Load(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// restoreState puts a checkpoint back as an operator does, by a lease that leaves
// no trace of itself.
func (b bench) restoreState(c store.Checkpoint) {
	b.t.Helper()
	epoch, err := b.Acquire(b.t.Context(), "operator")
	if err == nil {
		err = b.Save(b.t.Context(), epoch, c)
	}
	if err == nil {
		err = b.Release(b.t.Context(), epoch)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) resume() {
	b.t.Helper()
	if _, err := b.Submit(b.t.Context(), store.Request{Kind: daemon.JobResume}); err != nil {
		b.t.Fatal(err)
	}
	time.Sleep(time.Minute)
}

func TestBreakers(t *testing.T) {
	rule(t, "one stays open over a restart, until resume", func(b bench) {
		stop := b.run(nil)
		time.Sleep(time.Minute)
		b.put(0, 150, true)
		time.Sleep(time.Minute)
		stop()
		n := b.live()
		if len(b.saved().Breakers) != 1 {
			b.t.Fatalf("breakers %v; want one", b.saved().Breakers)
		}
		stop = b.run(nil)
		defer func() { stop() }()
		b.put(1000, 1100, false)
		time.Sleep(time.Minute)
		if got := b.live(); got != n {
			b.t.Errorf("%d predictions written with the breaker open", got-n)
		}
		b.put(0, 150, false)
		b.resume()
		if got := b.live(); got != 250 || len(b.saved().Breakers) > 0 {
			b.t.Errorf("after resume: %d of 250 predictions, breakers %v", got, b.saved().Breakers)
		}
	})
	rule(t, "history that is lost again and again opens one", func(b bench) {
		b.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpStreamNext {
				f.Before = store.ErrHistoryLost
			}
			if c.Op == memory.OpScanNext {
				f.Delay = time.Hour // or the reconcile would be progress
			}
			return f
		}})
		b.put(0, 10, false)
		stop := b.run(nil)
		defer func() { stop() }()
		time.Sleep(10 * time.Minute)
		c := b.saved()
		if c.HistoryLost != 4 || len(c.Breakers) != 1 || c.Owed == nil || b.live() > 0 {
			b.t.Errorf("lost %d times, breakers %v, owed %v, %d predictions", c.HistoryLost, c.Breakers, c.Owed, b.live())
		}
		b.SetFaults(memory.Faults{})
		b.resume()
		b.put(10, 20, false)
		time.Sleep(2 * time.Hour)
		if c := b.saved(); b.live() != 20 || c.Owed != nil || len(c.Breakers) > 0 {
			b.t.Errorf("after resume: %d of 20 predictions, breakers %v, owed %v", b.live(), c.Breakers, c.Owed)
		}
	})
}

// moved is a store whose positions do not tell what its head does.
type moved struct {
	*memory.Store
	move func(*store.Head)
}

func (m moved) Head(ctx context.Context) (store.Head, error) {
	h, err := m.Store.Head(ctx)
	m.move(&h)
	return h, err
}

func TestLost(t *testing.T) {
	rule(t, "a source that was replaced while no daemon ran", func(b bench) {
		b.put(0, 10, false)
		stop := b.run(nil)
		time.Sleep(time.Minute)
		stop()
		b.Replace()
		b.put(5, 15, false)
		b.put(5, 15, false) // its numbers are past the checkpoint's again
		stop = b.run(nil)
		defer func() { stop() }()
		time.Sleep(time.Minute)
		if c := b.saved(); b.live() != 10 || c.HistoryLost != 1 {
			b.t.Errorf("%d of 10 predictions, history lost %d times", b.live(), c.HistoryLost)
		}
	})
	rule(t, "a restore while no daemon ran", func(b bench) {
		b.put(0, 10, false)
		backup := b.Snapshot()
		b.put(10, 20, false)
		stop := b.run(nil)
		time.Sleep(time.Minute)
		stop()
		b.Restore(backup)
		stop = b.run(nil)
		defer func() { stop() }()
		time.Sleep(time.Minute)
		if c := b.saved(); b.live() != 10 || c.HistoryLost != 1 {
			b.t.Errorf("%d of 10 predictions, history lost %d times", b.live(), c.HistoryLost)
		}
	})
	for name, move := range map[string]func(*store.Head){
		"another place of the same history": func(h *store.Head) { h.Identity = "another" },
		"a head below the checkpoint":       func(h *store.Head) { h.Seq = 1 },
	} {
		rule(t, name, func(b bench) {
			b.put(0, 10, false)
			stop := b.run(nil)
			time.Sleep(time.Minute)
			stop()
			stop = b.run(func(o *daemon.Options) { o.Store = moved{b.Store, move} })
			defer func() { stop() }()
			time.Sleep(time.Minute)
			if c := b.saved(); c.HistoryLost != 1 || c.Owed != nil {
				b.t.Errorf("history lost %d times, owed %v", c.HistoryLost, c.Owed)
			}
		})
	}
	rule(t, "but not accounts that come into being", func(b bench) {
		stop := b.run(func(o *daemon.Options) { o.Store = moved{b.Store, func(h *store.Head) { h.Identity = "" }} })
		time.Sleep(time.Minute)
		b.put(0, 10, false)
		time.Sleep(time.Minute)
		stop()
		for range 2 {
			stop = b.run(nil)
			time.Sleep(time.Minute)
			stop()
		}
		if c := b.saved(); b.live() != 10 || c.HistoryLost != 0 || c.Identity == "" {
			b.t.Errorf("%d of 10 predictions, history lost %d times, identity %q", b.live(), c.HistoryLost, c.Identity)
		}
	})
	rule(t, "a restore of accounts and state together, that predictions tell", func(b bench) {
		b.put(0, 10, false)
		backup := b.Snapshot()
		b.LoseState() // as in the backup: it is from before the first daemon
		stop := b.run(nil)
		time.Sleep(time.Minute)
		stop()
		state := b.saved()
		b.put(10, 20, false)
		stop = b.run(nil)
		time.Sleep(time.Minute)
		stop()
		b.Restore(backup)
		b.LoseState()
		head, err := b.Head(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		state.Position, state.Seq, state.Epoch = head.Position, head.Seq, 1
		b.restoreState(state)
		stop = b.run(nil)
		time.Sleep(time.Minute)
		stop()
		if c := b.saved(); b.live() != 10 || c.HistoryLost != 1 {
			b.t.Errorf("%d of 10 predictions, history lost %d times", b.live(), c.HistoryLost)
		}
		stop = b.run(nil) // and no more than once, though what was not written again is of then
		defer func() { stop() }()
		time.Sleep(time.Minute)
		if c := b.saved(); c.HistoryLost != 1 {
			b.t.Errorf("history lost %d times after another start", c.HistoryLost)
		}
	})
	rule(t, "the state is lost, and what is stored still gives way", func(b bench) {
		b.put(0, 10, false)
		for range 5 {
			stop := b.run(nil)
			time.Sleep(time.Minute)
			b.put(0, 10, false)
			time.Sleep(time.Minute)
			stop()
		}
		b.LoseState()
		stop := b.run(nil)
		defer func() { stop() }()
		time.Sleep(time.Minute)
		for i := range 10 {
			if err := b.PutAccounts(b.t.Context(), []store.Account{{ID: store.IntID(int64(i)), Doc: fixture.Doc(20, 5, false)}}); err != nil {
				b.t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		stamps, err := b.Stamps(b.t.Context(), []store.ID{store.IntID(0), store.IntID(9)})
		if err != nil {
			b.t.Fatal(err)
		}
		head, err := b.Head(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		for _, s := range stamps {
			if s.Version.Epoch <= 5 || s.Version.Seq+10 <= head.Seq {
				b.t.Errorf("%s: version %v is stored; the head is %d", s.ID, s.Version, head.Seq)
			}
		}
	})
	rule(t, "history lost under the stream", func(b bench) {
		stop := b.run(nil)
		defer func() { stop() }()
		time.Sleep(time.Minute)
		b.put(0, 10, false)
		b.LoseHistory()
		time.Sleep(time.Minute)
		if c := b.saved(); b.live() != 10 || c.HistoryLost != 1 || c.Owed != nil {
			b.t.Errorf("%d of 10 predictions, history lost %d times, owed %v", b.live(), c.HistoryLost, c.Owed)
		}
	})
}

func TestSchedule(t *testing.T) {
	rule(t, "a run that was missed is made up for at the start", func(b bench) {
		hourly := func(o *daemon.Options) { o.Backfill = schedule(b.t, "0 * * * *") }
		stop := b.run(hourly)
		time.Sleep(time.Minute)
		stop()
		time.Sleep(150 * time.Minute)
		restart := time.Now()
		stop = b.run(hourly)
		time.Sleep(time.Minute)
		stop()
		if job := b.saved().Jobs[daemon.JobBackfill]; job.LastStart.Before(restart) || job.LastSuccess.Before(restart) {
			b.t.Errorf("last start %v, last success %v; want after %v", job.LastStart, job.LastSuccess, restart)
		}
	})
}

func TestInterruptedScan(t *testing.T) {
	rule(t, "goes on from where it was", func(b bench) {
		var scans atomic.Int32
		b.SetFaults(memory.Faults{
			Batch: func(memory.Call) memory.Shape { return memory.Shape{Max: 10} },
			Call: func(c memory.Call) (f memory.Fault) {
				if c.Op == memory.OpScanNext {
					scans.Add(1)
					f.Delay = time.Second
				}
				return f
			},
		})
		b.put(0, 300, false)
		stop := b.run(nil)
		time.Sleep(15 * time.Second)
		stop()
		stop = b.run(nil)
		time.Sleep(time.Minute)
		stop()
		if n := scans.Load(); n > 35 || b.live() != 300 {
			b.t.Errorf("%d batches of 10 read for 300 accounts, %d predictions", n, b.live())
		}
	})
}

func TestShutdown(t *testing.T) {
	rule(t, "writes what was read, saves, and gives up the lease", func(b bench) {
		stop := b.run(func(o *daemon.Options) { o.CheckpointEvery = time.Hour })
		time.Sleep(time.Minute)
		b.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Delay = 5 * time.Second
			}
			return f
		}})
		b.put(0, 10, false)
		time.Sleep(time.Second)
		stop()
		head, err := b.Head(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		if c := b.saved(); b.live() != 10 || c.Seq != head.Seq {
			b.t.Errorf("%d of 10 predictions, checkpoint at %d of %d", b.live(), c.Seq, head.Seq)
		}
		if _, err := b.Acquire(b.t.Context(), "another"); err != nil {
			b.t.Error(err)
		}
	})
	rule(t, "within its bound, and then without what is not written", func(b bench) {
		stop := b.run(nil)
		time.Sleep(time.Minute)
		never := make(chan struct{})
		b.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Stall = never
			}
			return f
		}})
		before := b.saved()
		b.put(0, 10, false)
		time.Sleep(time.Second)
		at := time.Now()
		stop()
		if took := time.Since(at); took > 45*time.Second {
			b.t.Errorf("took %v", took)
		}
		if c := b.saved(); c.Seq != before.Seq {
			b.t.Errorf("checkpoint at %d; was %d, and nothing was written since", c.Seq, before.Seq)
		}
	})
}

func TestDryRun(t *testing.T) {
	rule(t, "writes nothing", func(b bench) {
		b.put(0, 10, false)
		stop := b.run(func(o *daemon.Options) { o.DryRun = true })
		time.Sleep(time.Minute)
		b.put(10, 20, true)
		time.Sleep(time.Minute)
		stop()
		letters, err := b.ListLetters(b.t.Context(), "", 10)
		if err != nil || len(letters) > 0 || len(b.Applied()) > 0 || b.saved().Schema != 0 {
			b.t.Errorf("%d letters, writes %v, checkpoint %+v, %v", len(letters), b.Applied(), b.saved(), err)
		}
	})
}
