package mongotest_test

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Indexes: the manual's "Indexes" (unique, partial, sparse, TTL, hidden),
// "createIndexes", "dropIndexes", "listIndexes", "cursor.hint", "cursor.min".
var indexParts = []part{
	{"indexes are listed as they were made", listedIndexes},
	{"an index that is there already", sameIndexes},
	{"unique indexes", uniqueIndexes},
	{"unique indexes over arrays and several fields", uniqueArrays},
	{"partial and sparse indexes", partialIndexes},
	{"indexes that are refused", badIndexes},
	{"indexes are dropped", droppedIndexes},
	{"hints", hints},
	{"min and max", minMax},
	{"expired documents", expiry},
}

// indexes makes indexes on the collection c.
func (x *trial) indexes(specs string) bson.Raw {
	x.Helper()
	return x.run(`{"createIndexes": "c", "indexes": [` + specs + `]}`)
}

func listedIndexes(x *trial) {
	x.fields(x.indexes(`{"key": {"a": 1}, "name": "a_1"}`), `{"numIndexesBefore": 1, "numIndexesAfter": 2, "createdCollectionAutomatically": true}`)
	x.fields(x.indexes(`{"key": {"b.c": 1, "d": -1}, "name": "n", "unique": true, "partialFilterExpression": {"d": {"$gt": 1}}},
		{"key": {"t": 1}, "name": "ttl", "expireAfterSeconds": 3600}, {"key": {"s": 1}, "name": "s", "sparse": true}, {"key": {"h": 1}, "name": "h", "hidden": true}`),
		`{"numIndexesBefore": 2, "numIndexesAfter": 6, "createdCollectionAutomatically": false}`)
	x.gives(`{"listIndexes": "c"}`,
		`{"v": 2, "key": {"_id": 1}, "name": "_id_"}`,
		`{"v": 2, "key": {"a": 1}, "name": "a_1"}`,
		`{"v": 2, "key": {"b.c": 1, "d": -1}, "name": "n", "unique": true, "partialFilterExpression": {"d": {"$gt": 1}}}`,
		`{"v": 2, "key": {"t": 1}, "name": "ttl", "expireAfterSeconds": 3600}`,
		`{"v": 2, "key": {"s": 1}, "name": "s", "sparse": true}`,
		`{"v": 2, "key": {"h": 1}, "name": "h", "hidden": true}`)
	x.refuses(26, `{"listIndexes": "absent"}`)
	x.fields(x.run(`{"collMod": "c", "index": {"name": "ttl", "expireAfterSeconds": 60}}`), `{"expireAfterSeconds_old": 3600, "expireAfterSeconds_new": 60}`)
	x.fields(x.run(`{"collMod": "c", "index": {"keyPattern": {"h": 1}, "hidden": false}}`), `{"hidden_old": true, "hidden_new": false}`)
	for _, doc := range x.documents(d(`{"listIndexes": "c"}`)) {
		switch doc.Lookup("name").StringValue() {
		case "ttl":
			x.fields(doc, `{"expireAfterSeconds": 60}`)
		case "h":
			x.fields(doc, `{"hidden": null}`)
		}
	}
	x.refuses(27, `{"collMod": "c", "index": {"name": "absent", "hidden": true}}`)
}

func sameIndexes(x *trial) {
	x.indexes(`{"key": {"a": 1}, "name": "a_1"}`)
	x.fields(x.indexes(`{"key": {"a": 1}, "name": "a_1"}`), `{"numIndexesBefore": 2, "numIndexesAfter": 2, "note": "all indexes already exist"}`)
	x.fields(x.indexes(`{"key": {"_id": 1}, "name": "_id_"}`), `{"numIndexesBefore": 2, "numIndexesAfter": 2}`)
	refuses := func(code int, spec string) {
		x.Helper()
		x.refuses(code, `{"createIndexes": "c", "indexes": [`+spec+`]}`)
	}
	refuses(86, `{"key": {"b": 1}, "name": "a_1"}`)
	refuses(86, `{"key": {"a": -1}, "name": "a_1"}`)
	refuses(86, `{"key": {"a": 1}, "name": "a_1", "unique": true}`)
	refuses(86, `{"key": {"a": 1}, "name": "a_1", "sparse": true}`)
	refuses(85, `{"key": {"a": 1}, "name": "other"}`)
	refuses(85, `{"key": {"a": 1}, "name": "a_1", "expireAfterSeconds": 60}`)
	refuses(85, `{"key": {"a": 1}, "name": "other", "expireAfterSeconds": 60}`)
	x.indexes(`{"key": {"a": -1}, "name": "a_-1"}`)
	x.indexes(`{"key": {"a": 1}, "name": "unique", "unique": true}`) // beside the other, since 5.0
	x.indexes(`{"key": {"a": 1}, "name": "partial", "partialFilterExpression": {"b": 1}}`)
	refuses(85, `{"key": {"a": 1}, "name": "partial again", "partialFilterExpression": {"b": 1}}`)
}

