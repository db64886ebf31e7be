package aggregate_test

import (
	"fmt"
	"strings"
	"testing"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

const items = `[{"_id":1,"a":3,"s":"x"},{"_id":2,"a":1,"s":"y"},{"_id":3,"s":"x"},{"_id":4,"a":null,"s":"y"},{"_id":5,"a":1.0,"s":"x"}]`

// TestStages: what each stage makes of documents.
func TestStages(t *testing.T) {
	for _, c := range []struct{ rule, docs, pipeline, want string }{
		{"no stages", `[{"_id":1}]`, `[]`, `[{"_id":1}]`},
		{"$match", items, `[{"$match":{"a":1}}]`, `[{"_id":2,"a":1,"s":"y"},{"_id":5,"a":1.0,"s":"x"}]`},
		{"$match sees what came before it", items, `[{"$set":{"b":"$a"}},{"$match":{"b":3}},{"$project":{"b":1}}]`, `[{"_id":1,"b":3}]`},
		{"$project and $unset", items, `[{"$limit":1},{"$project":{"s":1,"c":{"$add":["$a",1]}}},{"$unset":"s"}]`, `[{"_id":1,"c":4}]`},
		{"$addFields", items, `[{"$limit":1},{"$addFields":{"c.d":1}}]`, `[{"_id":1,"a":3,"s":"x","c":{"d":1}}]`},
		{"$replaceRoot", `[{"a":{"b":1}}]`, `[{"$replaceRoot":{"newRoot":"$a"}}]`, `[{"b":1}]`},
		{"$replaceWith", `[{"a":{"b":1}}]`, `[{"$replaceWith":{"c":"$a.b"}}]`, `[{"c":1}]`},
		{"$skip and $limit", items, `[{"$skip":1},{"$limit":2},{"$project":{"_id":1}}]`, `[{"_id":2},{"_id":3}]`},
		{"$count", items, `[{"$match":{"s":"x"}},{"$count":"n"}]`, `[{"n":3}]`},
		{"$count of nothing gives nothing", items, `[{"$match":{"s":"z"}},{"$count":"n"}]`, `[]`},
		{"$sample of all", `[{"_id":1}]`, `[{"$sample":{"size":9}}]`, `[{"_id":1}]`},
		{"$documents", `[]`, `[{"$documents":[{"a":1},{"a":{"$add":[1,1]}}]},{"$match":{"a":2}}]`, `[{"a":2}]`},

		{"$sort: null and missing are equal, and the order is stable", items, `[{"$sort":{"a":1}},{"$project":{"_id":1}}]`, `[{"_id":3},{"_id":4},{"_id":2},{"_id":5},{"_id":1}]`},
		{"$sort downwards is stable too", items, `[{"$sort":{"a":-1}},{"$project":{"_id":1}}]`, `[{"_id":1},{"_id":2},{"_id":5},{"_id":3},{"_id":4}]`},
		{"$sort by two, both ways", items, `[{"$sort":{"s":-1,"_id":1}},{"$project":{"_id":1}}]`, `[{"_id":2},{"_id":4},{"_id":1},{"_id":3},{"_id":5}]`},
		{"$sort upwards by the least element", `[{"_id":1,"a":[5,2]},{"_id":2,"a":3},{"_id":3,"a":[1,9]}]`, `[{"$sort":{"a":1}},{"$project":{"_id":1}}]`, `[{"_id":3},{"_id":1},{"_id":2}]`},
		{"$sort downwards by the greatest", `[{"_id":1,"a":[5,2]},{"_id":2,"a":3},{"_id":3,"a":[1,9]}]`, `[{"$sort":{"a":-1}},{"$project":{"_id":1}}]`, `[{"_id":3},{"_id":1},{"_id":2}]`},
		{"an empty array is below null", `[{"_id":1,"a":null},{"_id":2,"a":[]},{"_id":3,"a":{"$minKey":1}}]`, `[{"$sort":{"a":1}},{"$project":{"_id":1}}]`, `[{"_id":3},{"_id":2},{"_id":1}]`},
		{"an array in an array is an array", `[{"_id":1,"a":[[1]]},{"_id":2,"a":[{"x":1}]},{"_id":3,"a":"z"}]`, `[{"$sort":{"a":1}},{"$project":{"_id":1}}]`, `[{"_id":3},{"_id":2},{"_id":1}]`},
		{"$sort by a path through arrays", `[{"_id":1,"a":[{"b":5},{"b":2}]},{"_id":2,"a":{"b":3}},{"_id":3,"a":[{"b":1},7]}]`, `[{"$sort":{"a.b":1}},{"$project":{"_id":1}}]`, `[{"_id":3},{"_id":1},{"_id":2}]`},
		{"two paths through one array go by its elements", `[{"_id":1,"a":[{"x":1,"y":9},{"x":2,"y":0}]},{"_id":2,"a":[{"x":1,"y":5},{"x":5,"y":1}]}]`, `[{"$sort":{"a.x":1,"a.y":1}},{"$project":{"_id":1}}]`, `[{"_id":2},{"_id":1}]`},
		{"$sort by a position", `[{"_id":1,"a":[5,2]},{"_id":2,"a":[3]}]`, `[{"$sort":{"a.0":1}},{"$project":{"_id":1}}]`, `[{"_id":2},{"_id":1}]`},

		{"$group in the order of first sight", items, `[{"$group":{"_id":"$s","n":{"$sum":1},"l":{"$push":"$_id"}}}]`, `[{"_id":"x","n":3,"l":[1,3,5]},{"_id":"y","n":2,"l":[2,4]}]`},
		{"equal numbers are one group, null and missing too", items, `[{"$group":{"_id":"$a","l":{"$push":"$_id"}}}]`, `[{"_id":3,"l":[1]},{"_id":1,"l":[2,5]},{"_id":null,"l":[3,4]}]`},
		{"a document as _id", items, `[{"$group":{"_id":{"s":"$s","a":"$a"}}},{"$limit":3}]`, `[{"_id":{"s":"x","a":3}},{"_id":{"s":"y","a":1}},{"_id":{"s":"x"}}]`},
		{"one group of all", items, `[{"$group":{"_id":null,"n":{"$count":{}},"sum":{"$sum":"$a"},"avg":{"$avg":"$a"},"min":{"$min":"$a"},"max":{"$max":"$a"}}}]`,
			`[{"_id":null,"n":5,"sum":5.0,"avg":1.6666666666666667,"min":1,"max":3}]`},
		{"accumulators of nothing", `[{"_id":1}]`, `[{"$group":{"_id":null,"sum":{"$sum":"$a"},"avg":{"$avg":"$a"},"min":{"$min":"$a"},"first":{"$first":"$a"},"push":{"$push":"$a"},"set":{"$addToSet":"$a"},"m":{"$mergeObjects":"$a"}}}]`,
			`[{"_id":null,"sum":0,"avg":null,"min":null,"first":null,"push":[],"set":[],"m":{}}]`},
		{"$first and $last", items, `[{"$group":{"_id":null,"f":{"$first":"$a"},"l":{"$last":"$a"}}}]`, `[{"_id":null,"f":3,"l":1.0}]`},
		{"$addToSet takes equal values once", items, `[{"$group":{"_id":null,"s":{"$addToSet":"$a"}}}]`, `[{"_id":null,"s":[3,1,null]}]`},
		{"$mergeObjects", `[{"o":{"a":1,"b":1}},{"o":null},{"o":{"b":2,"c":3}}]`, `[{"$group":{"_id":null,"o":{"$mergeObjects":"$o"}}}]`, `[{"_id":null,"o":{"a":1,"b":2,"c":3}}]`},
		{"a sum of ints that grows", `[{"a":2147483647},{"a":1},{"a":"x"}]`, `[{"$group":{"_id":null,"s":{"$sum":"$a"}}}]`, `[{"_id":null,"s":{"$numberLong":"2147483648"}}]`},
		{"no documents, no groups", `[]`, `[{"$group":{"_id":null,"n":{"$sum":1}}}]`, `[]`},
		{"$sortByCount", items, `[{"$sortByCount":"$s"}]`, `[{"_id":"x","count":3},{"_id":"y","count":2}]`},

		{"$unwind", `[{"_id":1,"a":[1,2],"b":0}]`, `[{"$unwind":"$a"}]`, `[{"_id":1,"a":1,"b":0},{"_id":1,"a":2,"b":0}]`},
		{"$unwind drops what has no elements, and keeps a value", `[{"_id":1},{"_id":2,"a":null},{"_id":3,"a":[]},{"_id":4,"a":5}]`, `[{"$unwind":"$a"}]`, `[{"_id":4,"a":5}]`},
		{"preserveNullAndEmptyArrays", `[{"_id":1},{"_id":2,"a":null},{"_id":3,"a":[]},{"_id":4,"a":5}]`, `[{"$unwind":{"path":"$a","preserveNullAndEmptyArrays":true}}]`, `[{"_id":1},{"_id":2,"a":null},{"_id":3},{"_id":4,"a":5}]`},
		{"includeArrayIndex", `[{"_id":1,"a":[7,8]},{"_id":2,"a":5},{"_id":3}]`, `[{"$unwind":{"path":"$a","includeArrayIndex":"i.j","preserveNullAndEmptyArrays":true}}]`,
			`[{"_id":1,"a":7,"i":{"j":{"$numberLong":"0"}}},{"_id":1,"a":8,"i":{"j":{"$numberLong":"1"}}},{"_id":2,"a":5,"i":{"j":null}},{"_id":3,"i":{"j":null}}]`},
		{"$unwind within a document", `[{"_id":1,"a":{"b":[1,2],"c":3}}]`, `[{"$unwind":"$a.b"}]`, `[{"_id":1,"a":{"b":1,"c":3}},{"_id":1,"a":{"b":2,"c":3}}]`},
		{"$unwind does not go through arrays", `[{"_id":1,"a":[{"b":[1,2]}]}]`, `[{"$unwind":"$a.b"}]`, `[]`},

		{"$lookup", `[{"_id":1,"x":1},{"_id":2,"x":9}]`, `[{"$lookup":{"from":"foreign","localField":"x","foreignField":"k","as":"f"}},{"$project":{"f.v":1}}]`, `[{"_id":1,"f":[{"v":"a"},{"v":"c"}]},{"_id":2,"f":[]}]`},
		{"$lookup by the elements of an array", `[{"_id":1,"x":[2,3]}]`, `[{"$lookup":{"from":"foreign","localField":"x","foreignField":"k","as":"f"}},{"$project":{"f.v":1}}]`, `[{"_id":1,"f":[{"v":"b"},{"v":"c"}]}]`},
		{"$lookup: missing equals null and missing", `[{"_id":1},{"_id":2,"x":null}]`, `[{"$lookup":{"from":"foreign","localField":"x","foreignField":"k","as":"f"}},{"$project":{"f.v":1}}]`, `[{"_id":1,"f":[{"v":"d"},{"v":"e"}]},{"_id":2,"f":[{"v":"d"},{"v":"e"}]}]`},
		{"$lookup by paths through arrays", `[{"_id":1,"x":[{"y":1},{"y":3}]}]`, `[{"$lookup":{"from":"foreign","localField":"x.y","foreignField":"k.x","as":"f"}},{"$project":{"f.v":1}}]`, `[{"_id":1,"f":[{"v":"f"},{"v":"g"}]}]`},
		{"$lookup from nothing, into a path", `[{"_id":1,"f":1}]`, `[{"$lookup":{"from":"none","localField":"x","foreignField":"k","as":"f.g"}}]`, `[{"_id":1,"f":{"g":[]}}]`},
		{"$lookup by a pipeline", `[{"_id":1,"x":2},{"_id":2,"x":1}]`, `[{"$lookup":{"from":"foreign","let":{"x":"$x"},"pipeline":[{"$match":{"$expr":{"$eq":["$k","$$x"]}}},{"$project":{"_id":0,"v":1,"x":"$$x","o":"$$outer"}}],"as":"f"}}]`,
			`[{"_id":1,"x":2,"f":[{"v":"b","x":2,"o":2}]},{"_id":2,"x":1,"f":[{"v":"a","x":1,"o":2}]}]`},
		{"$lookup by both", `[{"_id":1,"x":1}]`, `[{"$lookup":{"from":"foreign","localField":"x","foreignField":"k","pipeline":[{"$match":{"v":"c"}},{"$project":{"v":1}}],"as":"f"}}]`, `[{"_id":1,"x":1,"f":[{"_id":3,"v":"c"}]}]`},
		{"$lookup within $lookup sees all variables", `[{"_id":1,"x":1},{"_id":2,"x":2}]`,
			`[{"$lookup":{"from":"foreign","let":{"x":"$x"},"as":"f","pipeline":[{"$match":{"_id":{"$lte":2}}},{"$lookup":{"from":"foreign","let":{"y":"$_id"},"as":"g","pipeline":[{"$match":{"$expr":{"$eq":["$_id",{"$add":["$$x","$$y"]}]}}},{"$project":{"_id":1}}]}},{"$project":{"g":1}}]}},{"$project":{"f":1}}]`,
			`[{"_id":1,"f":[{"_id":1,"g":[{"_id":2}]},{"_id":2,"g":[{"_id":3}]}]},{"_id":2,"f":[{"_id":1,"g":[{"_id":3}]},{"_id":2,"g":[{"_id":4}]}]}]`},
		{"$lookup of $documents", `[{"_id":1,"x":1}]`, `[{"$lookup":{"let":{"x":"$x"},"pipeline":[{"$documents":[{"k":1},{"k":"$$x"}]}],"as":"f"}}]`, `[{"_id":1,"x":1,"f":[{"k":1},{"k":1}]}]`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, err := run(t, c.docs, c.pipeline)
			if err != nil {
				t.Fatal(err)
			}
			wantDocs(t, got, c.want)
		})
	}
}

