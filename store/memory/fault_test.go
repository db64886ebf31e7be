package memory_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/store"
	"botwatch/store/memory"
	"botwatch/store/storetest"
)

var errInjected = errors.New("injected")

var a, b, c = store.StringID("a"), store.StringID("b"), store.StringID("c")

// put stores an account whose screen name is text.
func put(t *testing.T, s *memory.Store, id store.ID, text string) {
	t.Helper()
	doc := storetest.Doc(text, time.Date(2020, 5, 20, 0, 0, 0, 0, time.UTC))
	if err := s.PutAccounts(t.Context(), []store.Account{{ID: id, Doc: doc}}); err != nil {
		t.Fatalf("PutAccounts: %v", err)
	}
}

func remove(t *testing.T, s *memory.Store, id store.ID) {
	t.Helper()
	if err := s.DeleteAccounts(t.Context(), []store.ID{id}); err != nil {
		t.Fatalf("DeleteAccounts: %v", err)
	}
}

func head(t *testing.T, s *memory.Store) store.Head {
	t.Helper()
	h, err := s.Head(t.Context())
	if err != nil {
		t.Fatalf("Head: %v", err)
	}
	return h
}

func tombstone(id store.ID, v store.Version) store.Write {
	return store.Write{ID: id, Version: v, Kind: store.Remove, Prediction: store.NewTombstone(id, "stream", time.Now().Add(time.Hour))}
}

// faultOn gives hooks that fault the first call of an operation.
func faultOn(op memory.Op, f memory.Fault) memory.Faults {
	return memory.Faults{Call: func(call memory.Call) memory.Fault {
		if call.Op == op && call.N == 0 {
			return f
		}
		return memory.Fault{}
	}}
}