func uniqueIndexes(x *trial) {
	x.indexes(`{"key": {"a": 1}, "name": "a_1", "unique": true}`)
	x.insert(`{"_id": 1, "a": 1}`, `{"_id": 2}`)
	for _, c := range []struct{ doc, key string }{
		{`{"_id": 3, "a": 1.0}`, `{"a": 1.0}`}, {`{"_id": 3}`, `{"a": null}`}, {`{"_id": 3, "a": null}`, `{"a": null}`},
	} {
		reply := x.attempt(`{"insert": "c", "documents": [` + c.doc + `]}`)
		x.fields(reply, `{"n": 0, "writeErrors.0.index": 0, "writeErrors.0.code": 11000, "writeErrors.0.keyPattern": {"a": 1}}`)
		if got, want := canonical(reply.Lookup("writeErrors", "0", "keyValue").Document()), canonical(d(c.key)); got != want {
			x.Errorf("the keyValue of %s is %s, want %s", c.doc, got, want)
		}
	}
	x.insert(`{"_id": 3, "a": "1"}`)
	x.refuses(11000, `{"update": "c", "updates": [{"q": {"_id": 3}, "u": {"$set": {"a": 1}}}]}`, `{"update": "c", "updates": [{"q": {"_id": 3}, "u": {"$unset": {"a": 1}}}]}`,
		`{"update": "c", "updates": [{"q": {"a": 9}, "u": {"$set": {"a": 1}}, "upsert": true}]}`)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"a": 1, "b": 1}}}]}`) // its own key
	x.run(`{"delete": "c", "deletes": [{"q": {"_id": 1}, "limit": 1}]}`)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 3}, "u": {"$set": {"a": 1}}}]}`)
	x.has(`{"_id": 2}`, `{"_id": 3, "a": 1}`)
	x.insert(`{"_id": 4, "a": 7, "b": 1}`, `{"_id": 5, "a": 8, "b": 1}`)
	x.refuses(11000, `{"createIndexes": "c", "indexes": [{"key": {"b": 1}, "name": "b_1", "unique": true}]}`)
	x.same("no index is left behind", x.documents(d(`{"listIndexes": "c"}`))[1:], `{"v": 2, "key": {"a": 1}, "name": "a_1", "unique": true}`)
}

func uniqueArrays(x *trial) {
	x.indexes(`{"key": {"a": 1}, "name": "a", "unique": true}, {"key": {"b.x": 1, "b.y": -1}, "name": "b", "unique": true, "sparse": true}`)
	x.insert(`{"_id": 1, "a": [1, 1, 2]}`) // the same key twice in one document
	x.refuses(11000, `{"insert": "c", "documents": [{"_id": 2, "a": [3, 2]}]}`, `{"insert": "c", "documents": [{"_id": 2, "a": 1}]}`)
	x.insert(`{"_id": 2, "a": [3]}`, `{"_id": 3, "a": 4, "b": {"x": 1, "y": 1}}`, `{"_id": 4, "a": 5, "b": {"x": 1, "y": 2}}`, `{"_id": 5, "a": 6, "b": {"x": 2, "y": 1}}`)
	reply := x.attempt(`{"insert": "c", "documents": [{"_id": 6, "a": 7, "b": {"x": 1, "y": 2}}]}`)
	x.fields(reply, `{"writeErrors.0.code": 11000, "writeErrors.0.keyPattern": {"b.x": 1, "b.y": -1}, "writeErrors.0.keyValue": {"b.x": 1, "b.y": 2}}`)
	x.insert(`{"_id": 7, "a": 8, "b": {"x": 1}}`)
	x.refuses(11000, `{"insert": "c", "documents": [{"_id": 8, "a": 9, "b": {"x": 1, "y": null}}]}`)
	x.indexes(`{"key": {"p": 1, "q": 1}, "name": "pq"}`)
	x.refuses(171, `{"insert": "c", "documents": [{"_id": 9, "a": 10, "p": [1], "q": [1]}]}`)
}

