package mongo

import (
	"bytes"
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"botwatch/store"
)

// rawID gives an ID as BSON has it.
func rawID(id store.ID) (bson.RawValue, error) {
	kind, value, err := id.AppendBSON(nil)
	if err != nil {
		return bson.RawValue{}, err
	}
	return bson.RawValue{Type: bson.Type(kind), Value: value}, nil
}

// keyOf gives the Change.Key of an _id: its type and value, where those of its ID
// are others: numbers have several types for one value.
func keyOf(v bson.RawValue, id store.ID) []byte {
	switch v.Type {
	case bson.TypeObjectID, bson.TypeString, bson.TypeInt32:
		return nil
	}
	own, err := rawID(id)
	if err == nil && own.Type == v.Type && bytes.Equal(own.Value, v.Value) {
		return nil
	}
	return append([]byte{byte(v.Type)}, v.Value...)
}

// keyed gives the _id that a write is to store.
func keyed(w *store.Write) (bson.RawValue, error) {
	if len(w.Key) > 0 {
		return bson.RawValue{Type: bson.Type(w.Key[0]), Value: w.Key[1:]}, nil
	}
	return rawID(w.ID)
}

// rawIDs gives IDs as an array, for $in. Those that cannot be stored are left out.
func rawIDs(ids []store.ID) bson.A {
	values := make(bson.A, 0, len(ids))
	for _, id := range ids {
		if v, err := rawID(id); err == nil {
			values = append(values, v)
		}
	}
	return values
}

// toID gives the ID of a document's _id.
func toID(v bson.RawValue) (store.ID, error) {
	id, err := store.BSONID(byte(v.Type), v.Value)
	if err != nil {
		return "", fmt.Errorf("read _id: %w", err)
	}
	return id, nil
}

// timestamp gives a sequence number as BSON has it.
func timestamp(seq uint64) bson.Timestamp {
	return bson.Timestamp{T: uint32(seq >> 32), I: uint32(seq)}
}

// sequence gives a timestamp as a sequence number.
func sequence(t bson.Timestamp) uint64 { return uint64(t.T)<<32 | uint64(t.I) }

// page is what one find of a single batch gives.
type page struct {
	docs []bson.Raw
	more bool           // there are more, which the reply had no room for
	at   bson.Timestamp // the operation time: of a majority read, what it saw
}

// command runs a command on accounts, and gives the reply.
func (s *Store) command(ctx context.Context, db *mongo.Database, pref *readpref.ReadPref, cmd bson.D) (bson.Raw, error) {
	reply, err := db.RunCommand(ctx, cmd, options.RunCmd().SetReadPreference(pref)).Raw()
	if err != nil {
		return nil, err
	}
	return reply, nil
}

// find runs a find of one batch, and gives its documents, which are parts of the
// reply. It reads what a majority has, at the time after or later.
func (s *Store) find(ctx context.Context, from *readpref.ReadPref, after bson.Timestamp, cmd bson.D) (page, error) {
	concern := bson.D{{Key: "level", Value: "majority"}}
	if !after.IsZero() {
		concern = append(concern, bson.E{Key: "afterClusterTime", Value: after})
	}
	if !s.info.streams() {
		concern = bson.D{{Key: "level", Value: "local"}}
	}
	cmd = append(cmd, bson.E{Key: "readConcern", Value: concern}, bson.E{Key: "comment", Value: appName})
	reply, err := s.command(ctx, s.source, from, cmd)
	if err != nil {
		return page{}, err
	}
	var p page
	if t, i, ok := reply.Lookup("operationTime").TimestampOK(); ok {
		p.at = bson.Timestamp{T: t, I: i}
	}
	cursor, ok := reply.Lookup("cursor").DocumentOK()
	if !ok {
		return page{}, fmt.Errorf("find: a reply without a cursor")
	}
	if id, _ := cursor.Lookup("id").AsInt64OK(); id != 0 {
		p.more = true
		_ = s.source.RunCommand(ctx, bson.D{ // else it times out by itself
			{Key: "killCursors", Value: s.opts.Names.Accounts}, {Key: "cursors", Value: bson.A{id}},
		}).Err()
	}
	batch, ok := cursor.Lookup("firstBatch").ArrayOK()
	if !ok {
		return page{}, fmt.Errorf("find: a reply without a batch")
	}
	for rest := []byte(batch[4:]); len(rest) > 1; {
		element, next, ok := readElement(rest)
		if !ok {
			return page{}, fmt.Errorf("find: a broken reply")
		}
		p.docs = append(p.docs, bson.Raw(element))
		rest = next
	}
	return p, nil
}

// readElement reads an array's element that is a document: its bytes, and what
// follows.
func readElement(b []byte) (doc, rest []byte, ok bool) {
	if bson.Type(b[0]) != bson.TypeEmbeddedDocument {
		return nil, nil, false
	}
	i := 1
	for i < len(b) && b[i] != 0 {
		i++
	}
	b = b[min(i+1, len(b)):]
	if len(b) < 5 {
		return nil, nil, false
	}
	n := int(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
	if n < 5 || n > len(b) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}
