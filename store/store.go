// Package store holds the nouns of keeping predictions true to accounts, and
// the contract between the pipeline and what stores both: identifiers,
// positions in a source's history, versions, changes, stamps and writes.
//
// The rules that the contract serves: an account's newest version decides its
// prediction; a write is fenced by its Version, so that a late one changes
// nothing; a checkpoint never runs ahead of what is durable.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"botwatch/classifier"
)

// Errors that callers branch on. Stores wrap them.
var (
	// ErrHistoryLost: the stream cannot go on from that position, since the
	// source no longer has what came after it. A reconcile is owed.
	ErrHistoryLost = errors.New("the position has left the source's history")
	// ErrSourceReplaced: the accounts were dropped, renamed, replaced or
	// restored from an older state. A new epoch and a reconcile are owed.
	ErrSourceReplaced = errors.New("the accounts are no longer those of before")
	// ErrFenced: another daemon took the lease since.
	ErrFenced = errors.New("the lease is held by a newer daemon")
	// ErrForeign: the predictions place holds something that is not ours.
	ErrForeign = errors.New("holds data that botwatch did not write")
	// ErrNoStream: the source has no stream of changes; scans do its work.
	ErrNoStream = errors.New("the source has no stream of changes")
	// ErrReadOnly: this store's accounts may not be written (accounts.writable).
	ErrReadOnly = errors.New("accounts are read-only here")
	// ErrNewerSchema: the state was written by a newer botwatch.
	ErrNewerSchema = errors.New("the stored state needs a newer botwatch")
)

// HeldError says who holds the lease.
type HeldError struct {
	Holder string    // as the holder named itself
	Since  time.Time // when it took the lease
}

// Error names the holder.
func (e *HeldError) Error() string {
	return fmt.Sprintf("the lease is held by %s since %s", e.Holder, e.Since.UTC().Format(time.RFC3339))
}

// Position is a place in a source's history or in a scan. Only the store that
// made it can read it. The empty Position is the beginning of a scan.
type Position []byte

// Version orders the writes of one prediction, Epoch first. Epoch grows by one
// with every lease; Seq is the source's own order within its present life.
type Version struct {
	Epoch int64  `json:"epoch"`
	Seq   uint64 `json:"seq,string"`
}

// Less says whether v is older than w.
func (v Version) Less(w Version) bool {
	return v.Epoch < w.Epoch || v.Epoch == w.Epoch && v.Seq < w.Seq
}

// Op says what happened to an account.
type Op uint8

// The operations of a Change.
const (
	OpUpsert Op = iota + 1 // inserted, updated or replaced
	OpDelete
)

// String gives the name that metrics use.
func (o Op) String() string {
	switch o {
	case OpUpsert:
		return "upsert"
	case OpDelete:
		return "delete"
	}
	return "unknown"
}

// Change is one event of a stream, or one account of a scan.
type Change struct {
	ID  ID
	Op  Op
	Seq uint64 // of a scan: the source's head from before the batch was read

	// Key is the id as the source has it, where ID does not say all of it (a
	// number's type): opaque to all but the store, which finds it in Write.Key.
	Key []byte

	// Doc is the account as stored, at least as new as Seq, to be decoded by
	// Source.Decode. An upsert without one (and without Err) found the account
	// gone: the delete that explains it follows.
	Doc []byte
	// CrawledAt is set by key scans, which carry no Doc; 0 where unknown.
	CrawledAt classifier.Micros
	// Err says why the store cannot deliver the document (too large, say).
	Err error
}

// Batch is a run of changes. It owns its bytes. A stream's empty batch is a
// heartbeat: nothing happened up to After.
type Batch struct {
	Changes []Change
	After   Position  // where to go on after this batch
	Seq     uint64    // the newest sequence number that the batch covers
	At      time.Time // the source's clock as of After; zero where unknown
}

// Feed gives batch after batch. It is not safe for concurrent use.
type Feed interface {
	// Next waits for the next batch. A stream answers with a heartbeat at least
	// once a second, ErrHistoryLost or ErrSourceReplaced where it cannot go on;
	// a scan ends with io.EOF. Other errors may pass: open again after a pause.
	Next(ctx context.Context) (Batch, error)
	Close() error
}