func partialIndexes(x *trial) {
	x.indexes(`{"key": {"a": 1}, "name": "p", "unique": true, "partialFilterExpression": {"live": true}}, {"key": {"s": 1}, "name": "s", "unique": true, "sparse": true}`)
	x.insert(`{"_id": 1, "a": 1, "live": true}`, `{"_id": 2, "a": 1}`, `{"_id": 3, "a": 1, "live": false}`, `{"_id": 4, "s": 1}`)
	x.refuses(11000, `{"insert": "c", "documents": [{"_id": 5, "a": 1, "live": true}]}`, `{"update": "c", "updates": [{"q": {"_id": 2}, "u": {"$set": {"live": true}}}]}`,
		`{"insert": "c", "documents": [{"_id": 5, "s": 1}]}`)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"live": false}}}]}`)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 2}, "u": {"$set": {"live": true}}}]}`)
	x.insert(`{"_id": 6, "s": null}`)
	x.refuses(11000, `{"insert": "c", "documents": [{"_id": 7, "s": null}]}`) // null is a value
	x.ids(`{"a": 1}`, 1, 2, 3)                                                // which no partial index can answer
	x.idsOf("a hint of a sparse index gives what it has", d(`{"find": "c", "hint": "s", "sort": {"_id": 1}}`), 4, 6)
	x.idsOf("a sort does not use a sparse index", d(`{"find": "c", "sort": {"s": -1, "_id": 1}}`), 4, 1, 2, 3, 6)
}

func badIndexes(x *trial) {
	x.insert(`{"_id": 1}`)
	for _, spec := range []string{
		`{"key": {}, "name": "x"}`, `{"key": {"a": 0}, "name": "x"}`, `{"key": {"$a": 1}, "name": "x"}`, `{"key": {"a.": 1}, "name": "x"}`,
		`{"key": {"a": 1}, "name": "x", "sparse": true, "partialFilterExpression": {"a": 1}}`, `{"key": {"a": 1, "b": 1}, "name": "x", "expireAfterSeconds": 5}`,
		`{"key": {"a": 1}, "name": "x", "expireAfterSeconds": -1}`, `{"key": {"a": "nonsense"}, "name": "x"}`,
	} {
		x.refuses(67, `{"createIndexes": "c", "indexes": [`+spec+`]}`)
	}
	x.refuses(someCode, `{"createIndexes": "c", "indexes": [{"key": {"a": 1}}]}`, `{"createIndexes": "c", "indexes": [{"name": "x"}]}`,
		`{"createIndexes": "c", "indexes": []}`, `{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "*"}]}`, `{"createIndexes": "c"}`)
	x.refuses(197, `{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "x", "nonsense": 1}]}`)
	x.same("none of them is there", x.documents(d(`{"listIndexes": "c"}`)), `{"v": 2, "key": {"_id": 1}, "name": "_id_"}`)
}

func droppedIndexes(x *trial) {
	x.indexes(`{"key": {"a": 1}, "name": "a"}, {"key": {"b": 1}, "name": "b"}, {"key": {"c": 1}, "name": "c"}, {"key": {"d": 1}, "name": "d"}`)
	x.fields(x.run(`{"dropIndexes": "c", "index": "a"}`), `{"nIndexesWas": 5}`)
	x.fields(x.run(`{"dropIndexes": "c", "index": {"b": 1}}`), `{"nIndexesWas": 4}`)
	x.refuses(27, `{"dropIndexes": "c", "index": "a"}`, `{"dropIndexes": "c", "index": {"zz": 1}}`)
	x.refuses(72, `{"dropIndexes": "c", "index": "_id_"}`, `{"dropIndexes": "c", "index": {"_id": 1}}`)
	x.refuses(26, `{"dropIndexes": "absent", "index": "*"}`)
	x.fields(x.run(`{"dropIndexes": "c", "index": ["c"]}`), `{"nIndexesWas": 3}`)
	x.run(`{"dropIndexes": "c", "index": "*"}`)
	x.same("one is left", x.documents(d(`{"listIndexes": "c"}`)), `{"v": 2, "key": {"_id": 1}, "name": "_id_"}`)
}

