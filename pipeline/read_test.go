package pipeline_test

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"botwatch/classifier"
	"botwatch/internal/fixture"
	"botwatch/pipeline"
	"botwatch/store"
	"botwatch/store/memory"
)

// panicky is a source whose decoder has a fault.
type panicky struct{ *memory.Store }

func (s panicky) Decode(doc []byte, b *classifier.Builder) error {
	if bytes.Contains(doc, []byte(`"followers_count":666`)) {
		panic("followers")
	}
	return s.Store.Decode(doc, b)
}

func TestPanic(t *testing.T) {
	rule(t, "a panic costs the account alone", func(t *testing.T) {
		s := newStore()
		b := start(t, s, func(o *pipeline.Options) { o.Source = panicky{s} })
		for i := range 10 {
			b.put(i, fixture.Doc(660+i, 3, false))
		}
		settle()
		for i := range 10 {
			if p := b.stored(i); p == nil || (p.Error != nil) != (i == 6) {
				t.Errorf("account %d: %+v", i, p)
			}
		}
		if l := b.letters(); len(l) != 1 || l[0].Reason != string(classifier.CodePanic) {
			t.Errorf("letters %+v", l)
		}
	})
}

// nextIDs gives the ids of the next batch of a scan.
func nextIDs(t *testing.T, s *memory.Store, from store.Position) (ids []store.ID) {
	t.Helper()
	feed, err := s.Scan(t.Context(), from, store.ScanKeys)
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	batch, err := feed.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range batch.Changes {
		ids = append(ids, c.ID)
	}
	return ids
}

func TestScanProgress(t *testing.T) {
	rule(t, "a saved cursor is not past what is not written", func(t *testing.T) {
		s := memory.New(memory.Options{BatchSize: 10})
		for i := range 100 {
			_ = s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(int64(i)), Doc: fixture.Doc(10, 3, false)}})
		}
		b := start(t, s, func(o *pipeline.Options) { o.Lanes, o.BatchItems, o.QueueItems = 1, 10, 60 })
		release := make(chan struct{})
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite && c.N > 0 {
				f.Stall = release
			}
			return f
		}})
		var early []store.Cursor
		scanned := make(chan error, 1)
		go func() {
			_, err := b.p.Scan(b.ctx, pipeline.Scan{Save: func(c store.Cursor) {
				select {
				case <-release:
				default:
					early = append(early, c)
				}
			}})
			scanned <- err
		}()
		time.Sleep(10 * time.Second)
		if items, _, _ := b.p.Load(); items > 30 {
			t.Errorf("the scan fills %d of the queue's 60 places; want half for the stream", items)
		}
		close(release)
		if err := <-scanned; err != nil {
			t.Fatal(err)
		}
		for _, c := range early {
			left := nextIDs(t, s, c.Position)
			if left[0] != store.IntID(0) && left[0] != store.IntID(10) {
				t.Errorf("saved with ten accounts written: %+v, to go on with %v", c, left)
			}
		}
	})
	rule(t, "a newer crawl that the stream did not see is read", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		b.put(1, fixture.Doc(10, 3, false))
		settle()
		b.stop()
		newer := bytes.ReplaceAll(fixture.Doc(10, 3, false), []byte("2020-05-20"), []byte("2020-05-21"))
		if err := s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(1), Doc: newer}}); err != nil {
			t.Fatal(err)
		}
		n := start(t, s.Connect(), func(o *pipeline.Options) { o.Epoch = 2 })
		n.scan(pipeline.Scan{Keys: true})
		if at := n.stored(1).Source.CrawledAt.Time(); at.Day() != 21 {
			t.Errorf("the prediction is of the crawl at %v", at)
		}
	})
}

func TestScanNeeds(t *testing.T) {
	rule(t, "a backfill reads what has only a tombstone, a rescore marks what was crawled long ago", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		b.put(1, fixture.Doc(10, 3, false))
		b.remove(1)
		b.put(2, fixture.Doc(10, 3, false))
		settle()
		b.stop()
		if err := s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(1), Doc: fixture.Doc(10, 3, false)}}); err != nil {
			t.Fatal(err)
		}
		n := start(t, s.Connect(), func(o *pipeline.Options) {
			o.Epoch, o.StaleAfter = 2, 365*24*time.Hour
			o.Now = func() time.Time { return time.Now().AddDate(30, 0, 0) } // a bubble's clock starts in 2000
		})
		n.scan(pipeline.Scan{Keys: true})
		if n.stored(1) == nil {
			t.Error("the account that came again has no prediction")
		}
		if n.scan(pipeline.Scan{Rescore: true}); !n.stored(2).Stale {
			t.Error("the account that was crawled long ago is not marked")
		}
	})
}

func TestOpenBatches(t *testing.T) {
	rule(t, "heartbeats behind a stalled write stop in the end", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		never := make(chan struct{})
		var reads atomic.Int32
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			switch c.Op {
			case memory.OpWrite:
				f.Stall = never
			case memory.OpStreamNext:
				reads.Add(1)
			}
			return f
		}})
		b.put(1, fixture.Doc(10, 3, false))
		time.Sleep(2 * time.Hour)
		if n := reads.Load(); n > 5000 {
			t.Errorf("%d batches were read and are not done", n)
		}
	})
}
