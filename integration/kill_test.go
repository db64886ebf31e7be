//go:build unix

package integration_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"botwatch/simulate"
	"botwatch/store"
)

// A way to die. With a point, the daemon kills itself at a pass of it; else it
// is killed at a random moment after it took the lease.
type death struct {
	point  string
	passes int  // at most; the one that kills is drawn
	loss   bool // history is lost before this daemon starts
}

// The lives of a round: some of daemons that go on from a checkpoint, some of
// those that find history lost and owe a look at all accounts.
var (
	followers = []death{
		{}, {point: "before-write", passes: 20}, {}, {point: "after-write", passes: 20}, {}, {point: "before-checkpoint", passes: 3},
		{point: "before-write", passes: 3}, {point: "after-write", passes: 3},
	}
	recoverers = []death{
		{loss: true}, {point: "before-reconcile", passes: 1, loss: true}, {},
		{point: "in-scan", passes: 4, loss: true}, {point: "after-write", passes: 10},
		{point: "after-owed", passes: 1, loss: true}, {point: "in-scan", passes: 3}, {point: "before-orphans", passes: 1},
		{point: "before-checkpoint", passes: 3, loss: true}, {},
	}
)

// round is some lives of daemons, the crawler beside them, and one that drains.
type round struct {
	name   string
	deaths []death
	loss   bool // history is lost before the last daemon, which drains
}

var rounds = []round{
	{"a stream from a checkpoint", followers, false},
	{"lost history", recoverers, false},
	{"a stream from a checkpoint, then a loss", followers, true},
	{"lost history, then a loss", recoverers, true},
	{"both", slices.Concat(recoverers, followers), false},
}

// TestKill: whatever the moment of a kill -9, the next daemon is not refused,
// and in the end every prediction is true to its account.
func TestKill(t *testing.T) {
	file := database(t)
	k := newKiller(t, &mortalFile{file: file, db: connect(t, file)}, open(t, file, false), open(t, file, true))
	k.rounds(t, rounds)
}

// rounds kills daemons, and lets them work off everything after each round.
func (k *killer) rounds(t *testing.T, rounds []round) {
	t.Helper()
	if testing.Short() {
		rounds = rounds[1:3]
		rounds[0].deaths, rounds[1].deaths = recoverers[3:8], followers[:5]
	}
	for i, r := range rounds {
		ok := t.Run(r.name, func(t *testing.T) {
			crawled := k.crawl(t, uint64(i+1))
			for _, how := range r.deaths {
				k.kill(t, how)
			}
			crawled()
			if r.loss {
				k.lose(t, k.looker)
			}
			k.settle(t, r.loss)
		})
		if !ok {
			break
		}
	}
	k.report(t)
}

// killer kills daemons on one store and keeps the books about it.
type killer struct {
	mortal
	crawler store.Store // the crawler's handle
	looker  store.Store
	rnd     *rand.Rand

	kills     int
	unsaved   int // kills with changes after the checkpoint
	unwritten int // kills with changes whose prediction was not written yet
	owed      int // kills with a look at all accounts owed, or history lost and that not known yet
	inScan    int // kills with a scan under way
	restart   time.Duration
}

// settled accounts are those that no crawler touches: only a look at all of them
// finds what happened to them while history was lost.
const settledAccounts = 1200

func newKiller(t *testing.T, m mortal, crawler, looker store.Store) *killer {
	k := &killer{mortal: m, crawler: crawler, looker: looker, rnd: rand.New(rand.NewPCG(1, 2))}
	g := simulate.Generator{Lean: true, Tweets: 20, Epoch: time.Now()}
	var accounts []store.Account
	for i := range settledAccounts {
		doc := g.Account(1_000_000+i, 0, g.Epoch)
		accounts = append(accounts, store.Account{ID: store.StringID(doc.ID), Doc: doc.JSON})
	}
	check(t, k.crawler.PutAccounts(t.Context(), accounts))
	return k
}

// crawl lets a crawler work until the function it gives is called.
func (k *killer) crawl(t *testing.T, seed uint64) (end func()) {
	c, err := simulate.NewCrawler(simulate.Options{
		Generator: simulate.Generator{Seed: 7, Lean: true, Tweets: 20, Strict: true},
		Rate:      800, Accounts: 1500, Updates: 0.5, Deletes: 0.1, Reinserts: 0.08, Poison: 0.03,
		Now: shifted(seed),
	})
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, k.crawler) }()
	var once bool
	end = func() {
		if once {
			return
		}
		once = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the crawler: %v", err)
		}
	}
	t.Cleanup(end)
	return end
}

// shifted gives a clock that is hours ahead of the one of the round before, so
// that the crawler's accounts are other ones in each round.
func shifted(round uint64) func() time.Time {
	return func() time.Time { return time.Now().Add(time.Duration(round) * time.Hour) }
}

// environment makes daemons save often, and write little at a time, so that there
// is much to interrupt.
func environment(how death, pass int) []string {
	env := []string{"BOTWATCH_CHECKPOINT_INTERVAL=200ms", "BOTWATCH_PIPELINE_BATCH_ITEMS=8"}
	if how.point != "" {
		env = append(env, fmt.Sprintf("BOTWATCH_KILL_AT=%s:%d", how.point, pass))
	}
	return env
}

// moment is what the store says while a daemon lives, or once it is dead.
type moment struct {
	head uint64 // the number of the last change of an account
	c    store.Checkpoint
}

