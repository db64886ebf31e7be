package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"botwatch/classifier"
	"botwatch/internal/fixture"
	"botwatch/pipeline"
	"botwatch/store"
	"botwatch/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a pipeline over a memory store, inside a synctest bubble.
type bench struct {
	t      *testing.T
	ctx    context.Context
	stop   context.CancelFunc
	store  *memory.Store
	p      *pipeline.Pipeline
	stream *pipeline.Stream
	trips  chan string
	done   chan error
}

// start runs a pipeline, and a stream from the store's head on, until the end
// of the test.
func start(t *testing.T, s *memory.Store, change func(*pipeline.Options)) *bench {
	t.Helper()
	b := &bench{t: t, store: s, done: make(chan error, 2), trips: make(chan string, 8)}
	b.ctx, b.stop = context.WithCancel(t.Context())
	o := pipeline.Options{Source: s, Sink: s, Model: fixture.Model(t, false), Epoch: 1, Log: fixture.Quiet(),
		Trip: func(reason string) { b.trips <- reason }}
	if change != nil {
		change(&o)
	}
	b.p = pipeline.New(o)
	head, err := s.Head(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.stream = b.p.NewStream(pipeline.Mark{Position: head.Position, Seq: head.Seq})
	go func() { b.done <- b.p.Run(b.ctx) }()
	go func() { b.done <- b.stream.Run(b.ctx) }()
	t.Cleanup(func() {
		b.stop()
		<-b.done
		<-b.done
		s.Close()
	})
	return b
}

func (b *bench) put(id int, doc []byte) {
	b.t.Helper()
	if err := b.store.PutAccounts(b.ctx, []store.Account{{ID: store.IntID(int64(id)), Doc: doc}}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) remove(id int) {
	b.t.Helper()
	if err := b.store.DeleteAccounts(b.ctx, []store.ID{store.IntID(int64(id))}); err != nil {
		b.t.Fatal(err)
	}
}

// settle lets everything that can happen happen, retries included.
func settle() { time.Sleep(time.Minute) }

// stored gives an account's prediction; nil where there is none or a tombstone.
func (b *bench) stored(id int) *store.Prediction {
	b.t.Helper()
	list, err := b.store.Predictions(context.Background(), []store.ID{store.IntID(int64(id))})
	if err != nil {
		b.t.Fatal(err)
	}
	if len(list) == 0 || list[0].Status == store.StatusDeleted {
		return nil
	}
	return &list[0]
}

func (b *bench) letters() []store.Letter {
	b.t.Helper()
	list, err := b.store.ListLetters(context.Background(), "", 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

func (b *bench) scan(s pipeline.Scan) store.Cursor {
	b.t.Helper()
	c, err := b.p.Scan(b.ctx, s)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// rule runs a case in a bubble of its own.
func rule(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func newStore() *memory.Store { return memory.New(memory.Options{}) }

func TestOrder(t *testing.T) {
	rule(t, "the mark does not pass what is not written", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		release := make(chan struct{})
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Stall = release
			}
			return f
		}})
		before, _ := b.stream.Low()
		b.put(1, fixture.Doc(10, 3, false))
		time.Sleep(10 * time.Second)
		if low, _ := b.stream.Low(); low.Seq > before.Seq {
			t.Errorf("mark moved to %d with the write still under way", low.Seq)
		}
		close(release)
		settle()
		if low, _ := b.stream.Low(); low.Seq <= before.Seq {
			t.Errorf("mark stayed at %d after the write", low.Seq)
		}
	})
	rule(t, "an idle stream's mark moves on", func(t *testing.T) {
		b := start(t, newStore(), nil)
		settle()
		if _, moved := b.stream.Low(); !moved {
			t.Error("heartbeats do not move the mark")
		}
	})
	rule(t, "of one account only the newest waits", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		release := make(chan struct{})
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite && c.N == 0 {
				f.Stall = release
			}
			return f
		}})
		for i := range 50 {
			b.put(1, fixture.Doc(10+i, 3, false))
			time.Sleep(100 * time.Millisecond)
		}
		if items, _, flying := b.p.Load(); items > 1 || flying > 1 {
			t.Errorf("%d wait and %d are in flight; want one each", items, flying)
		}
		close(release)
		settle()
		if n := b.p.Stats().Written[store.Replace].Load(); n > 3 {
			t.Errorf("%d writes of 50 versions; want those in flight and the newest", n)
		}
	})
}

