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

// slowDesk lists requests as they were some seconds ago.
type slowDesk struct{ *memory.Store }

func (s slowDesk) Requests(ctx context.Context, all bool) ([]store.Request, error) {
	list, err := s.Store.Requests(ctx, all)
	time.Sleep(5 * time.Second)
	return list, err
}

// TestRequestRunsOnce: a request that ends while the list of requests is on its
// way is not begun again.
func TestRequestRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		defer s.Close()
		if err := s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(1), Doc: fixture.Doc(10, 3, false)}}); err != nil {
			t.Fatal(err)
		}
		var scans atomic.Int32
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			switch c.Op {
			case memory.OpScan:
				scans.Add(1)
			case memory.OpScanNext:
				f.Delay = 2 * time.Second
			}
			return f
		}})
		if _, err := s.Submit(t.Context(), store.Request{Kind: daemon.JobBackfill}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		d := daemon.New(daemon.Options{Store: slowDesk{s}, Model: fixture.Model(t, false), Holder: "daemon", Log: fixture.Quiet()})
		if err := d.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if n := scans.Load(); n != 2 {
			t.Errorf("%d scans; want the reconcile of a first start, and the backfill once", n)
		}
	})
}
