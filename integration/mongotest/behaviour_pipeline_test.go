package mongotest_test

import "fmt"

// Pipelines: the manual's "Aggregation Stages".
var pipelineParts = []part{
	{"simple stages", simpleStages},
	{"$group and its accumulators", groups},
	{"$unwind", unwinds},
	{"$lookup", lookups},
	{"$replaceRoot and $replaceWith", replaceRoots},
	{"pipelines that are refused", badPipelines},
}

var outputParts = []part{
	{"$out replaces a collection", outs},
	{"$merge puts documents into a collection", merges},
}

// piped holds what a pipeline over the collection c gives against what it should.
func (x *trial) piped(stages string, want ...string) {
	x.Helper()
	x.gives(`{"aggregate": "c", "pipeline": [`+stages+`], "cursor": {}}`, want...)
}

// evaluates holds an expression over the one document of c against its value.
func (x *trial) evaluates(expression, want string) {
	x.Helper()
	if want == "" { // missing
		x.piped(`{"$project": {"_id": 0, "v": `+expression+`}}`, `{}`)
		return
	}
	x.piped(`{"$project": {"_id": 0, "v": `+expression+`}}`, `{"v": `+want+`}`)
}

func simpleStages(x *trial) {
	x.insert(`{"_id": 1, "a": 1, "b": {"c": 1}}`, `{"_id": 2, "a": 2}`, `{"_id": 3, "a": 2, "b": {"c": 5}}`, `{"_id": 4, "a": null}`)
	x.piped(`{"$match": {"a": 2}}, {"$sort": {"_id": -1}}`, `{"_id": 3, "a": 2, "b": {"c": 5}}`, `{"_id": 2, "a": 2}`)
	x.piped(`{"$sort": {"a": -1, "_id": 1}}, {"$skip": 1}, {"$limit": 2}, {"$project": {"a": 1}}`, `{"_id": 3, "a": 2}`, `{"_id": 1, "a": 1}`)
	x.piped(`{"$match": {"a": {"$gt": 0}}}, {"$count": "n"}`, `{"n": 3}`)
	x.piped(`{"$match": {"a": 9}}, {"$count": "n"}`)
	x.piped(`{"$match": {"_id": 1}}, {"$set": {"b.d": "$a", "e": {"$add": ["$a", 1]}}}`, `{"_id": 1, "a": 1, "b": {"c": 1, "d": 1}, "e": 2}`)
	x.piped(`{"$match": {"_id": 1}}, {"$addFields": {"a": "x"}}`, `{"_id": 1, "a": "x", "b": {"c": 1}}`)
	x.piped(`{"$match": {"_id": 1}}, {"$unset": ["a", "b.c"]}`, `{"_id": 1, "b": {}}`)
	x.piped(`{"$match": {"_id": 1}}, {"$unset": "b"}`, `{"_id": 1, "a": 1}`)
	x.piped(`{"$sortByCount": "$a"}, {"$limit": 1}`, `{"_id": 2, "count": 2}`)
	x.piped(`{"$match": {"$expr": {"$gt": ["$b.c", 1]}}}`, `{"_id": 3, "a": 2, "b": {"c": 5}}`)
	x.piped(`{"$sample": {"size": 10}}, {"$count": "n"}`, `{"n": 4}`)
	x.piped(`{"$sample": {"size": 2}}, {"$count": "n"}`, `{"n": 2}`)
	x.gives(`{"aggregate": "absent", "pipeline": [{"$match": {}}], "cursor": {}}`)
	x.gives(`{"aggregate": 1, "pipeline": [{"$documents": [{"a": 1}, {"a": 2}]}, {"$match": {"a": 2}}], "cursor": {}}`, `{"a": 2}`)
	x.gives(`{"aggregate": "c", "pipeline": [{"$match": {"$expr": {"$eq": ["$a", "$$one"]}}}, {"$project": {"a": "$$one"}}], "let": {"one": 1}, "cursor": {}}`, `{"_id": 1, "a": 1}`)
}

