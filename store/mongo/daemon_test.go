package mongo_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/daemon"
	"botwatch/integration/mongotest"
	"botwatch/internal/fixture"
	"botwatch/store"
)

// runDaemon runs one on a store of its own, and gives what stops it.
func runDaemon(t *testing.T, s store.Store, holder string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	d := daemon.New(daemon.Options{Store: s, Model: model(t), Holder: holder, Log: quiet(), Standby: true})
	go func() { done <- d.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("daemon %s: %v", holder, err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// within waits for something that a daemon does.
func within(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %v", what, limit)
		case <-tick.C:
		}
	}
}

func live(t *testing.T, s store.Store) int {
	t.Helper()
	n, err := s.Count(t.Context())
	check(t, err)
	return n.Total
}

// says reads the published status.
func says(t *testing.T, s store.Store) (st daemon.Status) {
	t.Helper()
	text, err := s.Published(t.Context())
	check(t, err)
	if text != nil {
		check(t, json.Unmarshal(text, &st))
	}
	return st
}

func putAccounts(t *testing.T, s store.Store, tweets int, ids ...int64) {
	t.Helper()
	for _, id := range ids {
		check(t, s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(id), Doc: fixture.Doc(tweets, 3, false)}}))
	}
}

// TestDaemonPolling: rule 11, from the first look to an orphan.
func TestDaemonPolling(t *testing.T) {
	p := newPlace(t, mongotest.Options{Standalone: true})
	s := p.open(t)
	defer s.Close()
	putAccounts(t, s, 10, 1, 2, 3)
	stop := runDaemon(t, s, "daemon")
	within(t, "the first look", 20*time.Second, func() bool { return live(t, s) == 3 })
	within(t, "status", 10*time.Second, func() bool { st := says(t, s); return st.Polling && st.Owed == nil })
	check(t, s.DeleteAccounts(t.Context(), []store.ID{store.IntID(2)}))
	putAccounts(t, s, 10, 4, 5)
	_, err := s.Submit(t.Context(), store.Request{Kind: daemon.JobBackfill})
	check(t, err)
	within(t, "the backfill", 20*time.Second, func() bool { return live(t, s) == 4 })
	stop()
	again := p.open(t)
	defer again.Close()
	runDaemon(t, again, "daemon 2")
	within(t, "another start", 10*time.Second, func() bool { return says(t, again).Holder == "daemon 2" })
	if st := says(t, again); st.HistoryLost != 0 || st.Owed != nil {
		t.Errorf("after another start: history lost %d times, owed %+v", st.HistoryLost, st.Owed)
	}
}

// TestDaemonStateDropped: predictions of before give way to a daemon that has
// lost all memory of its epochs.
func TestDaemonStateDropped(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.open(t)
	defer s.Close()
	putAccounts(t, s, 10, 1)
	var before store.Version
	for i := range 3 {
		stop := runDaemon(t, s, "daemon")
		within(t, "a daemon of some epoch", 20*time.Second, func() bool { return live(t, s) == 1 && says(t, s).Role == "leader" })
		putAccounts(t, s, 11+i, 1)
		within(t, "its version", 10*time.Second, func() bool {
			v, err := s.Newest(t.Context())
			check(t, err)
			newer := before.Epoch < v.Epoch
			if newer {
				before = v
			}
			return newer
		})
		stop()
	}
	check(t, p.coll("botwatch_state").Drop(t.Context()))
	runDaemon(t, s, "daemon")
	putAccounts(t, s, 20, 1)
	within(t, "a version that is greater", 20*time.Second, func() bool {
		v, err := s.Newest(t.Context())
		check(t, err)
		return v.Epoch > before.Epoch
	})
}

// TestDaemonStalled: while no majority can be reached, that is in the status; and
// when it is back, all that was missing is done.
func TestDaemonStalled(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.open(t)
	defer s.Close()
	runDaemon(t, s, "daemon")
	putAccounts(t, s, 10, 1)
	within(t, "the stream", 20*time.Second, func() bool { return live(t, s) == 1 })
	thaw := p.server.Freeze()
	defer thaw()
	within(t, "a status of the stall", 40*time.Second, func() bool { return says(t, s).Stalled != nil })
	thaw()
	putAccounts(t, s, 10, 2, 3)
	within(t, "what was missing", 40*time.Second, func() bool { return live(t, s) == 3 })
	within(t, "a status without", 20*time.Second, func() bool { return says(t, s).Stalled == nil })
}

// TestStampsAreDurable: what a failover may still undo is not taken for stored.
func TestStampsAreDurable(t *testing.T) {
	p := newPlace(t, mongotest.Options{})
	s := p.open(t)
	defer s.Close()
	thaw := p.server.Freeze()
	defer thaw()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if out, err := s.Write(ctx, []store.Write{replace(one, at(1))}); err == nil {
		t.Errorf("written without a majority: %v", out)
	}
	n, err := p.coll("predictions").CountDocuments(t.Context(), bson.D{})
	if err != nil || n != 1 {
		t.Fatalf("the server has %d documents, %v; want the one that no majority has", n, err)
	}
	stamps, err := s.Stamps(t.Context(), []store.ID{one})
	check(t, err)
	if stamps[0].Found {
		t.Errorf("stored: %+v", stamps[0])
	}
	thaw()
	within(t, "the stamp", 10*time.Second, func() bool {
		stamps, err := s.Stamps(t.Context(), []store.ID{one})
		check(t, err)
		return stamps[0].Found
	})
}
