package mongotest_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// What queries match, and in what order: the manual's "Query Documents", "Query
// an Array", "Query for Null or Missing Fields", and "Comparison/Sort Order".
var queryParts = []part{
	{"comparisons stay within a type", bracketing},
	{"numbers compare by value whatever their type", numbers},
	{"null and missing fields", nulls},
	{"conditions on arrays", arrays},
	{"paths through arrays of documents", arrayPaths},
	{"logical and other operators", operators},
	{"regular expressions", patterns},
	{"filters that are none", badFilters},
	{"counts and distinct values", counts},
}

var orderParts = []part{
	{"the order of types, by _id", typeOrder},
	{"the order of types, of any field", fieldOrder},
	{"arrays sort by their least or greatest element", arrayOrder},
	{"sort, skip and limit", sortSkipLimit},
	{"collations", collations},
}

func bracketing(x *trial) {
	x.insert(`{"_id": 1, "v": 1}`, `{"_id": 2, "v": 1.5}`, `{"_id": 3, "v": {"$numberLong": "2"}}`, `{"_id": 4, "v": {"$numberDecimal": "3"}}`,
		`{"_id": 5, "v": "1"}`, `{"_id": 6, "v": null}`, `{"_id": 7}`, `{"_id": 8, "v": true}`,
		`{"_id": 9, "v": {"$date": "2020-01-01T00:00:00Z"}}`, `{"_id": 10, "v": {"a": 1}}`, `{"_id": 11, "v": [1, "2"]}`,
		`{"_id": 12, "v": {"$oid": "5f0000000000000000000000"}}`, `{"_id": 13, "v": {"$binary": {"base64": "AQ==", "subType": "00"}}}`,
		`{"_id": 14, "v": {"$numberDouble": "NaN"}}`, `{"_id": 18, "v": {"$timestamp": {"t": 5, "i": 1}}}`)
	for range 2 { // without an index, and with one
		x.ids(`{"v": {"$gt": 1}}`, 2, 3, 4)
		x.ids(`{"v": {"$gte": 1}}`, 1, 2, 3, 4, 11)
		x.ids(`{"v": {"$lt": 2}}`, 1, 2, 11)
		x.ids(`{"v": {"$lte": {"$numberDecimal": "1.5"}}}`, 1, 2, 11)
		x.ids(`{"v": {"$gte": "1"}}`, 5, 11)
		x.ids(`{"v": {"$lt": "2"}}`, 5)
		x.ids(`{"v": {"$gt": null}}`)
		x.ids(`{"v": {"$gte": null}}`, 6, 7)
		x.ids(`{"v": {"$gt": false}}`, 8)
		x.ids(`{"v": {"$lt": {"$date": "2021-01-01T00:00:00Z"}}}`, 9)
		x.ids(`{"v": {"$gt": {"$date": "1970-01-01T00:00:00Z"}}}`, 9)
		x.ids(`{"v": {"$gte": {}}}`, 10)
		x.ids(`{"v": {"$lt": {"$oid": "600000000000000000000000"}}}`, 12)
		x.ids(`{"v": {"$gt": {"$binary": {"base64": "", "subType": "00"}}}}`, 13)
		x.ids(`{"v": {"$gt": {"$timestamp": {"t": 1, "i": 1}}}}`, 18)
		x.ids(`{"v": {"$numberDouble": "NaN"}}`, 14)
		x.ids(`{"v": {"$gte": {"$numberDouble": "-Infinity"}}}`, 1, 2, 3, 4, 11)
		x.ids(`{"v": {"$not": {"$gt": 1}}}`, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 18)
		x.run(`{"createIndexes": "c", "indexes": [{"key": {"v": 1}, "name": "v"}]}`)
	}
}

