package aggregate_test

import (
	"testing"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func output(t *testing.T, pipeline string) *aggregate.Output {
	t.Helper()
	p, err := aggregate.Compile(list(t, pipeline), environment(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	return p.Output()
}

func TestOut(t *testing.T) {
	if got := output(t, `[{"$match":{}}]`); got != nil {
		t.Errorf("no output: %v", got)
	}
	if got := output(t, `[{"$out":"x"}]`); got.DB != "" || got.Collection != "x" || got.Merge != nil {
		t.Errorf("got %v", got)
	}
	if got := output(t, `[{"$out":{"db":"d","coll":"x"}}]`); got.DB != "d" || got.Collection != "x" {
		t.Errorf("got %v", got)
	}
	got, err := run(t, `[{"_id":1}]`, `[{"$set":{"a":1}},{"$out":"x"}]`)
	if err != nil {
		t.Fatal(err)
	}
	wantDocs(t, got, `[{"_id":1,"a":1}]`)
}

// TestMerge: what becomes of the document that is there.
func TestMerge(t *testing.T) {
	for _, c := range []struct {
		rule, merge, existing, doc, want string
		code                             fault.Code
	}{
		{rule: "merge is the default", merge: `"x"`, existing: `{"_id":1,"a":1,"b":2}`, doc: `{"_id":1,"a":9,"c":3}`, want: `{"_id":1,"a":9,"b":2,"c":3}`},
		{rule: "replace", merge: `{"into":"x","whenMatched":"replace"}`, existing: `{"_id":1,"a":1,"b":2}`, doc: `{"_id":1,"c":3}`, want: `{"_id":1,"c":3}`},
		{rule: "keepExisting", merge: `{"into":"x","whenMatched":"keepExisting"}`, existing: `{"_id":1,"a":1}`, doc: `{"_id":1,"c":3}`, want: `{"_id":1,"a":1}`},
		{rule: "fail", merge: `{"into":"x","whenMatched":"fail"}`, existing: `{"_id":1,"a":1}`, doc: `{"_id":1,"c":3}`, code: fault.DuplicateKey},
		{rule: "a pipeline has $$new", merge: `{"into":"x","whenMatched":[{"$set":{"a":{"$add":["$a","$$new.a"]}}}]}`, existing: `{"_id":1,"a":1}`, doc: `{"_id":1,"a":3}`, want: `{"_id":1,"a":4}`},
		{rule: "and what let says", merge: `{"into":"x","let":{"n":"$a"},"whenMatched":[{"$set":{"a":"$$n","o":"$$outer"}}]}`, existing: `{"_id":1,"a":1}`, doc: `{"_id":1,"a":3}`, want: `{"_id":1,"a":3,"o":2}`},
		{rule: "another _id", merge: `{"into":"x","on":"k"}`, existing: `{"_id":1,"k":1}`, doc: `{"_id":2,"k":1}`, code: fault.ImmutableField},
	} {
		t.Run(c.rule, func(t *testing.T) {
			m := output(t, `[{"$merge":`+c.merge+`}]`).Merge
			got, err := m.Apply(list(t, "["+c.existing+"]")[0], list(t, "["+c.doc+"]")[0])
			if c.code != 0 {
				wantCode(t, err, c.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantDocs(t, []value.Doc{got.Doc}, "["+c.want+"]")
		})
	}
}

// TestMergeFilter: how the document that is there is found.
func TestMergeFilter(t *testing.T) {
	m := output(t, `[{"$merge":{"into":{"db":"d","coll":"x"},"on":["a.b","c"],"whenMatched":"fail","whenNotMatched":"insert"}}]`).Merge
	f, err := m.Filter(list(t, `[{"a":{"b":1},"c":"x"}]`)[0])
	if err != nil {
		t.Fatal(err)
	}
	wantDocs(t, []value.Doc{f}, `[{"a.b":{"$eq":1},"c":{"$eq":"x"}}]`)
	for _, doc := range []string{`{"c":1}`, `{"a":{"b":null},"c":1}`, `{"a":{"b":[1]},"c":1}`} {
		_, err := m.Filter(list(t, "["+doc+"]")[0])
		wantCode(t, err, 51132)
	}
	m = output(t, `[{"$merge":"x"}]`).Merge
	if f, err := m.Filter(value.D("a", 1)); f != nil || err != nil {
		t.Errorf("without an _id: %v %v", f, err)
	}
}
