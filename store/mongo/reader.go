package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/store"
)

// Predictions gives the documents of those ids that are stored.
func (s *Store) Predictions(ctx context.Context, ids []store.ID) ([]store.Prediction, error) {
	byID := make(map[store.ID]store.Prediction, len(ids))
	err := s.each(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: rawIDs(ids)}}}}, options.Find(), func(id store.ID, doc bson.Raw) error {
		p, _, err := readPrediction(doc)
		if err != nil {
			return fmt.Errorf("prediction of %s: %w", id, err)
		}
		p.ID = id
		byID[id] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read predictions: %w", err)
	}
	var found []store.Prediction
	for _, id := range ids {
		if p, ok := byID[id]; ok {
			found = append(found, p)
		}
	}
	return found, nil
}

// Count counts the predictions that are no tombstones.
func (s *Store) Count(ctx context.Context) (store.Counts, error) {
	one := func(condition any) bson.D {
		return bson.D{{Key: "$sum", Value: bson.D{{Key: "$cond", Value: bson.A{condition, 1, 0}}}}}
	}
	cur, err := s.predictions.Aggregate(ctx, bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "status", Value: bson.D{{Key: "$ne", Value: string(store.StatusDeleted)}}}}}},
		bson.D{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: bson.D{{Key: "class", Value: "$class"}, {Key: "support", Value: "$support"}}},
			{Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
			{Key: "stale", Value: one("$stale")},
			{Key: "errors", Value: one(bson.D{{Key: "$ne", Value: bson.A{bson.D{{Key: "$type", Value: "$error"}}, "missing"}}})},
		}}},
	})
	var rows []struct {
		Group struct {
			Class   string `bson:"class"`
			Support string `bson:"support"`
		} `bson:"_id"`
		N      int `bson:"n"`
		Stale  int `bson:"stale"`
		Errors int `bson:"errors"`
	}
	if err == nil {
		err = cur.All(ctx, &rows)
	}
	if err != nil {
		return store.Counts{}, fmt.Errorf("count predictions: %w", err)
	}
	counts := store.Counts{Classes: map[string]map[string]int{}}
	for _, r := range rows {
		counts.Total += r.N
		counts.Stale += r.Stale
		counts.Errors += r.Errors
		if counts.Classes[r.Group.Class] == nil {
			counts.Classes[r.Group.Class] = map[string]int{}
		}
		counts.Classes[r.Group.Class][r.Group.Support] += r.N
	}
	return counts, nil
}
