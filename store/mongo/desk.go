package mongo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/store"
)

// keptRequests is how many finished requests are kept.
const keptRequests = 100

// request is a store.Request in the state: its fields as JSON, and by which
// requests are found.
type request struct {
	ID       bson.ObjectID `bson:"_id"`
	Request  string        `bson:"request"`
	Finished bool          `bson:"finished"`
}

// Submit files a request.
func (s *Store) Submit(ctx context.Context, r store.Request) (string, error) {
	id := bson.NewObjectID()
	r.ID = id.Hex()
	doc, err := json.Marshal(r)
	if err == nil {
		_, err = s.state.InsertOne(ctx, request{id, string(doc), r.Finished()})
	}
	if err != nil {
		return "", fmt.Errorf("submit request: %w", err)
	}
	return r.ID, nil
}

// Requests lists requests, oldest first.
func (s *Store) Requests(ctx context.Context, all bool) ([]store.Request, error) {
	filter := bson.D{{Key: "finished", Value: false}}
	if all {
		filter = bson.D{{Key: "finished", Value: bson.D{{Key: "$exists", Value: true}}}}
	}
	cur, err := s.state.Find(ctx, filter, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	var docs []request
	if err == nil {
		err = cur.All(ctx, &docs)
	}
	var requests []store.Request
	for _, d := range docs {
		var r store.Request
		if err == nil {
			err = json.Unmarshal([]byte(d.Request), &r)
			requests = append(requests, r)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	return requests, nil
}

// Update replaces a request's state. The oldest finished ones go.
func (s *Store) Update(ctx context.Context, r store.Request) error {
	id, err := bson.ObjectIDFromHex(r.ID)
	var doc []byte
	if err == nil {
		doc, err = json.Marshal(r)
	}
	if err == nil {
		_, err = s.state.ReplaceOne(ctx, bson.D{{Key: "_id", Value: id}}, request{id, string(doc), r.Finished()}, options.Replace().SetUpsert(true))
	}
	if err == nil && r.Finished() {
		err = s.trimRequests(ctx)
	}
	if err != nil {
		return fmt.Errorf("update request: %w", err)
	}
	return nil
}

func (s *Store) trimRequests(ctx context.Context) error {
	finished := bson.D{{Key: "finished", Value: true}}
	var oldest request
	err := s.state.FindOne(ctx, finished, options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}}).SetSkip(keptRequests)).Decode(&oldest)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	if err == nil {
		_, err = s.state.DeleteMany(ctx, append(finished, bson.E{Key: "_id", Value: bson.D{{Key: "$lte", Value: oldest.ID}}}))
	}
	return err
}

// Publish replaces the daemon's status, but for that of a greater epoch.
func (s *Store) Publish(ctx context.Context, epoch int64, status []byte) error {
	older := bson.D{{Key: "_id", Value: keyStatus}, {Key: "epoch", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gt", Value: epoch}}}}}}
	doc := bson.D{{Key: "_id", Value: keyStatus}, {Key: "epoch", Value: epoch}, {Key: "status", Value: string(status)}}
	_, err := s.state.ReplaceOne(ctx, older, doc, options.Replace().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) {
		err = fmt.Errorf("a greater epoch than %d has published one: %w", epoch, store.ErrFenced)
	}
	if err != nil {
		return fmt.Errorf("publish status: %w", err)
	}
	return nil
}

// Published gives the last status.
func (s *Store) Published(ctx context.Context) ([]byte, error) {
	var doc struct {
		Status string `bson:"status"`
	}
	err := s.state.FindOne(ctx, bson.D{{Key: "_id", Value: keyStatus}}).Decode(&doc)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read status: %w", err)
	}
	return []byte(doc.Status), nil
}
