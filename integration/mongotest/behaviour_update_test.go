package mongotest_test

import "go.mongodb.org/mongo-driver/v2/bson"

// What update operators make of a document: the manual's "Update Operators" and
// "Updates with Aggregation Pipeline".
var updateParts = []part{
	{"fields are set, unset, renamed", setUnsetRename},
	{"arithmetic keeps to its types", arithmetic},
	{"least, greatest, current date", minMaxDate},
	{"elements come and go", elements},
	{"positions and array filters", positions},
	{"updates by pipeline", updatePipelines},
	{"updates that are refused", badUpdates},
	{"what counts as modified", modified},
}

// update holds what an update makes of a document against what it should.
func (x *trial) update(before, u, after string, more ...string) {
	x.Helper()
	x.fill(before)
	rest := ""
	for _, m := range more {
		rest += ", " + m
	}
	reply := x.attempt(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": ` + u + rest + `}]}`)
	if reply.Lookup("writeErrors").Type != 0 {
		x.Errorf("%s of %s: %s", u, before, reply)
		return
	}
	x.same(u+" of "+before, x.documents(d(`{"find": "c"}`)), after)
}

// cannot holds that an update of a document fails with a code.
func (x *trial) cannot(code int, before, u string, more ...string) {
	x.Helper()
	x.fill(before)
	rest := ""
	for _, m := range more {
		rest += ", " + m
	}
	x.refuses(code, `{"update": "c", "updates": [{"q": {"_id": 1}, "u": `+u+rest+`}]}`)
	x.same(u+" of "+before, x.documents(d(`{"find": "c"}`)), before)
}

func setUnsetRename(x *trial) {
	x.update(`{"_id": 1, "a": 1}`, `{"$set": {"a": 2, "z": 1, "b": 1}}`, `{"_id": 1, "a": 2, "b": 1, "z": 1}`) // new fields by name, since 5.0
	x.update(`{"_id": 1}`, `{"$set": {"a.b.c": 1}}`, `{"_id": 1, "a": {"b": {"c": 1}}}`)
	x.update(`{"_id": 1, "a": {"b": 1, "c": 2}}`, `{"$set": {"a.b": {"x": 1}}}`, `{"_id": 1, "a": {"b": {"x": 1}, "c": 2}}`)
	x.update(`{"_id": 1, "a": [1, 2]}`, `{"$set": {"a.1": 5, "a.3": 7}}`, `{"_id": 1, "a": [1, 5, null, 7]}`)
	x.update(`{"_id": 1, "a": {}}`, `{"$set": {"a.0": 5}}`, `{"_id": 1, "a": {"0": 5}}`)
	x.update(`{"_id": 1}`, `{"$set": {"a.0": 5}}`, `{"_id": 1, "a": {"0": 5}}`)
	x.update(`{"_id": 1, "a": [{"b": 1}]}`, `{"$set": {"a.0.b": 5}}`, `{"_id": 1, "a": [{"b": 5}]}`)
	x.update(`{"_id": 1, "a": 1}`, `{"$set": {}}`, `{"_id": 1, "a": 1}`)
	x.update(`{"_id": 1, "a": 1, "b": {"c": 1, "d": 1}}`, `{"$unset": {"a": "", "b.c": 1, "zz": 1, "b.d.x": 1}}`, `{"_id": 1, "b": {"d": 1}}`)
	x.update(`{"_id": 1, "a": [1, 2, 3]}`, `{"$unset": {"a.1": 1}}`, `{"_id": 1, "a": [1, null, 3]}`)
	x.update(`{"_id": 1, "a": 1, "b": 2}`, `{"$rename": {"a": "c"}}`, `{"_id": 1, "b": 2, "c": 1}`)
	x.update(`{"_id": 1, "a": 1, "b": 2}`, `{"$rename": {"a": "b"}}`, `{"_id": 1, "b": 1}`)
	x.update(`{"_id": 1, "a": {"b": 1}}`, `{"$rename": {"a.b": "x.y", "zz": "yy"}}`, `{"_id": 1, "a": {}, "x": {"y": 1}}`)
	x.update(`{"_id": 1}`, `{"$setOnInsert": {"a": 1}}`, `{"_id": 1}`)
}

func arithmetic(x *trial) {
	for _, c := range []struct{ before, u, after string }{
		{`1`, `{"$inc": {"v": 2}}`, `3`},
		{`1`, `{"$inc": {"v": 2.5}}`, `3.5`},
		{`1`, `{"$inc": {"v": {"$numberLong": "2"}}}`, `{"$numberLong": "3"}`},
		{`{"$numberLong": "1"}`, `{"$inc": {"v": 2}}`, `{"$numberLong": "3"}`},
		{`1.5`, `{"$inc": {"v": 2}}`, `3.5`},
		{`2147483647`, `{"$inc": {"v": 1}}`, `{"$numberLong": "2147483648"}`},
		{`1`, `{"$inc": {"v": {"$numberDecimal": "0.1"}}}`, `{"$numberDecimal": "1.1"}`},
		{`3`, `{"$mul": {"v": 4}}`, `12`},
		{`3`, `{"$mul": {"v": 0.5}}`, `1.5`},
		{`{"$numberLong": "3"}`, `{"$mul": {"v": 4}}`, `{"$numberLong": "12"}`},
		{`65536`, `{"$mul": {"v": 65536}}`, `{"$numberLong": "4294967296"}`},
		{`3`, `{"$mul": {"v": {"$numberLong": "4"}}}`, `{"$numberLong": "12"}`},
	} {
		x.update(`{"_id": 1, "v": `+c.before+`}`, c.u, `{"_id": 1, "v": `+c.after+`}`)
	}
	x.update(`{"_id": 1}`, `{"$inc": {"v": {"$numberLong": "5"}}}`, `{"_id": 1, "v": {"$numberLong": "5"}}`)
	x.update(`{"_id": 1}`, `{"$mul": {"v": {"$numberLong": "5"}}}`, `{"_id": 1, "v": {"$numberLong": "0"}}`)
	x.update(`{"_id": 1}`, `{"$mul": {"v": 1.5}}`, `{"_id": 1, "v": 0.0}`)
	x.update(`{"_id": 1}`, `{"$inc": {"v": -1}}`, `{"_id": 1, "v": -1}`)
	x.update(`{"_id": 1, "a": [{"n": 1}]}`, `{"$inc": {"a.0.n": 1}}`, `{"_id": 1, "a": [{"n": 2}]}`)
	x.cannot(2, `{"_id": 1, "v": {"$numberLong": "9223372036854775807"}}`, `{"$inc": {"v": 1}}`)
	x.cannot(14, `{"_id": 1, "v": null}`, `{"$inc": {"v": 1}}`)
	x.cannot(14, `{"_id": 1, "v": "1"}`, `{"$inc": {"v": 1}}`)
	x.cannot(14, `{"_id": 1, "v": 1}`, `{"$inc": {"v": "1"}}`)
	x.cannot(14, `{"_id": 1, "v": "1"}`, `{"$mul": {"v": 1}}`)
	x.update(`{"_id": 1, "v": 12}`, `{"$bit": {"v": {"and": 10}}}`, `{"_id": 1, "v": 8}`)
}

func minMaxDate(x *trial) {
	x.update(`{"_id": 1, "v": 5}`, `{"$min": {"v": 3}}`, `{"_id": 1, "v": 3}`)
	x.update(`{"_id": 1, "v": 5}`, `{"$min": {"v": 7}}`, `{"_id": 1, "v": 5}`)
	x.update(`{"_id": 1, "v": 5}`, `{"$max": {"v": 7.5}}`, `{"_id": 1, "v": 7.5}`)
	x.update(`{"_id": 1, "v": 5}`, `{"$max": {"v": 5.0}}`, `{"_id": 1, "v": 5}`)
	x.update(`{"_id": 1, "v": 5}`, `{"$max": {"v": "a"}}`, `{"_id": 1, "v": "a"}`) // across types, as they sort
	x.update(`{"_id": 1, "v": 5}`, `{"$min": {"v": null}}`, `{"_id": 1, "v": null}`)
	x.update(`{"_id": 1}`, `{"$min": {"v": 3}, "$max": {"w": 4}}`, `{"_id": 1, "v": 3, "w": 4}`)
	x.fill(`{"_id": 1}`)
	x.run(`{"update": "c", "updates": [{"q": {}, "u": {"$currentDate": {"a": true, "b": {"$type": "timestamp"}, "c": {"$type": "date"}}}}]}`)
	doc := x.documents(d(`{"find": "c"}`))[0]
	for name, want := range map[string]bson.Type{"a": bson.TypeDateTime, "b": bson.TypeTimestamp, "c": bson.TypeDateTime} {
		if got := doc.Lookup(name).Type; got != want {
			x.Errorf("$currentDate sets a %s, want %s", got, want)
		}
	}
}

func elements(x *trial) {
	x.update(`{"_id": 1, "a": [1]}`, `{"$push": {"a": 2}}`, `{"_id": 1, "a": [1, 2]}`)
	x.update(`{"_id": 1, "a": [1]}`, `{"$push": {"a": [2, 3]}}`, `{"_id": 1, "a": [1, [2, 3]]}`)
	x.update(`{"_id": 1}`, `{"$push": {"a.b": 2}}`, `{"_id": 1, "a": {"b": [2]}}`)
	x.update(`{"_id": 1, "a": [1]}`, `{"$push": {"a": {"$each": [2, 3]}}}`, `{"_id": 1, "a": [1, 2, 3]}`)
	x.update(`{"_id": 1, "a": [1, 2]}`, `{"$push": {"a": {"$each": [8, 9], "$position": 1}}}`, `{"_id": 1, "a": [1, 8, 9, 2]}`)
	x.update(`{"_id": 1, "a": [1, 2]}`, `{"$push": {"a": {"$each": [9], "$position": -1}}}`, `{"_id": 1, "a": [1, 9, 2]}`)
	x.update(`{"_id": 1, "a": [3, 1]}`, `{"$push": {"a": {"$each": [2], "$sort": 1}}}`, `{"_id": 1, "a": [1, 2, 3]}`)
	x.update(`{"_id": 1, "a": [{"q": 1}, {"q": 5}]}`, `{"$push": {"a": {"$each": [{"q": 3}], "$sort": {"q": -1}, "$slice": 2}}}`, `{"_id": 1, "a": [{"q": 5}, {"q": 3}]}`)
	x.update(`{"_id": 1, "a": [1, 2, 3]}`, `{"$push": {"a": {"$each": [4], "$slice": -2}}}`, `{"_id": 1, "a": [3, 4]}`)
	x.update(`{"_id": 1, "a": [1, 2, 3]}`, `{"$push": {"a": {"$each": [], "$slice": 0}}}`, `{"_id": 1, "a": []}`)
	x.update(`{"_id": 1, "a": [1, {"x": 1, "y": 2}]}`, `{"$addToSet": {"a": {"$each": [1.0, 2, {"x": 1, "y": 2}, {"y": 2, "x": 1}]}}}`,
		`{"_id": 1, "a": [1, {"x": 1, "y": 2}, 2, {"y": 2, "x": 1}]}`)
	x.update(`{"_id": 1}`, `{"$addToSet": {"a": 1}}`, `{"_id": 1, "a": [1]}`)
	x.update(`{"_id": 1, "a": [1, 2, 1, 3]}`, `{"$pull": {"a": 1}}`, `{"_id": 1, "a": [2, 3]}`)
	x.update(`{"_id": 1, "a": [1, 5, 8]}`, `{"$pull": {"a": {"$gte": 5}}}`, `{"_id": 1, "a": [1]}`)
	x.update(`{"_id": 1, "a": [{"b": 1, "c": 1}, {"b": 1, "c": 2}, {"b": 2}]}`, `{"$pull": {"a": {"b": 1, "c": {"$gt": 1}}}}`, `{"_id": 1, "a": [{"b": 1, "c": 1}, {"b": 2}]}`)
	x.update(`{"_id": 1, "a": [{"b": [1, 2]}, {"b": [3]}]}`, `{"$pull": {"a": {"b": {"$elemMatch": {"$gt": 2}}}}}`, `{"_id": 1, "a": [{"b": [1, 2]}]}`)
	x.update(`{"_id": 1}`, `{"$pull": {"a": 1}}`, `{"_id": 1}`)
	x.update(`{"_id": 1, "a": [1, 2, 3, 2]}`, `{"$pullAll": {"a": [2, 3]}}`, `{"_id": 1, "a": [1]}`)
	x.update(`{"_id": 1, "a": [1, 2, 3]}`, `{"$pop": {"a": 1}}`, `{"_id": 1, "a": [1, 2]}`)
	x.update(`{"_id": 1, "a": [1, 2, 3]}`, `{"$pop": {"a": -1}}`, `{"_id": 1, "a": [2, 3]}`)
	x.update(`{"_id": 1}`, `{"$pop": {"a": 1}}`, `{"_id": 1}`)
	x.cannot(2, `{"_id": 1, "a": 1}`, `{"$push": {"a": 1}}`)
	x.cannot(2, `{"_id": 1, "a": 1}`, `{"$addToSet": {"a": 1}}`)
	x.cannot(2, `{"_id": 1, "a": 1}`, `{"$pull": {"a": 1}}`)
	x.cannot(14, `{"_id": 1, "a": 1}`, `{"$pop": {"a": 1}}`)
	x.cannot(9, `{"_id": 1, "a": [1]}`, `{"$pop": {"a": 2}}`)
	x.cannot(2, `{"_id": 1, "a": [1]}`, `{"$push": {"a": {"$each": 1}}}`)
}

func positions(x *trial) {
	first := func(q, before, u, after string) {
		x.Helper()
		x.fill(before)
		reply := x.attempt(`{"update": "c", "updates": [{"q": ` + q + `, "u": ` + u + `}]}`)
		if reply.Lookup("writeErrors").Type != 0 {
			x.Errorf("%s: %s", u, reply)
		}
		x.same(u, x.documents(d(`{"find": "c"}`)), after)
	}
	first(`{"a": 2}`, `{"_id": 1, "a": [1, 2, 2]}`, `{"$set": {"a.$": 9}}`, `{"_id": 1, "a": [1, 9, 2]}`)
	first(`{"a": {"$elemMatch": {"b": 1, "c": 2}}}`, `{"_id": 1, "a": [{"b": 1, "c": 1}, {"b": 1, "c": 2}]}`, `{"$inc": {"a.$.c": 5}}`,
		`{"_id": 1, "a": [{"b": 1, "c": 1}, {"b": 1, "c": 7}]}`)
	first(`{"a.b": {"$gt": 1}}`, `{"_id": 1, "a": [{"b": 1}, {"b": 2}]}`, `{"$set": {"a.$": "x"}}`, `{"_id": 1, "a": [{"b": 1}, "x"]}`)
	x.update(`{"_id": 1, "a": [1, 2]}`, `{"$inc": {"a.$[]": 10}}`, `{"_id": 1, "a": [11, 12]}`)
	x.update(`{"_id": 1, "a": [{"b": [1, 2]}, {"b": [3]}]}`, `{"$inc": {"a.$[].b.$[]": 10}}`, `{"_id": 1, "a": [{"b": [11, 12]}, {"b": [13]}]}`)
	x.update(`{"_id": 1, "a": [1, 5, 9]}`, `{"$set": {"a.$[e]": 0}}`, `{"_id": 1, "a": [1, 0, 0]}`, `"arrayFilters": [{"e": {"$gte": 5}}]`)
	x.update(`{"_id": 1, "a": [{"b": 1, "c": 1}, {"b": 2, "c": 1}]}`, `{"$set": {"a.$[e].c": 0}}`, `{"_id": 1, "a": [{"b": 1, "c": 1}, {"b": 2, "c": 0}]}`,
		`"arrayFilters": [{"e.b": 2}]`)
	x.update(`{"_id": 1, "a": [{"b": [1, 2]}, {"b": [2, 3]}]}`, `{"$unset": {"a.$[x].b.$[y]": 1}}`, `{"_id": 1, "a": [{"b": [1, 2]}, {"b": [null, 3]}]}`,
		`"arrayFilters": [{"x.b": 3}, {"y": 2}]`)
	x.update(`{"_id": 1, "a": [1]}`, `{"$set": {"a.$[e]": 0}}`, `{"_id": 1, "a": [1]}`, `"arrayFilters": [{"e": 7}]`)
	x.cannot(2, `{"_id": 1, "a": [1]}`, `{"$set": {"a.$": 0}}`)
	x.cannot(2, `{"_id": 1, "a": [1]}`, `{"$set": {"a.$[e]": 0}}`)
	x.cannot(9, `{"_id": 1, "a": [1]}`, `{"$set": {"b": 0}}`, `"arrayFilters": [{"e": 7}]`)
	x.cannot(9, `{"_id": 1, "a": [1]}`, `{"$set": {"a.$[e]": 0}}`, `"arrayFilters": [{"e": 7}, {"e": 8}]`)
	x.cannot(2, `{"_id": 1, "a": 1}`, `{"$set": {"a.$[]": 0}}`)
}

func updatePipelines(x *trial) {
	x.update(`{"_id": 1, "a": 1}`, `[{"$set": {"b": {"$add": ["$a", 1]}}}, {"$unset": "a"}]`, `{"_id": 1, "b": 2}`)
	x.update(`{"_id": 1, "a": 1}`, `[{"$replaceWith": {"x": "$a"}}]`, `{"_id": 1, "x": 1}`)
	x.update(`{"_id": 1, "a": 1}`, `[{"$project": {"b": "$a"}}]`, `{"_id": 1, "b": 1}`)
	x.update(`{"_id": 1, "a": {"b": 1}}`, `[{"$addFields": {"a.c": 2, "l": [1]}}]`, `{"_id": 1, "a": {"b": 1, "c": 2}, "l": [1]}`)
	x.update(`{"_id": 1, "a": [1, 2]}`, `[{"$set": {"a": {"$concatArrays": ["$a", [3]]}}}]`, `{"_id": 1, "a": [1, 2, 3]}`)
	x.update(`{"_id": 1, "a": 1}`, `[{"$set": {"a": "$$n"}}]`, `{"_id": 1, "a": 7}`, `"c": {"n": 7}`)
	x.update(`{"_id": 1, "a": 1}`, `[{"$set": {"b": "$$REMOVE"}}]`, `{"_id": 1, "a": 1}`)
	x.cannot(someCode, `{"_id": 1}`, `[{"$match": {}}]`)
	x.cannot(9, `{"_id": 1}`, `[{"$set": {"a": 1}}]`, `"arrayFilters": [{"e": 7}]`)
}

func badUpdates(x *trial) {
	x.cannot(40, `{"_id": 1}`, `{"$set": {"a": 1}, "$inc": {"a": 1}}`)
	x.cannot(40, `{"_id": 1}`, `{"$set": {"a.b": 1, "a": 1}}`)
	x.cannot(40, `{"_id": 1, "a": 1}`, `{"$rename": {"a": "b"}, "$set": {"b": 1}}`)
	x.cannot(28, `{"_id": 1, "a": 1}`, `{"$set": {"a.b": 1}}`)
	x.cannot(28, `{"_id": 1, "a": [1]}`, `{"$set": {"a.b": 1}}`)
	x.cannot(28, `{"_id": 1, "a": null}`, `{"$inc": {"a.b": 1}}`)
	x.cannot(9, `{"_id": 1}`, `{"$nonsense": {"a": 1}}`)
	x.cannot(9, `{"_id": 1}`, `{"$set": 1}`)
	x.cannot(2, `{"_id": 1, "a": 1}`, `{"$rename": {"a": "a"}}`)
	x.cannot(56, `{"_id": 1}`, `{"$set": {"a.": 1}}`)
	x.cannot(56, `{"_id": 1}`, `{"$set": {"": 1}}`)
	x.refuses(40415, `{"update": "c", "updates": [{"q": {}, "u": {"$set": {"a": 1}}, "nonsense": 1}]}`)
	x.refuses(40414, `{"update": "c", "updates": [{"u": {"$set": {"a": 1}}}]}`)
}

func modified(x *trial) {
	x.insert(`{"_id": 1, "a": 1}`, `{"_id": 2, "a": 2}`, `{"_id": 3, "a": 3}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {}, "u": {"$max": {"a": 2}}, "multi": true}]}`), `{"n": 3, "nModified": 1}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {}, "u": {"$set": {"a": 2}}, "multi": true}]}`), `{"n": 3, "nModified": 1}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"a": 2}}}]}`), `{"n": 1, "nModified": 0}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$unset": {"zz": 1}}}]}`), `{"n": 1, "nModified": 0}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": [{"$set": {"a": 2}}]}]}`), `{"n": 1, "nModified": 0}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"_id": 9}, "u": {"$set": {"a": 2}}}]}`), `{"n": 0, "nModified": 0}`)
	x.fields(x.run(`{"update": "c", "updates": [{"q": {"a": 2}, "u": {"$set": {"b": 1}}}, {"q": {"a": 2}, "u": {"$set": {"b": 2}}, "multi": true}]}`), `{"n": 4, "nModified": 4}`)
	x.run(`{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"a": {"$numberLong": "2"}}}}]}`) // equal, and of another type
	x.gives(`{"find": "c", "filter": {"_id": 1}}`, `{"_id": 1, "a": {"$numberLong": "2"}, "b": 2}`)
	if x.major >= 800 {
		x.run(`{"update": "c", "updates": [{"q": {}, "sort": {"_id": -1}, "u": {"$set": {"last": 1}}}]}`)
		x.ids(`{"last": 1}`, 3)
	} else {
		x.refuses(40415, `{"update": "c", "updates": [{"q": {}, "sort": {"_id": -1}, "u": {"$set": {"last": 1}}}]}`)
	}
}
