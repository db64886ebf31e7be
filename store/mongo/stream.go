package mongo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"botwatch/store"
)

const (
	// awaitTime is how long the server waits for the first event of a batch: a
	// stream beats at least once a second.
	awaitTime = 500 * time.Millisecond
	// nextTimeout bounds one look at a stream, the wait included.
	nextTimeout = 20 * time.Second
	// idleEvery is how often an idle stream's position moves on in time.
	idleEvery = 10 * time.Second
	// behindLimit is how often in a row a majority's time may be behind a stream's
	// position: a new primary learns what a majority has, a restored one never does.
	behindLimit = 3
	// streamBytes is what a batch of ours holds, beside its last document.
	streamBytes = 8 << 20
)

// eventFields are what a stream asks for of every event: all but the account.
func eventFields() bson.D {
	return bson.D{
		{Key: "operationType", Value: 1}, {Key: "clusterTime", Value: 1}, {Key: "documentKey._id", Value: 1},
	}
}

// streamPipeline asks for the needed fields of accounts (rule 6).
var streamPipeline = mongo.Pipeline{{{Key: "$project", Value: append(eventFields(), bson.E{
	Key: "fullDocument", Value: bson.D{{Key: "$cond", Value: bson.A{
		bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$type", Value: "$fullDocument"}}, "object"}}},
		neededFields("$fullDocument."),
		"$fullDocument",
	}}},
})}}}

// barePipeline leaves the account out: for events that are too large with it.
var barePipeline = mongo.Pipeline{{{Key: "$project", Value: eventFields()}}}

// pipelineDigest tells pipelines apart: a token is of use to the one that it came
// from.
var pipelineDigest = func() string {
	doc, err := bson.Marshal(bson.D{{Key: "p", Value: streamPipeline}})
	if err != nil {
		panic("mongo: the stream's pipeline: " + err.Error())
	}
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:8])
}()

// Stream follows the accounts through a change stream.
func (s *Store) Stream(ctx context.Context, from store.Position) (store.Feed, error) {
	if !s.info.streams() { // whatever the position: there it is empty
		return nil, fmt.Errorf("open stream: %w", store.ErrNoStream)
	}
	p, err := decodePosition(from)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w: %w", err, store.ErrHistoryLost)
	}
	f := &feed{s: s, at: p}
	err = f.open(ctx)
	if code(err) == codeTooLarge { // what comes first is
		f.narrow()
		err = f.open(ctx)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open stream: %w", lost(err))
	}
	return f, nil
}

// feed is an open stream. It goes on where an event is too large: the account is
// then read by its _id.
type feed struct {
	s       *Store
	at      position
	stream  *mongo.ChangeStream // nil where it is to be opened again
	idle    bool                // the last batch was empty
	asked   time.Time           // for the time that a majority has
	behind  int                 // so often in a row it was behind the position
	bare    int                 // so many events are still to be read without their account
	again   int                 // how many were the last time that one was too large
	resumed bool                // after an error 260, with nothing read since
	err     error
}

// open opens the change stream after the feed's position.
func (f *feed) open(ctx context.Context) error {
	identity, err := f.s.identity(ctx)
	if err != nil {
		return err
	}
	if f.at.Identity != "" && identity != f.at.Identity {
		return fmt.Errorf("the position is of collection %s, this is %s: %w", f.at.Identity, identity, store.ErrSourceReplaced)
	}
	f.at.Identity = identity
	o := options.ChangeStream().SetMaxAwaitTime(awaitTime).SetComment(appName)
	pipeline := barePipeline
	if f.bare == 0 {
		pipeline = streamPipeline
		o.SetFullDocument(options.UpdateLookup)
	}
	if len(f.at.Token) > 0 && f.at.Pipeline == pipelineDigest {
		o.SetStartAfter(f.at.Token)
	} else {
		o.SetStartAtOperationTime(&f.at.At)
	}
	ctx, cancel := context.WithTimeout(ctx, nextTimeout)
	defer cancel()
	stream, err := f.s.accounts.Watch(ctx, pipeline, o)
	if err != nil {
		return err
	}
	f.stream = stream
	return nil
}

// narrow lets the next events be read without their account: the next time more,
// if those were not enough.
func (f *feed) narrow() {
	f.again = min(max(2, 2*f.again), 64)
	f.bare = f.again
}

// Next gives the next events, or an empty batch where there were none for a
// while.
func (f *feed) Next(ctx context.Context) (store.Batch, error) {
	if f.err != nil {
		return store.Batch{}, f.err
	}
	b, err := f.next(ctx)
	if err != nil {
		f.err = fmt.Errorf("read stream: %w", err)
		return store.Batch{}, f.err
	}
	return b, nil
}

func (f *feed) next(ctx context.Context) (store.Batch, error) {
	for {
		bare := f.bare > 0
		b, err := f.read(ctx)
		switch {
		case err == nil:
			f.resumed = false
			return b, nil
		case ctx.Err() != nil:
			return store.Batch{}, ctx.Err()
		case code(err) == codeTooLarge && !bare:
			// The batch is lost with the event. Those before it come again, too.
			f.narrow()
		case code(err) == codeInvalidResumeToken && !f.resumed:
			// The driver resumes by resumeAfter, which takes no invalidate's token.
			f.resumed = true
		default:
			return store.Batch{}, lost(err)
		}
		f.stop()
	}
}