// Head is where a source stands.
type Head struct {
	Position Position  // a stream from here misses nothing that comes after Seq
	Seq      uint64    // all content up to here is visible to reads that follow
	Identity string    // of the accounts' place: another after a drop or a restore that can be told; empty before there is one
	At       time.Time // the source's clock
}

// ScanMode says what a scan reads of each account.
type ScanMode uint8

// The modes of Source.Scan and Source.Fetch.
const (
	ScanDocs ScanMode = iota // whole documents
	ScanKeys                 // ids and crawled_at only
)

// Source is where accounts come from. Safe for concurrent use.
type Source interface {
	// Head reads where the source stands, durably (majority).
	Head(ctx context.Context) (Head, error)
	// Stream follows changes after a position, in order for each account.
	Stream(ctx context.Context, from Position) (Feed, error)
	// Scan walks all accounts by id, whatever the types of the ids, from a
	// position that a former scan's batch gave; empty means from the start.
	Scan(ctx context.Context, from Position, mode ScanMode) (Feed, error)
	// Fetch reads accounts by id: one change each, in the order of ids, with the
	// head taken before the read as its Seq. What is gone answers OpDelete, what
	// is there OpUpsert, with its Doc (ScanDocs) or its crawled_at (ScanKeys).
	// Where the documents are many bytes it may answer for the first ids alone, one
	// at least.
	Fetch(ctx context.Context, ids []ID, mode ScanMode) ([]Change, error)
	// Decode pushes a Doc into a Builder that it has reset first.
	Decode(doc []byte, b *classifier.Builder) error
}

// Stamp is what is known of a stored prediction without reading all of it.
type Stamp struct {
	ID             ID
	Found          bool // false: nothing is stored, all else is zero
	Version        Version
	Status         Status
	Fingerprint    string
	Model          string // digest
	Class          string
	Support        string
	Stale          bool
	Faulty         bool // carries an error, so a dead letter stands beside it
	CrawledAt      classifier.Micros
	ClassifiedAt   time.Time
	ClassChangedAt time.Time
	History        []HistoryEntry
}

// Write is one fenced change of a prediction. It takes effect only where the
// stored version is not greater than Version.
type Write struct {
	ID      ID
	Key     []byte // of the Change; empty where it had none
	Version Version
	Kind    WriteKind
	// Prediction is the whole document of a Replace, the tombstone of a Remove,
	// and of a Fault what to store where there is none.
	Prediction *Prediction
	// Letter is put, before the prediction, where the account cannot be
	// classified. Where the letter is there already, its FirstSeen stays and
	// its Attempts grow by one.
	Letter *Letter
	// ClearLetter removes the account's letter, after the prediction.
	ClearLetter bool
}

// WriteKind says what a Write does.
type WriteKind uint8

// The kinds of Write.
const (
	// Replace stores the whole document.
	Replace WriteKind = iota + 1
	// Touch raises the stored version alone; it changes nothing, and answers
	// Retry, where nothing is stored.
	Touch
	// Fault sets stale, error and version of what is stored, and keeps the rest;
	// where nothing or a tombstone is stored, it stores Prediction.
	Fault
	// Remove stores a tombstone, also where nothing is stored.
	Remove
)

// Outcome is what became of a Write.
type Outcome struct {
	Result Result
	Err    error // why, on Retry and Rejected
}

// Result sorts outcomes.
type Result uint8

// The results of a Write.
const (
	Written    Result = iota + 1 // durable
	Superseded                   // a greater version was seen to be stored: success
	Retry                        // not done, or not known to be; look at the stamp and try again
	Rejected                     // can never be stored as it is
)

// String gives the name that metrics use.
func (r Result) String() string {
	switch r {
	case Written:
		return "written"
	case Superseded:
		return "superseded"
	case Retry:
		return "retry"
	case Rejected:
		return "rejected"
	}
	return "unknown"
}

// Sink is where predictions go. Safe for concurrent use.
type Sink interface {
	// Stamps looks up what is stored durably (majority), in the order of ids: what
	// a failover may still undo must not be taken for done.
	Stamps(ctx context.Context, ids []ID) ([]Stamp, error)
	// Walk gives up to n stamps (without History) of what is stored and is no
	// tombstone, in the order of ids, after a position; fewer than n at the end.
	Walk(ctx context.Context, from Position, n int) ([]Stamp, Position, error)
	// Write does its writes, each fenced and on its own, durably (majority), and
	// answers one outcome each. On an error nothing is known of any of them.
	Write(ctx context.Context, writes []Write) ([]Outcome, error)
	// Newest gives the greatest version that is stored, tombstones included; the
	// zero one where nothing is.
	Newest(ctx context.Context) (Version, error)
}