func groups(x *trial) {
	x.insert(`{"_id": 1, "k": "a", "v": 1, "l": [1]}`, `{"_id": 2, "k": "a", "v": 2.5}`, `{"_id": 3, "k": "b", "v": {"$numberLong": "4"}}`, `{"_id": 4, "k": "a", "v": "text"}`,
		`{"_id": 5, "v": 1}`, `{"_id": 6, "k": null}`)
	group := func(accumulator string, want ...string) {
		x.Helper()
		for i, v := range want {
			id := []string{`null`, `"a"`, `"b"`}[i]
			want[i] = `{"_id": ` + id + `, "v": ` + v + `}`
		}
		x.piped(`{"$sort": {"_id": 1}}, {"$group": {"_id": "$k", "v": `+accumulator+`}}, {"$sort": {"_id": 1}}`, want...)
	}
	group(`{"$sum": 1}`, `2`, `3`, `1`)
	group(`{"$sum": "$v"}`, `1`, `3.5`, `{"$numberLong": "4"}`)
	group(`{"$avg": "$v"}`, `1.0`, `1.75`, `4.0`)
	group(`{"$min": "$v"}`, `1`, `1`, `{"$numberLong": "4"}`)
	group(`{"$max": "$v"}`, `1`, `"text"`, `{"$numberLong": "4"}`)
	group(`{"$first": "$v"}`, `1`, `1`, `{"$numberLong": "4"}`)
	group(`{"$last": "$v"}`, `null`, `"text"`, `{"$numberLong": "4"}`)
	group(`{"$push": "$v"}`, `[1]`, `[1, 2.5, "text"]`, `[{"$numberLong": "4"}]`)
	group(`{"$push": {"i": "$_id"}}`, `[{"i": 5}, {"i": 6}]`, `[{"i": 1}, {"i": 2}, {"i": 4}]`, `[{"i": 3}]`)
	group(`{"$count": {}}`, `2`, `3`, `1`)
	x.piped(`{"$group": {"_id": null, "n": {"$sum": 1}, "avg": {"$avg": "$zz"}, "max": {"$max": "$zz"}}}`, `{"_id": null, "n": 6, "avg": null, "max": null}`)
	x.piped(`{"$group": {"_id": {"k": "$k"}}}, {"$match": {"_id.k": "b"}}`, `{"_id": {"k": "b"}}`)
	x.piped(`{"$match": {"k": "a"}}, {"$group": {"_id": "$k", "s": {"$addToSet": {"$type": "$v"}}}}, {"$project": {"n": {"$size": "$s"}}}`, `{"_id": "a", "n": 3}`)
	x.piped(`{"$match": {"_id": {"$lt": 3}}}, {"$sort": {"_id": 1}}, {"$group": {"_id": 1, "m": {"$mergeObjects": {"a": "$v", "l": "$l"}}}}`, `{"_id": 1, "m": {"a": 2.5, "l": [1]}}`)
	x.fill(`{"_id": 1, "k": 1}`, `{"_id": 2, "k": 1.0}`, `{"_id": 3, "k": {"$numberLong": "1"}}`)
	x.piped(`{"$group": {"_id": "$k", "n": {"$sum": 1}}}, {"$project": {"_id": 0}}`, `{"n": 3}`)
	x.fill(`{"_id": 1, "v": 2147483647}`, `{"_id": 2, "v": 1}`)
	x.piped(`{"$group": {"_id": null, "s": {"$sum": "$v"}}}`, `{"_id": null, "s": {"$numberLong": "2147483648"}}`)
}

func unwinds(x *trial) {
	x.insert(`{"_id": 1, "a": [1, 2]}`, `{"_id": 2, "a": 5}`, `{"_id": 3, "a": []}`, `{"_id": 4, "a": null}`, `{"_id": 5}`, `{"_id": 6, "b": {"a": [7]}}`)
	x.piped(`{"$sort": {"_id": 1}}, {"$unwind": "$a"}`, `{"_id": 1, "a": 1}`, `{"_id": 1, "a": 2}`, `{"_id": 2, "a": 5}`)
	x.piped(`{"$sort": {"_id": 1}}, {"$match": {"_id": {"$lt": 6}}}, {"$unwind": {"path": "$a", "preserveNullAndEmptyArrays": true, "includeArrayIndex": "i"}}`,
		`{"_id": 1, "a": 1, "i": {"$numberLong": "0"}}`, `{"_id": 1, "a": 2, "i": {"$numberLong": "1"}}`, `{"_id": 2, "a": 5, "i": null}`, `{"_id": 3, "i": null}`,
		`{"_id": 4, "a": null, "i": null}`, `{"_id": 5, "i": null}`)
	x.piped(`{"$unwind": "$b.a"}`, `{"_id": 6, "b": {"a": 7}}`)
}

