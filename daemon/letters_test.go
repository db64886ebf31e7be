package daemon_test

import (
	"testing"
	"time"

	"botwatch/daemon"
	"botwatch/store"
)

// TestStrayLetters: a letter that a writer left beside a good prediction, or
// beside none, goes; that of an account at fault stays (rule 8).
func TestStrayLetters(t *testing.T) {
	for _, kind := range []string{daemon.JobBackfill, daemon.JobRescore, daemon.JobReplay} {
		rule(t, kind, func(b bench) {
			b.put(0, 3, false)
			b.put(3, 4, true)
			stop := b.run(nil)
			defer func() { stop() }()
			time.Sleep(time.Minute)
			if err := b.DeleteAccounts(b.t.Context(), []store.ID{store.IntID(2)}); err != nil {
				b.t.Fatal(err)
			}
			time.Sleep(time.Minute)
			for i := range 3 { // two good ones, and a tombstone
				b.stray(store.IntID(int64(i)))
			}
			if n := b.letters(); n != 4 {
				b.t.Fatalf("%d letters at first; want 4", n)
			}
			if _, err := b.Submit(b.t.Context(), store.Request{Kind: kind}); err != nil {
				b.t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if n := b.letters(); n != 1 || b.live() != 3 {
				b.t.Errorf("%d letters, want that of the account at fault; %d of 3 predictions", n, b.live())
			}
		})
	}
}

// stray puts a letter without a fault, as one that comes late.
func (b bench) stray(id store.ID) {
	b.t.Helper()
	stamps, err := b.Stamps(b.t.Context(), []store.ID{id})
	if err != nil {
		b.t.Fatal(err)
	}
	v := stamps[0].Version
	outcomes, err := b.Write(b.t.Context(), []store.Write{{ID: id, Version: v, Kind: store.Touch,
		Letter: &store.Letter{ID: id, Reason: "missing", Error: "is missing", Attempts: 1, Version: v}}})
	if err != nil || outcomes[0].Result != store.Written {
		b.t.Fatal(outcomes, err)
	}
}

func (b bench) letters() int {
	b.t.Helper()
	letters, err := b.ListLetters(b.t.Context(), "", 100)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(letters)
}
