package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/store"
)

// predictionIndexes are those that jobs and dashboards need: tombstones go by
// themselves, the newest version is found when a lease is taken; and classes, the newest of a class, names, and what is stale or at
// fault are found.
var predictionIndexes = []mongo.IndexModel{
	{Keys: bson.D{{Key: "expires_at", Value: 1}}, Options: options.Index().SetName("botwatch_tombstones").SetExpireAfterSeconds(0)},
	{Keys: bson.D{{Key: "source.epoch", Value: -1}, {Key: "source.seq", Value: -1}}, Options: options.Index().SetName("botwatch_version")},
	{Keys: bson.D{{Key: "class", Value: 1}, {Key: "support", Value: 1}, {Key: "class_changed_at", Value: -1}}, Options: options.Index().SetName("botwatch_class")},
	{Keys: bson.D{{Key: "class_changed_at", Value: -1}}, Options: options.Index().SetName("botwatch_changed")},
	{Keys: bson.D{{Key: "screen_name", Value: 1}}, Options: options.Index().SetName("botwatch_name")},
	{Keys: bson.D{{Key: "stale", Value: 1}, {Key: "class_changed_at", Value: -1}}, Options: options.Index().SetName("botwatch_stale")},
}

// ensureIndexes makes the indexes that are missing, on our own collections alone.
func (s *Store) ensureIndexes(ctx context.Context) error {
	if _, err := s.predictions.Indexes().CreateMany(ctx, predictionIndexes); err != nil {
		return fmt.Errorf("make indexes on %s: %w", s.opts.Names.Predictions, err)
	}
	return nil
}

// sampled is how many predictions are looked at before they are taken for ours.
const sampled = 20

// refuseForeign answers ErrForeign where the predictions hold what we did not
// write.
func (s *Store) refuseForeign(ctx context.Context) error {
	cur, err := s.predictions.Find(ctx, bson.D{}, options.Find().SetLimit(sampled))
	if err != nil {
		return fmt.Errorf("look at %s: %w", s.opts.Names.Predictions, err)
	}
	defer cur.Close(context.WithoutCancel(ctx))
	for cur.Next(ctx) {
		if !isOurs(cur.Current) {
			return fmt.Errorf("the collection %s.%s: %w", s.home.Name(), s.opts.Names.Predictions, store.ErrForeign)
		}
	}
	return cur.Err()
}
