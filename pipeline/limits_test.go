package pipeline_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"botwatch/internal/fixture"
	"botwatch/pipeline"
	"botwatch/store"
	"botwatch/store/memory"
)

func TestBounds(t *testing.T) {
	rule(t, "a stalled store stops the reading", func(t *testing.T) {
		s := newStore()
		b := start(t, s, func(o *pipeline.Options) { o.QueueItems, o.BatchItems = 64, 8 })
		release := make(chan struct{})
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Stall = release
			}
			return f
		}})
		for i := range 2000 {
			b.put(i, fixture.Doc(10, 2, false))
		}
		time.Sleep(20 * time.Second)
		if items, _, flying := b.p.Load(); items > 64 || flying > 2*8 {
			t.Errorf("%d wait, %d in flight; want at most 64 and 16", items, flying)
		}
		close(release)
		settle()
		for i := range 2000 {
			if b.stored(i) == nil {
				t.Fatalf("account %d has no prediction", i)
			}
		}
	})
}

func TestBoundInBytes(t *testing.T) {
	rule(t, "accounts that grow while they wait stop the reading", func(t *testing.T) {
		const most = 256 << 10
		s := newStore()
		b := start(t, s, func(o *pipeline.Options) { o.QueueBytes, o.BatchItems = most, 8 })
		release := make(chan struct{})
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Stall = release
			}
			return f
		}})
		for i := range 100 {
			b.put(i, fixture.Doc(10, 2, false))
		}
		time.Sleep(10 * time.Second)
		for i := 20; i < 100; i++ { // none of those in flight
			b.put(i, fixture.Doc(10, 200, false))
		}
		time.Sleep(10 * time.Second)
		if items, bytes, _ := b.p.Load(); bytes > most {
			t.Errorf("%d accounts wait, of %d bytes; want at most %d", items, bytes, most)
		}
		close(release)
		settle()
		for i := 20; i < 100; i++ {
			if p := b.stored(i); p == nil || p.Basis.Tweets != 200 {
				t.Fatalf("account %d: %+v", i, p)
			}
		}
	})
}

func TestKnownPoison(t *testing.T) {
	rule(t, "accounts known to be poison do not open the breaker again", func(t *testing.T) {
		b := start(t, newStore(), nil)
		for i := range 150 { // their ids lie side by side, and they come among good ones
			b.put(i, fixture.Doc(10, 3, true))
			for j := range 3 {
				b.put(1000+3*i+j, fixture.Doc(10, 3, false))
			}
		}
		settle()
		ids := make([]store.ID, 0, 150)
		for _, l := range b.letters() {
			ids = append(ids, l.ID)
		}
		if len(ids) != 150 || len(b.trips) > 0 {
			t.Fatalf("%d letters, %d trips; want 150 and none", len(ids), len(b.trips))
		}
		ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
		defer cancel()
		_, err := b.p.Scan(ctx, pipeline.Scan{Keys: true}) // reads them alone: all else is right already
		if err == nil {
			err = b.p.Reread(ctx, ids)
		}
		if err == nil {
			_, err = b.p.Scan(ctx, pipeline.Scan{Rescore: true})
		}
		if err != nil || len(b.trips) > 0 {
			t.Errorf("a scan or the replay ended with %v, and the breaker opened %d times", err, len(b.trips))
		}
	})
}

func TestScanLimits(t *testing.T) {
	rule(t, "reads on where the source answers for some of the accounts alone", func(t *testing.T) {
		s := newStore()
		for i := range 50 {
			_ = s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(int64(i)), Doc: fixture.Doc(10, 3, i == 7)}})
		}
		c := s.Connect()
		c.SetFaults(memory.Faults{Batch: func(c memory.Call) (f memory.Shape) {
			if c.Op == memory.OpFetch {
				f.Max = 3
			}
			return f
		}})
		b := start(t, c, nil)
		var saved store.Cursor
		cursor := b.scan(pipeline.Scan{Keys: true, Save: func(c store.Cursor) { saved = c }})
		if cursor.Seen != 50 || saved.Phase != "orphans" {
			t.Errorf("cursor %+v, saved %+v", cursor, saved)
		}
		for i := range 50 {
			if b.stored(i) == nil {
				t.Fatalf("account %d has no prediction", i)
			}
		}
		if err := b.p.Reread(b.ctx, []store.ID{store.IntID(1), store.IntID(2), store.IntID(3), store.IntID(4), store.IntID(7)}); err != nil {
			t.Fatal(err)
		}
		if l := b.letters(); len(l) != 1 || l[0].Attempts != 2 {
			t.Errorf("letters %+v; want one of two attempts", l)
		}
		b.remove(49)
		if b.scan(pipeline.Scan{Keys: true}); b.stored(49) != nil {
			t.Error("an orphan stays")
		}
	})
	rule(t, "accounts that vanish once the orphans are counted are held back, too", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		for i := range 1200 {
			b.put(i, fixture.Doc(10, 3, false))
		}
		settle()
		b.stop()
		b.ctx, b.stop = context.WithCancel(context.Background())
		defer b.stop()
		b.remove(0)
		var fetches atomic.Int32
		never := make(chan struct{})
		c := s.Connect()
		c.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			switch {
			case c.Op == memory.OpStreamNext: // the scan alone is to see it
				f.Stall = never
			case c.Op == memory.OpFetch && fetches.Add(1) == 4: // the first of the second walk
				for i := 1; i < 1200; i++ {
					b.remove(i)
				}
			}
			return f
		}})
		n := start(t, c, func(o *pipeline.Options) { o.Epoch = 2 })
		if c := n.scan(pipeline.Scan{Keys: true}); c.Held == 0 || c.Removed > 240 {
			t.Errorf("%d removed, %d held back of 1200", c.Removed, c.Held)
		}
	})
}
