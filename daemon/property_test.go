package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/goleak"

	"botwatch/classifier"
	"botwatch/daemon"
	"botwatch/internal/fixture"
	"botwatch/store"
	"botwatch/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func schedule(t testing.TB, spec string) daemon.Schedule {
	s, err := cron.ParseStandard(spec)
	if err != nil {
		t.Fatal(err)
	}
	return daemon.Schedule{Cron: s}
}

// expect compares what is stored with a fresh classification of the accounts:
// every one has its prediction or a letter, and nothing else has one.
func expect(t *testing.T, s *memory.Store, m *classifier.Model, ids []store.ID) {
	t.Helper()
	ctx := context.Background()
	changes, err := s.Fetch(ctx, ids, store.ScanDocs)
	if err != nil {
		t.Fatal(err)
	}
	c := classifier.New(m)
	for i, change := range changes {
		id := ids[i]
		stored, err := s.Predictions(ctx, []store.ID{id})
		if err != nil {
			t.Fatal(err)
		}
		letters, err := s.GetLetters(ctx, []store.ID{id})
		if err != nil {
			t.Fatal(err)
		}
		if change.Op == store.OpDelete {
			if len(stored) > 0 && stored[0].Status != store.StatusDeleted {
				t.Errorf("account %s is gone: stored %s of version %v", id, stored[0].Status, stored[0].Source.Version)
			}
			if len(letters) > 0 {
				t.Errorf("account %s is gone: it has a dead letter", id)
			}
			continue
		}
		if len(stored) == 0 || stored[0].Status == store.StatusDeleted {
			t.Errorf("account %s: no prediction", id)
			continue
		}
		p := stored[0]
		var b classifier.Builder
		var r classifier.Result
		err = s.Decode(change.Doc, &b)
		if err != nil {
			t.Fatal(err)
		}
		a, err := b.Finish()
		if err != nil {
			if p.Error == nil || !p.Stale || len(letters) != 1 {
				t.Errorf("account %s is poison: stored error %v, stale %v, %d letters", id, p.Error, p.Stale, len(letters))
			}
			continue
		}
		if err := c.Classify(a, &r); err != nil {
			t.Fatal(err)
		}
		fingerprint, _ := a.Fingerprint(nil)
		if p.Source.Fingerprint != fingerprint || p.Class != r.Prediction || p.Scores != r.Scores || p.Model.Digest != m.Digest() || p.Error != nil || len(letters) > 0 {
			t.Errorf("account %s: stored class %d of %s by %s, error %v, %d letters; want class %d of %s",
				id, p.Class, p.Source.Fingerprint, p.Model.Name, p.Error, len(letters), r.Prediction, fingerprint)
		}
	}
}

// chaos makes a store fail at random, until it is told to stop.
type chaos struct {
	mu   sync.Mutex
	rnd  *rand.Rand
	rate float64
}

func (c *chaos) chance(p float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rnd.Float64() < p*c.rate
}

func (c *chaos) n(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rnd.IntN(n)
}

func (c *chaos) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rate = 0
}

var errChaos = errors.New("chaos")

func (c *chaos) faults() memory.Faults {
	return memory.Faults{
		Call: func(memory.Call) (f memory.Fault) {
			if c.chance(0.1) {
				f.Delay = time.Duration(c.n(3000)) * time.Millisecond
			}
			switch {
			case c.chance(0.05):
				f.Before = errChaos
			case c.chance(0.05):
				f.After = errChaos
			}
			return f
		},
		Batch: func(memory.Call) (s memory.Shape) {
			if c.chance(0.5) {
				s.Max = 1 + c.n(5)
			}
			if c.chance(0.2) {
				s.Replay = c.n(10)
			}
			return s
		},
		Write: func(memory.Call, store.Write) memory.WriteFault {
			switch {
			case c.chance(0.05):
				return memory.RetryUndone
			case c.chance(0.05):
				return memory.RetryDone
			}
			return memory.WritePasses
		},
	}
}

// TestChaos: whatever fails, in whatever order, the predictions end up true to
// the accounts: calls that fail before or after they take effect, delays,
// duplicates, replays, lost history, replaced and restored accounts, daemons
// that die, and leases that are stolen.
func TestChaos(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chaosRun(t, uint64(seed)) })
		})
	}
}

func chaosRun(t *testing.T, seed uint64) {
	c := &chaos{rnd: rand.New(rand.NewPCG(seed, 1)), rate: 1}
	model := fixture.Model(t, false)
	healed := seed%2 == 0 // else there are no restores, and no backfill heals what the stream and the reconciles leave
	main := memory.New(memory.Options{BatchSize: 1 + c.n(20), DocsAtEvent: c.n(2) == 0, OneSeqPerCall: c.n(2) == 0})
	defer main.Close()
	var ids []store.ID
	for i := range 20 {
		ids = append(ids, store.IntID(int64(i)))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { keepDaemon(t, ctx, main, c, model, fmt.Sprint("daemon ", i), healed) })
	}

	var snapshot memory.Snapshot
	taken, restored := false, false
	for range 200 {
		id := ids[c.n(len(ids))]
		switch n := c.n(100); {
		case n < 60:
			accounts := []store.Account{{ID: id, Doc: fixture.Doc(1+c.n(1000000), c.n(4), c.n(20) == 0)}}
			if err := main.PutAccounts(ctx, accounts); err != nil {
				t.Fatal(err)
			}
		case n < 85:
			if err := main.DeleteAccounts(ctx, []store.ID{id}); err != nil {
				t.Fatal(err)
			}
		case n < 88:
			main.LoseHistory()
		case n < 89:
			main.Replace()
		case n < 91:
			main.Expire()
		case n < 93:
			snapshot, taken = main.Snapshot(), true
		case n < 94 && taken && healed:
			main.Restore(snapshot)
			restored = true
		default:
			time.Sleep(time.Duration(c.n(4000)) * time.Millisecond)
		}
	}
	c.stop()
	time.Sleep(time.Minute)
	if _, err := main.Submit(ctx, store.Request{Kind: daemon.JobResume}); err != nil { // so much was lost that a breaker may be open
		t.Fatal(err)
	}
	time.Sleep(70 * time.Minute) // one backfill at least, if any
	if restored {
		// A restore to a state between the last checkpoint and the last write, with
		// no daemon running, looks like none: the nightly rescore finds its traces.
		if _, err := main.Submit(ctx, store.Request{Kind: daemon.JobRescore}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
	}
	expect(t, main, model, ids)
	stop()
	wg.Wait()
}

// keepDaemon runs daemon after daemon, each on a handle of its own, and lets
// some of them die in the middle of their work.
func keepDaemon(t *testing.T, ctx context.Context, main *memory.Store, c *chaos, m *classifier.Model, name string, healed bool) {
	for ctx.Err() == nil {
		handle := main.Connect()
		handle.SetFaults(c.faults())
		o := daemon.Options{Store: handle, Model: m, Holder: name, Log: fixture.Quiet(), Standby: true}
		if healed {
			o.Backfill, o.Rescore = schedule(t, "0 * * * *"), schedule(t, "30 3 * * *")
		}
		d := daemon.New(o)
		life, kill := context.WithCancel(ctx)
		var die *time.Timer
		if c.chance(0.7) {
			die = time.AfterFunc(time.Duration(1+c.n(60))*time.Second, func() { // as kill -9 does: nothing more is written
				handle.Close()
				kill()
			})
		}
		_ = d.Run(life)
		if die != nil {
			die.Stop()
		}
		kill()
		handle.Close()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
