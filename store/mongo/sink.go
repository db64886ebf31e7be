package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/store"
)

// Stamps looks up what is stored.
func (s *Store) Stamps(ctx context.Context, ids []store.ID) ([]store.Stamp, error) {
	stamps := make([]store.Stamp, len(ids))
	at := make(map[store.ID][]int, len(ids))
	for i, id := range ids {
		stamps[i].ID = id
		at[id] = append(at[id], i)
	}
	if len(ids) == 0 {
		return stamps, nil
	}
	err := s.each(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: rawIDs(ids)}}}},
		options.Find().SetProjection(stampProjection()).SetBatchSize(int32(min(len(ids), 1<<20))+1), func(id store.ID, doc bson.Raw) error {
			st := lenientStamp(doc, true)
			st.ID = id
			for _, i := range at[id] {
				stamps[i] = st
			}
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read stamps: %w", err)
	}
	return stamps, nil
}

// Newest gives the greatest version that is stored.
func (s *Store) Newest(ctx context.Context) (store.Version, error) {
	var v store.Version
	numbers := bson.D{{Key: "source.epoch", Value: bson.D{{Key: "$gte", Value: int64(0)}}}}
	o := options.Find().SetProjection(bson.D{{Key: "source.epoch", Value: 1}, {Key: "source.seq", Value: 1}}).
		SetSort(bson.D{{Key: "source.epoch", Value: -1}, {Key: "source.seq", Value: -1}}).SetLimit(1)
	err := s.each(ctx, numbers, o, func(_ store.ID, doc bson.Raw) error {
		v = storedVersion(doc)
		return nil
	})
	if err != nil {
		return store.Version{}, fmt.Errorf("read the newest version: %w", err)
	}
	return v, nil
}

// storedVersion reads a prediction's version, as far as it has one.
func storedVersion(doc bson.Raw) (v store.Version) {
	if epoch, ok := doc.Lookup("source", "epoch").AsInt64OK(); ok {
		v.Epoch = epoch
	}
	if t, i, ok := doc.Lookup("source", "seq").TimestampOK(); ok {
		v.Seq = sequence(bson.Timestamp{T: t, I: i})
	}
	return v
}

// lenientStamp reads a stamp. A document that somebody else's hand was in has but
// its version, so that it is written anew.
func lenientStamp(doc bson.Raw, withHistory bool) store.Stamp {
	st, err := readStamp(doc, withHistory)
	if err == nil {
		return st
	}
	return store.Stamp{Found: true, Version: storedVersion(doc)}
}

// each finds predictions, and gives each to f.
func (s *Store) each(ctx context.Context, filter any, o *options.FindOptionsBuilder, f func(id store.ID, doc bson.Raw) error) error {
	cur, err := s.predictions.Find(ctx, filter, o.SetComment(appName))
	if err != nil {
		return err
	}
	defer cur.Close(context.WithoutCancel(ctx))
	for cur.Next(ctx) {
		id, err := toID(cur.Current.Lookup("_id"))
		if err != nil {
			return err
		}
		if err := f(id, cur.Current); err != nil {
			return err
		}
	}
	return cur.Err()
}

// Walk gives stamps in the order of the accounts' scans.
func (s *Store) Walk(ctx context.Context, from store.Position, n int) ([]store.Stamp, store.Position, error) {
	last, err := scanPlace(from)
	if err != nil {
		return nil, nil, err
	}
	o := options.Find().SetProjection(walkProjection()).SetSort(bson.D{{Key: "_id", Value: 1}}).
		SetHint(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(n) + 1).SetBatchSize(int32(min(n, 1<<20)) + 2)
	if last != "" {
		id, err := rawID(last)
		if err != nil {
			return nil, nil, fmt.Errorf("walk predictions: %w", err)
		}
		o.SetMin(bson.D{{Key: "_id", Value: id}})
	}
	var stamps []store.Stamp
	live := bson.D{{Key: "status", Value: bson.D{{Key: "$ne", Value: string(store.StatusDeleted)}}}}
	err = s.each(ctx, live, o, func(id store.ID, doc bson.Raw) error {
		if id == last || len(stamps) == n {
			return nil
		}
		st := lenientStamp(doc, false)
		st.ID = id
		stamps = append(stamps, st)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("walk predictions: %w", err)
	}
	if len(stamps) == 0 {
		return nil, from, nil
	}
	return stamps, scanPosition(stamps[len(stamps)-1].ID), nil
}