// TestErrors: what is refused, and with which code.
func TestErrors(t *testing.T) {
	const docs = `[{"_id":1,"a":[1],"b":[1],"n":1}]`
	for _, c := range []struct {
		rule, pipeline string
		code           fault.Code
	}{
		{"two fields in a stage", `[{"$match":{},"$limit":1}]`, 40323},
		{"no field in a stage", `[{}]`, 40323},
		{"a stage that nobody knows", `[{"$foo":1}]`, 40324},
		{"a stage that is not offered", `[{"$facet":{}}]`, fault.CommandNotSupported},
		{"$match of no document", `[{"$match":1}]`, 15959},
		{"$limit: 0", `[{"$limit":0}]`, 15958},
		{"a negative $limit", `[{"$limit":-1}]`, 5107201},
		{"a $limit that is no number", `[{"$limit":"1"}]`, 5107201},
		{"a broken $skip", `[{"$skip":1.5}]`, 5107200},
		{"$count of no string", `[{"$count":1}]`, 40156},
		{"$count of an empty name", `[{"$count":""}]`, 40157},
		{"$count of a path", `[{"$count":"$a"}]`, 40158},
		{"$count of a dotted name", `[{"$count":"a.b"}]`, 40160},
		{"$sample of no number", `[{"$sample":{"size":"x"}}]`, 28746},
		{"$sample of nothing", `[{"$sample":{"size":0}}]`, 28747},
		{"$documents that is not first", `[{"$limit":1},{"$documents":[]}]`, 40602},
		{"$documents of no array", `[{"$documents":1}]`, 5858203},
		{"$sort of no document", `[{"$sort":1}]`, 15973},
		{"$sort by nothing", `[{"$sort":{}}]`, 15976},
		{"$sort by no number", `[{"$sort":{"a":"x"}}]`, 15974},
		{"$sort by 2", `[{"$sort":{"a":2}}]`, 15975},
		{"$sort by a score", `[{"$sort":{"a":{"$meta":"textScore"}}}]`, fault.CommandNotSupported},
		{"$sort by two arrays", `[{"$sort":{"a":1,"b":1}}]`, fault.BadValue},
		{"$group of no document", `[{"$group":1}]`, 15947},
		{"$group without _id", `[{"$group":{"n":{"$sum":1}}}]`, 15955},
		{"$group by no accumulator", `[{"$group":{"_id":1,"n":1}}]`, 40234},
		{"$group by two", `[{"$group":{"_id":1,"n":{"$sum":1,"$avg":1}}}]`, 40238},
		{"$group with a dotted name", `[{"$group":{"_id":1,"a.b":{"$sum":1}}}]`, 40235},
		{"$group with an operator's name", `[{"$group":{"_id":1,"$a":{"$sum":1}}}]`, 40236},
		{"an unknown accumulator", `[{"$group":{"_id":1,"a":{"$foo":1}}}]`, 15952},
		{"an accumulator that is not offered", `[{"$group":{"_id":1,"a":{"$stdDevPop":1}}}]`, fault.CommandNotSupported},
		{"an accumulator of two arguments", `[{"$group":{"_id":1,"a":{"$sum":[1,2]}}}]`, 40237},
		{"$mergeObjects of a number", `[{"$group":{"_id":1,"a":{"$mergeObjects":"$n"}}}]`, 40400},
		{"$unwind of a number", `[{"$unwind":1}]`, 15981},
		{"$unwind without $", `[{"$unwind":"a"}]`, 28818},
		{"$unwind of no path", `[{"$unwind":{}}]`, 28812},
		{"$unwind of another path", `[{"$unwind":{"path":1}}]`, 28808},
		{"$unwind with an unknown option", `[{"$unwind":{"path":"$a","x":1}}]`, 28811},
		{"$unwind with a bad index", `[{"$unwind":{"path":"$a","includeArrayIndex":"$i"}}]`, 28822},
		{"$unwind with a bad flag", `[{"$unwind":{"path":"$a","preserveNullAndEmptyArrays":1}}]`, 28809},
		{"$lookup without as", `[{"$lookup":{"from":"x","localField":"a","foreignField":"b"}}]`, fault.FailedToParse},
		{"$lookup without from", `[{"$lookup":{"as":"x","localField":"a","foreignField":"b"}}]`, fault.FailedToParse},
		{"$lookup with half of a pair", `[{"$lookup":{"from":"x","as":"x","localField":"a"}}]`, fault.FailedToParse},
		{"$lookup with let alone", `[{"$lookup":{"from":"x","as":"x","localField":"a","foreignField":"b","let":{}}}]`, fault.FailedToParse},
		{"$lookup with a bad variable", `[{"$lookup":{"from":"x","as":"x","pipeline":[],"let":{"A":1}}}]`, fault.FailedToParse},
		{"$lookup with a bad pipeline", `[{"$lookup":{"from":"x","as":"x","pipeline":[{"$foo":1}]}}]`, 40324},
		{"$lookup that writes", `[{"$lookup":{"from":"x","as":"x","pipeline":[{"$out":"y"}]}}]`, 51047},
		{"$lookup from another database", `[{"$lookup":{"from":{"db":"x","coll":"y"},"as":"x","pipeline":[]}}]`, fault.CommandNotSupported},
		{"$lookup from what cannot be read", `[{"$lookup":{"from":"broken","as":"x","pipeline":[]}}]`, 0},
		{"$lookup of $documents by fields", `[{"$lookup":{"as":"x","localField":"a","foreignField":"b","pipeline":[{"$documents":[]}]}}]`, fault.CommandNotSupported},
		{"$out that is not last", `[{"$out":"x"},{"$limit":1}]`, 40601},
		{"$out of a number", `[{"$out":1}]`, 16990},
		{"$merge of a number", `[{"$merge":1}]`, 51182},
		{"$merge without into", `[{"$merge":{"on":"x"}}]`, 40414},
		{"$merge with an unknown field", `[{"$merge":{"into":"x","y":1}}]`, 40415},
		{"$merge on nothing", `[{"$merge":{"into":"x","on":[]}}]`, 51187},
		{"$merge in an unknown mode", `[{"$merge":{"into":"x","whenMatched":"y"}}]`, fault.BadValue},
		{"$merge in modes that do not go together", `[{"$merge":{"into":"x","whenMatched":"fail","whenNotMatched":"discard"}}]`, 51181},
		{"$merge with let in vain", `[{"$merge":{"into":"x","let":{"a":1}}}]`, 51199},
		{"$merge with a bad pipeline", `[{"$merge":{"into":"x","whenMatched":[{"$limit":1}]}}]`, fault.InvalidOptions},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := run(t, docs, c.pipeline)
			if c.code == 0 && err == nil {
				t.Error("no error")
			} else if c.code != 0 {
				wantCode(t, err, c.code)
			}
		})
	}
}

