//go:build unix

package integration_test

import (
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/store"
)

// TestMongoKill is TestKill on MongoDB. Its losses of history are mongotest's.
func TestMongoKill(t *testing.T) {
	t.Parallel()
	p := fakeMongo(t)
	look := p.open(t)
	p.look = look
	newKiller(t, p, p.open(t), look).rounds(t, slices.Concat(rounds[:2], rounds[3:])) // all but one, for time
}

func (p *mongoPlace) address() string { return p.uri }

// settledIDs are those of the accounts that no crawler touches.
var settledIDs = bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: "9000001000000"}}}}

// changes are the oplog's entries about accounts.
func (p *mongoPlace) changes(between bson.D) bson.D {
	filter := bson.D{{Key: "ns", Value: p.db.Name() + ".accounts"}}
	if between != nil {
		filter = append(filter, bson.E{Key: "ts", Value: between})
	}
	return filter
}

func sequence(t bson.Timestamp) uint64 { return uint64(t.T)<<32 | uint64(t.I) }

func timestamp(seq uint64) bson.Timestamp {
	return bson.Timestamp{T: uint32(seq >> 32), I: uint32(seq)}
}

// head is that of the whole server where that has another oplog than mongotest.
func (p *mongoPlace) head(t testing.TB) uint64 {
	t.Helper()
	if p.fake == nil {
		h, err := p.look.Head(t.Context())
		check(t, err)
		return h.Seq
	}
	cursor, err := p.oplog().Find(t.Context(), p.changes(nil), options.Find().SetSort(bson.D{{Key: "$natural", Value: -1}}).SetLimit(1))
	check(t, err)
	var last []struct {
		TS bson.Timestamp `bson:"ts"`
	}
	check(t, cursor.All(t.Context(), &last))
	if len(last) == 0 {
		return 0
	}
	return sequence(last[0].TS)
}

func (p *mongoPlace) lose(t testing.TB, looker store.Store) {
	t.Helper()
	var ids []any
	each(t, p.accounts(), settledIDs, func(doc bson.Raw) { ids = append(ids, doc.Lookup("_id").StringValue()) })
	step := len(ids) / 22
	var updated, deleted bson.A
	for i := range 22 {
		if id := ids[(i*step+int(time.Now().UnixNano()%int64(step)))%len(ids)]; i < 20 {
			updated = append(updated, id)
		} else {
			deleted = append(deleted, id)
		}
	}
	_, err := p.accounts().UpdateMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: updated}}}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "user_data.followers_count", Value: 1}}}})
	check(t, err)
	_, err = p.accounts().DeleteMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: deleted}}}})
	check(t, err)
	p.lostUpTo = p.head(t)
	p.fake.ShortenOplog(1)
}

func (p *mongoPlace) lostThrough(testing.TB) uint64 { return p.lostUpTo }

func (p *mongoPlace) unwrittenBetween(t testing.TB, from, to uint64) (n int64) {
	t.Helper()
	newest := map[store.ID]uint64{}
	var ids []store.ID
	each(t, p.oplog(), p.changes(bson.D{{Key: "$gt", Value: timestamp(from)}, {Key: "$lte", Value: timestamp(to)}}), func(doc bson.Raw) {
		v, err := doc.LookupErr("o2", "_id")
		if err != nil {
			v, err = doc.LookupErr("o", "_id")
		}
		if err != nil {
			return // a command
		}
		id, err := store.BSONID(byte(v.Type), v.Value)
		check(t, err)
		seconds, counter := doc.Lookup("ts").Timestamp()
		if newest[id] == 0 {
			ids = append(ids, id)
		}
		newest[id] = sequence(bson.Timestamp{T: seconds, I: counter})
	})
	for _, id := range ids {
		got, _ := prediction(t, p.look, id)
		if got.Source.Seq < newest[id] {
			n++
		}
	}
	return n
}