func hints(x *trial) {
	x.insert(`{"_id": 1, "a": 3}`, `{"_id": 2, "a": 1}`, `{"_id": 3, "a": 2}`)
	x.indexes(`{"key": {"a": 1}, "name": "up"}`)
	x.idsOf("by name", d(`{"find": "c", "hint": "up"}`), 2, 3, 1)
	x.idsOf("by key pattern", d(`{"find": "c", "hint": {"a": 1}}`), 2, 3, 1)
	x.idsOf("natural order", d(`{"find": "c", "hint": {"$natural": -1}}`), 3, 2, 1)
	x.idsOf("an order of its own", d(`{"find": "c", "hint": "up", "sort": {"_id": -1}}`), 3, 2, 1)
	x.idsOf("aggregate", d(`{"aggregate": "c", "pipeline": [{"$match": {"a": {"$gt": 1}}}], "hint": "up", "cursor": {}}`), 3, 1)
	x.fields(x.run(`{"count": "c", "query": {"a": {"$gt": 1}}, "hint": "up"}`), `{"n": 2}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"b": 1}}, "hint": "up"}]}`), `{"nModified": 1}`)
	x.fields(x.run(`{"delete": "c", "deletes": [{"q": {"_id": 1}, "limit": 1, "hint": {"_id": 1}}]}`), `{"n": 1}`)
	x.refuses(2, `{"find": "c", "hint": "absent"}`, `{"find": "c", "hint": {"zz": 1}}`, `{"aggregate": "c", "pipeline": [], "cursor": {}, "hint": "absent"}`,
		`{"count": "c", "query": {"a": 1}, "hint": "absent"}`, `{"update": "c", "updates": [{"q": {}, "u": {"$set": {"b": 1}}, "hint": "absent"}]}`,
		`{"delete": "c", "deletes": [{"q": {}, "limit": 0, "hint": "absent"}]}`, `{"findAndModify": "c", "remove": true, "hint": "absent"}`)
	x.run(`{"collMod": "c", "index": {"name": "up", "hidden": true}}`)
	x.refuses(2, `{"find": "c", "hint": "up"}`)
}

func minMax(x *trial) {
	for i := range 6 {
		x.insert(fmt.Sprintf(`{"_id": %d, "a": %d, "b": %d}`, i, i/2, i))
	}
	x.insert(`{"_id": 6, "a": "x"}`)
	x.indexes(`{"key": {"a": 1, "b": -1}, "name": "ab"}`)
	find := func(rest string, want ...int) {
		x.Helper()
		x.idsOf(rest, d(`{"find": "c", `+rest+`}`), want...)
	}
	find(`"hint": {"_id": 1}, "min": {"_id": 2}, "max": {"_id": 4}`, 2, 3) // min inclusive, max not
	find(`"hint": "_id_", "min": {"_id": 4}`, 4, 5, 6)
	find(`"hint": "_id_", "max": {"_id": 2}, "sort": {"_id": -1}`, 1, 0)
	find(`"hint": "_id_", "min": {"_id": 1}, "filter": {"a": {"$gt": 1}}`, 4, 5)
	find(`"hint": "_id_", "min": {"_id": 1.5}, "max": {"_id": "a"}, "limit": 2`, 2, 3)
	find(`"hint": "ab", "min": {"a": 0, "b": 0}, "max": {"a": 1, "b": 2}`, 0, 3)
	find(`"hint": "ab", "min": {"a": 2, "b": 5}`, 5, 4, 6) // across types
	find(`"hint": "ab", "min": {"a": 0, "b": 1}, "max": {"a": {"$maxKey": 1}, "b": {"$minKey": 1}}, "sort": {"a": -1, "b": 1}, "limit": 2`, 6, 4)
	x.refuses(51173, `{"find": "c", "min": {"_id": 1}}`, `{"find": "c", "max": {"_id": 1}}`)
	x.refuses(51174, `{"find": "c", "hint": "_id_", "min": {"a": 1}}`)
	x.refuses(51175, `{"find": "c", "hint": "_id_", "min": {"_id": 3}, "max": {"_id": 2}}`)
	x.refuses(someCode, `{"find": "c", "hint": "ab", "min": {"a": 3, "b": 1}, "max": {"b": 2, "a": 4}}`)
}

func expiry(x *trial) {
	x.indexes(`{"key": {"t": 1}, "name": "t", "expireAfterSeconds": 3600}`)
	if x.own == nil {
		return // a real server takes up to a minute
	}
	date := func(ago time.Duration) string {
		return fmt.Sprintf(`{"$date": {"$numberLong": "%d"}}`, time.Now().Add(-ago).UnixMilli())
	}
	x.insert(`{"_id": 1, "t": `+date(2*time.Hour)+`}`, `{"_id": 2, "t": `+date(time.Minute)+`}`, `{"_id": 3, "t": 5}`, `{"_id": 4}`,
		`{"_id": 5, "t": [`+date(time.Minute)+`, `+date(2*time.Hour)+`]}`) // the least one counts
	x.own.ExpireNow()
	x.ids(`{}`, 2, 3, 4)
}