func numbers(x *trial) {
	x.insert(`{"_id": 1, "v": 1}`, `{"_id": 2, "v": 1.0}`, `{"_id": 3, "v": {"$numberLong": "1"}}`, `{"_id": 4, "v": {"$numberDecimal": "1.0"}}`,
		`{"_id": 5, "v": 0}`, `{"_id": 6, "v": -0.0}`, `{"_id": 7, "v": {"$numberLong": "9007199254740993"}}`, `{"_id": 8, "v": 9007199254740992.0}`,
		`{"_id": 9, "v": {"$numberDecimal": "0.1"}}`, `{"_id": 10, "v": 0.1}`)
	for range 2 {
		for _, one := range []string{"1", "1.0", `{"$numberLong": "1"}`, `{"$numberDecimal": "1"}`, `{"$numberDecimal": "10E-1"}`} {
			x.ids(`{"v": `+one+`}`, 1, 2, 3, 4)
			x.ids(`{"v": {"$in": ["x", `+one+`]}}`, 1, 2, 3, 4)
		}
		x.ids(`{"v": 0}`, 5, 6)
		x.ids(`{"v": {"$gt": 9007199254740992.0}}`, 7)
		x.ids(`{"v": {"$numberLong": "9007199254740992"}}`, 8)
		x.ids(`{"v": 0.1}`, 10) // the double is not one tenth
		x.ids(`{"v": {"$type": "int"}}`, 1, 5)
		x.ids(`{"v": {"$type": "double"}}`, 2, 6, 8, 10)
		x.ids(`{"v": {"$type": ["long", "decimal"]}}`, 3, 4, 7, 9)
		x.ids(`{"v": {"$type": 16}}`, 1, 5)
		x.ids(`{"v": {"$type": "number"}}`, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
		x.run(`{"createIndexes": "c", "indexes": [{"key": {"v": -1}, "name": "v"}]}`)
	}
}

func nulls(x *trial) {
	x.insert(`{"_id": 1, "v": null}`, `{"_id": 2}`, `{"_id": 3, "v": 1}`, `{"_id": 4, "v": [null]}`, `{"_id": 5, "v": []}`,
		`{"_id": 6, "v": {"a": null}}`, `{"_id": 7, "v": {"b": 1}}`)
	for range 2 {
		x.ids(`{"v": null}`, 1, 2, 4)
		x.ids(`{"v": {"$in": [null]}}`, 1, 2, 4)
		x.ids(`{"v": {"$ne": null}}`, 3, 5, 6, 7)
		x.ids(`{"v": {"$exists": false}}`, 2)
		x.ids(`{"v": {"$exists": true}}`, 1, 3, 4, 5, 6, 7)
		x.ids(`{"v": {"$type": "null"}}`, 1, 4)
		x.ids(`{"v.a": null, "v": {"$type": "object"}}`, 6, 7)
		x.ids(`{"v.a": {"$exists": true}}`, 6)
		x.ids(`{"v": {"$lt": 5}}`, 3)
		x.ids(`{"w": null, "_id": {"$lt": 3}}`, 1, 2)
		x.run(`{"createIndexes": "c", "indexes": [{"key": {"v": 1}, "name": "v"}]}`)
	}
}

func arrays(x *trial) {
	x.insert(`{"_id": 1, "a": [1, 2, 3]}`, `{"_id": 2, "a": []}`, `{"_id": 3, "a": [[1, 2], 3]}`, `{"_id": 4, "a": {"b": 1}}`,
		`{"_id": 5, "a": [{"b": 1}, {"b": 2, "c": 1}]}`, `{"_id": 6, "a": [{"b": [1, 2]}, 7]}`, `{"_id": 7, "a": 1}`, `{"_id": 8, "a": null}`,
		`{"_id": 9}`, `{"_id": 10, "a": [null]}`)
	for range 2 {
		x.ids(`{"a": 1}`, 1, 7)
		x.ids(`{"a": [1, 2]}`, 3)
		x.ids(`{"a": [1, 2, 3]}`, 1)
		x.ids(`{"a": [3, 2, 1]}`)
		x.ids(`{"a": []}`, 2)
		x.ids(`{"a.0": 1, "_id": {"$ne": 3}}`, 1)
		x.ids(`{"a": {"$size": 0}}`, 2)
		x.ids(`{"a": {"$size": 2}}`, 3, 5, 6)
		x.ids(`{"a": {"$all": [1, 3]}}`, 1)
		x.ids(`{"a": {"$all": [[1, 2]]}}`, 3)
		x.ids(`{"a": {"$gt": 2, "$lt": 2}}`, 1)
		x.ids(`{"a": {"$elemMatch": {"$gt": 2, "$lt": 2}}}`)
		x.ids(`{"a": {"$elemMatch": {"$gte": 2, "$lt": 3}}}`, 1)
		x.ids(`{"a": null}`, 8, 9, 10)
		x.ids(`{"a": {"$ne": 1}}`, 2, 3, 4, 5, 6, 8, 9, 10)
		x.ids(`{"a": {"$in": [1, null]}}`, 1, 7, 8, 9, 10)
		x.ids(`{"a": {"$nin": [1, null]}}`, 2, 3, 4, 5, 6)
		x.ids(`{"a": {"$type": "array"}}`, 1, 2, 3, 5, 6, 10)
		x.ids(`{"a": {"$type": "number"}}`, 1, 3, 6, 7)
		x.ids(`{"a": {"$mod": [2, 1]}}`, 1, 3, 6, 7)
		x.run(`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}`)
	}
}

func arrayPaths(x *trial) {
	x.insert(`{"_id": 1, "a": [{"b": 1, "c": 1}, {"b": 2, "c": 2}]}`, `{"_id": 2, "a": {"b": 1}}`, `{"_id": 3, "a": [{"b": [1, 5]}]}`,
		`{"_id": 4, "a": [1, 2]}`, `{"_id": 5, "a": {"b": [{"c": 1}, {"c": 3}]}}`, `{"_id": 6, "a": {"0": {"b": 9}}}`, `{"_id": 7, "a": [{"b": 9}]}`)
	for range 2 {
		x.ids(`{"a.b": 1}`, 1, 2, 3)
		x.ids(`{"a.b": 1, "a.c": 2}`, 1)
		x.ids(`{"a": {"$elemMatch": {"b": 1, "c": 2}}}`)
		x.ids(`{"a": {"$elemMatch": {"b": 2, "c": 2}}}`, 1)
		x.ids(`{"a": {"b": 1}}`, 2)
		x.ids(`{"a": {"c": 1, "b": 1}}`) // fields in another order
		x.ids(`{"a": {"b": 1, "c": 1}}`, 1)
		x.ids(`{"a.b.c": 3}`, 5)
		x.ids(`{"a.b": {"$elemMatch": {"c": {"$gt": 1}}}}`, 5)
		x.ids(`{"a.b": {"$gt": 4, "$lt": 2}}`, 3)
		x.ids(`{"a.b": {"$exists": false}}`, 4, 6)
		x.ids(`{"a.0.b": 9}`, 6, 7)
		x.ids(`{"a.1": 2}`, 4)
		x.ids(`{"a.1.b": 2}`, 1)
		x.ids(`{"a.b": {"$ne": 1}}`, 4, 5, 6, 7)
		x.run(`{"createIndexes": "c", "indexes": [{"key": {"a.b": 1}, "name": "ab"}]}`)
	}
}

func operators(x *trial) {
	x.insert(`{"_id": 1, "a": 1, "b": 1}`, `{"_id": 2, "a": 1, "b": 2}`, `{"_id": 3, "a": 2, "b": 6, "s": "abc"}`, `{"_id": 4, "a": 54}`)
	x.ids(`{"$or": [{"b": 2}, {"a": 54}]}`, 2, 4)
	x.ids(`{"$and": [{"a": 1}, {"b": 2}]}`, 2)
	x.ids(`{"$nor": [{"a": 1}, {"b": 6}]}`, 4)
	x.ids(`{"$or": [{"a": 2}, {"a": 1, "b": 1}], "b": {"$lt": 6}}`, 1)
	x.ids(`{"b": {"$not": {"$gte": 2}}}`, 1, 4)
	x.ids(`{"$expr": {"$eq": ["$a", "$b"]}}`, 1)
	x.ids(`{"$expr": {"$gt": ["$b", "$a"]}}`, 2, 3)
	x.ids(`{"$comment": "nothing", "a": 2}`, 3)
	x.ids(`{"a": {"$mod": [4, 2]}}`, 3, 4)
	x.ids(`{"a": {"$bitsAllSet": 54}}`, 4)
	x.ids(`{"a": {"$bitsAnySet": [1]}}`, 3, 4)
	x.ids(`{"a": {"$bitsAllClear": [1, 5]}}`, 1, 2)
	x.ids(`{"a": {"$eq": 1}, "b": {"$in": [2, 3]}}`, 2)
	x.ids(`{}`, 1, 2, 3, 4)
	x.idsOf("let", d(`{"find": "c", "filter": {"$expr": {"$eq": ["$b", "$$six"]}}, "let": {"six": 6}}`), 3)
}

func patterns(x *trial) {
	x.insert(`{"_id": 1, "s": "abc"}`, `{"_id": 2, "s": "ABC"}`, `{"_id": 3, "s": ["x", "abd"]}`, `{"_id": 4, "s": "line\nabc"}`, `{"_id": 5, "s": 1}`,
		`{"_id": 6, "s": "a.c"}`)
	query := func(condition any, want ...int) {
		x.Helper()
		x.idsOf(fmt.Sprint(condition), bson.D{{Key: "find", Value: "c"}, {Key: "filter", Value: bson.D{{Key: "s", Value: condition}}},
			{Key: "sort", Value: bson.D{{Key: "_id", Value: 1}}}}, want...)
	}
	regex := func(pattern, options string) bson.Regex { return bson.Regex{Pattern: pattern, Options: options} }
	for range 2 {
		query(regex("^ab", ""), 1, 3)
		query(regex("^ab", "i"), 1, 2, 3)
		query(regex("^abc$", "m"), 1, 4)
		query(regex("bc", ""), 1, 4)
		query(regex("line.abc", "s"), 4)
		query(regex("a b c", "x"), 1, 4)
		query(regex(`^a\.c`, ""), 6)
		query(regex("^(abc|a\\.)", ""), 1, 6)
		query(bson.D{{Key: "$regex", Value: "^AB"}, {Key: "$options", Value: "i"}}, 1, 2, 3)
		query(bson.D{{Key: "$in", Value: bson.A{regex("^ab", ""), 1}}}, 1, 3, 5)
		query(bson.D{{Key: "$not", Value: regex("b", "i")}}, 5, 6)
		x.run(`{"createIndexes": "c", "indexes": [{"key": {"s": 1}, "name": "s"}]}`)
	}
}

func badFilters(x *trial) {
	x.insert(`{"_id": 1}`)
	for _, filter := range []string{
		`{"a": {"$nonsense": 1}}`, `{"$nonsense": 1}`, `{"$and": []}`, `{"$or": {}}`, `{"$or": [1]}`, `{"a": {"$in": 1}}`, `{"a": {"$nin": 1}}`,
		`{"a": {"$all": 1}}`, `{"a": {"$mod": [1]}}`, `{"a": {"$mod": [0, 1]}}`, `{"a": {"$elemMatch": 1}}`, `{"a": {"$not": 1}}`, `{"a": {"$not": {}}}`,
	} {
		x.refuses(2, `{"find": "c", "filter": `+filter+`}`, `{"count": "c", "query": `+filter+`}`)
	}
	x.refuses(14, `{"find": "c", "filter": 1}`)
	x.refuses(40415, `{"find": "c", "nonsense": 1}`)
	x.refuses(73, `{"find": ""}`)
}

func counts(x *trial) {
	x.insert(`{"_id": 1, "a": [1, 2], "b": {"c": 1}}`, `{"_id": 2, "a": 2, "b": [{"c": 2}, {"c": [1, 3]}]}`, `{"_id": 3, "a": 2.0}`, `{"_id": 4, "a": null}`, `{"_id": 5}`)
	x.fields(x.run(`{"count": "c"}`), `{"n": 5}`)
	x.fields(x.run(`{"count": "c", "query": {"a": 2}}`), `{"n": 3}`)
	x.fields(x.run(`{"count": "c", "query": {"a": 2}, "skip": 1}`), `{"n": 2}`)
	x.fields(x.run(`{"count": "c", "query": {"a": 2}, "skip": 5}`), `{"n": 0}`)
	x.fields(x.run(`{"count": "c", "limit": 3}`), `{"n": 3}`)
	x.fields(x.run(`{"count": "absent"}`), `{"n": 0}`)
	distinct := func(command string, want string) {
		x.Helper()
		var got []string
		values, err := x.run(command).Lookup("values").Array().Values()
		x.must(err)
		for _, v := range values {
			got = append(got, canonical(bson.D{{Key: "", Value: v}}))
		}
		var wanted []string
		for _, v := range d(`{"v": ` + want + `}`)[0].Value.(bson.A) {
			wanted = append(wanted, canonical(bson.D{{Key: "", Value: v}}))
		}
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			x.Errorf("%s: got %s, want %s", command, got, wanted)
		}
	}
	distinct(`{"distinct": "c", "key": "a"}`, `[1, 2, null]`)
	distinct(`{"distinct": "c", "key": "b.c"}`, `[1, 2, 3]`)
	distinct(`{"distinct": "c", "key": "b.0.c"}`, `[2]`)
	distinct(`{"distinct": "c", "key": "a", "query": {"_id": {"$gt": 3}}}`, `[null]`)
	distinct(`{"distinct": "absent", "key": "a"}`, `[]`)
}

