package mongotest_test

import (
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Writes of several statements: the manual's "insert", "update", "delete",
// "bulkWrite" (8.0), and the CRUD specification of drivers.
var bulkParts = []part{
	{"ordered batches stop at the first error", ordered},
	{"unordered batches go on", unordered},
	{"how many statements a batch has", batchLengths},
	{"bulk writes by the driver", driverBulk},
	{"the command bulkWrite", bulkWriteCommand},
	{"the driver's bulk write of a client", clientBulk},
}

func ordered(x *trial) {
	reply := x.attempt(`{"insert": "c", "documents": [{"_id": 1}, {"_id": 1, "a": 1}, {"_id": 2}]}`)
	x.fields(reply, `{"ok": 1, "n": 1, "writeErrors.0.index": 1, "writeErrors.0.code": 11000, "writeErrors.0.keyPattern": {"_id": 1}, "writeErrors.0.keyValue": {"_id": 1}}`)
	if text := reply.Lookup("writeErrors", "0", "errmsg").StringValue(); !strings.Contains(text, "E11000 duplicate key error") || !strings.Contains(text, "_id_") {
		x.Errorf("the message of a duplicate key is %q", text)
	}
	if n, _ := reply.Lookup("writeErrors").Array().Values(); len(n) != 1 {
		x.Errorf("%d errors, want 1", len(n))
	}
	x.has(`{"_id": 1}`)
	reply = x.attempt(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"a": 1}}}, {"q": {"_id": 5}, "u": {"$set": {"a": 1}}, "upsert": true},
		{"q": {"_id": 1}, "u": {"$set": {"a.b": 1}}}, {"q": {"_id": 1}, "u": {"$set": {"a": 2}}}]}`)
	x.fields(reply, `{"ok": 1, "n": 2, "nModified": 1, "upserted.0.index": 1, "upserted.0._id": 5, "writeErrors.0.index": 2, "writeErrors.0.code": 28}`)
	x.has(`{"_id": 1, "a": 1}`, `{"_id": 5, "a": 1}`)
	reply = x.attempt(`{"delete": "c", "deletes": [{"q": {"_id": 1}, "limit": 1}, {"q": {"a": {"$nonsense": 1}}, "limit": 1}, {"q": {"_id": 5}, "limit": 1}]}`)
	x.fields(reply, `{"ok": 1, "n": 1, "writeErrors.0.index": 1, "writeErrors.0.code": 2}`)
	x.has(`{"_id": 5, "a": 1}`)
}

func unordered(x *trial) {
	reply := x.attempt(`{"insert": "c", "ordered": false, "documents": [{"_id": 1}, {"_id": 1}, {"_id": [1]}, {"_id": 2}, {"_id": 2.0}]}`)
	x.fields(reply, `{"ok": 1, "n": 2, "writeErrors.0.index": 1, "writeErrors.0.code": 11000, "writeErrors.1.index": 2, "writeErrors.1.code": 53,
		"writeErrors.2.index": 4, "writeErrors.2.code": 11000}`)
	x.has(`{"_id": 1}`, `{"_id": 2}`)
	reply = x.attempt(`{"update": "c", "ordered": false, "updates": [{"q": {"_id": 1}, "u": {"$inc": {"_id": 1}}}, {"q": {"_id": 2}, "u": {"$set": {"a": 1}}}]}`)
	x.fields(reply, `{"n": 1, "nModified": 1, "writeErrors.0.index": 0, "writeErrors.0.code": 66}`)
	reply = x.attempt(`{"delete": "c", "ordered": false, "deletes": [{"q": {"a": {"$nonsense": 1}}, "limit": 1}, {"q": {}, "limit": 0}]}`)
	x.fields(reply, `{"n": 2, "writeErrors.0.index": 0, "writeErrors.0.code": 2}`)
}

func batchLengths(x *trial) {
	x.refuses(16, `{"insert": "c", "documents": []}`, `{"update": "c", "updates": []}`, `{"delete": "c", "deletes": []}`)
	docs := make(bson.A, 100_001)
	for i := range docs {
		docs[i] = bson.D{{Key: "_id", Value: i}}
	}
	reply, err := x.db.RunCommand(x.ctx, bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: docs}}).Raw()
	x.fails(16, "100,001 documents", reply, err)
	x.fields(x.raw(bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: docs[:100_000]}}), `{"n": 100000}`)
	all := make([]any, 0, 100_010)
	for i := range 100_010 {
		all = append(all, bson.D{{Key: "_id", Value: i}})
	}
	r, err := x.db.Collection("many").InsertMany(x.ctx, all) // the driver splits them
	x.must(err)
	if len(r.InsertedIDs) != len(all) {
		x.Errorf("inserted %d of %d", len(r.InsertedIDs), len(all))
	}
	x.fields(x.run(`{"count": "many"}`), `{"n": 100010}`)
}

func driverBulk(x *trial) {
	c := x.db.Collection("c")
	models := []mongo.WriteModel{
		mongo.NewInsertOneModel().SetDocument(d(`{"_id": 1, "a": 1}`)),
		mongo.NewInsertOneModel().SetDocument(d(`{"_id": 2, "a": 1}`)),
		mongo.NewUpdateManyModel().SetFilter(d(`{"a": 1}`)).SetUpdate(d(`{"$inc": {"a": 1}}`)),
		mongo.NewUpdateOneModel().SetFilter(d(`{"_id": 3}`)).SetUpdate(d(`{"$set": {"a": 1}}`)).SetUpsert(true),
		mongo.NewInsertOneModel().SetDocument(d(`{"_id": 2}`)),
		mongo.NewReplaceOneModel().SetFilter(d(`{"_id": 1}`)).SetReplacement(d(`{"b": 1}`)),
		mongo.NewDeleteOneModel().SetFilter(d(`{"_id": 2}`)),
	}
	r, err := c.BulkWrite(x.ctx, models)
	var failed mongo.BulkWriteException
	if !errors.As(err, &failed) || len(failed.WriteErrors) != 1 || failed.WriteErrors[0].Index != 4 || failed.WriteErrors[0].Code != 11000 {
		x.Fatalf("got %v, want 11000 at 4", err)
	}
	if r.InsertedCount != 2 || r.ModifiedCount != 2 || r.UpsertedCount != 1 || r.UpsertedIDs[3] != int32(3) || r.DeletedCount != 0 {
		x.Errorf("got %+v", r)
	}
	x.has(`{"_id": 1, "a": 2}`, `{"_id": 2, "a": 2}`, `{"_id": 3, "a": 1}`)
	x.must(c.Drop(x.ctx))
	r, err = c.BulkWrite(x.ctx, models, options.BulkWrite().SetOrdered(false))
	if !errors.As(err, &failed) || len(failed.WriteErrors) != 1 || failed.WriteErrors[0].Code != 11000 {
		x.Fatalf("got %v, want one 11000", err)
	}
	if r.DeletedCount != 1 || r.InsertedCount != 2 {
		x.Errorf("got %+v", r)
	}
	x.ids(`{}`, 1, 3) // in which order the driver sends them is its own affair
}

func bulkWriteCommand(x *trial) {
	bulk := func(rest string) (bson.Raw, error) {
		return x.admin(fmt.Sprintf(`{"bulkWrite": 1, "nsInfo": [{"ns": "%s.c"}, {"ns": "%s.e"}], %s}`, x.db.Name(), x.db.Name(), rest))
	}
	reply, err := bulk(`"ops": [{"insert": 0, "document": {"_id": 1}}]`)
	if x.major < 800 {
		x.fails(59, "bulkWrite", reply, err)
		return
	}
	x.must(err)
	x.fields(reply, `{"ok": 1, "nErrors": 0, "nInserted": 1, "nMatched": 0, "nModified": 0, "nUpserted": 0, "nDeleted": 0, "cursor.id": 0, "cursor.ns": "admin.$cmd.bulkWrite",
		"cursor.firstBatch.0.ok": 1, "cursor.firstBatch.0.idx": 0, "cursor.firstBatch.0.n": 1}`)
	reply, err = bulk(`"ops": [{"insert": 1, "document": {"_id": 1}}, {"update": 0, "filter": {"_id": 1}, "updateMods": {"$set": {"a": 1}}},
		{"update": 1, "filter": {"_id": 2}, "updateMods": {"b": 1}, "upsert": true}, {"update": 1, "filter": {}, "updateMods": {"$set": {"c": 1}}, "multi": true},
		{"delete": 0, "filter": {"_id": 1}}, {"delete": 1, "filter": {}, "multi": true}]`)
	x.must(err)
	x.fields(reply, `{"nErrors": 0, "nInserted": 1, "nMatched": 3, "nModified": 3, "nUpserted": 1, "nDeleted": 3, "cursor.firstBatch.1.n": 1, "cursor.firstBatch.1.nModified": 1,
		"cursor.firstBatch.2.upserted._id": 2, "cursor.firstBatch.3.n": 2, "cursor.firstBatch.5.n": 2, "cursor.firstBatch.5.idx": 5}`)
	reply, err = bulk(`"ops": [{"insert": 0, "document": {"_id": 1}}, {"insert": 0, "document": {"_id": 1}}, {"insert": 0, "document": {"_id": 2}}]`)
	x.must(err)
	x.fields(reply, `{"ok": 1, "nErrors": 1, "nInserted": 1, "cursor.firstBatch.1.ok": 0, "cursor.firstBatch.1.idx": 1, "cursor.firstBatch.1.code": 11000, "cursor.firstBatch.2": null}`)
	reply, err = bulk(`"ordered": false, "errorsOnly": true, "ops": [{"insert": 0, "document": {"_id": 1}}, {"insert": 0, "document": {"_id": 2}}]`)
	x.must(err)
	x.fields(reply, `{"nErrors": 1, "nInserted": 1, "cursor.firstBatch.0.idx": 0, "cursor.firstBatch.0.code": 11000, "cursor.firstBatch.1": null}`)
	reply, err = bulk(`"ops": [{"insert": 7, "document": {"_id": 1}}]`)
	x.fails(2, "a namespace that is not there", reply, err)
	reply, err = bulk(`"ops": []`)
	x.fails(16, "no ops", reply, err)
	reply, err = x.db.RunCommand(x.ctx, d(`{"bulkWrite": 1, "ops": [{"insert": 0, "document": {}}], "nsInfo": [{"ns": "a.b"}]}`)).Raw()
	x.fails(13, "not on admin", reply, err)
}

func clientBulk(x *trial) {
	if x.major < 800 {
		return
	}
	write := func(n int) mongo.ClientBulkWrite {
		return mongo.ClientBulkWrite{Database: x.db.Name(), Collection: "c", Model: mongo.NewClientInsertOneModel().SetDocument(bson.D{{Key: "_id", Value: n}})}
	}
	var writes []mongo.ClientBulkWrite
	for i := range 300 { // more results than a first batch need have
		writes = append(writes, write(i))
	}
	writes = append(writes, mongo.ClientBulkWrite{Database: x.db.Name(), Collection: "c",
		Model: mongo.NewClientUpdateManyModel().SetFilter(d(`{"_id": {"$gte": 100}}`)).SetUpdate(d(`{"$set": {"a": 1}}`))})
	r, err := x.client.BulkWrite(x.ctx, writes, options.ClientBulkWrite().SetVerboseResults(true))
	x.must(err)
	if r.InsertedCount != 300 || r.MatchedCount != 200 || r.ModifiedCount != 200 || len(r.InsertResults) != 300 || r.UpdateResults[300].MatchedCount != 200 {
		x.Errorf("got %+v", r)
	}
	_, err = x.client.BulkWrite(x.ctx, []mongo.ClientBulkWrite{write(300), write(5), write(301)})
	var failed mongo.ClientBulkWriteException
	if !errors.As(err, &failed) || failed.WriteErrors[1].Code != 11000 || failed.PartialResult.InsertedCount != 1 {
		x.Errorf("got %v, want 11000 at 1 after one insert", err)
	}
}