func TestFence(t *testing.T) {
	rule(t, "a late writer of an older epoch changes nothing", func(t *testing.T) {
		s := newStore()
		old := start(t, s, nil)
		hold := make(chan struct{})
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Stall = hold
			}
			return f
		}})
		old.put(1, fixture.Doc(10, 3, false))
		time.Sleep(time.Second)
		fresh := s.Connect()
		b := start(t, fresh, func(o *pipeline.Options) { o.Epoch = 2 })
		b.put(1, fixture.Doc(1000, 3, false))
		time.Sleep(10 * time.Second)
		want := b.stored(1)
		close(hold)
		settle()
		if got := b.stored(1); got == nil || want == nil || got.Source.Version != want.Source.Version || got.Source.Epoch != 2 {
			t.Errorf("stored version %v; want that of the newer epoch, %v", got, want)
		}
	})
	rule(t, "a delete between a scan's read and its write", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		b.put(1, fixture.Doc(10, 3, false))
		settle()
		once := false
		s.SetFaults(memory.Faults{AfterRead: func(c memory.Call) {
			if c.Op == memory.OpScanNext && !once {
				once = true
				b.remove(1)
				time.Sleep(10 * time.Second) // the stream writes its tombstone first
			}
		}})
		b.scan(pipeline.Scan{})
		settle()
		if p := b.stored(1); p != nil {
			t.Errorf("the scan brought back version %v", p.Source.Version)
		}
	})
	rule(t, "a re-insert between an orphan's check and its tombstone", func(t *testing.T) {
		s := newStore()
		var removed atomic.Bool
		var fetches atomic.Int32
		looked := make(chan struct{})
		var b *bench
		s.SetFaults(memory.Faults{AfterRead: func(c memory.Call) {
			switch {
			case !removed.Load():
			case c.Op == memory.OpStreamNext: // so that it is the scan that finds the account gone
				<-looked
			case c.Op == memory.OpFetch && fetches.Add(1) == 2: // the first only counts the orphans
				b.put(1, fixture.Doc(1000, 3, false))
				close(looked)
				time.Sleep(10 * time.Second)
			}
		}})
		b = start(t, s, nil)
		b.put(1, fixture.Doc(10, 3, false))
		settle()
		removed.Store(true)
		b.remove(1)
		b.scan(pipeline.Scan{})
		settle()
		if n := fetches.Load(); n < 2 {
			t.Errorf("the account was looked for %d times; want 2", n)
		}
		if b.stored(1) == nil {
			t.Error("the tombstone took the re-inserted account's prediction")
		}
	})
	rule(t, "an insert newer than a late delete", func(t *testing.T) {
		s := newStore()
		s.SetFaults(memory.Faults{Batch: func(c memory.Call) (f memory.Shape) {
			if c.N%7 == 3 {
				f.Replay = 3
			}
			return f
		}})
		b := start(t, s, nil)
		b.put(1, fixture.Doc(10, 3, false))
		b.remove(1)
		b.put(1, fixture.Doc(1000, 3, false))
		settle()
		if b.stored(1) == nil {
			t.Error("a replayed delete took the newer insert's prediction")
		}
	})
	rule(t, "an update whose account is gone is left to its delete", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		s.SetFaults(memory.Faults{
			Batch: func(memory.Call) memory.Shape { return memory.Shape{Max: 1} },
			Write: func(_ memory.Call, w store.Write) memory.WriteFault {
				if w.Letter != nil {
					t.Error("a letter was written for the update")
				}
				return memory.WritePasses
			},
		})
		b.put(1, fixture.Doc(10, 3, false))
		b.remove(1)
		settle()
		if b.stored(1) != nil || len(b.letters()) > 0 {
			t.Errorf("stored %v, letters %v", b.stored(1), b.letters())
		}
	})
}