func lookups(x *trial) {
	x.insert(`{"_id": 1, "k": 1}`, `{"_id": 2, "k": [1, 2]}`, `{"_id": 3}`, `{"_id": 4, "k": "none"}`)
	x.run(`{"insert": "f", "documents": [{"_id": "a", "k": 1}, {"_id": "b", "k": [2, 3]}, {"_id": "c", "k": null}, {"_id": "d"}]}`)
	x.piped(`{"$sort": {"_id": 1}}, {"$lookup": {"from": "f", "localField": "k", "foreignField": "k", "as": "r"}}, {"$project": {"r._id": 1}}`,
		`{"_id": 1, "r": [{"_id": "a"}]}`, `{"_id": 2, "r": [{"_id": "a"}, {"_id": "b"}]}`, `{"_id": 3, "r": [{"_id": "c"}, {"_id": "d"}]}`, `{"_id": 4, "r": []}`)
	x.piped(`{"$match": {"_id": 1}}, {"$lookup": {"from": "f", "let": {"mine": "$k"}, "pipeline": [{"$match": {"$expr": {"$eq": ["$k", "$$mine"]}}}, {"$project": {"k": 0}}], "as": "r"}}`,
		`{"_id": 1, "k": 1, "r": [{"_id": "a"}]}`)
	x.piped(`{"$match": {"_id": 2}}, {"$lookup": {"from": "f", "localField": "k", "foreignField": "k", "pipeline": [{"$sort": {"_id": -1}}, {"$limit": 1}, {"$project": {"_id": 1}}], "as": "r"}}`,
		`{"_id": 2, "k": [1, 2], "r": [{"_id": "b"}]}`)
	x.piped(`{"$match": {"_id": 1}}, {"$lookup": {"from": "absent", "localField": "k", "foreignField": "k", "as": "x.r"}}`, `{"_id": 1, "k": 1, "x": {"r": []}}`)
	x.piped(`{"$match": {"_id": 1}}, {"$lookup": {"from": "f", "localField": "k", "foreignField": "k", "as": "r"}}, {"$unwind": "$r"}, {"$replaceWith": "$r"}`, `{"_id": "a", "k": 1}`)
}

func replaceRoots(x *trial) {
	x.insert(`{"_id": 1, "a": {"b": 1}}`)
	x.piped(`{"$replaceRoot": {"newRoot": "$a"}}`, `{"b": 1}`)
	x.piped(`{"$replaceWith": {"$mergeObjects": [{"x": 1, "b": 0}, "$a"]}}`, `{"x": 1, "b": 1}`)
	x.piped(`{"$replaceWith": "$$ROOT"}`, `{"_id": 1, "a": {"b": 1}}`)
	x.refuses(40228, `{"aggregate": "c", "pipeline": [{"$replaceRoot": {"newRoot": "$zz"}}], "cursor": {}}`, `{"aggregate": "c", "pipeline": [{"$replaceWith": "$a.b"}], "cursor": {}}`)
}

func badPipelines(x *trial) {
	x.insert(`{"_id": 1, "a": 1}`)
	for _, c := range []struct {
		code   int
		stages string
	}{
		{40324, `{"$nonsense": 1}`}, {40323, `{"$match": {}, "$sort": {"a": 1}}`}, {40323, `{}`}, {15958, `{"$limit": 0}`}, {15959, `{"$match": 1}`},
		{15955, `{"$group": {"n": {"$sum": 1}}}`}, {15952, `{"$group": {"_id": 1, "n": {"$nonsense": 1}}}`}, {40234, `{"$group": {"_id": 1, "n": 1}}`},
		{28818, `{"$unwind": "a"}`}, {168, `{"$project": {"x": {"$nonsense": 1}}}`}, {17276, `{"$project": {"x": "$$undefined"}}`},
		{40601, `{"$out": "x"}, {"$match": {}}`}, {15976, `{"$sort": {}}`}, {40156, `{"$count": 1}`}, {40157, `{"$count": ""}`}, {40158, `{"$count": "$a"}`}, {40160, `{"$count": "a.b"}`},
		{16020, `{"$project": {"x": {"$eq": [1]}}}`}, {51272, `{"$project": {}}`}, {28747, `{"$sample": {"size": -1}}`},
	} {
		x.refuses(c.code, `{"aggregate": "c", "pipeline": [`+c.stages+`], "cursor": {}}`)
	}
	x.refuses(someCode, `{"aggregate": "c", "pipeline": [{"$limit": -1}], "cursor": {}}`, `{"aggregate": "c", "pipeline": [{"$limit": "x"}], "cursor": {}}`,
		`{"aggregate": "c", "pipeline": [{"$skip": -1}], "cursor": {}}`, `{"aggregate": "c", "pipeline": [{"$lookup": {"from": "f"}}], "cursor": {}}`,
		`{"aggregate": "c", "pipeline": [1], "cursor": {}}`, `{"aggregate": "c", "pipeline": 1, "cursor": {}}`, `{"aggregate": "c", "cursor": {}}`,
		`{"aggregate": "c", "pipeline": [{"$match": {}}, {"$changeStream": {}}], "cursor": {}}`, `{"aggregate": "c", "pipeline": [{"$documents": [{}]}], "cursor": {}}`,
		`{"aggregate": "c", "pipeline": [{"$set": {}}], "cursor": {}}`, `{"aggregate": "c", "pipeline": [{"$unset": []}], "cursor": {}}`,
		`{"aggregate": "c", "pipeline": [{"$merge": {}}], "cursor": {}}`)
	x.refuses(73, `{"aggregate": 1, "pipeline": [{"$match": {}}], "cursor": {}}`, `{"aggregate": "", "pipeline": [], "cursor": {}}`)
	x.refuses(9, `{"aggregate": "c", "pipeline": []}`)
}