func (k *killer) look(t *testing.T) (m moment) {
	t.Helper()
	var err error
	m.head = k.head(t)
	m.c, err = k.looker.Load(t.Context())
	check(t, err)
	return m
}

// recover lets a daemon come to the end of what it owes, the crawler beside it.
func (k *killer) recover(t *testing.T) {
	t.Helper()
	k.free(t)
	d := startOn(t, k.address(), environment(death{}, 0))
	await(t, "recover", patience, func() (bool, string) {
		c := k.look(t).c
		return c.Recoveries == 0 && c.Owed == nil, fmt.Sprintf("owed %v, %d recoveries", c.Owed, c.Recoveries)
	})
	d.stop(t, syscall.SIGTERM)
}

// kill starts a daemon, lets it die, and notes what it was at.
func (k *killer) kill(t *testing.T, how death) {
	t.Helper()
	if how.loss {
		if n := k.look(t).c.Recoveries; n > 1 { // one more may open the breaker, by design
			k.recover(t)
		}
		k.lose(t, k.looker)
	}
	pass := 1
	if how.passes > 1 {
		pass += k.rnd.IntN(how.passes)
	}
	k.free(t)
	d := startOn(t, k.address(), environment(how, pass))
	d.awaitLead(t)
	k.restart = max(k.restart, d.lead.Sub(d.begun))

	// What the store says while the daemon is seen to live, so that it was at work
	// on it when it died.
	alive := k.look(t)
	limit := time.Duration(50+k.rnd.IntN(700)) * time.Millisecond
	if how.loss && how.point == "" {
		limit += 1200 * time.Millisecond // it starts over after a second
	}
	if how.point != "" {
		limit = patience
	}
	kill := time.NewTimer(limit)
	defer kill.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for at := false; !at && !d.gone(); {
		select {
		case <-kill.C:
			at = true
		case <-d.ended:
		case <-poll.C:
			if now := k.look(t); !d.gone() {
				alive = now
			}
		}
	}
	if how.point != "" && !d.gone() {
		t.Fatalf("the daemon did not come to %s, pass %d, within %v", how.point, pass, limit)
	}
	if how.point == "" {
		alive = k.look(t)
		check(t, d.cmd.Process.Signal(syscall.SIGKILL))
	}
	d.awaitEnd(t)
	if !d.status.Signaled() || d.status.Signal() != syscall.SIGKILL {
		t.Fatalf("the daemon ended by %s; want a kill (%+v, pass %d)", d.end(), how, pass)
	}
	k.note(t, how, pass, alive)
}

// note counts a kill by what was left undone.
func (k *killer) note(t *testing.T, how death, pass int, alive moment) {
	t.Helper()
	dead := k.look(t)
	k.kills++
	unsaved := alive.head > dead.c.Seq
	unwritten := k.unwrittenBetween(t, dead.c.Seq, alive.head)
	owed := dead.c.Owed != nil || dead.c.Seq < k.lostThrough(t)
	if unsaved {
		k.unsaved++
	}
	if unwritten > 0 {
		k.unwritten++
	}
	if owed {
		k.owed++
	}
	if dead.c.Scans["reconcile"].Phase != "" {
		k.inScan++
	}
	point := how.point
	if point == "" {
		point = "a random moment"
	}
	t.Logf("killed at %s (pass %d): checkpoint %d, head %d, %d changes unwritten, owed %v", point, pass, dead.c.Seq, alive.head, unwritten, owed)
}

// settle lets a daemon work off everything, ends it in order, and checks what is
// stored.
func (k *killer) settle(t *testing.T, lost bool) {
	t.Helper()
	before := k.look(t).c
	k.free(t)
	d := startOn(t, k.address(), environment(death{}, 0))
	d.awaitLead(t)
	begun := time.Now()
	k.drained(t, k.looker)
	took := time.Since(begun).Round(time.Millisecond)
	d.stop(t, syscall.SIGTERM)
	after := k.look(t).c
	if lost && after.HistoryLost <= before.HistoryLost {
		t.Errorf("history was lost, and counted as before: %d", after.HistoryLost)
	}
	if len(after.Breakers) > 0 {
		t.Errorf("breakers are open: %v", after.Breakers)
	}
	n := k.verify(t)
	t.Logf("worked off in %v: %d accounts predicted, %d with a letter, %d tombstones; history lost %d times", took, n.good, n.poison, n.tombstones, after.HistoryLost)
	if n.good < settledAccounts/2 || n.poison == 0 || n.tombstones == 0 {
		t.Errorf("too little happened for this to show anything: %+v", n)
	}
}

// report fails where the kills were too tame to show anything.
func (k *killer) report(t *testing.T) {
	t.Logf("%d kills: %d with changes after the checkpoint, %d with changes unwritten, %d with a look at all accounts owed, %d of these under way; slowest restart to lease %v",
		k.kills, k.unsaved, k.unwritten, k.owed, k.inScan, k.restart.Round(time.Millisecond))
	if t.Failed() {
		return
	}
	want, owed := 40, 10
	if testing.Short() {
		want, owed = 8, 2
	}
	if k.kills < want || k.unsaved*4 < k.kills*3 || k.unwritten*3 < k.kills || k.owed < owed {
		t.Errorf("want %d kills, three quarters with changes after the checkpoint, a third with changes unwritten, and %d with a look at all accounts owed", want, owed)
	}
}