// State keeps the lease and the checkpoint. Safe for concurrent use.
type State interface {
	// Acquire takes the lease, raising the epoch above each that ever had it, and
	// above each of a stored prediction, so that lost state makes no writer that
	// loses to all that is there. *HeldError while another has it.
	Acquire(ctx context.Context, holder string) (epoch int64, err error)
	// Renew keeps the lease; ErrFenced when it is another's.
	Renew(ctx context.Context, epoch int64) error
	// Release gives the lease up, if it is still this epoch's.
	Release(ctx context.Context, epoch int64) error
	// Load reads the checkpoint; the zero one where there is none.
	Load(ctx context.Context) (Checkpoint, error)
	// Save replaces the checkpoint in one durable write; ErrFenced when the lease
	// is another's. Changes before the checkpoint's position and expired
	// tombstones may go.
	Save(ctx context.Context, epoch int64, c Checkpoint) error
}

// Desk passes requests to the daemon that holds the lease, and its status
// back. Safe for concurrent use.
type Desk interface {
	// Submit files a request and gives its id.
	Submit(ctx context.Context, r Request) (string, error)
	// Requests lists requests, oldest first: those not finished, or all kept.
	Requests(ctx context.Context, all bool) ([]Request, error)
	// Update replaces a request's state; old finished ones go.
	Update(ctx context.Context, r Request) error
	// Publish replaces the daemon's status, a JSON document; ErrFenced where a
	// daemon of a greater epoch has published one.
	Publish(ctx context.Context, epoch int64, status []byte) error
	// Published gives the last status; nil where there is none.
	Published(ctx context.Context) ([]byte, error)
}

// Letters are the accounts that could not be classified. Safe for concurrent use.
type Letters interface {
	// ListLetters gives up to n letters in the order of ids, after an id; the
	// empty id begins.
	ListLetters(ctx context.Context, after ID, n int) ([]Letter, error)
	// GetLetters gives the letters of those ids that have one.
	GetLetters(ctx context.Context, ids []ID) ([]Letter, error)
	// DiscardLetters removes letters and says how many there were.
	DiscardLetters(ctx context.Context, ids []ID) (int, error)
	// CountLetters counts them by reason code.
	CountLetters(ctx context.Context) (map[string]int, error)
}

// Reader answers questions about predictions. Safe for concurrent use.
type Reader interface {
	// Predictions gives the documents of those ids that are stored, tombstones
	// included.
	Predictions(ctx context.Context, ids []ID) ([]Prediction, error)
	// Count counts the predictions that are no tombstones.
	Count(ctx context.Context) (Counts, error)
}

// Accounts writes accounts, as import and simulate do. Safe for concurrent use.
type Accounts interface {
	// PutAccounts inserts or replaces accounts; ErrReadOnly where not allowed.
	PutAccounts(ctx context.Context, accounts []Account) error
	// DeleteAccounts deletes those that exist.
	DeleteAccounts(ctx context.Context, ids []ID) error
	// CountAccounts counts what is stored.
	CountAccounts(ctx context.Context) (int, error)
}

// Account is an account in the upload format, as JSON.
type Account struct {
	ID  ID
	Doc []byte
}

// Store is all of it, as store/sqlite and store/mongo give it.
type Store interface {
	Source
	Sink
	State
	Desk
	Letters
	Reader
	Accounts
	// Check looks at the store without writing and says what it found.
	Check(ctx context.Context) ([]Finding, error)
	Close() error
}

// Finding is one line of a check's report.
type Finding struct {
	Level   Level  `json:"level"`
	Subject string `json:"subject"` // what was looked at
	Message string `json:"message"` // what was found, and the fix where there is one
}

// Level grades a Finding.
type Level string

// The levels: all is well; it works, but; it cannot work.
const (
	LevelOK   Level = "ok"
	LevelWarn Level = "warning"
	LevelFail Level = "failure"
)
