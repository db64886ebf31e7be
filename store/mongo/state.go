package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/store"
)

// The documents of the state's collection. That of the daemon has the lease and
// the checkpoint, so that one write can see to both.
const (
	keyDaemon   = "daemon"
	keyStatus   = "status"
	keySequence = "sequence" // where the server has no time of its own
)

// leaseTime is how long a lease lasts after its holder was last heard of. A
// standby asks every two seconds, so that it takes over within 15 s.
const leaseTime = 10 * time.Second

var upsertAfter = options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)

// daemonState is the daemon's document.
type daemonState struct {
	Epoch      int64         `bson:"epoch"`
	Holder     string        `bson:"holder"` // empty: nobody
	Since      time.Time     `bson:"since"`
	Expires    time.Time     `bson:"expires"`
	Turn       bson.ObjectID `bson:"turn"` // of the Acquire that took it
	Checkpoint bson.Raw      `bson:"checkpoint"`
}

// Acquire takes the lease by the server's clock, in one write: where it is free,
// was given up, has run out, or is the same holder's. Who has it makes the indexes
// that are missing. What is stored may be of a
// greater epoch than the last lease's, where the state was lost.
func (s *Store) Acquire(ctx context.Context, holder string) (int64, error) {
	newest, err := s.Newest(ctx)
	if err != nil {
		return 0, fmt.Errorf("acquire lease: %w", err)
	}
	turn := bson.NewObjectID()
	free := bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "$in", Value: bson.A{bson.D{{Key: "$ifNull", Value: bson.A{"$holder", ""}}}, bson.A{"", bson.D{{Key: "$literal", Value: holder}}}}}},
		bson.D{{Key: "$lte", Value: bson.A{"$expires", "$$NOW"}}},
	}}}
	take := func(v, otherwise any) bson.D {
		return bson.D{{Key: "$cond", Value: bson.A{"$taken", v, otherwise}}}
	}
	last := bson.D{{Key: "$ifNull", Value: bson.A{"$epoch", int64(0)}}}
	epoch := bson.D{{Key: "$add", Value: bson.A{bson.D{{Key: "$max", Value: bson.A{last, newest.Epoch}}}, int64(1)}}}
	change := mongo.Pipeline{
		{{Key: "$set", Value: bson.D{{Key: "taken", Value: free}}}},
		{{Key: "$set", Value: bson.D{
			{Key: "epoch", Value: take(epoch, last)},
			{Key: "holder", Value: take(bson.D{{Key: "$literal", Value: holder}}, "$holder")},
			{Key: "since", Value: take("$$NOW", "$since")},
			{Key: "expires", Value: take(bson.D{{Key: "$add", Value: bson.A{"$$NOW", leaseTime.Milliseconds()}}}, "$expires")},
			{Key: "turn", Value: take(turn, "$turn")},
		}}},
		{{Key: "$unset", Value: "taken"}},
	}
	var d daemonState
	err = s.state.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: keyDaemon}}, change, upsertAfter).Decode(&d)
	if mongo.IsDuplicateKeyError(err) { // two made the document at once
		err = s.state.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: keyDaemon}}, change, upsertAfter).Decode(&d)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("acquire lease: %w", err)
	case d.Turn != turn:
		return 0, fmt.Errorf("acquire lease: %w", &store.HeldError{Holder: d.Holder, Since: d.Since})
	}
	if err := s.ensureIndexes(ctx); err != nil {
		return 0, fmt.Errorf("acquire lease: %w", err)
	}
	return d.Epoch, nil
}

// mine is the filter for the daemon's document while an epoch has the lease.
func mine(epoch int64) bson.D {
	return bson.D{{Key: "_id", Value: keyDaemon}, {Key: "epoch", Value: epoch}, {Key: "holder", Value: bson.D{{Key: "$ne", Value: ""}}}}
}

// fenced does a change of the daemon's document, if the lease is the epoch's.
func (s *Store) fenced(ctx context.Context, epoch int64, change any) error {
	result, err := s.state.UpdateOne(ctx, mine(epoch), change)
	switch {
	case err != nil:
		return err
	case result.MatchedCount == 0:
		return fmt.Errorf("epoch %d: %w", epoch, store.ErrFenced)
	}
	return nil
}

// Renew makes the lease last, by the server's clock.
func (s *Store) Renew(ctx context.Context, epoch int64) error {
	err := s.fenced(ctx, epoch, mongo.Pipeline{{{Key: "$set", Value: bson.D{
		{Key: "expires", Value: bson.D{{Key: "$add", Value: bson.A{"$$NOW", leaseTime.Milliseconds()}}}},
	}}}})
	if err != nil {
		return fmt.Errorf("renew lease: %w", err)
	}
	return nil
}

// Release gives the lease up.
func (s *Store) Release(ctx context.Context, epoch int64) error {
	err := s.fenced(ctx, epoch, bson.D{{Key: "$set", Value: bson.D{{Key: "holder", Value: ""}}}})
	if err != nil && !errors.Is(err, store.ErrFenced) {
		return fmt.Errorf("release lease: %w", err)
	}
	return nil
}

// Load reads the checkpoint.
func (s *Store) Load(ctx context.Context) (store.Checkpoint, error) {
	var d daemonState
	err := s.state.FindOne(ctx, bson.D{{Key: "_id", Value: keyDaemon}}).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		err = nil
	}
	var cp store.Checkpoint
	if err == nil && len(d.Checkpoint) > 0 {
		cp, err = readCheckpoint(d.Checkpoint)
	}
	if err == nil && cp.Schema > store.Schema {
		err = fmt.Errorf("schema %d: %w", cp.Schema, store.ErrNewerSchema)
	}
	if err != nil {
		return store.Checkpoint{}, fmt.Errorf("load checkpoint: %w", err)
	}
	return cp, nil
}

// Save replaces the checkpoint. Tombstones go by their own TTL index.
func (s *Store) Save(ctx context.Context, epoch int64, cp store.Checkpoint) error {
	doc := bson.Raw(appendCheckpoint(nil, &cp))
	err := s.fenced(ctx, epoch, bson.D{{Key: "$set", Value: bson.D{{Key: "checkpoint", Value: doc}, {Key: "saved_at", Value: s.opts.Now()}}}})
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}
