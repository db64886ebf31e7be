package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"botwatch/store"
)

// The roles of a daemon.
const (
	roleLeader  = "leader"
	roleStopped = "stopped"
)

// Status is what a daemon publishes about itself.
type Status struct {
	Role    string    `json:"role"` // "leader" or "stopped"
	Holder  string    `json:"holder"`
	Epoch   int64     `json:"epoch"`
	Started time.Time `json:"started"`
	At      time.Time `json:"at"` // of this status

	Model store.ModelRef `json:"model"`

	LagSeconds float64 `json:"lag_seconds"` // of the stream; meaningless unless LagKnown
	LagKnown   bool    `json:"lag_known"`
	QueueItems int     `json:"queue_items"`
	QueueBytes int64   `json:"queue_bytes"`
	Polling    bool    `json:"polling,omitempty"` // the source has no stream: scheduled scans do the work
	Stalled    *Stall  `json:"stalled,omitempty"` // nothing becomes durable

	History *store.Headroom `json:"history,omitempty"` // the source's, behind the checkpoint; where it is known

	Upserts   int64 `json:"upserts"` // events read since Started
	Deletes   int64 `json:"deletes"`
	Written   int64 `json:"written"` // predictions
	Unchanged int64 `json:"unchanged"`
	Faults    int64 `json:"faults"`

	CheckpointSeq uint64                   `json:"checkpoint_seq,string"`
	HistoryLost   int64                    `json:"history_lost"`
	Owed          *store.Reconcile         `json:"owed,omitempty"`
	Breakers      map[string]store.Breaker `json:"breakers,omitempty"`
	Jobs          map[string]store.Job     `json:"jobs,omitempty"`
	Next          map[string]time.Time     `json:"next,omitempty"` // of the scheduled jobs
	Scan          string                   `json:"scan,omitempty"` // that runs
	ScanProgress  string                   `json:"scan_progress,omitempty"`
}

func (l *leader) status(role string) Status {
	now := l.o.Now()
	st := l.pipeline.Stats()
	s := Status{
		Role: role, Holder: l.o.Holder, Epoch: l.ledger.epoch, Started: l.started, At: now,
		Model:   store.ModelRef{Name: l.o.Model.Name(), Digest: l.o.Model.Digest()},
		Upserts: st.Upserts.Load(), Deletes: st.Deletes.Load(),
		Written: st.Written[store.Replace].Load(), Unchanged: st.Unchanged.Load(), Faults: st.Faults.Load(),
		Next: make(map[string]time.Time),
	}
	s.QueueItems, s.QueueBytes, _ = l.pipeline.Load()
	s.Polling, s.Stalled = l.polling.Load(), l.stalled(now)
	lag, known := st.Lag(now)
	s.LagSeconds, s.LagKnown = lag.Seconds(), known
	for name, j := range map[string]Schedule{JobBackfill: l.o.Backfill, JobRescore: l.o.Rescore} {
		if j.Cron != nil && !l.o.Once {
			s.Next[name] = j.Cron.Next(now.In(l.o.Zone))
		}
	}
	l.mu.Lock()
	s.History = l.headroom
	if l.scanState.name != "" {
		s.Scan, s.ScanProgress = l.scanState.name, describe(l.scanState.cursor)
	}
	l.mu.Unlock()
	c := l.ledger.view()
	s.CheckpointSeq, s.HistoryLost = c.Seq, c.HistoryLost
	s.Owed, s.Breakers, s.Jobs = c.Owed, c.Breakers, c.Jobs
	return s
}

// publish puts the status where `botwatch status` finds it, unless the lease is
// another's by now, whose status is there.
func (l *leader) publish(ctx context.Context, role string) error {
	if err := l.stillOurs(ctx); err != nil {
		return err
	}
	st := l.status(role)
	l.tellStall(st.Stalled)
	text, err := json.Marshal(st)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = l.o.Store.Publish(ctx, l.ledger.epoch, text)
	if errors.Is(err, store.ErrFenced) { // renewing the lease tells whether it is lost
		return fmt.Errorf("another has published since (%v)", err)
	}
	return err
}

// progressLog writes a line when something happened since the last one.
type progressLog struct {
	last    Status
	scanned int64
}

func (p *progressLog) line(l *leader) {
	s := l.status(roleLeader)
	scanned := l.pipeline.Stats().Scanned.Load()
	read := s.Upserts + s.Deletes - p.last.Upserts - p.last.Deletes
	if read == 0 && scanned == p.scanned && s.Written == p.last.Written && s.QueueItems == 0 {
		return
	}
	fields := logrus.Fields{
		"read": read, "scanned": scanned - p.scanned, "predicted": s.Written - p.last.Written,
		"unchanged": s.Unchanged - p.last.Unchanged, "faults": s.Faults - p.last.Faults, "queue": s.QueueItems,
	}
	if s.LagKnown {
		fields["lag"] = fmt.Sprintf("%.1fs", s.LagSeconds)
	}
	if s.Scan != "" {
		fields["scan"] = s.Scan
	}
	l.o.Log.WithFields(fields).Info("progress")
	p.last, p.scanned = s, scanned
}
