package memory_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"botwatch/classifier"
	"botwatch/store"
	"botwatch/store/memory"
)

// names writes changes as "a=name b=gone c-".
func names(t *testing.T, s *memory.Store, changes []store.Change) string {
	t.Helper()
	var words []string
	for _, c := range changes {
		switch {
		case c.Op == store.OpDelete:
			words = append(words, c.ID.String()+"-")
		case c.Doc == nil:
			words = append(words, c.ID.String()+"=gone")
		default:
			var b classifier.Builder
			if err := s.Decode(c.Doc, &b); err != nil {
				t.Errorf("Decode: %v", err)
			}
			account, err := b.Finish()
			if err != nil {
				t.Errorf("Finish: %v", err)
			}
			words = append(words, c.ID.String()+"="+account.ScreenName)
		}
	}
	return strings.Join(words, " ")
}

func stream(t *testing.T, s *memory.Store, from store.Position) store.Feed {
	t.Helper()
	feed, err := s.Stream(t.Context(), from)
	if err != nil {
		t.Fatalf("Stream: %v", err)
	}
	return feed
}

// batch reads a batch and checks what is in it.
func batch(t *testing.T, s *memory.Store, feed store.Feed, want string) store.Batch {
	t.Helper()
	b, err := feed.Next(t.Context())
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	if got := names(t, s, b.Changes); got != want {
		t.Errorf("batch %q, want %q", got, want)
	}
	return b
}

func TestStreamLooksDocumentsUp(t *testing.T) {
	for _, test := range []struct {
		name string
		opts memory.Options
		want string
	}{
		{"when it delivers", memory.Options{}, "a=two b=gone a=two b-"},
		{"at the event", memory.Options{DocsAtEvent: true}, "a=one b=one a=two b-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := memory.New(test.opts)
			from := head(t, s).Position
			put(t, s, a, "one")
			put(t, s, b, "one")
			put(t, s, a, "two")
			remove(t, s, b)
			batch(t, s, stream(t, s, from), test.want)
		})
	}
}

func TestStreamShapes(t *testing.T) {
	s := memory.New(memory.Options{})
	from := head(t, s).Position
	for _, id := range []store.ID{a, b, c} {
		put(t, s, id, "x")
	}
	shapes := []memory.Shape{{Max: 1}, {Max: 1, Replay: 1}, {Replay: 9}}
	s.SetFaults(memory.Faults{Batch: func(call memory.Call) memory.Shape { return shapes[call.N] }})
	feed := stream(t, s, from)
	var ends []store.Position
	for _, want := range []string{"a=x", "a=x b=x", "a=x b=x c=x"} {
		ends = append(ends, batch(t, s, feed, want).After)
	}
	s.SetFaults(memory.Faults{})
	batch(t, s, stream(t, s, ends[1]), "c=x")
}

func TestStreamBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		put(t, s, a, "x")
		feed := stream(t, s, head(t, s).Position)
		began := time.Now()
		for i := range 3 {
			b := batch(t, s, feed, "")
			want := time.Duration(i+1) * 500 * time.Millisecond
			if took := b.At.Sub(began); took != want || b.Seq != 1 {
				t.Errorf("heartbeat of seq %d after %v, want seq 1 after %v", b.Seq, took, want)
			}
		}
		go func() {
			<-after(100 * time.Millisecond)
			put(t, s, b, "x")
		}()
		if b := batch(t, s, feed, "b=x"); b.At.Sub(began) != 1600*time.Millisecond {
			t.Errorf("the change came after %v", b.At.Sub(began))
		}
	})
}

// An error ends a feed: whatever a batch carried that was lost with it, only a
// new feed from the last position is sure to give.
func TestFeedErrorsAreFinal(t *testing.T) {
	s := memory.New(memory.Options{})
	from := head(t, s).Position
	put(t, s, a, "x")
	s.SetFaults(faultOn(memory.OpStreamNext, memory.Fault{After: errInjected}))
	feed := stream(t, s, from)
	for range 2 {
		if _, err := feed.Next(t.Context()); err != errInjected {
			t.Errorf("Next: %v, want the injected error", err)
		}
	}
	batch(t, s, stream(t, s, from), "a=x")
}

