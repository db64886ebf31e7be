package mongo

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"botwatch/store"
)

// Head reads what a majority has: the time up to which everything is visible to
// reads after it, and the collection's UUID as its identity (empty where there is
// none yet).
func (s *Store) Head(ctx context.Context) (store.Head, error) {
	h, err := s.head(ctx)
	if err != nil {
		return store.Head{}, fmt.Errorf("read head: %w", err)
	}
	return h, nil
}

func (s *Store) head(ctx context.Context) (store.Head, error) {
	at := s.opts.Now()
	identity, err := s.identity(ctx)
	if err != nil {
		return store.Head{}, err
	}
	if !s.info.streams() {
		seq, err := s.count(ctx)
		return store.Head{Seq: seq, Identity: identity, At: at}, err
	}
	p, err := s.find(ctx, readpref.Primary(), bson.Timestamp{}, s.firstID())
	if err != nil {
		return store.Head{}, err
	}
	seq := sequence(p.at)
	position := position{Identity: identity, At: timestamp(seq + 1), Seq: timestamp(seq)}
	return store.Head{Position: position.encode(), Seq: seq, Identity: identity, At: at}, nil
}

// firstID is the cheapest read of accounts, for what its reply says of the time.
func (s *Store) firstID() bson.D {
	return bson.D{
		{Key: "find", Value: s.opts.Names.Accounts}, {Key: "projection", Value: bson.D{{Key: "_id", Value: 1}}},
		{Key: "limit", Value: 1}, {Key: "singleBatch", Value: true},
	}
}

// identity gives the UUID of the accounts' collection; empty where there is none.
func (s *Store) identity(ctx context.Context) (string, error) {
	cur, err := s.source.RunCommandCursor(ctx, bson.D{
		{Key: "listCollections", Value: 1},
		{Key: "filter", Value: bson.D{{Key: "name", Value: s.opts.Names.Accounts}}},
		{Key: "cursor", Value: bson.D{}},
	})
	if err != nil {
		return "", fmt.Errorf("look for the collection %s: %w", s.opts.Names.Accounts, err)
	}
	defer cur.Close(ctx)
	if !cur.Next(ctx) {
		return "", cur.Err()
	}
	kind, _ := cur.Current.Lookup("type").StringValueOK()
	if kind != "collection" {
		return "", fmt.Errorf("%s is a %s; want a collection", s.opts.Names.Accounts, kind)
	}
	_, uuid, ok := cur.Current.Lookup("info", "uuid").BinaryOK()
	if !ok {
		return s.source.Name() + "." + s.opts.Names.Accounts, nil // a server that has none
	}
	return hex.EncodeToString(uuid), nil
}

// count gives the next number of a counter in the state: the sequence where the
// server has no time of its own.
func (s *Store) count(ctx context.Context) (uint64, error) {
	var doc struct {
		N int64 `bson:"n"`
	}
	err := s.state.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: keySequence}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: int64(1)}}}}, upsertAfter).Decode(&doc)
	return uint64(doc.N), err
}

// position is a place in a change stream. It is stored as BSON.
type position struct {
	Identity string         `bson:"u"`           // of the collection; empty: there was none
	At       bson.Timestamp `bson:"t"`           // to open at where the token is of no use: events from then on
	Seq      bson.Timestamp `bson:"s"`           // of what came before
	Token    bson.Raw       `bson:"k,omitempty"` // to go on after
	Pipeline string         `bson:"p,omitempty"` // the pipeline that the token is of
}

const positionMark = 'm'

func (p position) encode() store.Position {
	doc, err := bson.Marshal(p)
	if err != nil {
		panic("mongo: a position cannot be written: " + err.Error()) // its fields can
	}
	return append(store.Position{positionMark}, doc...)
}

func decodePosition(b store.Position) (p position, err error) {
	if len(b) < 1 || b[0] != positionMark {
		return p, errors.New("it is of another store")
	}
	if err := bson.Raw(b[1:]).Validate(); err != nil {
		return p, err
	}
	err = bson.NewDecoder(bson.NewDocumentReader(bytes.NewReader(b[1:]))).Decode(&p)
	return p, err
}

// lost makes of an error of opening or reading a stream what the contract says,
// or gives it back.
func lost(err error) error {
	switch code(err) {
	case codeHistoryLost, codeCappedPositionLost, codeFatal, codeInvalidResumeToken,
		codeUnreadableToken, codeFailedToParse, codeBadToken, codeTokenType:
		return fmt.Errorf("%w: %w", err, store.ErrHistoryLost)
	}
	return err
}
