package pipeline_test

import (
	"testing"
	"time"

	"botwatch/internal/fixture"
	"botwatch/pipeline"
	"botwatch/store"
	"botwatch/store/memory"
)

// TestSuperseded: rule 1, where what waits is a scan's and what supersedes it is
// the stream's, so that their marks are two.
func TestSuperseded(t *testing.T) {
	rule(t, "a change that waits within a scan's item is not done before it", func(t *testing.T) {
		s := newStore()
		for i := range 2 {
			_ = s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(int64(i)), Doc: fixture.Doc(10, 3, false)}})
		}
		release := make(chan struct{})
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Stall = release
			}
			return f
		}})
		b := start(t, s, func(o *pipeline.Options) { o.Lanes, o.BatchItems = 1, 1 })
		scanned := make(chan struct{})
		go func() {
			defer close(scanned)
			_, _ = b.p.Scan(b.ctx, pipeline.Scan{})
		}()
		time.Sleep(time.Second)
		b.put(1, fixture.Doc(1000, 3, false))
		time.Sleep(10 * time.Second)
		changed, err := s.Head(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if items, _, flying := b.p.Load(); items != 1 || flying != 1 {
			t.Fatalf("%d wait and %d are in flight; want one each", items, flying)
		}
		if low, _ := b.stream.Low(); low.Seq >= changed.Seq {
			t.Errorf("mark moved to %d with change %d still waiting", low.Seq, changed.Seq)
		}
		close(release)
		<-scanned
		settle()
		if low, _ := b.stream.Low(); low.Seq < changed.Seq {
			t.Errorf("mark stayed at %d after the write", low.Seq)
		}
	})
	rule(t, "a change that a scan supersedes in the queue still raises the stored version", func(t *testing.T) {
		s := newStore()
		b := start(t, s, func(o *pipeline.Options) { o.Lanes = 1 })
		b.put(1, fixture.Doc(10, 3, false))
		settle()
		release := make(chan struct{})
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Stall = release
			}
			return f
		}})
		b.put(2, fixture.Doc(10, 3, false)) // holds the only lane
		time.Sleep(time.Second)
		b.put(1, fixture.Doc(10, 3, false))
		time.Sleep(time.Second)
		changed, err := s.Head(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		scanned := make(chan struct{})
		go func() {
			defer close(scanned)
			_, _ = b.p.Scan(b.ctx, pipeline.Scan{})
		}()
		time.Sleep(time.Second)
		close(release)
		<-scanned
		settle()
		if at := b.stored(1).Source.Version; at.Seq < changed.Seq {
			t.Errorf("the stored version is %v after change %d: an older scan's write would pass", at, changed.Seq)
		}
	})
	rule(t, "a delete of what is not stored yet stands against a scan that read it", func(t *testing.T) {
		s := newStore()
		_ = s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(1), Doc: fixture.Doc(10, 3, false)}})
		b := start(t, s, nil)
		once := false
		s.SetFaults(memory.Faults{AfterRead: func(c memory.Call) {
			if c.Op == memory.OpScanNext && !once {
				once = true
				b.remove(1)
				time.Sleep(10 * time.Second) // the stream goes first
			}
		}})
		b.scan(pipeline.Scan{})
		settle()
		for _, a := range s.Applied() {
			if a.Kind != store.Remove {
				t.Errorf("the scan brought back version %v", a.Version) // if only until it looked for orphans
			}
		}
	})
}