// read reads one batch.
func (f *feed) read(ctx context.Context) (store.Batch, error) {
	if f.stream == nil {
		if err := f.open(ctx); err != nil {
			return store.Batch{}, err
		}
	}
	before := f.committed(ctx) // all up to here is in this batch, or came before
	if f.behind >= behindLimit {
		return store.Batch{}, fmt.Errorf("the source's time ran backwards, from %d to %d: %w", sequence(f.at.Seq), sequence(before), store.ErrSourceReplaced)
	}
	call, cancel := context.WithTimeout(ctx, nextTimeout)
	defer cancel()
	var b store.Batch
	bytes, bare := 0, f.bare > 0
	for f.stream.TryNext(call) {
		ended, err := f.take(&b, f.stream.Current)
		if err != nil {
			return b, err
		}
		if ended != nil {
			if len(b.Changes) == 0 {
				return b, ended
			}
			f.err = fmt.Errorf("read stream: %w", ended)
			break
		}
		if n := len(b.Changes); n > 0 {
			bytes += len(b.Changes[n-1].Doc)
		}
		if bare {
			if f.bare--; f.bare == 0 {
				break
			}
			continue
		}
		if f.stream.RemainingBatchLength() == 0 || bytes >= streamBytes {
			break
		}
	}
	if err := f.stream.Err(); err != nil {
		return b, err
	}
	if f.err == nil && f.stream.ID() == 0 {
		return b, fmt.Errorf("the stream was closed: %w", store.ErrSourceReplaced)
	}
	f.progress(&b, before)
	if !bare {
		if len(b.Changes) > 0 {
			f.again = 0
		}
		return b, nil
	}
	if err := f.s.complete(ctx, &b); err != nil {
		return b, err
	}
	if f.bare == 0 {
		f.stop() // and go back to reading whole events
	}
	return b, nil
}

// committed asks an idle stream's server, now and then, for the time that a
// majority has: where the stream then has no event, it is past that time. A
// sharded cluster may answer before the slowest shard has come so far.
func (f *feed) committed(ctx context.Context) bson.Timestamp {
	if !f.idle || f.s.info.sharded || f.s.opts.Now().Sub(f.asked) < idleEvery {
		return bson.Timestamp{}
	}
	f.asked = f.s.opts.Now()
	p, err := f.s.find(ctx, readpref.Primary(), bson.Timestamp{}, f.s.firstID())
	if err != nil { // the stream itself will say what is wrong
		return bson.Timestamp{}
	}
	if f.behind++; sequence(p.at) >= sequence(f.at.Seq) {
		f.behind = 0
	} else {
		f.asked = time.Time{} // ask again at once
	}
	return p.at
}

// progress sets a batch's position: behind its events, or, where there are none,
// where the server has looked.
func (f *feed) progress(b *store.Batch, before bson.Timestamp) {
	if token := f.stream.ResumeToken(); token != nil {
		f.at.Token = append(bson.Raw(nil), token...)
		f.at.Pipeline = pipelineDigest
	}
	f.idle = len(b.Changes) == 0
	if f.idle {
		if sequence(before) > sequence(f.at.Seq) {
			f.at.Seq, f.at.At = before, before
		}
		b.At = f.s.opts.Now()
	}
	b.Seq = sequence(f.at.Seq)
	b.After = f.at.encode()
}

// take adds an event to a batch. ended is what it says of the stream's end.
func (f *feed) take(b *store.Batch, event bson.Raw) (ended, err error) {
	kind, _ := event.Lookup("operationType").StringValueOK()
	if t, i, ok := event.Lookup("clusterTime").TimestampOK(); ok {
		f.at.Seq = bson.Timestamp{T: t, I: i}
		f.at.At = f.at.Seq
		b.At = time.Unix(int64(t), 0)
	}
	ch := store.Change{Op: store.OpUpsert, Seq: sequence(f.at.Seq)}
	switch kind {
	case "insert", "update", "replace":
	case "delete":
		ch.Op = store.OpDelete
	case "drop", "rename", "dropDatabase", "invalidate":
		return fmt.Errorf("the collection ended by %s: %w", kind, store.ErrSourceReplaced), nil
	default: // of no account
		return nil, nil
	}
	id, err := event.LookupErr("documentKey", "_id")
	if err != nil {
		return nil, fmt.Errorf("an event of kind %s without an _id: %w", kind, err)
	}
	if ch.ID, err = toID(id); err != nil {
		return nil, err
	}
	ch.Key = keyOf(id, ch.ID)
	if doc, ok := event.Lookup("fullDocument").DocumentOK(); ok && ch.Op == store.OpUpsert {
		ch.Doc = append([]byte(nil), doc...)
	}
	b.Changes = append(b.Changes, ch)
	return nil, nil
}

func (f *feed) stop() {
	if f.stream == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), selectTimeout)
	defer cancel()
	_ = f.stream.Close(ctx) // its cursor times out by itself
	f.stream = nil
}

// Close ends the stream.
func (f *feed) Close() error {
	f.stop()
	f.err = errors.New("the stream is closed")
	return nil
}