// ascending are values of all types in their order.
var ascending = []string{
	`{"$minKey": 1}`, `null`, `{"$numberDouble": "NaN"}`, `{"$numberDouble": "-Infinity"}`, `{"$numberLong": "-9223372036854775808"}`, `-1.5`, `-1`,
	`0`, `{"$numberDecimal": "0.1"}`, `{"$numberLong": "1"}`, `1.5`, `2147483648.0`, `{"$numberLong": "9223372036854775807"}`, `{"$numberDouble": "Infinity"}`,
	`""`, `"A"`, `"a"`, `"aa"`, `"b"`, `{}`, `{"a": 1}`, `{"a": 1, "b": 1}`, `{"a": 2}`, `{"b": 1}`, `{"a": "x"}`,
	`{"$binary": {"base64": "", "subType": "00"}}`, `{"$binary": {"base64": "/w==", "subType": "00"}}`, `{"$binary": {"base64": "AQ==", "subType": "80"}}`,
	`{"$binary": {"base64": "AAE=", "subType": "00"}}`, `{"$oid": "000000000000000000000001"}`, `{"$oid": "ff0000000000000000000000"}`, `false`, `true`,
	`{"$date": "1969-12-31T23:59:59Z"}`, `{"$date": "1970-01-01T00:00:00Z"}`, `{"$date": "2020-01-01T00:00:00.001Z"}`,
	`{"$timestamp": {"t": 1, "i": 2}}`, `{"$timestamp": {"t": 2, "i": 1}}`, `{"$maxKey": 1}`,
}

