package store

import (
	"time"

	"botwatch/classifier"
)

// Status says what a prediction document is.
type Status string

// The statuses of a Prediction.
const (
	StatusClassified   Status = "classified"
	StatusInsufficient Status = "insufficient" // too few tweets to classify
	StatusError        Status = "error"        // could not be read, and never could before
	StatusDeleted      Status = "deleted"      // a tombstone: the account is gone
)

// MaxHistory is the greatest length of Prediction.History.
const MaxHistory = 20

// Prediction is one account's stored result. AppendJSON gives its documented
// form; a tombstone has only ID, Status, Source and ExpiresAt.
type Prediction struct {
	ID         ID
	Platform   string // "twitter"
	UserID     string
	ScreenName string

	Status  Status
	Class   int    // 1 to 6; 0 where there is none
	Slug    string // the class's
	Support classifier.Support
	Slugs   *[classifier.NumClasses]string // names of Scores; nil where there are none
	Scores  [classifier.NumClasses]float64 // 0 to 1 each, independent votes
	Margin  float64                        // largest score less the second largest

	Base    float64 // Base and all contributions add up to the class's score
	Reasons []classifier.Reason

	HasAttributes bool
	Attributes    classifier.Attributes
	Basis         classifier.Basis
	Flags         classifier.Flags
	OutOfRange    classifier.AttributeSet
	Stale         bool
	Error         *classifier.FieldError

	Model  ModelRef
	Source SourceRef

	History        []HistoryEntry // newest first
	ClassChangedAt time.Time
	ClassifiedAt   time.Time
	ExpiresAt      time.Time // of tombstones
}

// ModelRef names the model that made a prediction.
type ModelRef struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// SourceRef says which version of the account a prediction was made from.
type SourceRef struct {
	Version
	CrawledAt   classifier.Micros
	Fingerprint string // of the account's needed fields, as Account.Fingerprint gives it
	Via         string // "stream", "scan" or "upload"
}

// HistoryEntry records a change of class, support or model.
type HistoryEntry struct {
	Class   string    `json:"class"`
	Support string    `json:"support"`
	Model   string    `json:"model"` // digest
	At      time.Time `json:"at"`
}
