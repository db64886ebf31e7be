package mongotest_test

import (
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// What writes do to documents: the manual's "Documents" (the field _id),
// "Update Operators", "update", "findAndModify".
var identityParts = []part{
	{"rules of _id", identities},
	{"_id is one number whatever its type", identityNumbers},
	{"_id comes first, and is made where it is missing", identityPlace},
	{"replacements", replacements},
	{"deletions", deletions},
	{"findAndModify", findAndModify},
}

var upsertParts = []part{
	{"upserts take equalities of the filter", upserts},
	{"an upsert whose filter misses an equal _id", upsertMiss},
	{"upserts that race", upsertRace},
}

func identities(x *trial) {
	x.insert(`{"_id": 1, "a": 7}`)
	for _, id := range []string{`[1]`, `[]`, `{"$regularExpression": {"pattern": "a", "options": ""}}`} {
		x.refuses(53, `{"insert": "c", "documents": [{"_id": `+id+`}]}`)
	}
	x.refuses(52, `{"insert": "c", "documents": [{"_id": {"$a": 1}}]}`)
	x.refuses(11000, `{"insert": "c", "documents": [{"_id": 1}]}`)
	for _, u := range []string{
		`{"$set": {"_id": 2}}`, `{"$inc": {"_id": 1}}`, `{"$unset": {"_id": 1}}`, `{"$rename": {"_id": "b"}}`, `{"$rename": {"a": "_id"}}`, `{"_id": 2, "a": 1}`,
		`[{"$set": {"_id": 2}}]`, `[{"$replaceWith": {"_id": 2}}]`,
	} {
		x.refuses(66, `{"update": "c", "updates": [{"q": {"_id": 1}, "u": `+u+`}]}`)
		x.refuses(66, `{"findAndModify": "c", "query": {"_id": 1}, "update": `+u+`}`)
	}
	x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"_id": 1, "b": 2}}}]}`) // the same one
	x.run(`{"update": "c", "updates": [{"q": {}, "u": {"_id": 1, "a": 3}}]}`)
	x.has(`{"_id": 1, "a": 3}`)
	x.insert(`{"_id": null}`, `{"_id": {"b": 1, "a": [1]}}`, `{"_id": false}`)
	x.refuses(11000, `{"insert": "c", "documents": [{"_id": null}]}`)
	x.refuses(11000, `{"insert": "c", "documents": [{"_id": {"b": 1, "a": [1]}}]}`)
	x.insert(`{"_id": {"a": [1], "b": 1}}`) // in another order: another value
}

func identityNumbers(x *trial) {
	x.insert(`{"_id": 1}`, `{"_id": {"$numberDouble": "NaN"}}`, `{"_id": {"a": 1}}`)
	for _, id := range []string{`1`, `1.0`, `{"$numberLong": "1"}`, `{"$numberDecimal": "1.00"}`, `{"$numberDecimal": "NaN"}`, `{"a": 1.0}`} {
		x.refuses(11000, `{"insert": "c", "documents": [{"_id": `+id+`}]}`)
	}
	x.gives(`{"find": "c", "filter": {"_id": 1.0}}`, `{"_id": 1}`)
	x.gives(`{"find": "c", "filter": {"_id": {"$numberDecimal": "NaN"}}}`, `{"_id": {"$numberDouble": "NaN"}}`)
	x.gives(`{"find": "c", "filter": {"_id": {"a": {"$numberLong": "1"}}}}`, `{"_id": {"a": 1}}`)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 1.0}, "u": {"$set": {"b": 1}}, "upsert": true}]}`)
	x.gives(`{"find": "c", "filter": {"b": 1}}`, `{"_id": 1, "b": 1}`)
}