func typeOrder(x *trial) {
	var shuffled, want, backwards []string
	for _, v := range ascending {
		want = append(want, `{"_id": `+v+`}`)
	}
	for _, i := range rand.Perm(len(want)) {
		shuffled = append(shuffled, want[i])
	}
	x.insert(shuffled...)
	x.gives(`{"find": "c", "sort": {"_id": 1}}`, want...)
	for _, doc := range want {
		backwards = append([]string{doc}, backwards...)
	}
	x.gives(`{"find": "c", "sort": {"_id": -1}}`, backwards...)
	x.gives(`{"aggregate": "c", "pipeline": [{"$sort": {"_id": 1}}], "cursor": {}}`, want...)
	for i, doc := range want {
		x.gives(`{"find": "c", "filter": `+doc+`}`, doc)
		if v := ascending[i]; v != `{"$minKey": 1}` {
			x.gives(`{"find": "c", "hint": {"_id": 1}, "min": {"_id": `+v+`}}`, want[i:]...)
			x.gives(`{"find": "c", "hint": {"_id": 1}, "max": {"_id": `+v+`}}`, want[:i]...)
		}
	}
}

func fieldOrder(x *trial) {
	var shuffled []string
	var want []int
	all := append(slices.Clone(ascending), `{"$regularExpression": {"pattern": "a", "options": ""}}`)
	n := len(all)
	all[n-1], all[n-2] = all[n-2], all[n-1] // regular expressions come before the greatest key
	for i, v := range all {
		want = append(want, i)
		shuffled = append(shuffled, fmt.Sprintf(`{"_id": %d, "v": %s}`, i, v))
	}
	rand.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	x.insert(shuffled...)
	for range 2 {
		x.idsOf("ascending", d(`{"find": "c", "sort": {"v": 1}}`), want...)
		slices.Reverse(want)
		x.idsOf("descending", d(`{"find": "c", "sort": {"v": -1}}`), want...)
		slices.Reverse(want)
		x.run(`{"createIndexes": "c", "indexes": [{"key": {"v": 1}, "name": "v"}]}`)
	}
	x.fill(`{"_id": 1, "v": null}`, `{"_id": 2}`, `{"_id": 3, "v": null}`, `{"_id": 4, "v": 0}`, `{"_id": 5, "v": {"$minKey": 1}}`)
	x.idsOf("a missing field is as null", d(`{"find": "c", "sort": {"v": 1, "_id": -1}}`), 5, 3, 2, 1, 4)
}

