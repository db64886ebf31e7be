package update_test

import (
	"strings"
	"testing"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

func TestKinds(t *testing.T) {
	for u, want := range map[string][3]bool{ // replacement, pipeline, positional
		`{}`:                     {true, false, false},
		`{"a":1}`:                {true, false, false},
		`{"$set":{"a":1}}`:       {false, false, false},
		`{"$set":{"a.$.b":1}}`:   {false, false, true},
		`{"$set":{"a.$[].b":1}}`: {false, false, false},
		`[]`:                     {false, true, false},
		`[{"$set":{"a":1}}]`:     {false, true, false},
	} {
		c, err := compile(t, u)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]bool{c.IsReplacement(), c.IsPipeline(), c.NeedsPosition()}; got != want {
			t.Errorf("%s: %v, want %v", u, got, want)
		}
	}
	if _, err := update.Compile(value.Int32(1), nil, nil); !fault.Is(err, fault.FailedToParse) {
		t.Errorf("a number as an update: %v", err)
	}
}

// TestMergedPaths: paths that turn out to lead to the same element are followed
// together as far as they do.
func TestMergedPaths(t *testing.T) {
	for _, c := range []struct {
		rule, update, want string
		filters            []string
	}{
		{"fields beside each other", `{"$set":{"a.$[x].c":1,"a.$[y].d":2,"a.$[].e":3}}`, `{"_id":1,"a":[{"b":[1],"c":1,"d":2,"e":3}]}`, []string{`{"x.b":1}`, `{"y.b":1}`}},
		{"elements beside each other", `{"$set":{"a.$[x].b.$[z]":5,"a.$[y].b.1":6}}`, ``, []string{`{"x.b":1}`, `{"y.b":1}`, `{"z":1}`}},
		{"positions beside each other", `{"$set":{"a.$[x].b.0":5,"a.$[y].b.1":6}}`, `{"_id":1,"a":[{"b":[5,6]}]}`, []string{`{"x.b":1}`, `{"y.b":1}`}},
		{"the same elements", `{"$set":{"a.$[x].b.$[]":5,"a.$[y].b.$[]":6}}`, ``, []string{`{"x.b":1}`, `{"y.b":1}`}},
		{"an element and what is in it", `{"$set":{"a.$[x]":5,"a.$[y].b":6}}`, ``, []string{`{"x.b":1}`, `{"y.b":1}`}},
		{"of $[] and $[z] at the end", `{"$set":{"a.$[].b.$[z]":5,"a.$[x].b.$[w]":6}}`, `{"_id":1,"a":[{"b":[5]}]}`, []string{`{"x.b":1}`, `{"z":1}`, `{"w":2}`}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, err := apply(t, `{"_id":1,"a":[{"b":[1]}]}`, c.update, 0, c.filters...)
			if c.want == "" {
				wantCode(t, err, fault.ConflictingUpdateOperators)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantDoc(t, got.Doc, c.want)
		})
	}
}

// TestDepth: no update makes a document that nests deeper than any may.
func TestDepth(t *testing.T) {
	path := strings.Repeat("a.", 150) + "a"
	deep := strings.Repeat(`{"b":`, 100) + "1" + strings.Repeat("}", 100)
	for _, u := range []string{
		`{"$set":{"` + path + `":` + deep + `}}`,
		`{"$rename":{"x":"` + path + `"}}`,
		`[{"$set":{"y":"$x","z":{"b":{"c":"$x"}}}},{"$set":{"y":{"y":{"y":"$$ROOT"}}}},{"$set":{"y":{"y":{"y":"$$ROOT"}}}},{"$set":{"y":` +
			strings.Repeat(`{"y":`, 90) + `"$x"` + strings.Repeat("}", 90) + `}}]`,
	} {
		_, err := apply(t, `{"_id":1,"x":`+deep+`}`, u, -1)
		wantCode(t, err, fault.Overflow)
	}
	if _, err := compile(t, `{"$set":{"`+strings.Repeat("a.", 200)+`a":1}}`); !fault.Is(err, fault.Overflow) {
		t.Errorf("a long path: %v", err)
	}
	got, err := apply(t, `{"_id":1}`, `{"$set":{"`+path+`":1}}`, -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := value.Validate(got.Doc); err != nil {
		t.Error(err)
	}
}

// TestGrowth: a pipeline that doubles its document again and again ends with an
// error.
func TestGrowth(t *testing.T) {
	stages := make([]string, 40)
	for i := range stages {
		stages[i] = `{"$replaceWith":{"a":"$$ROOT","b":"$$ROOT"}}`
	}
	_, err := apply(t, `{"_id":1}`, "["+strings.Join(stages, ",")+"]", -1)
	wantCode(t, err, 146) // ExceededMemoryLimit, of the expression that grows too large
	for i := range stages {
		stages[i] = `{"$set":{"a":"$$ROOT","b":"$$ROOT"}}`
	}
	_, err = apply(t, `{"_id":1}`, "["+strings.Join(stages, ",")+"]", -1)
	wantCode(t, err, fault.BSONObjectTooLarge)
}