func TestPoison(t *testing.T) {
	rule(t, "a letter, a stale prediction, and good neighbours", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		b.put(1, fixture.Doc(10, 3, false))
		settle()
		b.put(1, fixture.Doc(10, 3, true))
		b.put(2, fixture.Doc(1000, 3, false))
		b.put(3, []byte(`{"user_data": [}`))
		settle()
		p := b.stored(1)
		if p == nil || p.Class == 0 || !p.Stale || p.Error == nil || p.Error.Field != "crawled_at" {
			t.Errorf("old prediction: %+v; want its class, stale, with the error", p)
		}
		if b.stored(2) == nil || b.stored(2).Stale {
			t.Error("the good neighbour has no prediction")
		}
		if n := len(b.letters()); n != 2 {
			t.Errorf("%d letters; want 2", n)
		}
		b.put(1, fixture.Doc(100, 3, false))
		b.put(3, fixture.Doc(100, 3, false))
		settle()
		if p := b.stored(1); p == nil || p.Stale || p.Error != nil || len(b.letters()) > 0 {
			t.Errorf("after a good version: %+v, letters %v", p, b.letters())
		}
	})
	rule(t, "replay tries again", func(t *testing.T) {
		b := start(t, newStore(), nil)
		b.put(1, fixture.Doc(10, 3, true))
		settle()
		if err := b.p.Reread(b.ctx, []store.ID{store.IntID(1)}); err != nil {
			t.Fatal(err)
		}
		if l := b.letters(); len(l) != 1 || l[0].Attempts != 2 {
			t.Errorf("letters %+v; want one of two attempts", l)
		}
	})
	rule(t, "too large a share stops writing until resume", func(t *testing.T) {
		b := start(t, newStore(), nil)
		for i := range 150 {
			b.put(i, fixture.Doc(10, 3, true))
		}
		settle()
		if len(b.trips) != 1 {
			t.Fatalf("%d trips; want one", len(b.trips))
		}
		n := len(b.letters())
		b.put(1000, fixture.Doc(10, 3, false))
		settle()
		if b.stored(1000) != nil || len(b.letters()) != n {
			t.Error("written with the breaker open")
		}
		b.p.Resume()
		settle()
		if b.stored(1000) == nil || len(b.letters()) != 150 {
			t.Errorf("after resume: stored %v, %d letters; want all", b.stored(1000), len(b.letters()))
		}
	})
	rule(t, "what the store rejects is a letter", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		s.SetFaults(memory.Faults{Write: func(_ memory.Call, w store.Write) memory.WriteFault {
			if w.Kind == store.Replace {
				return memory.RejectWrite
			}
			return memory.WritePasses
		}})
		b.put(1, fixture.Doc(10, 3, false))
		settle()
		if l := b.letters(); len(l) != 1 || l[0].Reason != string(pipeline.CodeRejected) {
			t.Errorf("letters %+v", l)
		}
	})
}

