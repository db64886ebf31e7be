package store

import "time"

// Schema is the number of the stored state's form. A binary refuses a greater one.
const Schema = 1

// Checkpoint is everything a daemon must remember. One daemon, the one that
// holds the lease, writes it, always as a whole.
type Checkpoint struct {
	Schema   int       `json:"schema"`
	Identity string    `json:"identity"` // of the source that Position belongs to
	Position Position  `json:"position"` // low-watermark: everything before is durable
	Seq      uint64    `json:"seq,string"`
	At       time.Time `json:"at"` // the source's clock at Position
	// Epoch is the last one whose holder compared the source's head with what is
	// stored; what is stored of greater epochs nobody has compared.
	Epoch int64 `json:"epoch"`

	Owed     *Reconcile         `json:"owed,omitempty"` // a full scan that must still be done
	Scans    map[string]Cursor  `json:"scans,omitempty"`
	Breakers map[string]Breaker `json:"breakers,omitempty"`
	Jobs     map[string]Job     `json:"jobs,omitempty"`

	HistoryLost int64 `json:"history_lost"` // how often, ever
	Recoveries  int   `json:"recoveries"`   // of lost history, since the stream last made progress
}

// Reconcile is a full scan that is owed, because changes may have been missed.
type Reconcile struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// Cursor is the progress of a scan: its phase and where in it.
type Cursor struct {
	Phase    string   `json:"phase"`
	Position Position `json:"position,omitempty"`
	Seen     int64    `json:"seen"`    // accounts looked at
	Removed  int64    `json:"removed"` // orphans made tombstones
	Held     int64    `json:"held"`    // orphans that the mass-removal guard kept
}

// Breaker is a stop that only `botwatch resume`, or its cause's end, lifts.
type Breaker struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// Job is what is remembered of a scheduled job.
type Job struct {
	LastStart   time.Time `json:"last_start"`
	LastSuccess time.Time `json:"last_success"`
	LastError   string    `json:"last_error,omitempty"`
}

// Request asks the daemon for something: a job by hand, or a resume.
type Request struct {
	ID       string            `json:"id"`
	Kind     string            `json:"kind"` // "backfill", "rescore", "resume", "replay"
	Args     map[string]string `json:"args,omitempty"`
	Filed    time.Time         `json:"filed"`
	State    RequestState      `json:"state"`
	Progress string            `json:"progress,omitempty"` // for people
	Error    string            `json:"error,omitempty"`
	Ended    time.Time         `json:"ended,omitzero"`
}

// RequestState is how far a request has come.
type RequestState string

// The states of a Request.
const (
	RequestFiled   RequestState = "filed"
	RequestRunning RequestState = "running"
	RequestDone    RequestState = "done"
	RequestFailed  RequestState = "failed"
)

// Finished says whether the request has ended, well or not.
func (r Request) Finished() bool { return r.State == RequestDone || r.State == RequestFailed }

// Letter is a dead letter: an account that could not be read or classified.
type Letter struct {
	ID        ID        `json:"_id"`
	Reason    string    `json:"reason"` // a classifier.ErrorCode, or the store's
	Field     string    `json:"field,omitempty"`
	Error     string    `json:"error"`
	Attempts  int       `json:"attempts"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Model     string    `json:"model"` // digest of the model that met it
	Version   Version   `json:"version"`
}

// Counts are numbers of predictions.
type Counts struct {
	Total   int                       `json:"total"`
	Classes map[string]map[string]int `json:"classes"` // class slug → support → n; the class "" holds those without one
	Stale   int                       `json:"stale"`
	Errors  int                       `json:"errors"` // those that carry an error
}

// Headroom is how much of a source's history is left behind a position.
type Headroom struct {
	Window time.Duration `json:"window"` // from the oldest of the history to its newest; in JSON nanoseconds
	Left   time.Duration `json:"left"`   // from the oldest to the position; below 0 where that is lost
}

// Share gives Left as a share of Window, 0 to 1.
func (h Headroom) Share() float64 {
	if h.Window <= 0 {
		return 1
	}
	return min(1, max(0, h.Left.Seconds()/h.Window.Seconds()))
}