func outs(x *trial) {
	x.insert(`{"_id": 1, "a": 1}`, `{"_id": 2, "a": 2}`)
	x.run(`{"insert": "o", "documents": [{"_id": 9}]}`)
	x.run(`{"createIndexes": "o", "indexes": [{"key": {"a": 1}, "name": "a", "unique": true}]}`)
	x.piped(`{"$match": {"a": {"$gt": 1}}}, {"$out": "o"}`)
	x.gives(`{"find": "o"}`, `{"_id": 2, "a": 2}`)
	x.same("its indexes stay", x.documents(d(`{"listIndexes": "o"}`))[1:], `{"v": 2, "key": {"a": 1}, "name": "a", "unique": true}`)
	x.refuses(11000, `{"aggregate": "c", "pipeline": [{"$set": {"a": 5}}, {"$out": "o"}], "cursor": {}}`)
	x.gives(`{"find": "o"}`, `{"_id": 2, "a": 2}`) // as it was
	x.piped(fmt.Sprintf(`{"$out": {"db": "%s", "coll": "fresh"}}`, x.db.Name()))
	x.gives(`{"find": "fresh", "sort": {"_id": 1}}`, `{"_id": 1, "a": 1}`, `{"_id": 2, "a": 2}`)
	x.piped(`{"$match": {"a": 1}}, {"$out": "c"}`) // onto itself
	x.has(`{"_id": 1, "a": 1}`)
	names := x.documents(d(`{"listCollections": 1, "nameOnly": true}`))
	x.length("no other collection is left behind: the database", names, 3)
}

func merges(x *trial) {
	x.insert(`{"_id": 1, "a": 10}`, `{"_id": 2, "a": 20}`)
	merge := func(spec string, want ...string) {
		x.Helper()
		x.run(`{"delete": "t", "deletes": [{"q": {}, "limit": 0}]}`)
		x.run(`{"insert": "t", "documents": [{"_id": 2, "a": 2, "b": 2}]}`)
		x.piped(`{"$sort": {"_id": 1}}, {"$merge": {"into": "t"` + spec + `}}`)
		x.gives(`{"find": "t", "sort": {"_id": 1}}`, want...)
	}
	merge(``, `{"_id": 1, "a": 10}`, `{"_id": 2, "a": 20, "b": 2}`)
	merge(`, "whenMatched": "replace"`, `{"_id": 1, "a": 10}`, `{"_id": 2, "a": 20}`)
	merge(`, "whenMatched": "keepExisting"`, `{"_id": 1, "a": 10}`, `{"_id": 2, "a": 2, "b": 2}`)
	merge(`, "whenNotMatched": "discard"`, `{"_id": 2, "a": 20, "b": 2}`)
	merge(`, "whenMatched": [{"$set": {"b": {"$add": ["$b", "$$new.a"]}}}]`, `{"_id": 1, "a": 10}`, `{"_id": 2, "a": 2, "b": 22}`)
	merge(`, "whenMatched": [{"$set": {"b": "$$n"}}], "let": {"n": "$a"}, "whenNotMatched": "discard"`, `{"_id": 2, "a": 2, "b": 20}`)
	x.piped(`{"$merge": "fresh"}`)
	x.gives(`{"find": "fresh", "sort": {"_id": 1}}`, `{"_id": 1, "a": 10}`, `{"_id": 2, "a": 20}`)
	x.refuses(11000, `{"aggregate": "c", "pipeline": [{"$merge": {"into": "t", "whenMatched": "fail"}}], "cursor": {}}`)
	x.refuses(13113, `{"aggregate": "c", "pipeline": [{"$set": {"_id": "new"}}, {"$merge": {"into": "t", "whenNotMatched": "fail"}}], "cursor": {}}`)
	x.refuses(51183, `{"aggregate": "c", "pipeline": [{"$merge": {"into": "t", "on": "zz"}}], "cursor": {}}`) // needs a unique index
	x.run(`{"createIndexes": "u", "indexes": [{"key": {"a": 1}, "name": "a", "unique": true}]}`)
	x.run(`{"insert": "u", "documents": [{"_id": "x", "a": 10}]}`)
	x.piped(`{"$project": {"_id": 0, "a": 1, "n": "$_id"}}, {"$match": {"a": 10}}, {"$merge": {"into": "u", "on": "a"}}`)
	x.gives(`{"find": "u"}`, `{"_id": "x", "a": 10, "n": 1}`)
}