func TestFaultOfACall(t *testing.T) {
	version := store.Version{Epoch: 1, Seq: 1}
	write := func(ctx context.Context, s *memory.Store) error {
		_, err := s.Write(ctx, []store.Write{tombstone(a, version)})
		return err
	}
	closed := make(chan struct{})
	close(closed)
	for _, test := range []struct {
		name  string
		fault func() memory.Fault
		want  error
		done  bool
		took  time.Duration
	}{
		{"none", func() memory.Fault { return memory.Fault{} }, nil, true, 0},
		{"fails before", func() memory.Fault { return memory.Fault{Before: errInjected} }, errInjected, false, 0},
		{"fails after", func() memory.Fault { return memory.Fault{After: errInjected} }, errInjected, true, 0},
		{"is late", func() memory.Fault { return memory.Fault{Delay: 3 * time.Second} }, nil, true, 3 * time.Second},
		{"is late and fails", func() memory.Fault { return memory.Fault{Delay: time.Second, After: errInjected} }, errInjected, true, time.Second},
		{"stalls until released", func() memory.Fault { return memory.Fault{Stall: after(4 * time.Second)} }, nil, true, 4 * time.Second},
		{"stalls until the context ends", func() memory.Fault { return memory.Fault{Stall: make(chan struct{})} }, context.DeadlineExceeded, false, 10 * time.Second},
		{"is done and not acknowledged", func() memory.Fault { return memory.Fault{Hold: make(chan struct{})} }, context.DeadlineExceeded, true, 10 * time.Second},
		{"is done and acknowledged late", func() memory.Fault { return memory.Fault{Hold: after(time.Second)} }, nil, true, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				s := memory.New(memory.Options{})
				s.SetFaults(faultOn(memory.OpWrite, test.fault()))
				began := time.Now()
				if err := write(ctx, s); !errors.Is(err, test.want) {
					t.Errorf("error %v, want %v", err, test.want)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				want := []memory.Applied(nil)
				if test.done {
					want = []memory.Applied{{ID: a, Version: version, Kind: store.Remove}}
				}
				if diff := cmp.Diff(want, s.Applied()); diff != "" {
					t.Errorf("applied (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// after gives a channel that a timer closes.
func after(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

func TestEveryOperationHasItsFault(t *testing.T) {
	ids := []store.ID{a}
	calls := map[memory.Op]func(context.Context, *memory.Store) error{
		memory.OpHead:       func(ctx context.Context, s *memory.Store) error { _, err := s.Head(ctx); return err },
		memory.OpStream:     func(ctx context.Context, s *memory.Store) error { _, err := s.Stream(ctx, nil); return err },
		memory.OpStreamNext: func(ctx context.Context, s *memory.Store) error { return next(ctx, s, true) },
		memory.OpScan: func(ctx context.Context, s *memory.Store) error {
			_, err := s.Scan(ctx, nil, store.ScanDocs)
			return err
		},
		memory.OpScanNext: func(ctx context.Context, s *memory.Store) error { return next(ctx, s, false) },
		memory.OpFetch: func(ctx context.Context, s *memory.Store) error {
			_, err := s.Fetch(ctx, ids, store.ScanDocs)
			return err
		},
		memory.OpStamps:   func(ctx context.Context, s *memory.Store) error { _, err := s.Stamps(ctx, ids); return err },
		memory.OpWalk:     func(ctx context.Context, s *memory.Store) error { _, _, err := s.Walk(ctx, nil, 1); return err },
		memory.OpWrite:    func(ctx context.Context, s *memory.Store) error { _, err := s.Write(ctx, nil); return err },
		memory.OpAcquire:  func(ctx context.Context, s *memory.Store) error { _, err := s.Acquire(ctx, "h"); return err },
		memory.OpRenew:    func(ctx context.Context, s *memory.Store) error { return s.Renew(ctx, 1) },
		memory.OpRelease:  func(ctx context.Context, s *memory.Store) error { return s.Release(ctx, 1) },
		memory.OpLoad:     func(ctx context.Context, s *memory.Store) error { _, err := s.Load(ctx); return err },
		memory.OpSave:     func(ctx context.Context, s *memory.Store) error { return s.Save(ctx, 1, store.Checkpoint{}) },
		memory.OpDesk:     func(ctx context.Context, s *memory.Store) error { return s.Publish(ctx, 1, nil) },
		memory.OpLetters:  func(ctx context.Context, s *memory.Store) error { _, err := s.CountLetters(ctx); return err },
		memory.OpReader:   func(ctx context.Context, s *memory.Store) error { _, err := s.Count(ctx); return err },
		memory.OpAccounts: func(ctx context.Context, s *memory.Store) error { _, err := s.CountAccounts(ctx); return err },
		memory.OpCheck:    func(ctx context.Context, s *memory.Store) error { _, err := s.Check(ctx); return err },
	}
	for op, call := range calls {
		s := memory.New(memory.Options{})
		s.SetFaults(faultOn(op, memory.Fault{Before: errInjected}))
		if err := call(t.Context(), s); err != errInjected {
			t.Errorf("%s: %v, want the injected error", op, err)
		}
	}
}

// next opens a feed and reads one batch.
func next(ctx context.Context, s *memory.Store, stream bool) error {
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	feed, err := s.Scan(ctx, nil, store.ScanDocs)
	if stream {
		feed, err = s.Stream(ctx, head.Position)
	}
	if err != nil {
		return err
	}
	_, err = feed.Next(ctx)
	return err
}

func TestFaultOfAWrite(t *testing.T) {
	s := memory.New(memory.Options{})
	faults := map[store.ID]memory.WriteFault{a: memory.RetryUndone, b: memory.RetryDone, c: memory.RejectWrite}
	s.SetFaults(memory.Faults{Write: func(_ memory.Call, w store.Write) memory.WriteFault { return faults[w.ID] }})
	version := store.Version{Epoch: 1, Seq: 1}
	d := store.StringID("d")
	outcomes, err := s.Write(t.Context(), []store.Write{tombstone(a, version), tombstone(b, version), tombstone(c, version), tombstone(d, version)})
	if err != nil {
		t.Fatal(err)
	}
	var got []store.Result
	for _, o := range outcomes {
		got = append(got, o.Result)
	}
	if diff := cmp.Diff([]store.Result{store.Retry, store.Retry, store.Rejected, store.Written}, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	want := []memory.Applied{{ID: b, Version: version, Kind: store.Remove}, {ID: d, Version: version, Kind: store.Remove}}
	if diff := cmp.Diff(want, s.Applied()); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

func TestWriteNeedsItsPrediction(t *testing.T) {
	s := memory.New(memory.Options{})
	outcomes, err := s.Write(t.Context(), []store.Write{{ID: a, Kind: store.Replace}, {ID: a}})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Result != store.Rejected || o.Err == nil {
			t.Errorf("write %d: %v (%v), want rejected", i, o.Result, o.Err)
		}
	}
}

// A writer that stalled before its write must not undo what a newer epoch did
// meanwhile.
func TestLateWriterOfAnOlderEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		old := memory.New(memory.Options{LeaseTTL: 10 * time.Second})
		release := make(chan struct{})
		old.SetFaults(faultOn(memory.OpWrite, memory.Fault{Stall: release}))
		first, err := old.Acquire(ctx, "old")
		if err != nil {
			t.Fatal(err)
		}
		outcome := make(chan store.Outcome)
		go func() {
			outcomes, err := old.Write(ctx, []store.Write{tombstone(a, store.Version{Epoch: first, Seq: 9})})
			if err != nil || len(outcomes) != 1 {
				t.Errorf("late write: %v, %v", outcomes, err)
			}
			outcome <- outcomes[0]
		}()
		synctest.Wait()

		other := old.Connect()
		var held *store.HeldError
		if _, err := other.Acquire(ctx, "new"); !errors.As(err, &held) || held.Holder != "old" {
			t.Fatalf("Acquire: %v, want held by old", err)
		}
		<-after(10 * time.Second) // the lease runs out by itself
		second, err := other.Acquire(ctx, "new")
		if err != nil {
			t.Fatal(err)
		}
		newer := store.Version{Epoch: second, Seq: 1}
		if _, err := other.Write(ctx, []store.Write{tombstone(a, newer)}); err != nil {
			t.Fatal(err)
		}
		close(release)
		if o := <-outcome; o.Result != store.Superseded {
			t.Errorf("the late write: %v, want superseded", o.Result)
		}
		if err := old.Save(ctx, first, store.Checkpoint{}); !errors.Is(err, store.ErrFenced) {
			t.Errorf("the late Save: %v, want ErrFenced", err)
		}
		if got := old.Applied(); len(got) != 1 || got[0].Version != newer {
			t.Errorf("applied %v, want the newer version only", got)
		}
	})
}

func TestLostAcknowledgementOfASave(t *testing.T) {
	s := memory.New(memory.Options{})
	epoch, err := s.Acquire(t.Context(), "h")
	if err != nil {
		t.Fatal(err)
	}
	s.SetFaults(faultOn(memory.OpSave, memory.Fault{After: errInjected}))
	if err := s.Save(t.Context(), epoch, store.Checkpoint{HistoryLost: 7}); err != errInjected {
		t.Errorf("Save: %v, want the injected error", err)
	}
	saves := s.Saves()
	if len(saves) != 1 || saves[0].Epoch != epoch || saves[0].Checkpoint().HistoryLost != 7 {
		t.Errorf("saves: %v", saves)
	}
}

// In the gap between a scan's read and its delivery an account can go and come.
func TestScanHooks(t *testing.T) {
	s := memory.New(memory.Options{})
	put(t, s, a, "one")
	other := s.Connect()
	before := head(t, s)
	s.SetFaults(memory.Faults{
		AfterHead: func(memory.Call) { put(t, other, a, "two") },
		AfterRead: func(memory.Call) { remove(t, other, a); put(t, other, b, "three") },
		Batch:     func(memory.Call) memory.Shape { return memory.Shape{Max: 1} },
	})
	feed, err := s.Scan(t.Context(), nil, store.ScanDocs)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := feed.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, s, batch.Changes); got != "a=two" || batch.Seq != before.Seq {
		t.Errorf("batch %s of seq %d, want a=two of seq %d", got, batch.Seq, before.Seq)
	}
	changes, err := other.Fetch(t.Context(), []store.ID{a}, store.ScanDocs)
	if err != nil || changes[0].Op != store.OpDelete {
		t.Errorf("Fetch: %v, %v, want a delete", changes, err)
	}
	s.SetFaults(memory.Faults{})
	if batch, err = feed.Next(t.Context()); err != nil || names(t, s, batch.Changes) != "b=three" {
		t.Errorf("second batch: %s, %v", names(t, s, batch.Changes), err)
	}
	if _, err := feed.Next(t.Context()); err != io.EOF {
		t.Errorf("end: %v, want io.EOF", err)
	}
}