func arrayOrder(x *trial) {
	x.insert(`{"_id": 1, "a": [3, 9]}`, `{"_id": 2, "a": 5}`, `{"_id": 3, "a": [20, 1]}`, `{"_id": 4, "a": []}`, `{"_id": 5, "a": null}`, `{"_id": 6, "a": [[0]]}`)
	for range 2 {
		x.idsOf("ascending", d(`{"find": "c", "sort": {"a": 1}}`), 4, 5, 3, 1, 2, 6)
		x.idsOf("descending", d(`{"find": "c", "sort": {"a": -1}}`), 6, 3, 1, 2, 5, 4)
		x.run(`{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}]}`)
	}
	x.fill(`{"_id": 1, "a": [{"b": 7}, {"b": 2}]}`, `{"_id": 2, "a": {"b": 5}}`, `{"_id": 3, "a": [{"b": 6}]}`)
	x.idsOf("by a path", d(`{"find": "c", "sort": {"a.b": 1}}`), 1, 2, 3)
	x.idsOf("by a path, backwards", d(`{"find": "c", "sort": {"a.b": -1}}`), 1, 3, 2)
}

func sortSkipLimit(x *trial) {
	for i := range 10 {
		x.insert(fmt.Sprintf(`{"_id": %d, "a": %d}`, i, i%3))
	}
	x.idsOf("two keys", d(`{"find": "c", "sort": {"a": -1, "_id": 1}}`), 2, 5, 8, 1, 4, 7, 0, 3, 6, 9)
	x.idsOf("skip and limit", d(`{"find": "c", "sort": {"a": -1, "_id": 1}, "skip": 2, "limit": 3}`), 8, 1, 4)
	x.idsOf("by _id", d(`{"find": "c", "sort": {"_id": -1}, "skip": 1, "limit": 2}`), 8, 7)
	x.idsOf("skip beyond the end", d(`{"find": "c", "skip": 20}`))
	x.idsOf("natural", d(`{"find": "c", "sort": {"$natural": -1}, "limit": 2}`), 9, 8)
	x.refuses(someCode, `{"find": "c", "sort": {"a": 2}}`, `{"find": "c", "sort": {"a": "x"}}`)
	x.refuses(51024, `{"find": "c", "skip": -1}`, `{"find": "c", "batchSize": -1}`)
}