func identityPlace(x *trial) {
	x.insert(`{"a": 1, "_id": 5, "b": 2}`)
	x.has(`{"_id": 5, "a": 1, "b": 2}`)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 5}, "u": {"c": 1, "_id": 5}}]}`)
	x.has(`{"_id": 5, "c": 1}`)
	x.run(`{"insert": "c", "documents": [{"z": 1}]}`) // by the command, so that the server makes it
	docs := x.documents(d(`{"find": "c", "filter": {"z": 1}}`))
	if len(docs) != 1 || docs[0].Index(0).Key() != "_id" || docs[0].Index(0).Value().Type != bson.TypeObjectID {
		x.Errorf("got %v, want an ObjectId in front", docs)
	}
	reply := x.run(`{"update": "c", "updates": [{"q": {"y": 1}, "u": {"$set": {"x": 1}}, "upsert": true}]}`)
	if id := reply.Lookup("upserted", "0", "_id"); id.Type != bson.TypeObjectID {
		x.Errorf("got %v for the _id of an upsert", id)
	}
	x.run(`{"insert": "c", "documents": [{"_id": 9, "t": {"$timestamp": {"t": 0, "i": 0}}, "sub": {"t": {"$timestamp": {"t": 0, "i": 0}}}}]}`)
	doc := x.documents(d(`{"find": "c", "filter": {"_id": 9}}`))[0]
	if at, _ := doc.Lookup("t").Timestamp(); at == 0 {
		x.Error("an empty timestamp at the top is not replaced by the time")
	}
	if at, _ := doc.Lookup("sub", "t").Timestamp(); at != 0 {
		x.Error("an empty timestamp below the top is replaced")
	}
}

func replacements(x *trial) {
	x.insert(`{"_id": 1, "a": 1, "b": {"c": 1}}`, `{"_id": 2, "a": 1}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"a": 1}, "u": {"d": [1]}}]}`), `{"n": 1, "nModified": 1}`)
	x.has(`{"_id": 1, "d": [1]}`, `{"_id": 2, "a": 1}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"d": [1]}}]}`), `{"n": 1, "nModified": 0}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {}}]}`), `{"n": 1, "nModified": 1}`)
	x.has(`{"_id": 1}`, `{"_id": 2, "a": 1}`)
	x.refuses(9, `{"update": "c", "updates": [{"q": {}, "u": {"a": 1}, "multi": true}]}`)
	x.refuses(9, `{"update": "c", "updates": [{"q": {}, "u": {"$set": {"a": 1}, "b": 1}}]}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"_id": 7}, "u": {"a": 1}}]}`), `{"n": 0, "nModified": 0}`)
}

func deletions(x *trial) {
	x.insert(`{"_id": 1, "a": 1}`, `{"_id": 2, "a": 1}`, `{"_id": 3, "a": 1}`, `{"_id": 4, "a": 2}`)
	x.fields(x.run(`{"delete": "c", "deletes": [{"q": {"a": 1}, "limit": 1}]}`), `{"n": 1}`)
	x.fields(x.run(`{"delete": "c", "deletes": [{"q": {"a": 1}, "limit": 0}, {"q": {"a": 7}, "limit": 0}]}`), `{"n": 2}`)
	x.has(`{"_id": 4, "a": 2}`)
	x.refuses(9, `{"delete": "c", "deletes": [{"q": {}, "limit": 2}]}`)
	x.refuses(40414, `{"delete": "c", "deletes": [{"q": {}}]}`, `{"delete": "c", "deletes": [{"limit": 1}]}`)
	x.fields(x.run(`{"delete": "absent", "deletes": [{"q": {}, "limit": 0}]}`), `{"n": 0}`)
}

func findAndModify(x *trial) {
	x.insert(`{"_id": 1, "a": 1}`, `{"_id": 2, "a": 2}`, `{"_id": 3, "a": 3, "b": [{"c": 1}, {"c": 2}]}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {"_id": 1}, "update": {"$inc": {"a": 10}}}`),
		`{"value": {"_id": 1, "a": 1}, "lastErrorObject.n": 1, "lastErrorObject.updatedExisting": true}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {"_id": 1}, "update": {"$inc": {"a": 10}}, "new": true}`), `{"value": {"_id": 1, "a": 21}}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {}, "sort": {"a": -1}, "update": {"$set": {"z": 1}}, "fields": {"_id": 1}}`), `{"value": {"_id": 1}}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {}, "sort": {"a": 1}, "update": {"$set": {"z": 2}}, "new": true}`), `{"value": {"_id": 2, "a": 2, "z": 2}}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {"b.c": 2}, "update": {"$set": {"b.$.c": 5}}, "new": true, "fields": {"b": 1, "_id": 0}}`),
		`{"value": {"b": [{"c": 1}, {"c": 5}]}}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {"_id": 3}, "update": {"$set": {"b.$[e].c": 9}}, "arrayFilters": [{"e.c": 1}], "new": true, "fields": {"b": 1}}`),
		`{"value": {"_id": 3, "b": [{"c": 9}, {"c": 5}]}}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {"_id": 8}, "update": {"$set": {"a": 1}}}`),
		`{"value": null, "lastErrorObject.n": 0, "lastErrorObject.updatedExisting": false}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {"_id": 8}, "update": {"$set": {"a": 1}}, "upsert": true}`),
		`{"value": null, "lastErrorObject.n": 1, "lastErrorObject.updatedExisting": false, "lastErrorObject.upserted": 8}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {"_id": 9}, "update": {"$set": {"a": 1}}, "upsert": true, "new": true}`), `{"value": {"_id": 9, "a": 1}}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {"a": 1}, "sort": {"_id": -1}, "remove": true}`), `{"value": {"_id": 9, "a": 1}, "lastErrorObject.n": 1}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {"_id": 77}, "remove": true}`), `{"value": null, "lastErrorObject.n": 0}`)
	x.fields(x.run(`{"findAndModify": "c", "query": {"_id": 2}, "update": [{"$set": {"twice": {"$multiply": ["$a", 2]}}}], "new": true}`),
		`{"value": {"_id": 2, "a": 2, "z": 2, "twice": 4}}`)
	x.refuses(9, `{"findAndModify": "c", "query": {}}`, `{"findAndModify": "c", "remove": true, "update": {"$set": {"a": 1}}}`,
		`{"findAndModify": "c", "remove": true, "new": true}`, `{"findAndModify": "c", "remove": true, "upsert": true}`)
	x.run(`{"createIndexes": "c", "indexes": [{"key": {"u": 1}, "name": "u", "unique": true, "sparse": true}]}`)
	x.insert(`{"_id": 20, "u": 1}`, `{"_id": 21, "u": 2}`)
	reply, err := x.db.RunCommand(x.ctx, d(`{"findAndModify": "c", "query": {"_id": 21}, "update": {"$set": {"u": 1}}}`)).Raw()
	x.fails(11000, "a duplicate key", reply, err)
}

func upserts(x *trial) {
	upsert := func(q, u, want string) {
		x.Helper()
		reply := x.run(`{"update": "c", "updates": [{"q": ` + q + `, "u": ` + u + `, "upsert": true}]}`)
		x.fields(reply, `{"n": 1, "nModified": 0, "upserted.0.index": 0, "upserted.0._id": 1}`)
		x.has(want)
		x.run(`{"delete": "c", "deletes": [{"q": {}, "limit": 0}]}`)
	}
	upsert(`{"_id": 1, "a": 2}`, `{"$set": {"b": 3}}`, `{"_id": 1, "a": 2, "b": 3}`)
	upsert(`{"a": {"$eq": 2}, "_id": 1, "c": {"$gt": 5}}`, `{"$set": {"b": 3}}`, `{"_id": 1, "a": 2, "b": 3}`)
	upsert(`{"$and": [{"_id": 1}, {"a.b": 2}]}`, `{"$inc": {"n": 5}}`, `{"_id": 1, "a": {"b": 2}, "n": 5}`)
	upsert(`{"_id": 1, "a": {"$in": [7, 8]}}`, `{"$setOnInsert": {"b": 3}, "$set": {"c": 1}}`, `{"_id": 1, "b": 3, "c": 1}`)
	upsert(`{"_id": 1, "a": {"x": 1}}`, `{"$set": {"a.y": 2}}`, `{"_id": 1, "a": {"x": 1, "y": 2}}`)
	upsert(`{"_id": 1, "a": 2}`, `{"b": 3}`, `{"_id": 1, "b": 3}`) // a replacement: but the _id
	upsert(`{"a": 2}`, `{"_id": 1, "b": 3}`, `{"_id": 1, "b": 3}`)
	upsert(`{"a": 2}`, `{"$set": {"_id": 1}}`, `{"_id": 1, "a": 2}`)
	upsert(`{"a": 2}`, `{"$setOnInsert": {"_id": 1}}`, `{"_id": 1, "a": 2}`)
	upsert(`{"_id": 1, "a": 2}`, `[{"$set": {"b": {"$add": ["$a", 1]}}}]`, `{"_id": 1, "a": 2, "b": 3}`)
	upsert(`{"_id": 1}`, `{"$push": {"l": 1}, "$min": {"m": 4}, "$mul": {"z": 4}, "$unset": {"u": 1}}`, `{"_id": 1, "l": [1], "m": 4, "z": 0}`)
	x.insert(`{"_id": 1, "a": 1}`)
	reply := x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$setOnInsert": {"b": 3}, "$set": {"a": 2}}, "upsert": true}]}`)
	x.fields(reply, `{"n": 1, "nModified": 1, "upserted": null}`)
	x.has(`{"_id": 1, "a": 2}`)
	x.refuses(66, `{"update": "c", "updates": [{"q": {"_id": 5}, "u": {"_id": 6}, "upsert": true}]}`)
	x.refuses(54, `{"update": "c", "updates": [{"q": {"$and": [{"_id": 5}, {"_id": 6}]}, "u": {"$set": {"a": 1}}, "upsert": true}]}`)
}

