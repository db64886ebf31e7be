package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/store"
)

// ListLetters gives letters in the order of ids, after an id.
func (s *Store) ListLetters(ctx context.Context, after store.ID, n int) ([]store.Letter, error) {
	o := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(n) + 1).SetHint(bson.D{{Key: "_id", Value: 1}})
	if after != "" {
		id, err := rawID(after)
		if err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		o.SetMin(bson.D{{Key: "_id", Value: id}})
	}
	all, err := s.findLetters(ctx, bson.D{}, o)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	if len(all) > 0 && all[0].ID == after {
		all = all[1:]
	}
	return all[:min(n, len(all))], nil
}

// GetLetters gives the letters of those ids that have one.
func (s *Store) GetLetters(ctx context.Context, ids []store.ID) ([]store.Letter, error) {
	found, err := s.findLetters(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: rawIDs(ids)}}}}, options.Find())
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	byID := make(map[store.ID]store.Letter, len(found))
	for _, l := range found {
		byID[l.ID] = l
	}
	found = found[:0]
	for _, id := range ids {
		if l, ok := byID[id]; ok {
			found = append(found, l)
		}
	}
	return found, nil
}

func (s *Store) findLetters(ctx context.Context, filter any, o *options.FindOptionsBuilder) ([]store.Letter, error) {
	cur, err := s.letters.Find(ctx, filter, o.SetComment(appName))
	if err != nil {
		return nil, err
	}
	defer cur.Close(context.WithoutCancel(ctx))
	var all []store.Letter
	for cur.Next(ctx) {
		l, id, err := readLetter(cur.Current)
		if err == nil {
			l.ID, err = toID(id)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, cur.Err()
}

// DiscardLetters removes letters.
func (s *Store) DiscardLetters(ctx context.Context, ids []store.ID) (int, error) {
	result, err := s.letters.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: rawIDs(ids)}}}})
	if err != nil {
		return 0, fmt.Errorf("discard dead letters: %w", err)
	}
	return int(result.DeletedCount), nil
}

// CountLetters counts letters by reason.
func (s *Store) CountLetters(ctx context.Context) (map[string]int, error) {
	cur, err := s.letters.Aggregate(ctx, bson.A{bson.D{{Key: "$group", Value: bson.D{
		{Key: "_id", Value: "$reason"}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
	}}}})
	var rows []struct {
		Reason string `bson:"_id"`
		N      int    `bson:"n"`
	}
	if err == nil {
		err = cur.All(ctx, &rows)
	}
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	counts := make(map[string]int, len(rows))
	for _, r := range rows {
		counts[r.Reason] += r.N
	}
	return counts, nil
}