func TestScan(t *testing.T) {
	rule(t, "finds what the stream did not see, and writes nothing else", func(t *testing.T) {
		for _, keys := range []bool{true, false} {
			s := newStore()
			ctx := t.Context()
			for i := range 300 {
				_ = s.PutAccounts(ctx, []store.Account{{ID: store.IntID(int64(i)), Doc: fixture.Doc(10, 3, false)}})
			}
			b := start(t, s, nil)
			c := b.scan(pipeline.Scan{Keys: keys})
			if c.Seen != 300 || b.stored(299) == nil || b.stored(0) == nil {
				t.Errorf("keys %v: cursor %+v", keys, c)
			}
			n := len(s.Applied())
			b.scan(pipeline.Scan{Keys: keys})
			if got := len(s.Applied()); got != n {
				t.Errorf("keys %v: a second scan wrote %d times", keys, got-n)
			}
		}
	})
	rule(t, "another model rewrites all and history says so", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		b.put(1, fixture.Doc(1000, 3, false))
		settle()
		other := fixture.Model(t, true)
		n := start(t, s.Connect(), func(o *pipeline.Options) { o.Epoch, o.Model = 2, other })
		n.scan(pipeline.Scan{Keys: true})
		p := n.stored(1)
		if p.Model.Digest != other.Digest() || len(p.History) != 2 || p.History[0].Model != other.Digest() || p.History[0].Class == p.History[1].Class {
			t.Errorf("stored %+v, history %+v", p.Model, p.History)
		}
	})
	rule(t, "rescore rewrites what is old, and marks what is stale", func(t *testing.T) {
		s := newStore()
		b := start(t, s, func(o *pipeline.Options) { o.MaxAge, o.StaleAfter = time.Hour, 200*365*24*time.Hour })
		b.put(1, fixture.Doc(1000, 3, false))
		settle()
		first := b.stored(1).ClassifiedAt
		b.scan(pipeline.Scan{Rescore: true})
		if !b.stored(1).ClassifiedAt.Equal(first) {
			t.Error("rewritten before its time")
		}
		time.Sleep(2 * time.Hour)
		b.scan(pipeline.Scan{Rescore: true})
		if b.stored(1).ClassifiedAt.Equal(first) || len(b.stored(1).History) != 1 {
			t.Errorf("not rewritten after max_age, or with a history of %d", len(b.stored(1).History))
		}
	})
	rule(t, "orphans go, a mass of them only when confirmed", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		for i := range 200 {
			b.put(i, fixture.Doc(10, 3, false))
		}
		settle()
		b.stop() // the stream sees none of what follows
		b.ctx, b.stop = context.WithCancel(context.Background())
		defer b.stop()
		for i := range 150 {
			b.remove(i)
		}
		n := start(t, s.Connect(), func(o *pipeline.Options) { o.Epoch = 2 })
		if c := n.scan(pipeline.Scan{}); c.Held != 150 || c.Removed != 0 || n.stored(0) == nil {
			t.Errorf("unconfirmed: %+v", c)
		}
		if c := n.scan(pipeline.Scan{ConfirmRemovals: true}); c.Removed != 150 || n.stored(0) != nil || n.stored(199) == nil {
			t.Errorf("confirmed: %+v", c)
		}
	})
	rule(t, "goes on from a saved cursor", func(t *testing.T) {
		s := newStore()
		for i := range 500 {
			_ = s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(int64(i)), Doc: fixture.Doc(10, 3, false)}})
		}
		b := start(t, s, nil)
		errStop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(b.ctx)
		var saved store.Cursor
		_, err := b.p.Scan(ctx, pipeline.Scan{Save: func(c store.Cursor) {
			if saved = c; c.Seen >= 200 {
				cancel(errStop)
			}
		}})
		if err == nil {
			t.Fatal("the scan was not stopped")
		}
		settle()
		b.scan(pipeline.Scan{From: saved})
		for i := range 500 {
			if b.stored(i) == nil {
				t.Fatalf("account %d has no prediction", i)
			}
		}
	})
	rule(t, "keeps to its rate", func(t *testing.T) {
		s := newStore()
		for i := range 500 {
			_ = s.PutAccounts(t.Context(), []store.Account{{ID: store.IntID(int64(i)), Doc: fixture.Doc(10, 3, false)}})
		}
		b := start(t, s, nil)
		at := time.Now()
		b.scan(pipeline.Scan{Rate: 50})
		if took := time.Since(at); took < 9*time.Second {
			t.Errorf("500 accounts at 50 a second took %s", took)
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	var stamp store.Stamp
	p := &store.Prediction{}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 30 {
		p = &store.Prediction{Slug: fmt.Sprint("class_", i), Class: 1, Support: classifier.SupportWeak}
		p.Follow(&stamp, at.Add(time.Duration(i)*time.Hour))
		stamp = store.Stamp{Found: true, Status: store.StatusClassified, Class: p.Slug, ClassChangedAt: p.ClassChangedAt, History: p.History}
	}
	if len(p.History) != store.MaxHistory || p.History[0].Class != "class_29" || p.History[19].Class != "class_10" {
		t.Errorf("history of %d, first %+v", len(p.History), p.History[0])
	}
}
