package pipeline_test

import (
	"testing"
	"time"

	"botwatch/internal/fixture"
	"botwatch/pipeline"
	"botwatch/store"
	"botwatch/store/memory"
)

// TestTouch: what a stream finds unchanged raises the stored version all the
// same, else a scan that read an older state could slip in under it (rule 3).
func TestTouch(t *testing.T) {
	rule(t, "a change back between a scan's read and its write", func(t *testing.T) {
		s := newStore()
		first := start(t, s, nil)
		first.put(1, fixture.Doc(10, 3, false))
		settle()
		want := first.stored(1).Source.Fingerprint
		first.stop()
		settle()
		handle := s.Connect()
		b := &bench{t: t, ctx: t.Context(), store: handle}
		b.put(1, fixture.Doc(1000, 3, false)) // no stream sees it: it is for the scan to find
		once := false
		handle.SetFaults(memory.Faults{AfterRead: func(c memory.Call) {
			if c.Op == memory.OpScanNext && !once {
				once = true
				b.put(1, fixture.Doc(10, 3, false))
				time.Sleep(10 * time.Second) // the stream finds that it is what is stored already
			}
		}})
		b = start(t, handle, nil)
		b.scan(pipeline.Scan{})
		settle()
		if n := b.p.Stats().Written[store.Touch].Load(); n != 1 {
			t.Errorf("the stream raised the stored version %d times; want once", n)
		}
		if got := b.stored(1).Source; got.Fingerprint != want {
			t.Errorf("stored version %v is of what the scan read; want the newest", got.Version)
		}
	})
}