func TestOneSeqPerCall(t *testing.T) {
	s := memory.New(memory.Options{OneSeqPerCall: true})
	from := head(t, s).Position
	if err := s.PutAccounts(t.Context(), []store.Account{{ID: a}, {ID: b}}); err != nil {
		t.Fatal(err)
	}
	put(t, s, c, "x")
	s.SetFaults(memory.Faults{Batch: func(memory.Call) memory.Shape { return memory.Shape{Max: 1} }})
	feed := stream(t, s, from)
	for i, want := range []uint64{1, 1, 2} {
		b, err := feed.Next(t.Context())
		if err != nil || b.Seq != want || b.Changes[0].Seq != want {
			t.Errorf("batch %d: seq %d (%v), want %d", i, b.Seq, err, want)
		}
	}
}

func TestDisasters(t *testing.T) {
	for _, test := range []struct {
		name   string
		strike func(*memory.Store)
		want   error
	}{
		{"history lost", (*memory.Store).LoseHistory, store.ErrHistoryLost},
		{"accounts replaced", (*memory.Store).Replace, store.ErrSourceReplaced},
		{"accounts restored", func(s *memory.Store) { s.Restore(memory.New(memory.Options{}).Snapshot()) }, store.ErrSourceReplaced},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.New(memory.Options{})
				put(t, s, a, "x")
				from := head(t, s).Position
				feed := stream(t, s, from)
				go func() {
					<-after(100 * time.Millisecond)
					test.strike(s)
				}()
				began := time.Now()
				if _, err := feed.Next(t.Context()); !errors.Is(err, test.want) {
					t.Errorf("an open stream: %v, want %v", err, test.want)
				}
				if took := time.Since(began); took != 100*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				for range 3 { // also when there are as many changes as before
					if _, err := s.Stream(t.Context(), from); !errors.Is(err, test.want) {
						t.Errorf("a new stream: %v, want %v", err, test.want)
					}
					put(t, s, b, "x")
				}
				now := head(t, s).Position
				put(t, s, c, "x")
				batch(t, s, stream(t, s, now), "c=x")
			})
		})
	}
}

// A restore keeps what its backup and the present share.
func TestRestoreBranches(t *testing.T) {
	s := memory.New(memory.Options{})
	put(t, s, a, "one")
	shared := head(t, s)
	backup := s.Snapshot()
	put(t, s, b, "one")
	abandoned := head(t, s)
	s.Restore(backup)
	if now := head(t, s); now.Seq != shared.Seq || now.Identity != shared.Identity {
		t.Errorf("head: %s at %d, want %s at %d", now.Identity, now.Seq, shared.Identity, shared.Seq)
	}
	put(t, s, a, "two")
	put(t, s, c, "one")
	batch(t, s, stream(t, s, shared.Position), "a=two c=one")
	if _, err := s.Stream(t.Context(), abandoned.Position); !errors.Is(err, store.ErrSourceReplaced) {
		t.Errorf("Stream: %v, want ErrSourceReplaced", err)
	}
	s.Restore(backup) // again: the backup itself has not changed
	put(t, s, c, "two")
	batch(t, s, stream(t, s, shared.Position), "c=two")
}

func TestSaveForgetsWhatIsBefore(t *testing.T) {
	s := memory.New(memory.Options{})
	before := head(t, s).Position
	put(t, s, a, "x")
	at := head(t, s).Position
	put(t, s, b, "x")
	epoch, err := s.Acquire(t.Context(), "h")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), epoch, store.Checkpoint{Position: at}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stream(t.Context(), before); !errors.Is(err, store.ErrHistoryLost) {
		t.Errorf("Stream from before: %v, want ErrHistoryLost", err)
	}
	batch(t, s, stream(t, s, at), "b=x")
}

func TestSaveDropsExpiredTombstones(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := memory.New(memory.Options{Now: func() time.Time { return now }})
	w := tombstone(a, store.Version{Epoch: 1, Seq: 1})
	w.Prediction.ExpiresAt = now.Add(time.Hour)
	if _, err := s.Write(t.Context(), []store.Write{w}); err != nil {
		t.Fatal(err)
	}
	epoch, err := s.Acquire(t.Context(), "h")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if err := s.Save(t.Context(), epoch, store.Checkpoint{}); err != nil {
			t.Fatal(err)
		}
		stamps, err := s.Stamps(t.Context(), []store.ID{a})
		if err != nil || stamps[0].Found != want {
			t.Errorf("at %v: found %v (%v), want %v", now, stamps[0].Found, err, want)
		}
		now = now.Add(2 * time.Hour)
	}
}
