package aggregate_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/value"
)

// joined gives the _ids of the local documents that find the foreign one, and
// those of the foreign documents that the local one finds.
func joined(t *testing.T, docs, localField, other, otherField string) (asLocal, asForeign []int64) {
	t.Helper()
	find := func(local, localField, foreign, foreignField string) []value.Doc {
		env := &aggregate.Env{Collection: func(string) (aggregate.Iterator, error) { return aggregate.Docs(list(t, foreign)...), nil }}
		got, err := runIn(t, env, local, fmt.Sprintf(`[{"$lookup":{"from":"x","localField":%q,"foreignField":%q,"as":"f"}}]`, localField, foreignField))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	id := func(d value.Doc) int64 { n, _ := value.Integer(value.Get(d, "_id")); return n }
	for _, d := range find(docs, localField, other, otherField) {
		if len(value.Items(value.Get(d, "f"))) > 0 {
			asLocal = append(asLocal, id(d))
		}
	}
	for _, d := range find(other, otherField, docs, localField) {
		for _, f := range value.Items(value.Get(d, "f")) {
			asForeign = append(asForeign, id(value.Doc(f.Value)))
		}
	}
	return asLocal, asForeign
}

// TestLookupEquality: which values of a path equal which other ones. A local
// array stands for its elements, a foreign one for itself too.
func TestLookupEquality(t *testing.T) {
	for _, c := range []struct {
		rule, docs, path, other string
		asLocal, asForeign      []int64
	}{
		{"a scalar and elements", `[{"_id":1,"a":7},{"_id":2,"a":[7]},{"_id":3,"a":[6,7]},{"_id":4,"a":[[7]]},{"_id":5,"a":{"b":7}},{"_id":6}]`, "a", `[{"_id":0,"k":7.0}]`,
			[]int64{1, 2, 3}, []int64{1, 2, 3}},
		{"a path and a scalar", `[{"_id":1,"a":{"b":7}},{"_id":2,"a":[{"b":6},{"b":7}]},{"_id":3,"a":[{"b":[6,7]},1]},{"_id":4,"a":{"b":[[7]]}},{"_id":5,"a":[[{"b":7}]]}]`, "a.b", `[{"_id":0,"k":7}]`,
			[]int64{1, 2, 3}, []int64{1, 2, 3}},
		{"an array", `[{"_id":1,"a":[[6,7],1]},{"_id":2,"a":[6,7]},{"_id":3,"a":6},{"_id":4,"a":[7,6]},{"_id":5,"a":[1]}]`, "a", `[{"_id":0,"k":[6,7]}]`,
			[]int64{1, 2, 3, 4}, []int64{2, 3, 4}},
		{"an array in an array", `[{"_id":1,"a":[[6,7],1]},{"_id":2,"a":[6,7]},{"_id":3,"a":6}]`, "a", `[{"_id":0,"k":[[6,7]]}]`,
			[]int64{1}, []int64{1, 2}},
		{"null", `[{"_id":1,"a":null},{"_id":2},{"_id":3,"a":[null,1]},{"_id":4,"a":[]},{"_id":5,"a":0}]`, "a", `[{"_id":0,"k":null}]`,
			[]int64{1, 2, 3, 4}, []int64{1, 2, 3}},
		{"what is missing", `[{"_id":1,"a":null},{"_id":2},{"_id":3,"a":[null,1]},{"_id":4,"a":[]},{"_id":5,"a":0}]`, "a", `[{"_id":0}]`,
			[]int64{1, 2, 3, 4}, []int64{1, 2, 3}},
		{"what is missing on a path", `[{"_id":1,"a":{}},{"_id":2,"a":[{"c":1}]},{"_id":3,"a":[{"c":1},{"b":1}]},{"_id":4,"a":[1]},{"_id":5,"a":[]},{"_id":6,"a":1},{"_id":7,"a":[{"b":null},{"b":1}]}]`, "a.b", `[{"_id":0,"k":null}]`,
			[]int64{1, 2, 4, 5, 6, 7}, []int64{1, 2, 3, 6, 7}},
		{"an empty array", `[{"_id":1,"a":[[]]},{"_id":2,"a":[]},{"_id":3,"a":null},{"_id":4},{"_id":5,"a":[1]}]`, "a", `[{"_id":0,"k":[]}]`,
			[]int64{1}, []int64{3, 4}},
		{"a position", `[{"_id":1,"a":[{"b":7},{"b":1}]},{"_id":2,"a":[{"b":1},{"b":7}]},{"_id":3,"a":{"0":{"b":7}}}]`, "a.0.b", `[{"_id":0,"k":7}]`,
			[]int64{1, 3}, []int64{1, 3}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			asLocal, asForeign := joined(t, c.docs, c.path, c.other, "k")
			if diff := cmp.Diff(c.asLocal, asLocal); diff != "" {
				t.Errorf("as local documents (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.asForeign, asForeign); diff != "" {
				t.Errorf("as foreign documents (-want +got):\n%s", diff)
			}
		})
	}
}
