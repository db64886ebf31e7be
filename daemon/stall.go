package daemon

import (
	"cmp"
	"sync"
	"time"
)

// Stall says that nothing becomes durable, as while a majority of a replica set
// cannot be reached: writes are tried on and on, or wait for their time limit.
type Stall struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// stalls are the keepers' calls that fail at present. Safe for concurrent use; the
// zero value is ready.
type stalls struct {
	mu sync.Mutex
	of map[string]Stall
}

// begin notes a failure of what began then; the first one's time stays.
func (s *stalls) begin(what string, err error, began time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = make(map[string]Stall)
	}
	if old, failing := s.of[what]; failing {
		began = old.Since
	}
	s.of[what] = Stall{Reason: what + ": " + err.Error(), Since: began}
}

func (s *stalls) end(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, what)
}

// stalled gives what has been stalled for longest, if for long enough to be told:
// predictions before the rest.
func (l *leader) stalled(now time.Time) *Stall {
	if reason, since, yes := l.pipeline.Stalled(); yes && now.Sub(since) >= stallAfter {
		return &Stall{Reason: "write predictions: " + cmp.Or(reason, "not acknowledged yet"), Since: since}
	}
	l.stalls.mu.Lock()
	defer l.stalls.mu.Unlock()
	var worst *Stall
	for _, s := range l.stalls.of {
		if now.Sub(s.Since) >= stallAfter && (worst == nil || s.Since.Before(worst.Since)) {
			worst = &s
		}
	}
	return worst
}

// tellStall logs that a stall began, and that it is over.
func (l *leader) tellStall(s *Stall) {
	l.mu.Lock()
	told := l.stallTold
	l.stallTold = s != nil
	l.mu.Unlock()
	switch {
	case s != nil && !told:
		l.o.Log.WithField("since", s.Since).WithField(fieldReason, s.Reason).Warn("stalled: nothing becomes durable; is a majority of the servers there?")
	case s == nil && told:
		l.o.Log.Info("stalled: recovered")
	}
}
