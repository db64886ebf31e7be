package match_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

func doc(t testing.TB, json string) value.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(json), false, &d); err != nil {
		t.Fatalf("%s: %v", json, err)
	}
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func compile(t testing.TB, filter string) *match.Filter {
	t.Helper()
	f, err := match.Compile(doc(t, filter), nil)
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	return f
}

type documents []string

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		rule, filter string
		yes, no      documents
	}{
		{"an empty filter matches all", `{}`, documents{`{}`, `{"a": 1}`}, nil},
		{"equality: numbers by value", `{"a": 1}`, documents{`{"a": 1}`, `{"a": 1.0}`, `{"a": {"$numberLong": "1"}}`, `{"a": {"$numberDecimal": "1.0"}}`}, documents{`{"a": 2}`, `{"a": "1"}`, `{"a": true}`, `{}`}},
		{"equality: an array's element, or all of it", `{"a": 1}`, documents{`{"a": [0, 1]}`}, documents{`{"a": [[1]]}`, `{"a": []}`}},
		{"equality with an array: the whole, or an element", `{"a": [1, 2]}`, documents{`{"a": [1, 2]}`, `{"a": [0, [1, 2]]}`}, documents{`{"a": [2, 1]}`, `{"a": [1, 2, 3]}`}},
		{"equality with a document: fields in order", `{"a": {"x": 1, "y": 2}}`, documents{`{"a": {"x": 1, "y": 2}}`}, documents{`{"a": {"y": 2, "x": 1}}`, `{"a": {"x": 1}}`}},
		{"a DBRef is a value", `{"a": {"$ref": "c", "$id": 1}}`, documents{`{"a": {"$ref": "c", "$id": 1}}`}, documents{`{"a": 1}`}},
		{"null: null or missing", `{"a": null}`, documents{`{"a": null}`, `{}`, `{"a": [1, null]}`}, documents{`{"a": 0}`, `{"a": []}`}},
		{"null below a path", `{"a.b": null}`, documents{`{}`, `{"a": 1}`, `{"a": {}}`, `{"a": [{"c": 1}]}`, `{"a": {"b": null}}`}, documents{`{"a": [1, 2]}`, `{"a": []}`, `{"a": {"b": 1}}`}},
		{"NaN equals NaN alone", `{"a": {"$numberDouble": "NaN"}}`, documents{`{"a": {"$numberDouble": "NaN"}}`, `{"a": {"$numberDecimal": "NaN"}}`}, documents{`{"a": 1}`}},
		{"$lt: within a bracket", `{"a": {"$lt": 5}}`, documents{`{"a": 4.5}`, `{"a": [9, 1]}`}, documents{`{"a": 5}`, `{"a": "1"}`, `{"a": null}`, `{}`, `{"a": {"$numberDouble": "NaN"}}`}},
		{"$gte: strings", `{"a": {"$gte": "b"}}`, documents{`{"a": "b"}`, `{"a": "c"}`}, documents{`{"a": "a"}`, `{"a": 5}`, `{"a": {}}`}},
		{"$lte null matches what $eq null does", `{"a": {"$lte": null}}`, documents{`{}`, `{"a": null}`}, documents{`{"a": 0}`}},
		{"$lt null matches nothing", `{"a": {"$lt": null}}`, nil, documents{`{}`, `{"a": null}`, `{"a": 0}`}},
		{"$gte NaN matches NaN", `{"a": {"$gte": {"$numberDouble": "NaN"}}}`, documents{`{"a": {"$numberDouble": "NaN"}}`}, documents{`{"a": 1}`}},
		{"$gt MinKey: all else", `{"a": {"$gt": {"$minKey": 1}}}`, documents{`{"a": 1}`, `{"a": "x"}`, `{"a": null}`}, documents{`{"a": {"$minKey": 1}}`}},
		{"$lt MaxKey: all else", `{"a": {"$lt": {"$maxKey": 1}}}`, documents{`{"a": 1}`, `{"a": "x"}`}, documents{`{"a": {"$maxKey": 1}}`}},
		{"$gt with arrays compares whole arrays", `{"a": {"$gt": [1, 2]}}`, documents{`{"a": [1, 3]}`, `{"a": [2]}`}, documents{`{"a": [1, 2]}`, `{"a": 5}`}},
		{"two conditions, two elements", `{"a": {"$gt": 5, "$lt": 3}}`, documents{`{"a": [1, 9]}`}, documents{`{"a": [4]}`, `{"a": 4}`}},
		{"$ne: no element", `{"a": {"$ne": 1}}`, documents{`{}`, `{"a": 2}`, `{"a": [2, 3]}`}, documents{`{"a": 1}`, `{"a": [1, 2]}`}},
		{"$in: values, null, patterns", `{"a": {"$in": [1, null, {"$regularExpression": {"pattern": "^x", "options": ""}}]}}`, documents{`{"a": 1.0}`, `{}`, `{"a": "xy"}`, `{"a": [5, "xz"]}`}, documents{`{"a": 2}`, `{"a": "yx"}`}},
		{"$in of one", `{"a": {"$in": [1]}}`, documents{`{"a": 1}`, `{"a": [1]}`}, documents{`{"a": 2}`}},
		{"$in of nothing", `{"a": {"$in": []}}`, nil, documents{`{}`, `{"a": 1}`}},
		{"$in of arrays", `{"a": {"$in": [[1], 7]}}`, documents{`{"a": [1]}`, `{"a": [[1], 2]}`, `{"a": 7}`}, documents{`{"a": 1}`, `{"a": [1, 2]}`}},
		{"$nin: not $in", `{"a": {"$nin": [1, 2]}}`, documents{`{}`, `{"a": 3}`}, documents{`{"a": [3, 1]}`}},
		{"$exists", `{"a.b": {"$exists": true}}`, documents{`{"a": {"b": null}}`, `{"a": [{"b": 1}]}`, `{"a": {"b": []}}`}, documents{`{}`, `{"a": 1}`, `{"a": [1]}`}},
		{"$exists: false", `{"a": {"$exists": false}}`, documents{`{}`}, documents{`{"a": null}`}},
		{"$type by name", `{"a": {"$type": "string"}}`, documents{`{"a": "x"}`, `{"a": [1, "x"]}`}, documents{`{"a": 1}`, `{}`}},
		{"$type array is the array", `{"a": {"$type": "array"}}`, documents{`{"a": []}`, `{"a": [1]}`}, documents{`{"a": 1}`}},
		{"$type number, and several", `{"a": {"$type": ["number", 2]}}`, documents{`{"a": 1.5}`, `{"a": {"$numberLong": "1"}}`, `{"a": "x"}`}, documents{`{"a": true}`}},
		{"$type -1 is MinKey", `{"a": {"$type": -1}}`, documents{`{"a": {"$minKey": 1}}`}, documents{`{"a": 1}`}},
		{"$size", `{"a": {"$size": 2}}`, documents{`{"a": [1, 2]}`}, documents{`{"a": [1]}`, `{"a": 2}`, `{}`, `{"a": [[1, 2]]}`}},
		{"$mod: truncates", `{"a": {"$mod": [4, 1]}}`, documents{`{"a": 5}`, `{"a": 5.9}`, `{"a": [2, 9]}`}, documents{`{"a": 4}`, `{"a": "5"}`, `{"a": {"$numberDouble": "Infinity"}}`}},
		{"$mod: the sign is the value's", `{"a": {"$mod": [4, -1]}}`, documents{`{"a": -5}`}, documents{`{"a": 3}`}},
		{"$all: each somewhere", `{"a": {"$all": [1, 2]}}`, documents{`{"a": [2, 1, 3]}`}, documents{`{"a": [1]}`, `{"a": 1}`}},
		{"$all of one matches a scalar", `{"a": {"$all": [1]}}`, documents{`{"a": 1}`, `{"a": [1]}`}, documents{`{"a": 2}`}},
		{"$all of nothing matches nothing", `{"a": {"$all": []}}`, nil, documents{`{}`, `{"a": []}`}},
		{"$all of an array: the whole too", `{"a": {"$all": [[1, 2]]}}`, documents{`{"a": [1, 2]}`, `{"a": [[1, 2]]}`}, documents{`{"a": [1]}`}},
		{"$all of $elemMatch", `{"a": {"$all": [{"$elemMatch": {"x": 1}}, {"$elemMatch": {"x": 2}}]}}`, documents{`{"a": [{"x": 2}, {"x": 1}]}`}, documents{`{"a": [{"x": 1}]}`}},
		{"$elemMatch of operators: one element fulfils all", `{"a": {"$elemMatch": {"$gt": 3, "$lt": 6}}}`, documents{`{"a": [1, 5]}`}, documents{`{"a": [1, 9]}`, `{"a": 5}`, `{"a": [[5]]}`}},
		{"$elemMatch of a query", `{"a": {"$elemMatch": {"x": 1, "y": 2}}}`, documents{`{"a": [{"x": 1, "y": 2}]}`}, documents{`{"a": [{"x": 1}, {"y": 2}]}`, `{"a": {"x": 1, "y": 2}}`}},
		{"$elemMatch takes arrays as documents", `{"a": {"$elemMatch": {"0": 1}}}`, documents{`{"a": [[1]]}`}, documents{`{"a": [1]}`}},
		{"$elemMatch with $or", `{"a": {"$elemMatch": {"$or": [{"x": 1}, {"x": 2}]}}}`, documents{`{"a": [{"x": 2}]}`}, documents{`{"a": [{"x": 3}]}`}},
		{"$elemMatch with $not", `{"a": {"$elemMatch": {"$not": {"$gt": 3}}}}`, documents{`{"a": [9, 1]}`, `{"a": ["x"]}`}, documents{`{"a": [4]}`, `{"a": []}`}},
		{"$elemMatch in $elemMatch", `{"a": {"$elemMatch": {"$elemMatch": {"$gt": 3}}}}`, documents{`{"a": [[1, 4]]}`}, documents{`{"a": [4]}`}},
		{"$not", `{"a": {"$not": {"$gt": 3}}}`, documents{`{}`, `{"a": 1}`, `{"a": "x"}`}, documents{`{"a": 4}`, `{"a": [1, 4]}`}},
		{"$not of a pattern", `{"a": {"$not": {"$regularExpression": {"pattern": "x", "options": ""}}}}`, documents{`{}`, `{"a": "y"}`}, documents{`{"a": "axb"}`}},
		{"$and, $or, $nor", `{"$and": [{"a": 1}, {"$or": [{"b": 1}, {"b": 2}]}], "$nor": [{"c": 1}]}`, documents{`{"a": 1, "b": 2}`}, documents{`{"a": 1}`, `{"a": 1, "b": 2, "c": 1}`}},
		{"$bitsAllSet by a mask", `{"a": {"$bitsAllSet": 5}}`, documents{`{"a": 7}`, `{"a": -1}`, `{"a": {"$binary": {"base64": "BQ==", "subType": "00"}}}`}, documents{`{"a": 4}`, `{"a": "5"}`, `{"a": 5.5}`}},
		{"$bitsAnyClear by positions", `{"a": {"$bitsAnyClear": [0, 9]}}`, documents{`{"a": 1}`, `{"a": {"$binary": {"base64": "BQ==", "subType": "00"}}}`}, documents{`{"a": 513}`, `{"a": -1}`}},
		{"$bitsAllClear", `{"a": {"$bitsAllClear": 3}}`, documents{`{"a": 4}`}, documents{`{"a": 5}`}},
		{"$bitsAnySet: integers go on with their sign", `{"a": {"$bitsAnySet": [100]}}`, documents{`{"a": -1}`}, documents{`{"a": 1}`}},
		{"$regex", `{"a": {"$regex": "^b", "$options": "i"}}`, documents{`{"a": "Bc"}`, `{"a": ["x", "bc"]}`}, documents{`{"a": "ab"}`, `{"a": 1}`}},
		{"$regex matches an equal pattern", `{"a": {"$regularExpression": {"pattern": "b", "options": "i"}}}`, documents{`{"a": {"$regularExpression": {"pattern": "b", "options": "i"}}}`}, documents{`{"a": {"$regularExpression": {"pattern": "b", "options": ""}}}`}},
		{"$regex: $ before a last line break", `{"a": {"$regex": "b$"}}`, documents{`{"a": "ab"}`, `{"a": "ab\n"}`}, documents{`{"a": "ab\nc"}`}},
		{"$regex: m", `{"a": {"$regex": "^b$", "$options": "m"}}`, documents{`{"a": "a\nb\nc"}`}, documents{`{"a": "ab"}`}},
		{"$regex: s", `{"a": {"$regex": "a.b", "$options": "s"}}`, documents{`{"a": "a\nb"}`}, nil},
		{"$regex: x", `{"a": {"$regex": "a b # c\n [ d]", "$options": "x"}}`, documents{`{"a": "abd"}`, `{"a": "ab "}`}, documents{`{"a": "a b d"}`}},
		{"$expr", `{"$expr": {"$gt": ["$a", "$b"]}}`, documents{`{"a": 2, "b": 1}`}, documents{`{"a": 1, "b": 1}`}},
		{"$comment, $alwaysTrue", `{"$comment": "x", "$alwaysTrue": 1, "a": {"$comment": "y", "$eq": 1}}`, documents{`{"a": 1}`}, documents{`{"a": 2}`}},
		{"paths go through arrays", `{"a.b.c": 1}`, documents{`{"a": [{"b": [{"c": 1}]}]}`, `{"a": {"b": {"c": [2, 1]}}}`}, documents{`{"a": [[{"b": {"c": 1}}]]}`}},
		{"a number is an index", `{"a.1": 2}`, documents{`{"a": [1, 2]}`}, documents{`{"a": [2, 1]}`, `{"a": [1, [2]]}`}},
		{"or a name", `{"a.1": 2}`, documents{`{"a": {"1": 2}}`, `{"a": [{"1": 2}]}`}, documents{`{"a": {"01": 2}}`}},
		{"behind an index paths go on", `{"a.0.b": 1}`, documents{`{"a": [{"b": 1}]}`, `{"a": [[{"b": 1}]]}`, `{"a": {"0": {"b": 1}}}`}, documents{`{"a": [{"b": 2}, {"b": 1}]}`}},
		{"$size at an index", `{"a.0": {"$size": 2}}`, documents{`{"a": [[1, 2]]}`}, documents{`{"a": [1, 2]}`}},
	} {
		f := compile(t, c.filter)
		for want, list := range map[bool]documents{true: c.yes, false: c.no} {
			for _, d := range list {
				if got, err := f.Match(doc(t, d)); got != want || err != nil {
					t.Errorf("%s: %s of %s = %v, %v", c.rule, c.filter, d, got, err)
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		rule, filter string
		code         fault.Code
	}{
		{"unknown operators", `{"a": {"$nope": 1}}`, fault.BadValue},
		{"a name among operators", `{"a": {"$eq": 1, "b": 2}}`, fault.BadValue},
		{"unknown at the top", `{"$nope": 1}`, fault.BadValue},
		{"operators on no path", `{"$gt": 1}`, fault.BadValue},
		{"$and of nothing", `{"$and": []}`, fault.BadValue},
		{"$or of no array", `{"$or": {}}`, fault.BadValue},
		{"$nor of no documents", `{"$nor": [1]}`, fault.BadValue},
		{"$in of no array", `{"a": {"$in": 1}}`, fault.BadValue},
		{"operators in $in", `{"a": {"$in": [{"$gt": 1}]}}`, fault.BadValue},
		{"$not of a scalar", `{"a": {"$not": 1}}`, fault.BadValue},
		{"$not of nothing", `{"a": {"$not": {}}}`, fault.BadValue},
		{"$elemMatch of no document", `{"a": {"$elemMatch": 1}}`, fault.BadValue},
		{"$size below zero", `{"a": {"$size": -1}}`, fault.FailedToParse},
		{"$size with a fraction", `{"a": {"$size": 1.5}}`, fault.FailedToParse},
		{"$type unknown", `{"a": {"$type": "nope"}}`, fault.BadValue},
		{"$type of no such number", `{"a": {"$type": 20}}`, fault.BadValue},
		{"$mod by zero", `{"a": {"$mod": [0, 1]}}`, fault.BadValue},
		{"$mod of one", `{"a": {"$mod": [1]}}`, fault.BadValue},
		{"$options alone", `{"a": {"$options": "i"}}`, fault.BadValue},
		{"a pattern that is none", `{"a": {"$regex": "("}}`, 51091},
		{"options that are none", `{"a": {"$regex": "a", "$options": "g"}}`, 51108},
		{"options twice", `{"a": {"$regex": {"$regularExpression": {"pattern": "a", "options": "i"}}, "$options": "m"}}`, 51075},
		{"look-ahead is not offered", `{"a": {"$regex": "a(?=b)"}}`, fault.CommandNotSupported},
		{"back-references are not offered", `{"a": {"$regex": "(a)\\1"}}`, fault.CommandNotSupported},
		{"$where is not offered", `{"$where": "1"}`, fault.CommandNotSupported},
		{"$text is not offered", `{"$text": {"$search": "x"}}`, fault.CommandNotSupported},
		{"$jsonSchema is not offered", `{"$jsonSchema": {}}`, fault.CommandNotSupported},
		{"$near is not offered", `{"a": {"$near": [1, 2]}}`, fault.CommandNotSupported},
		{"$ne of a pattern", `{"a": {"$ne": {"$regularExpression": {"pattern": "a", "options": ""}}}}`, fault.BadValue},
		{"undefined is no operand", `{"a": {"$undefined": true}}`, fault.BadValue},
		{"$expr has its own errors", `{"$expr": {"$nope": 1}}`, fault.InvalidPipelineOperator},
	} {
		if _, err := match.Compile(doc(t, c.filter), nil); !fault.Is(err, c.code) {
			t.Errorf("%s: %s: %v, want code %d", c.rule, c.filter, err, c.code)
		}
	}
}

func TestMatchAt(t *testing.T) {
	for _, c := range []struct {
		rule, filter, doc string
		want              int
	}{
		{"the first element that matches", `{"a": {"$gt": 1}}`, `{"a": [1, 2, 3]}`, 1},
		{"none where there is no array", `{"a": 1}`, `{"a": 1}`, -1},
		{"none where the whole array matches", `{"a": [1]}`, `{"a": [1]}`, -1},
		{"$elemMatch", `{"a": {"$elemMatch": {"x": 2}}}`, `{"a": [{"x": 1}, {"x": 2}]}`, 1},
		{"the outermost array's", `{"a.b": 5}`, `{"a": [{"b": [1]}, {"b": [1, 2, 5]}]}`, 1},
		{"an array below a document", `{"a.b": 5}`, `{"a": {"b": [1, 2, 5]}}`, 2},
		{"of $or, the part that matched", `{"$or": [{"a": 9}, {"b": 2}]}`, `{"a": [1], "b": [1, 2]}`, 1},
		{"a part without a position leaves that of another", `{"a": 2, "z": 1}`, `{"a": [1, 2], "z": 1}`, 1},
		{"negations have none", `{"a": {"$ne": 5}}`, `{"a": [1, 2]}`, -1},
		{"$in", `{"a": {"$in": [3, 4]}}`, `{"a": [1, 4]}`, 1},
	} {
		got, ok, err := compile(t, c.filter).MatchAt(doc(t, c.doc))
		if got != c.want || !ok || err != nil {
			t.Errorf("%s: %s at %s = %d, %v, %v; want %d", c.rule, c.filter, c.doc, got, ok, err, c.want)
		}
	}
}

func TestMatchElement(t *testing.T) {
	for _, c := range []struct {
		rule, condition string
		yes, no         string // arrays
	}{
		{"operators test the element", `{"v": {"$gte": 3}}`, `{"v": [3, 4.5]}`, `{"v": [2, "x", {}]}`},
		{"a query asks documents", `{"v": {"x": 1}}`, `{"v": [{"x": 1, "y": 2}, {"x": [1]}]}`, `{"v": [1, {"y": 1}]}`},
		{"logical operators are a query", `{"v": {"$or": [{"x": 1}, {"x": 2}]}}`, `{"v": [{"x": 2}]}`, `{"v": [{"x": 3}, 1]}`},
		{"values must be equal", `{"v": 1}`, `{"v": [1, 1.0]}`, `{"v": [[1], "1", null]}`},
		{"null is null", `{"v": null}`, `{"v": [null]}`, `{"v": [0, {}]}`},
		{"arrays must be equal", `{"v": [1]}`, `{"v": [[1]]}`, `{"v": [1, [1, 2]]}`},
		{"patterns match", `{"v": {"$regularExpression": {"pattern": "^a", "options": ""}}}`, `{"v": ["ab"]}`, `{"v": ["ba", 1]}`},
		{"$in", `{"v": {"$in": [1, "a"]}}`, `{"v": [1, "a"]}`, `{"v": [2, "b"]}`},
		{"$elemMatch asks elements that are arrays", `{"v": {"$elemMatch": {"$gt": 3}}}`, `{"v": [[4]]}`, `{"v": [4, [1]]}`},
	} {
		f, err := match.CompileElement(value.Get(doc(t, c.condition), "v"), nil)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		for want, list := range map[bool]string{true: c.yes, false: c.no} {
			for _, v := range value.Items(value.Get(doc(t, list), "v")) {
				if got, err := f.MatchElement(v); got != want || err != nil {
					t.Errorf("%s: %s of %v = %v, %v", c.rule, c.condition, v, got, err)
				}
			}
		}
	}
}

func TestCollation(t *testing.T) {
	by, err := collation.Parse(value.D("locale", "en", "strength", 2))
	if err != nil {
		t.Fatal(err)
	}
	for filter, in := range map[string]string{
		`{"a": "x"}`:                           `{"a": "X"}`,
		`{"a": {"$in": ["q", "x", "b"]}}`:      `{"a": "X"}`,
		`{"a": {"$gte": "x", "$lte": "x"}}`:    `{"a": ["X"]}`,
		`{"a": {"b": "x"}}`:                    `{"a": {"b": "X"}}`,
		`{"$expr": {"$eq": ["$a", "x"]}}`:      `{"a": "X"}`,
		`{"a": {"$elemMatch": {"$eq": "x"}}}`:  `{"a": ["X"]}`,
		`{"a": {"$not": {"$gt": "x"}}, "b":1}`: `{"a": "X", "b": 1}`,
	} {
		f, err := match.Compile(doc(t, filter), &expr.Env{Collation: by})
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := f.Match(doc(t, in)); !ok || err != nil {
			t.Errorf("%s does not match %s: %v", filter, in, err)
		}
		if _, ok := f.Bounds("a"); ok {
			t.Errorf("%s has binary bounds", filter)
		}
	}
}

func TestEqualities(t *testing.T) {
	f := compile(t, `{"a": 1, "b": {"$gt": 2}, "$and": [{"c": {"$eq": "x"}}, {"d.e": {"$in": [5]}}], "$or": [{"f": null}],
		"g": {"$all": [7]}, "h": {"$in": [1, 2]}, "i": {"$ne": 3}, "j": {"k": 1}}`)
	got := ""
	for _, e := range f.Equalities() {
		got += e.Path + "=" + e.Value.String() + " "
	}
	want := `a={"$numberInt":"1"} c="x" d.e={"$numberInt":"5"} f=null g={"$numberInt":"7"} j={"k": {"$numberInt":"1"}} `
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if list := compile(t, `{"$or": [{"a": 1}, {"b": 1}]}`).Equalities(); list != nil {
		t.Errorf("of two alternatives: %v", list)
	}
}

// TestAllocations: the fast path.
func TestAllocations(t *testing.T) {
	f := compile(t, `{"a": {"$gte": 3}, "b": "x", "c": {"$in": [1, 2, 3.5]}, "d": {"$lt": {"$date": "2024-01-01T00:00:00Z"}}, "e": {"$exists": false}}`)
	d := doc(t, `{"z": [1, 2, 3], "a": 7.5, "b": "x", "c": 2.0, "d": {"$date": "2023-01-01T00:00:00Z"}}`)
	if ok, err := f.Match(d); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = f.Match(d) }); n != 0 {
		t.Errorf("a match allocates %v times", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, filter := range []string{`{"_id": 7}`, `{"a": {"$gte": 3}, "b": "x"}`, `{"l.x": 3}`} {
		b.Run(filter, func(b *testing.B) {
			f := compile(b, filter)
			d := doc(b, `{"_id": 7, "a": 5, "b": "x", "l": [{"x": 1}, {"x": 2}, {"x": 3}]}`)
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := f.Match(d); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
