package daemon_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"botwatch/daemon"
	"botwatch/internal/fixture"
	"botwatch/store"
	"botwatch/store/memory"
)

// once files a request and lets a daemon work it off that ends with it.
func once(t *testing.T, s *memory.Store, kind string) store.Request {
	t.Helper()
	id, err := s.Submit(t.Context(), store.Request{Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	d := daemon.New(daemon.Options{Store: s, Model: fixture.Model(t, false), Holder: kind, Log: fixture.Quiet(), Once: true})
	if err := d.Run(ctx); err != nil || ctx.Err() != nil {
		t.Fatalf("%s: %v, %v", kind, err, ctx.Err())
	}
	requests, err := s.Requests(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("request %s is gone", id)
	return store.Request{}
}

// TestOnceEndsAtABreaker: a job by hand without a daemon has nobody to close a
// breaker, and says so instead of waiting.
func TestOnceEndsAtABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		defer s.Close()
		for i := range 300 {
			if err := s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(int64(i)), Doc: fixture.Doc(10, 3, i%4 > 0)}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, kind := range []string{daemon.JobBackfill, daemon.JobRescore} { // one trips it, one finds it open
			if r := once(t, s, kind); r.State != store.RequestFailed || !strings.Contains(r.Error, "resume") {
				t.Errorf("%s: %s, %q", kind, r.State, r.Error)
			}
		}
		if n, _ := s.Count(t.Context()); n.Total == 300 {
			t.Errorf("all %d predictions written", n.Total)
		}
		if r := once(t, s, daemon.JobResume); r.State != store.RequestDone {
			t.Errorf("resume: %s, %q", r.State, r.Error)
		}
		if c, err := s.Load(t.Context()); err != nil || len(c.Breakers) > 0 {
			t.Errorf("after resume: %v, %v", c.Breakers, err)
		}
	})
}