func collations(x *trial) {
	x.insert(`{"_id": 1, "s": "b"}`, `{"_id": 2, "s": "A"}`, `{"_id": 3, "s": "a"}`, `{"_id": 4, "s": "B"}`, `{"_id": 5, "s": "10"}`, `{"_id": 6, "s": "9"}`)
	x.idsOf("without: by bytes", d(`{"find": "c", "sort": {"s": 1}}`), 5, 6, 2, 4, 3, 1)
	x.idsOf("letters first, case last", d(`{"find": "c", "sort": {"s": 1}, "collation": {"locale": "en"}}`), 5, 6, 3, 2, 1, 4)
	x.idsOf("strength 2: no case", d(`{"find": "c", "filter": {"s": "a"}, "sort": {"_id": 1}, "collation": {"locale": "en", "strength": 2}}`), 2, 3)
	x.idsOf("numbers in text", d(`{"find": "c", "filter": {"_id": {"$gt": 4}}, "sort": {"s": 1}, "collation": {"locale": "en", "numericOrdering": true}}`), 6, 5)
	x.fields(x.run(`{"count": "c", "query": {"s": "B"}, "collation": {"locale": "en", "strength": 1}}`), `{"n": 2}`)
	x.refuses(2, `{"find": "c", "collation": {"locale": "nonsense"}}`)
}
