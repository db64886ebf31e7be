package update_test

import (
	"testing"

	"botwatch/integration/mongotest/internal/fault"
)

// TestOperators: what each operator makes of a document. An empty want says
// that nothing changes; code, that it is refused.
func TestOperators(t *testing.T) {
	for _, c := range []struct {
		rule, doc, update string
		want              string
		code              fault.Code
		position          int
		filters           []string
	}{
		{rule: "$set keeps the place of what is there", doc: `{"_id":1,"a":1,"b":2}`, update: `{"$set":{"a":"x"}}`, want: `{"_id":1,"a":"x","b":2}`},
		{rule: "$set adds new fields in the order of names", doc: `{"_id":1}`, update: `{"$set":{"c":1,"a":2,"b":3}}`, want: `{"_id":1,"a":2,"b":3,"c":1}`},
		{rule: "numeric names come in the order of numbers", doc: `{"_id":1}`, update: `{"$set":{"10":1,"9":2,"1":3}}`, want: `{"_id":1,"1":3,"9":2,"10":1}`},
		{rule: "several operators are one order", doc: `{"_id":1}`, update: `{"$set":{"z":1},"$inc":{"a":2}}`, want: `{"_id":1,"a":2,"z":1}`},
		{rule: "$set makes the documents on its way", doc: `{"_id":1}`, update: `{"$set":{"a.b.c":1,"a.b.a":2}}`, want: `{"_id":1,"a":{"b":{"a":2,"c":1}}}`},
		{rule: "a number names a field of what is made", doc: `{"_id":1}`, update: `{"$set":{"a.0":1}}`, want: `{"_id":1,"a":{"0":1}}`},
		{rule: "a number names an element of an array", doc: `{"_id":1,"a":[1,2]}`, update: `{"$set":{"a.1":9}}`, want: `{"_id":1,"a":[1,9]}`},
		{rule: "arrays are filled up with null", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.3":9}}`, want: `{"_id":1,"a":[1,null,null,9]}`},
		{rule: "but not without end", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.2000000":9}}`, code: fault.BadValue},
		{rule: "a number too large is an error", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.99999999999999999999":9}}`, code: fault.PathNotViable},
		{rule: "an array has no fields", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.b":9}}`, code: fault.PathNotViable},
		{rule: "a leading zero is no position", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.00":9}}`, code: fault.PathNotViable},
		{rule: "a scalar has no fields", doc: `{"_id":1,"a":1}`, update: `{"$set":{"a.b":9}}`, code: fault.PathNotViable},
		{rule: "null has no fields", doc: `{"_id":1,"a":null}`, update: `{"$inc":{"a.b":9}}`, code: fault.PathNotViable},
		{rule: "the same value changes nothing", doc: `{"_id":1,"a":{"b":1}}`, update: `{"$set":{"a":{"b":1}}}`},
		{rule: "another numeric type does", doc: `{"_id":1,"a":1}`, update: `{"$set":{"a":1.0}}`, want: `{"_id":1,"a":1.0}`},
		{rule: "no fields, no change", doc: `{"_id":1}`, update: `{"$set":{}}`},
		{rule: "$-prefixed names within values are stored", doc: `{"_id":1}`, update: `{"$set":{"a":{"$b":1}}}`, want: `{"_id":1,"a":{"$b":1}}`},
		{rule: "but not in paths", doc: `{"_id":1}`, update: `{"$set":{"$b":1}}`, code: fault.DollarPrefixedFieldName},
		{rule: "an empty path", doc: `{"_id":1}`, update: `{"$set":{"":1}}`, code: fault.EmptyFieldName},
		{rule: "an empty part", doc: `{"_id":1}`, update: `{"$set":{"a..b":1}}`, code: fault.EmptyFieldName},
		{rule: "_id stays", doc: `{"_id":1}`, update: `{"$set":{"_id":2}}`, code: fault.ImmutableField},
		{rule: "what is in _id stays", doc: `{"_id":{"a":1}}`, update: `{"$set":{"_id.a":2}}`, code: fault.ImmutableField},
		{rule: "_id is not removed", doc: `{"_id":1}`, update: `{"$unset":{"_id":1}}`, code: fault.ImmutableField},
		{rule: "_id set to itself", doc: `{"_id":1}`, update: `{"$set":{"_id":1,"a":1}}`, want: `{"_id":1,"a":1}`},
		{rule: "one path twice", doc: `{"_id":1}`, update: `{"$set":{"a":1},"$inc":{"a":1}}`, code: fault.ConflictingUpdateOperators},
		{rule: "a path and one within it", doc: `{"_id":1}`, update: `{"$set":{"a":1,"a.b":1}}`, code: fault.ConflictingUpdateOperators},
		{rule: "and the other way round", doc: `{"_id":1}`, update: `{"$set":{"a.b":1,"a":1}}`, code: fault.ConflictingUpdateOperators},
		{rule: "an unknown operator", doc: `{"_id":1}`, update: `{"$foo":{"a":1}}`, code: fault.FailedToParse},
		{rule: "a field among operators", doc: `{"_id":1}`, update: `{"$set":{"a":1},"b":1}`, code: fault.FailedToParse},
		{rule: "an operator without a document", doc: `{"_id":1}`, update: `{"$set":1}`, code: fault.FailedToParse},

		{rule: "$unset removes", doc: `{"_id":1,"a":1,"b":{"c":1,"d":2}}`, update: `{"$unset":{"a":"","b.c":""}}`, want: `{"_id":1,"b":{"d":2}}`},
		{rule: "$unset of an element leaves null", doc: `{"_id":1,"a":[1,2]}`, update: `{"$unset":{"a.0":1}}`, want: `{"_id":1,"a":[null,2]}`},
		{rule: "$unset of what is not there", doc: `{"_id":1,"a":1}`, update: `{"$unset":{"a.b.c":1,"x":1}}`},

		{rule: "$inc", doc: `{"_id":1,"a":1}`, update: `{"$inc":{"a":-3}}`, want: `{"_id":1,"a":-2}`},
		{rule: "$inc of a missing field", doc: `{"_id":1}`, update: `{"$inc":{"a.b":5}}`, want: `{"_id":1,"a":{"b":5}}`},
		{rule: "$inc by nothing", doc: `{"_id":1,"a":1}`, update: `{"$inc":{"a":0}}`},
		{rule: "an int grows to a long", doc: `{"_id":1,"a":2147483647}`, update: `{"$inc":{"a":1}}`, want: `{"_id":1,"a":{"$numberLong":"2147483648"}}`},
		{rule: "a long does not grow", doc: `{"_id":1,"a":{"$numberLong":"9223372036854775807"}}`, update: `{"$inc":{"a":1}}`, code: fault.BadValue},
		{rule: "a double makes a double", doc: `{"_id":1,"a":1}`, update: `{"$inc":{"a":0.5}}`, want: `{"_id":1,"a":1.5}`},
		{rule: "a decimal makes a decimal", doc: `{"_id":1,"a":1}`, update: `{"$inc":{"a":{"$numberDecimal":"0.10"}}}`, want: `{"_id":1,"a":{"$numberDecimal":"1.10"}}`},
		{rule: "$inc of a string", doc: `{"_id":1,"a":"x"}`, update: `{"$inc":{"a":1}}`, code: fault.TypeMismatch},
		{rule: "$inc of null", doc: `{"_id":1,"a":null}`, update: `{"$inc":{"a":1}}`, code: fault.TypeMismatch},
		{rule: "$inc by a string", doc: `{"_id":1}`, update: `{"$inc":{"a":"x"}}`, code: fault.TypeMismatch},
		{rule: "$mul", doc: `{"_id":1,"a":3}`, update: `{"$mul":{"a":4}}`, want: `{"_id":1,"a":12}`},
		{rule: "$mul of a missing field is zero of the type", doc: `{"_id":1}`, update: `{"$mul":{"a":{"$numberLong":"4"},"b":2.5,"c":3}}`, want: `{"_id":1,"a":{"$numberLong":"0"},"b":0.0,"c":0}`},
		{rule: "$mul grows too", doc: `{"_id":1,"a":65536}`, update: `{"$mul":{"a":65536}}`, want: `{"_id":1,"a":{"$numberLong":"4294967296"}}`},
		{rule: "$mul beyond a long", doc: `{"_id":1,"a":{"$numberLong":"4611686018427387904"}}`, update: `{"$mul":{"a":2}}`, code: fault.BadValue},
		{rule: "$min", doc: `{"_id":1,"a":3,"b":3}`, update: `{"$min":{"a":2,"b":4,"c":1}}`, want: `{"_id":1,"a":2,"b":3,"c":1}`},
		{rule: "$max goes by the order of types", doc: `{"_id":1,"a":3}`, update: `{"$max":{"a":"x"}}`, want: `{"_id":1,"a":"x"}`},
		{rule: "$max of an equal value keeps it", doc: `{"_id":1,"a":3}`, update: `{"$max":{"a":3.0}}`},
		{rule: "$bit", doc: `{"_id":1,"a":13}`, update: `{"$bit":{"a":{"and":10},"b":{"or":5},"c":{"xor":{"$numberLong":"3"}}}}`, want: `{"_id":1,"a":8,"b":5,"c":{"$numberLong":"3"}}`},
		{rule: "$bit of a double", doc: `{"_id":1,"a":1.5}`, update: `{"$bit":{"a":{"and":10}}}`, code: fault.BadValue},
		{rule: "$bit by a double", doc: `{"_id":1}`, update: `{"$bit":{"a":{"and":1.5}}}`, code: fault.BadValue},
		{rule: "$bit of another kind", doc: `{"_id":1}`, update: `{"$bit":{"a":{"nand":1}}}`, code: fault.BadValue},
		{rule: "$currentDate", doc: `{"_id":1}`, update: `{"$currentDate":{"a":true,"b":{"$type":"date"},"c":{"$type":"timestamp"}}}`,
			want: `{"_id":1,"a":{"$date":{"$numberLong":"1700000000000"}},"b":{"$date":{"$numberLong":"1700000000000"}},"c":{"$timestamp":{"t":7,"i":3}}}`},
		{rule: "$currentDate of another type", doc: `{"_id":1}`, update: `{"$currentDate":{"a":{"$type":"time"}}}`, code: fault.BadValue},
		{rule: "$setOnInsert does nothing to what is there", doc: `{"_id":1,"b":1}`, update: `{"$setOnInsert":{"a":1,"b.c":2}}`},

		{rule: "$rename", doc: `{"_id":1,"a":1,"b":2}`, update: `{"$rename":{"a":"c.d"}}`, want: `{"_id":1,"b":2,"c":{"d":1}}`},
		{rule: "$rename onto a field takes its place", doc: `{"_id":1,"a":1,"b":2}`, update: `{"$rename":{"b":"a"}}`, want: `{"_id":1,"a":2}`},
		{rule: "$rename out of a document", doc: `{"_id":1,"a":{"b":1}}`, update: `{"$rename":{"a.b":"c"}}`, want: `{"_id":1,"a":{},"c":1}`},
		{rule: "$rename of what is not there", doc: `{"_id":1,"b":2}`, update: `{"$rename":{"a":"b"}}`},
		{rule: "$rename out of an array", doc: `{"_id":1,"a":[{"b":1}]}`, update: `{"$rename":{"a.0.b":"c"}}`, code: fault.BadValue},
		{rule: "$rename into an array", doc: `{"_id":1,"a":[{"b":1}],"c":1}`, update: `{"$rename":{"c":"a.0"}}`, code: fault.BadValue},
		{rule: "$rename to itself", doc: `{"_id":1}`, update: `{"$rename":{"a":"a"}}`, code: fault.BadValue},
		{rule: "$rename into itself", doc: `{"_id":1}`, update: `{"$rename":{"a":"a.b"}}`, code: fault.BadValue},
		{rule: "$rename to no string", doc: `{"_id":1}`, update: `{"$rename":{"a":1}}`, code: fault.BadValue},
		{rule: "$rename of _id", doc: `{"_id":1}`, update: `{"$rename":{"_id":"a"}}`, code: fault.ImmutableField},
		{rule: "$rename and another operator on one path", doc: `{"_id":1}`, update: `{"$rename":{"a":"b"},"$set":{"b":1}}`, code: fault.ConflictingUpdateOperators},

		{rule: "$push", doc: `{"_id":1,"a":[1]}`, update: `{"$push":{"a":[2],"b":3}}`, want: `{"_id":1,"a":[1,[2]],"b":[3]}`},
		{rule: "$push to no array", doc: `{"_id":1,"a":1}`, update: `{"$push":{"a":2}}`, code: fault.BadValue},
		{rule: "$push with all clauses", doc: `{"_id":1,"a":[5,1]}`, update: `{"$push":{"a":{"$each":[4,2],"$position":0,"$sort":1,"$slice":-3}}}`, want: `{"_id":1,"a":[2,4,5]}`},
		{rule: "$position", doc: `{"_id":1,"a":[1,2]}`, update: `{"$push":{"a":{"$each":[8,9],"$position":1}}}`, want: `{"_id":1,"a":[1,8,9,2]}`},
		{rule: "$position from the end", doc: `{"_id":1,"a":[1,2]}`, update: `{"$push":{"a":{"$each":[9],"$position":-1}}}`, want: `{"_id":1,"a":[1,9,2]}`},
		{rule: "$position beyond both ends", doc: `{"_id":1,"a":[1],"b":[1]}`, update: `{"$push":{"a":{"$each":[9],"$position":-5},"b":{"$each":[9],"$position":5}}}`, want: `{"_id":1,"a":[9,1],"b":[1,9]}`},
		{rule: "$slice of nothing new", doc: `{"_id":1,"a":[1,2,3]}`, update: `{"$push":{"a":{"$each":[],"$slice":2}}}`, want: `{"_id":1,"a":[1,2]}`},
		{rule: "$slice: 0", doc: `{"_id":1,"a":[1,2,3]}`, update: `{"$push":{"a":{"$each":[4],"$slice":0}}}`, want: `{"_id":1,"a":[]}`},
		{rule: "$sort by fields is stable", doc: `{"_id":1,"a":[{"x":2,"n":1},{"x":1,"n":2}]}`, update: `{"$push":{"a":{"$each":[{"x":2,"n":3}],"$sort":{"x":-1}}}}`, want: `{"_id":1,"a":[{"x":2,"n":1},{"x":2,"n":3},{"x":1,"n":2}]}`},
		{rule: "nothing pushed, nothing changed", doc: `{"_id":1,"a":[1]}`, update: `{"$push":{"a":{"$each":[]}}}`},
		{rule: "nothing pushed makes an array", doc: `{"_id":1}`, update: `{"$push":{"a":{"$each":[]}}}`, want: `{"_id":1,"a":[]}`},
		{rule: "$each of no array", doc: `{"_id":1}`, update: `{"$push":{"a":{"$each":1}}}`, code: fault.BadValue},
		{rule: "an unknown clause", doc: `{"_id":1}`, update: `{"$push":{"a":{"$each":[1],"x":1}}}`, code: fault.BadValue},
		{rule: "a bad $sort", doc: `{"_id":1}`, update: `{"$push":{"a":{"$each":[1],"$sort":2}}}`, code: fault.BadValue},
		{rule: "$addToSet", doc: `{"_id":1,"a":[1,1]}`, update: `{"$addToSet":{"a":{"$each":[1.0,2,2,3]}}}`, want: `{"_id":1,"a":[1,1,2,3]}`},
		{rule: "$addToSet of what is there", doc: `{"_id":1,"a":[{"x":1}]}`, update: `{"$addToSet":{"a":{"x":1.0}}}`},
		{rule: "$addToSet makes an array", doc: `{"_id":1}`, update: `{"$addToSet":{"a":1}}`, want: `{"_id":1,"a":[1]}`},
		{rule: "$addToSet to no array", doc: `{"_id":1,"a":null}`, update: `{"$addToSet":{"a":1}}`, code: fault.BadValue},
		{rule: "$addToSet with other clauses", doc: `{"_id":1}`, update: `{"$addToSet":{"a":{"$each":[1],"$slice":1}}}`, code: fault.BadValue},
		{rule: "$pop", doc: `{"_id":1,"a":[1,2],"b":[1,2],"c":[]}`, update: `{"$pop":{"a":1,"b":-1,"c":1,"d":1}}`, want: `{"_id":1,"a":[1],"b":[2],"c":[]}`},
		{rule: "$pop of 2", doc: `{"_id":1}`, update: `{"$pop":{"a":2}}`, code: fault.FailedToParse},
		{rule: "$pop of no array", doc: `{"_id":1,"a":1}`, update: `{"$pop":{"a":1}}`, code: fault.TypeMismatch},
		{rule: "$pop through a scalar", doc: `{"_id":1,"a":1}`, update: `{"$pop":{"a.b":1}}`, code: fault.PathNotViable},
		{rule: "$pullAll", doc: `{"_id":1,"a":[1,2,1,3]}`, update: `{"$pullAll":{"a":[1.0,3]}}`, want: `{"_id":1,"a":[2]}`},
		{rule: "$pullAll of no array", doc: `{"_id":1}`, update: `{"$pullAll":{"a":1}}`, code: fault.BadValue},
		{rule: "$pull of a value", doc: `{"_id":1,"a":[1,2,1]}`, update: `{"$pull":{"a":1}}`, want: `{"_id":1,"a":[2]}`},
		{rule: "$pull by a condition", doc: `{"_id":1,"a":[1,5,9]}`, update: `{"$pull":{"a":{"$gte":5}}}`, want: `{"_id":1,"a":[1]}`},
		{rule: "$pull of documents by a query", doc: `{"_id":1,"a":[{"x":1,"y":1},{"x":2}]}`, update: `{"$pull":{"a":{"x":1}}}`, want: `{"_id":1,"a":[{"x":2}]}`},
		{rule: "$pull of nothing", doc: `{"_id":1,"a":[1]}`, update: `{"$pull":{"a":2,"b":1}}`},
		{rule: "$pull of no array", doc: `{"_id":1,"a":1}`, update: `{"$pull":{"a":1}}`, code: fault.BadValue},

		{rule: "the positional $", doc: `{"_id":1,"a":[1,2,3]}`, update: `{"$set":{"a.$":9}}`, position: 1, want: `{"_id":1,"a":[1,9,3]}`},
		{rule: "the positional $ on the way", doc: `{"_id":1,"a":[{"b":1},{"b":2}]}`, update: `{"$inc":{"a.$.b":9}}`, position: 1, want: `{"_id":1,"a":[{"b":1},{"b":11}]}`},
		{rule: "the positional $ without a match", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.$":9}}`, position: -1, code: fault.BadValue},
		{rule: "two positional $", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.$.b.$":9}}`, code: fault.BadValue},
		{rule: "$ first", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"$":9}}`, code: fault.BadValue},
		{rule: "$ and its own position", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.$":9,"a.0":1}}`, position: 0, code: fault.ConflictingUpdateOperators},
		{rule: "$ beside another position", doc: `{"_id":1,"a":[1,2]}`, update: `{"$set":{"a.$":9,"a.0":8}}`, position: 1, want: `{"_id":1,"a":[8,9]}`},
		{rule: "$[]", doc: `{"_id":1,"a":[1,2]}`, update: `{"$inc":{"a.$[]":10}}`, want: `{"_id":1,"a":[11,12]}`},
		{rule: "$[] within $[]", doc: `{"_id":1,"a":[{"b":[1]},{"b":[2,3]}]}`, update: `{"$inc":{"a.$[].b.$[]":10}}`, want: `{"_id":1,"a":[{"b":[11]},{"b":[12,13]}]}`},
		{rule: "$[] of nothing", doc: `{"_id":1,"a":[]}`, update: `{"$inc":{"a.$[]":10}}`},
		{rule: "$[] of a missing field", doc: `{"_id":1}`, update: `{"$inc":{"a.$[]":10}}`, code: fault.BadValue},
		{rule: "$[] of no array", doc: `{"_id":1,"a":1}`, update: `{"$inc":{"a.$[]":10}}`, code: fault.BadValue},
		{rule: "$[identifier]", doc: `{"_id":1,"a":[1,5,9]}`, update: `{"$set":{"a.$[x]":0}}`, filters: []string{`{"x":{"$gte":5}}`}, want: `{"_id":1,"a":[1,0,0]}`},
		{rule: "$[identifier] by a field", doc: `{"_id":1,"a":[{"b":1},{"b":2}]}`, update: `{"$set":{"a.$[x].c":0}}`, filters: []string{`{"x.b":2}`}, want: `{"_id":1,"a":[{"b":1},{"b":2,"c":0}]}`},
		{rule: "two identifiers for one element", doc: `{"_id":1,"a":[{"b":1}]}`, update: `{"$set":{"a.$[x].c":0,"a.$[y].d":0}}`, filters: []string{`{"x.b":1}`, `{"$or":[{"y.b":1},{"y.b":2}]}`}, want: `{"_id":1,"a":[{"b":1,"c":0,"d":0}]}`},
		{rule: "that want the same field", doc: `{"_id":1,"a":[{"b":1}]}`, update: `{"$set":{"a.$[x].c":0,"a.$[y].c":0}}`, filters: []string{`{"x.b":1}`, `{"y.b":1}`}, code: fault.ConflictingUpdateOperators},
		{rule: "$[] beside a position", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.$[]":0,"a.0":1}}`, code: fault.ConflictingUpdateOperators},
		{rule: "an identifier without a filter", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.$[x]":0}}`, code: fault.BadValue},
		{rule: "a filter without use", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a":0}}`, filters: []string{`{"x":1}`}, code: fault.FailedToParse},
		{rule: "a filter twice", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.$[x]":0}}`, filters: []string{`{"x":1}`, `{"x":2}`}, code: fault.FailedToParse},
		{rule: "a filter of two names", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.$[x]":0}}`, filters: []string{`{"x":1,"y":2}`}, code: fault.FailedToParse},
		{rule: "a filter of no name", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.$[x]":0}}`, filters: []string{`{}`}, code: fault.FailedToParse},
		{rule: "a filter of a bad name", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.$[X]":0}}`, filters: []string{`{"X":1}`}, code: fault.BadValue},

		{rule: "a replacement keeps the _id", doc: `{"_id":1,"a":1}`, update: `{"b":2}`, want: `{"_id":1,"b":2}`},
		{rule: "and puts it first", doc: `{"_id":1,"a":1}`, update: `{"b":2,"_id":1}`, want: `{"_id":1,"b":2}`},
		{rule: "a replacement by the same", doc: `{"_id":1,"a":1}`, update: `{"a":1}`},
		{rule: "a replacement has no other _id", doc: `{"_id":1,"a":1}`, update: `{"_id":2}`, code: fault.ImmutableField},
		{rule: "a replacement has no operators", doc: `{"_id":1,"a":1}`, update: `{"a":1,"$set":{"b":1}}`, code: fault.DollarPrefixedFieldName},
		{rule: "a zero timestamp in a replacement is the present one", doc: `{"_id":1}`, update: `{"a":{"$timestamp":{"t":0,"i":0}}}`, want: `{"_id":1,"a":{"$timestamp":{"t":7,"i":3}}}`},

		{rule: "a pipeline", doc: `{"_id":1,"a":1}`, update: `[{"$set":{"b":{"$add":["$a",1]}}},{"$unset":"a"}]`, want: `{"_id":1,"b":2}`},
		{rule: "a pipeline that comes to nothing", doc: `{"_id":1,"a":1}`, update: `[{"$set":{"a":1}}]`},
		{rule: "$replaceWith keeps the _id", doc: `{"_id":1,"a":{"b":2}}`, update: `[{"$replaceWith":"$a"}]`, want: `{"_id":1,"b":2}`},
		{rule: "$replaceRoot by no document", doc: `{"_id":1,"a":1}`, update: `[{"$replaceRoot":{"newRoot":"$a"}}]`, code: 40228},
		{rule: "a pipeline does not change the _id", doc: `{"_id":1}`, update: `[{"$set":{"_id":2}}]`, code: fault.ImmutableField},
		{rule: "a stage that updates have not", doc: `{"_id":1}`, update: `[{"$match":{"a":1}}]`, code: fault.InvalidOptions},
		{rule: "a stage that nobody knows", doc: `{"_id":1}`, update: `[{"$foo":{"a":1}}]`, code: 40324},
		{rule: "array filters for a pipeline", doc: `{"_id":1}`, update: `[{"$set":{"a":1}}]`, filters: []string{`{"x":1}`}, code: fault.FailedToParse},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, err := apply(t, c.doc, c.update, c.position, c.filters...)
			switch {
			case c.code != 0:
				wantCode(t, err, c.code)
			case err != nil:
				t.Error(err)
			case c.want == "":
				if got.Changed {
					t.Errorf("changed to %s", got.Doc)
				}
				wantDoc(t, got.Doc, c.doc)
			default:
				if !got.Changed {
					t.Error("not changed")
				}
				wantDoc(t, got.Doc, c.want)
			}
		})
	}
}