// TestNesting: pipelines stand in each other only so deep.
func TestNesting(t *testing.T) {
	nested := func(n int) string {
		p := `[]`
		for range n {
			p = fmt.Sprintf(`[{"$lookup":{"from":"none","as":"x","pipeline":%s}}]`, p)
		}
		return p
	}
	if _, err := run(t, `[]`, nested(20)); err != nil {
		t.Error(err)
	}
	_, err := run(t, `[]`, nested(21))
	wantCode(t, err, 232)
}

func TestSortCollation(t *testing.T) {
	c, err := collation.Parse(value.D("locale", "en", "strength", 2))
	if err != nil {
		t.Fatal(err)
	}
	got, err := runIn(t, environment(t, c), `[{"_id":"b"},{"_id":"A"},{"_id":"a"},{"_id":"B"}]`, `[{"$sort":{"_id":-1}}]`)
	if err != nil {
		t.Fatal(err)
	}
	wantDocs(t, got, `[{"_id":"b"},{"_id":"B"},{"_id":"A"},{"_id":"a"}]`)
	got, err = runIn(t, environment(t, c), `[{"_id":"b"},{"_id":"A"},{"_id":"a"}]`, `[{"$group":{"_id":"$_id","n":{"$sum":1}}}]`)
	if err != nil {
		t.Fatal(err)
	}
	wantDocs(t, got, `[{"_id":"b","n":1},{"_id":"A","n":2}]`)
	got, err = runIn(t, environment(t, c), `[{"_id":"a"}]`, `[{"$lookup":{"from":"foreign","localField":"_id","foreignField":"k","as":"f"}},{"$project":{"f.v":1}}]`)
	if err != nil {
		t.Fatal(err)
	}
	wantDocs(t, got, `[{"_id":"a","f":[{"v":"h"}]}]`)
}

// TestSortLimit: with a $limit behind it a $sort gives what it gives without.
func TestSortLimit(t *testing.T) {
	var docs []string
	for i := range 5000 {
		docs = append(docs, fmt.Sprintf(`{"_id":%d,"a":%d}`, i, i*7919%97))
	}
	all := "[" + strings.Join(docs, ",") + "]"
	sorted, err := run(t, all, `[{"$sort":{"a":1}}]`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := run(t, all, `[{"$sort":{"a":1}},{"$limit":150},{"$limit":140}]`)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 140 {
		t.Fatalf("%d documents", len(got))
	}
	for i := range got {
		if string(got[i]) != string(sorted[i]) {
			t.Fatalf("the document %d is %v, want %v", i, got[i], sorted[i])
		}
	}
}

// TestLeading: an index may serve the $match that comes first, no other.
func TestLeading(t *testing.T) {
	for pipeline, want := range map[string]bool{
		`[{"$match":{"a":1}},{"$limit":1}]`: true,
		`[{"$limit":1},{"$match":{"a":1}}]`: false,
		`[]`:                                false,
	} {
		p, err := aggregate.Compile(list(t, pipeline), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Leading() != nil; got != want {
			t.Errorf("%s: %v", pipeline, got)
		}
	}
}
