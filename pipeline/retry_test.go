package pipeline_test

import (
	"errors"
	"sync"
	"testing"

	"botwatch/internal/fixture"
	"botwatch/store"
	"botwatch/store/memory"
)

// TestPauseWhileRetrying: rule 9, what is tried again waits for a breaker, too.
func TestPauseWhileRetrying(t *testing.T) {
	rule(t, "nothing is written while it is open", func(t *testing.T) {
		s := newStore()
		b := start(t, s, nil)
		s.SetFaults(memory.Faults{Call: func(c memory.Call) (f memory.Fault) {
			if c.Op == memory.OpWrite {
				f.Before = errors.New("down")
			}
			return f
		}})
		b.put(1, fixture.Doc(10, 3, false))
		settle()
		b.p.Pause()
		settle()
		s.SetFaults(memory.Faults{})
		settle()
		if b.stored(1) != nil {
			t.Error("written while paused")
		}
		b.p.Resume()
		settle()
		if b.stored(1) == nil {
			t.Error("not written after resume")
		}
	})
}

// TestRetry: rule 2, a write that is not known to be done is tried again, by
// itself, until it is.
func TestRetry(t *testing.T) {
	for name, fault := range map[string]memory.WriteFault{
		"the loser of two racing inserts": memory.RetryUndone,
		"a write that was not confirmed":  memory.RetryDone,
	} {
		rule(t, name, func(t *testing.T) {
			s := newStore()
			b := start(t, s, nil)
			var mu sync.Mutex
			left := map[store.ID]int{store.IntID(1): 3, store.IntID(3): 1}
			s.SetFaults(memory.Faults{Write: func(_ memory.Call, w store.Write) memory.WriteFault {
				mu.Lock()
				defer mu.Unlock()
				if left[w.ID] == 0 {
					return memory.WritePasses
				}
				left[w.ID]--
				return fault
			}})
			for i := range 5 {
				b.put(i, fixture.Doc(10, 3, i == 3))
			}
			settle()
			for i := range 5 {
				if b.stored(i) == nil {
					t.Errorf("account %d has no prediction", i)
				}
			}
			head, err := s.Head(b.ctx)
			if err != nil {
				t.Fatal(err)
			}
			if low, _ := b.stream.Low(); low.Seq != head.Seq || len(b.letters()) != 1 {
				t.Errorf("mark at %d of %d, %d letters", low.Seq, head.Seq, len(b.letters()))
			}
		})
	}
}
