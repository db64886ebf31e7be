package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/classifier"
	"botwatch/store"
)

// PutAccounts inserts or replaces accounts: extended JSON keeps its types, other
// numbers become the smallest that hold them.
func (s *Store) PutAccounts(ctx context.Context, accounts []store.Account) error {
	if s.opts.ProtectAccounts {
		return fmt.Errorf("put accounts: %w", store.ErrReadOnly)
	}
	if len(accounts) == 0 {
		return nil
	}
	models := make([]mongo.WriteModel, len(accounts))
	for i, a := range accounts {
		id, err := rawID(a.ID)
		if err != nil {
			return fmt.Errorf("put account: %w", err)
		}
		var doc any
		if raw, ok := appendPlain(make([]byte, 0, len(a.Doc)), id, a.Doc); ok {
			doc = bson.Raw(raw)
		} else if doc, err = extended(id, a.Doc); err != nil {
			return fmt.Errorf("put account %s: it is no JSON that MongoDB can hold: %w", a.ID, err)
		}
		models[i] = mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: id}}).SetReplacement(doc).SetUpsert(true)
	}
	if _, err := s.accounts.BulkWrite(ctx, models, options.BulkWrite()); err != nil {
		return fmt.Errorf("put accounts: %w", err)
	}
	return nil
}

// extended makes an account's document of an _id and of the fields of an object of
// extended JSON, but for its own _id.
func extended(id bson.RawValue, object []byte) (bson.D, error) {
	var fields bson.D
	if err := bson.UnmarshalExtJSON(object, false, &fields); err != nil {
		return nil, err
	}
	doc := bson.D{{Key: "_id", Value: id}}
	for _, f := range fields {
		if f.Key != "_id" {
			doc = append(doc, f)
		}
	}
	return doc, nil
}

// DeleteAccounts deletes those that exist.
func (s *Store) DeleteAccounts(ctx context.Context, ids []store.ID) error {
	if s.opts.ProtectAccounts {
		return fmt.Errorf("delete accounts: %w", store.ErrReadOnly)
	}
	_, err := s.accounts.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: rawIDs(ids)}}}})
	if err != nil {
		return fmt.Errorf("delete accounts: %w", err)
	}
	return nil
}

// CountAccounts counts the accounts, by the collection's metadata: after an
// unclean end of a server, or on a sharded cluster, it is an estimate.
func (s *Store) CountAccounts(ctx context.Context) (int, error) {
	n, err := s.accounts.EstimatedDocumentCount(ctx)
	if err != nil {
		return 0, fmt.Errorf("count accounts: %w", err)
	}
	return int(n), nil
}

// Decode reads an account from BSON.
func (s *Store) Decode(doc []byte, b *classifier.Builder) error {
	b.Reset()
	return decode(doc, b)
}