func upsertMiss(x *trial) {
	x.insert(`{"_id": 1, "v": 5}`)
	for _, u := range []string{`{"$set": {"v": 3}}`, `{"v": 3}`, `[{"$set": {"v": 3}}]`} {
		reply := x.attempt(`{"update": "c", "updates": [{"q": {"_id": 1, "v": {"$lt": 3}}, "u": ` + u + `, "upsert": true}]}`)
		x.fields(reply, `{"n": 0, "nModified": 0, "writeErrors.0.index": 0, "writeErrors.0.code": 11000, "writeErrors.0.keyPattern": {"_id": 1}, "writeErrors.0.keyValue": {"_id": 1}}`)
	}
	x.has(`{"_id": 1, "v": 5}`)
	_, err := x.db.Collection("c").UpdateOne(x.ctx, d(`{"_id": 1, "v": {"$lt": 3}}`), d(`{"$set": {"v": 3}}`), options.UpdateOne().SetUpsert(true))
	if !mongo.IsDuplicateKeyError(err) {
		x.Errorf("got %v, want a duplicate key error", err)
	}
}

func upsertRace(x *trial) {
	const racers = 8
	for round := range 20 {
		var wg sync.WaitGroup
		var inserted atomic.Int64
		for n := range racers {
			wg.Go(func() {
				filter := bson.D{{Key: "_id", Value: round}, {Key: "v", Value: bson.D{{Key: "$lt", Value: n}}}}
				r, err := x.db.Collection("c").UpdateOne(x.ctx, filter, bson.D{{Key: "$set", Value: bson.D{{Key: "v", Value: n}}}}, options.UpdateOne().SetUpsert(true))
				switch {
				case mongo.IsDuplicateKeyError(err):
				case err != nil:
					x.Errorf("got %v, want none or a duplicate key", err)
				default:
					inserted.Add(r.UpsertedCount)
				}
			})
		}
		wg.Wait()
		if n := inserted.Load(); n != 1 {
			x.Fatalf("%d of %d racers inserted the document", n, racers)
		}
	}
	x.fields(x.run(`{"count": "c"}`), `{"n": 20}`)
	// With a plain equality the server tries again by itself: no error.
	var wg sync.WaitGroup
	for range racers {
		wg.Go(func() {
			_, err := x.db.Collection("c").UpdateOne(x.ctx, d(`{"_id": "plain"}`), d(`{"$inc": {"n": 1}}`), options.UpdateOne().SetUpsert(true))
			if err != nil {
				x.Error(err)
			}
		})
	}
	wg.Wait()
	x.gives(`{"find": "c", "filter": {"_id": "plain"}}`, `{"_id": "plain", "n": 8}`)
}
