package update_test

import (
	"testing"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
)

// TestUpsert: the document that is inserted where a query matched nothing.
func TestUpsert(t *testing.T) {
	for _, c := range []struct {
		rule, query, update, want string
		code                      fault.Code
	}{
		{rule: "equalities and operators", query: `{"a":1,"b":{"$eq":2},"c":{"$gt":1}}`, update: `{"$set":{"d":4}}`, want: `{"a":1,"b":2,"d":4}`},
		{rule: "_id comes first", query: `{"a":1,"_id":7}`, update: `{"$set":{"d":4}}`, want: `{"_id":7,"a":1,"d":4}`},
		{rule: "_id from the update", query: `{"a":1}`, update: `{"$set":{"_id":4}}`, want: `{"_id":4,"a":1}`},
		{rule: "$setOnInsert", query: `{"_id":1}`, update: `{"$setOnInsert":{"a":1},"$inc":{"b":2}}`, want: `{"_id":1,"a":1,"b":2}`},
		{rule: "paths", query: `{"a.b":1,"a.c":2,"$and":[{"d.e":3}]}`, update: `{"$set":{"a.z":0}}`, want: `{"a":{"b":1,"c":2,"z":0},"d":{"e":3}}`},
		{rule: "a path twice", query: `{"a":1,"$and":[{"a":1}]}`, update: `{"$set":{"z":0}}`, code: fault.NotSingleValueField},
		{rule: "a path within another", query: `{"a":{"b":1},"a.b":1}`, update: `{"$set":{"z":0}}`, code: fault.NotSingleValueField},
		{rule: "another _id than the query's", query: `{"_id":1}`, update: `{"$set":{"_id":2}}`, code: fault.ImmutableField},
		{rule: "a replacement takes nothing but the _id", query: `{"_id":1,"a":1}`, update: `{"b":2}`, want: `{"_id":1,"b":2}`},
		{rule: "a replacement without one", query: `{"a":1}`, update: `{"b":2}`, want: `{"b":2}`},
		{rule: "a replacement with its own", query: `{"a":1}`, update: `{"b":2,"_id":3}`, want: `{"_id":3,"b":2}`},
		{rule: "a replacement with another one", query: `{"_id":1}`, update: `{"_id":2}`, code: fault.ImmutableField},
		{rule: "a replacement for a part of _id", query: `{"_id.a":1}`, update: `{"b":2}`, code: fault.NotExactValueField},
		{rule: "a pipeline", query: `{"_id":1,"a":2}`, update: `[{"$set":{"b":{"$add":["$a",1]}}}]`, want: `{"_id":1,"a":2,"b":3}`},
		{rule: "an _id that cannot be", query: `{"a":1}`, update: `{"$set":{"_id":[1]}}`, code: fault.InvalidIdField},
		{rule: "an _id with an operator's name", query: `{"a":1}`, update: `{"$set":{"_id":{"$b":1}}}`, code: fault.DollarPrefixedFieldName},
		{rule: "a positional $", query: `{"a":1}`, update: `{"$set":{"b.$":1}}`, code: fault.BadValue},
		{rule: "no change is a document too", query: `{"_id":1}`, update: `{"$unset":{"a":1}}`, want: `{"_id":1}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			u, err := compile(t, c.update)
			if err != nil {
				t.Fatal(err)
			}
			f, err := match.Compile(parse(t, c.query), env)
			if err != nil {
				t.Fatal(err)
			}
			got, err := u.Upsert(f)
			if c.code != 0 {
				wantCode(t, err, c.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantDoc(t, got, c.want)
		})
	}
}
