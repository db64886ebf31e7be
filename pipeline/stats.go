package pipeline

import (
	"sync"
	"sync/atomic"
	"time"

	"botwatch/store"
)

// Stats are a pipeline's counters. Safe for concurrent use.
type Stats struct {
	Upserts, Deletes atomic.Int64 // events read from the stream
	StreamErrors     atomic.Int64
	Scanned          atomic.Int64 // accounts that scans looked at
	Unchanged        atomic.Int64 // looked at, and right already
	Faults           atomic.Int64 // accounts that could not be read or classified
	Panics           atomic.Int64
	WriteErrors      atomic.Int64    // whole calls that failed
	Written          [5]atomic.Int64 // by store.WriteKind
	Outcomes         [5]atomic.Int64 // by store.Result

	mu      sync.Mutex
	classes map[[2]string]int64 // class, support → predictions written
	lastAt  time.Time           // the source's clock at the last batch
}

func newStats() Stats { return Stats{classes: make(map[[2]string]int64)} }

func (s *Stats) read(b *store.Batch) {
	var deletes int64
	for i := range b.Changes {
		if b.Changes[i].Op == store.OpDelete {
			deletes++
		}
	}
	s.Deletes.Add(deletes)
	s.Upserts.Add(int64(len(b.Changes)) - deletes)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !b.At.IsZero() {
		s.lastAt = b.At
	}
}

func (s *Stats) outcome(w *store.Write, r store.Result) {
	s.Outcomes[r].Add(1)
	if r != store.Written {
		return
	}
	s.Written[w.Kind].Add(1)
	if w.Kind == store.Fault {
		s.Faults.Add(1)
	}
	if w.Kind != store.Replace {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.classes[[2]string{w.Prediction.Slug, w.Prediction.Support.String()}]++
}

// Classes gives the predictions written, by class and support.
func (s *Stats) Classes() map[[2]string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := make(map[[2]string]int64, len(s.classes))
	for k, v := range s.classes {
		m[k] = v
	}
	return m
}

// Lag gives how far the stream is behind the source's clock at now, which is
// unknown until a batch carried that clock.
func (s *Stats) Lag(now time.Time) (lag time.Duration, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastAt.IsZero() {
		return 0, false
	}
	return max(0, now.Sub(s.lastAt)), true
}
