package project_test

import (
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/project"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/valuetest"
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

// compile compiles a specification: of find, with a query, or of a stage.
func compile(t testing.TB, kind, query, spec string) (*project.Projection, error) {
	t.Helper()
	switch kind {
	case "find":
		f, err := match.Compile(doc(t, query), nil)
		if err != nil {
			t.Fatal(err)
		}
		return project.CompileFind(doc(t, spec), f, nil)
	case "project":
		return project.CompileStage(doc(t, spec), nil)
	case "set":
		return project.CompileSet(doc(t, spec), nil)
	}
	return project.CompileUnset(value.Get(doc(t, spec), "v"))
}

func TestApply(t *testing.T) {
	nested := `{"_id": 1, "a": [{"b": 1, "c": 2}, 5, null, {"c": 3}, [{"b": 4, "c": 5}, 6]], "d": {"e": 1, "f": 2}, "g": 7}`
	for _, c := range []struct{ rule, kind, query, spec, doc, want string }{
		{"an empty projection keeps all", "find", `{}`, `{}`, nested, nested},
		{"inclusion keeps the document's order and _id", "find", `{}`, `{"g": 1, "d": true}`, nested, `{"_id": 1, "d": {"e": 1, "f": 2}, "g": 7}`},
		{"_id may be left out of an inclusion", "find", `{}`, `{"g": 1, "_id": 0}`, nested, `{"g": 7}`},
		{"_id alone", "find", `{}`, `{"_id": 1}`, nested, `{"_id": 1}`},
		{"_id alone left out", "find", `{}`, `{"_id": 0}`, `{"_id": 1, "a": 2}`, `{"a": 2}`},
		{"_id may be kept by an exclusion", "find", `{}`, `{"_id": 1, "a": 0}`, `{"_id": 1, "a": 2, "b": 3}`, `{"_id": 1, "b": 3}`},
		{"inclusion in an array: of each document; scalars vanish; nested arrays too have it", "project", "", `{"a.b": 1}`, nested,
			`{"_id": 1, "a": [{"b": 1}, {}, [{"b": 4}]]}`},
		{"exclusion in an array: scalars stay", "project", "", `{"a.b": 0, "d": 0, "g": 0}`, nested,
			`{"_id": 1, "a": [{"c": 2}, 5, null, {"c": 3}, [{"c": 5}, 6]]}`},
		{"a missing field leaves an empty document", "find", `{}`, `{"d.x": 1}`, nested, `{"_id": 1, "d": {}}`},
		{"below a scalar there is nothing to include", "find", `{}`, `{"g.x": 1}`, nested, `{"_id": 1}`},
		{"below a scalar there is nothing to exclude", "find", `{}`, `{"d": 0, "a": 0, "g.x": 0}`, nested, `{"_id": 1, "g": 7}`},
		{"specifications nest", "find", `{}`, `{"d": {"e": 1}}`, nested, `{"_id": 1, "d": {"e": 1}}`},
		{"nested and dotted mix", "project", "", `{"d": {"e": 1}, "d.f": 1}`, nested, `{"_id": 1, "d": {"e": 1, "f": 2}}`},
		{"computed fields come last, in the specification's order", "project", "", `{"y": "$g", "g": 1, "x": {"$add": ["$g", 1]}}`, nested,
			`{"_id": 1, "g": 7, "y": 7, "x": 8}`},
		{"a computed field leaves its place for the end", "project", "", `{"d": "$g", "g": 1}`, nested, `{"_id": 1, "g": 7, "d": 7}`},
		{"other values are literals", "find", `{}`, `{"x": "y", "z": null, "l": ["$g", 1]}`, nested, `{"_id": 1, "x": "y", "z": null, "l": [7, 1]}`},
		{"a missing value makes no field", "project", "", `{"x": "$nope", "y": "$$REMOVE"}`, nested, `{"_id": 1}`},
		{"computed below a document", "project", "", `{"d.n": "$g", "d.e": 1}`, nested, `{"_id": 1, "d": {"e": 1, "n": 7}}`},
		{"computed below an array: in each element, scalars become documents", "project", "", `{"a.n": "$g"}`, `{"a": [{"b": 1}, 2], "g": 7}`,
			`{"a": [{"n": 7}, {"n": 7}]}`},
		{"computed below nothing", "project", "", `{"x.y.z": "$g"}`, nested, `{"_id": 1, "x": {"y": {"z": 7}}}`},
		{"expressions see the original document", "set", "", `{"a": "$b", "b": "$a"}`, `{"a": 1, "b": 2}`, `{"a": 2, "b": 1}`},
		{"$set replaces in place and appends", "set", "", `{"x": 1, "a": 0}`, `{"a": 1, "b": 2}`, `{"a": 0, "b": 2, "x": 1}`},
		{"$set goes into documents", "set", "", `{"d": {"e": 5, "n": 6}}`, `{"d": {"e": 1, "f": 2}}`, `{"d": {"e": 5, "f": 2, "n": 6}}`},
		{"$set goes into each element of arrays", "set", "", `{"a.n": 1}`, `{"a": [{"b": 1}, 2, [{"b": 3}]]}`, `{"a": [{"b": 1, "n": 1}, {"n": 1}, [{"b": 3, "n": 1}]]}`},
		{"$set replaces a scalar by a document", "set", "", `{"a.b.c": 1}`, `{"a": 5}`, `{"a": {"b": {"c": 1}}}`},
		{"$set of a missing value removes the field", "set", "", `{"a": "$$REMOVE"}`, `{"a": 5, "b": 1}`, `{"b": 1}`},
		{"$set takes false and 0 as values", "set", "", `{"a": false, "b": {}}`, `{"a": 5}`, `{"a": false, "b": {}}`},
		{"$unset of a path", "unset", "", `{"v": "d.e"}`, nested, strings.Replace(nested, `"e": 1, `, "", 1)},
		{"$unset of paths", "unset", "", `{"v": ["a", "_id"]}`, `{"_id": 1, "a": 2, "b": 3}`, `{"b": 3}`},

		{"$slice: the first", "find", `{}`, `{"a": {"$slice": 2}}`, `{"a": [1, 2, 3], "b": 1}`, `{"a": [1, 2], "b": 1}`},
		{"$slice: the last", "find", `{}`, `{"a": {"$slice": -2}}`, `{"a": [1, 2, 3]}`, `{"a": [2, 3]}`},
		{"$slice: skip and limit", "find", `{}`, `{"a": {"$slice": [1, 1]}}`, `{"a": [1, 2, 3]}`, `{"a": [2]}`},
		{"$slice: from the end", "find", `{}`, `{"a": {"$slice": [-2, 1]}}`, `{"a": [1, 2, 3]}`, `{"a": [2]}`},
		{"$slice: beyond the start", "find", `{}`, `{"a": {"$slice": [-5, 2]}}`, `{"a": [1, 2, 3]}`, `{"a": [1, 2]}`},
		{"$slice: in an inclusion", "find", `{}`, `{"a": {"$slice": 1}, "b": 1}`, `{"a": [1, 2], "b": 1, "c": 2}`, `{"a": [1], "b": 1}`},
		{"$slice: of no array", "find", `{}`, `{"a": {"$slice": 1}}`, `{"a": 5}`, `{"a": 5}`},
		{"$slice: nested, with exclusion", "find", `{}`, `{"a.b": {"$slice": 1}, "c": 0}`, `{"a": {"b": [1, 2], "x": 1}, "c": 1}`, `{"a": {"b": [1], "x": 1}}`},
		{"$slice of an array is an expression's, where it is no count", "find", `{}`, `{"x": {"$slice": ["$a", 1]}}`, `{"a": [1, 2]}`, `{"x": [1]}`},
		{"$elemMatch: the first that matches, behind the others", "find", `{}`, `{"a": {"$elemMatch": {"b": {"$gt": 1}}}, "z": 1}`,
			`{"a": [{"b": 1}, {"b": 2}, {"b": 3}], "z": 1}`, `{"z": 1, "a": [{"b": 2}]}`},
		{"$elemMatch: of values", "find", `{}`, `{"a": {"$elemMatch": {"$gt": 1}}}`, `{"a": [1, 2, 3], "z": 1}`, `{"a": [2]}`},
		{"$elemMatch: none, no field", "find", `{}`, `{"a": {"$elemMatch": {"$gt": 5}}}`, `{"_id": 1, "a": [1, 2, 3]}`, `{"_id": 1}`},
		{"positional: the element that the query matched", "find", `{"a": {"$gte": 2}}`, `{"a.$": 1}`, `{"_id": 1, "a": [1, 2, 3]}`, `{"_id": 1, "a": [2]}`},
		{"positional: by another field's position", "find", `{"b": 8}`, `{"a.$": 1}`, `{"a": [1, 2, 3], "b": [7, 8, 9]}`, `{"a": [2]}`},
		{"positional: below the array", "find", `{"a.b": 2}`, `{"a.b.$": 1}`, `{"a": [{"b": 1, "c": 1}, {"b": 2, "c": 2}]}`, `{"a": [{"b": 2}]}`},
		{"positional: with $elemMatch in the query", "find", `{"a": {"$elemMatch": {"b": 2, "c": 3}}}`, `{"a.$": 1}`,
			`{"a": [{"b": 2, "c": 2}, {"b": 2, "c": 3}]}`, `{"a": [{"b": 2, "c": 3}]}`},
	} {
		p, err := compile(t, c.kind, c.query, c.spec)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		got, err := p.Apply(doc(t, c.doc))
		if want := doc(t, c.want); err != nil || got.String() != want.String() {
			t.Errorf("%s: %s of %s\ngot  %v %v\nwant %v", c.rule, c.spec, c.doc, got, err, want)
		}
		if err == nil && value.Validate(got) != nil {
			t.Errorf("%s: not valid: %v", c.rule, value.Validate(got))
		}
	}
}

func TestMany(t *testing.T) {
	spec, in, want := value.NewBuilder(nil), value.NewBuilder(nil), value.NewBuilder(nil)
	for i := range 100 { // more than few, and than 64
		name := fmt.Sprint("f", i)
		spec.Append(name, value.Bool(true))
		in.Append(name, value.Int(int64(i))).Append("x"+name, value.Null())
		want.Append(name, value.Int(int64(i)))
		spec.Append("c"+name, value.String("$"+name))
	}
	for i := range 100 {
		want.Append(fmt.Sprint("cf", i), value.Int(int64(i)))
	}
	fields, input := spec.Doc(), in.Doc()
	p, err := project.CompileStage(fields, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Apply(input); err != nil || got.String() != want.Doc().String() {
		t.Errorf("got %v, %v", got, err)
	}
	set, err := project.CompileSet(fields, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := set.Apply(input)
	if err != nil || value.Validate(got) != nil || strings.Count(got.String(), "cf") != 100 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		rule, kind, query, spec string
		code                    fault.Code
	}{
		{"no exclusion in an inclusion", "find", `{}`, `{"a": 1, "b": 0}`, 31254},
		{"no inclusion in an exclusion", "find", `{}`, `{"a": 0, "b": 1}`, 31253},
		{"no expression in an exclusion", "project", "", `{"a": 0, "b": "$x"}`, 31252},
		{"paths do not meet", "project", "", `{"a": 1, "a.b": 1}`, 31249},
		{"nor the other way around", "project", "", `{"a.b": 1, "a": 1}`, 31249},
		{"nor repeat", "set", "", `{"a.b": 1, "a": {"b": 1}}`, 31250},
		{"$project needs a field", "project", "", `{}`, 51272},
		{"$set needs a field", "set", "", `{}`, 40177},
		{"an empty document says nothing", "find", `{}`, `{"a": {}}`, 51270},
		{"no $ in names", "project", "", `{"a.$b": 1}`, 16410},
		{"the positional $ is find's", "project", "", `{"a.$": 1}`, 16410},
		{"no path ends with a dot", "find", `{}`, `{"a.": 1}`, 40353},
		{"one positional $", "find", `{"a": 1}`, `{"a.$": 1, "b.$": 1}`, 31276},
		{"not in the middle", "find", `{"a": 1}`, `{"a.$.b": 1}`, 31394},
		{"not excluding", "find", `{"a": 1}`, `{"a.$": 0}`, 31395},
		{"not beside $elemMatch", "find", `{"a": 1}`, `{"a.$": 1, "b": {"$elemMatch": {"x": 1}}}`, 31255},
		{"$elemMatch takes a document", "find", `{}`, `{"a": {"$elemMatch": 1}}`, 31274},
		{"$elemMatch is not for nested fields", "find", `{}`, `{"a.b": {"$elemMatch": {"x": 1}}}`, 31275},
		{"$slice that is neither find's nor an expression's", "find", `{}`, `{"a": {"$slice": "x"}}`, 28667},
		{"unknown expressions", "project", "", `{"a": {"$nope": 1}}`, fault.InvalidPipelineOperator},
		{"$meta is not offered", "find", `{}`, `{"a": {"$meta": "textScore"}}`, fault.CommandNotSupported},
		{"$unset takes texts", "unset", "", `{"v": [1]}`, 31120},
		{"at least one", "unset", "", `{"v": []}`, 31119},
		{"or one", "unset", "", `{"v": 1}`, 31002},
	} {
		if _, err := compile(t, c.kind, c.query, c.spec); !fault.Is(err, c.code) {
			t.Errorf("%s: %v, want code %d", c.rule, err, c.code)
		}
	}
	p, err := compile(t, "find", `{"b": 1}`, `{"a.$": 1}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(doc(t, `{"a": [1], "b": 1}`)); !fault.Is(err, 51246) {
		t.Errorf("no element matched: %v", err)
	}
	if p, err = compile(t, "find", `{"b": 1}`, `{"a.$": 1}`); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(doc(t, `{"a": [1], "b": [0, 1]}`)); !fault.Is(err, 51247) {
		t.Errorf("another array's element: %v", err)
	}
}

// large is a document of 100 KB with an array of 100 documents.
func large() value.Doc {
	b := value.NewBuilder(nil).Append("_id", value.Int(1)).Append("name", value.String("x")).Open("items", true)
	for i := range 100 {
		b.Append(value.Index(i), value.Document(value.D("k", i, "v", strings.Repeat("x", 900), "t", "abc", "n", 1.5)))
	}
	return b.Close().Append("last", value.Bool(true)).Doc()
}

func BenchmarkApply(b *testing.B) {
	in := large()
	for _, spec := range []string{`{"items.k": 1, "items.n": 1}`, `{"items.v": 0}`, `{"items": 1}`, `{"name": 1, "last": 1}`, `{"name": 0}`} {
		b.Run(spec, func(b *testing.B) {
			p, err := compile(b, "project", "", spec)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if _, err := p.Apply(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestApplyAllocates(t *testing.T) {
	p, err := compile(t, "project", "", `{"items.k": 1, "items.n": 1}`)
	if err != nil {
		t.Fatal(err)
	}
	in := large()
	// Once, and the buffer, as the race detector drops pooled ones.
	if n := testing.AllocsPerRun(100, func() { _, _ = p.Apply(in) }); n > 10 {
		t.Errorf("an inclusion of 100 elements allocates %v times", n)
	}
}

var (
	specs = valuetest.Grower{
		Operators: strings.Fields("$slice $elemMatch $add $literal $concatArrays $map $gt"),
		Names:     strings.Fields("_id a b a.b a.b.c a.$ c d.e input in"),
		Texts:     strings.Fields("$a $b $$ROOT $$REMOVE x $$this"),
	}
	fields = valuetest.Grower{Operators: []string{"b", "0"}, Names: strings.Fields("_id a b c d"), Texts: []string{"x"}}
)

func FuzzProject(f *testing.F) {
	for i := range specs.Operators {
		f.Add([]byte{2, 1, 9, 1, 3, 0, byte(i), 2, 9, 1, 9, 2}, []byte{2, 1, 4, 2, 9, 1, 5, 1, 2, 9, 1, 2, 9, 1})
		f.Add([]byte{2, 3, 2, byte(i), 9, 1, 2, 7, 0}, []byte{2, 1, 5, 1, 2, 9, 2, 2, 9, 1})
	}
	f.Fuzz(func(t *testing.T, spec, in []byte) {
		d := fields.Doc(&in)
		filter, err := match.Compile(value.D("a", value.Get(d, "a")), nil)
		if err != nil {
			filter = nil
		}
		s := specs.Doc(&spec)
		for _, compile := range []func() (*project.Projection, error){
			func() (*project.Projection, error) { return project.CompileFind(s, filter, nil) },
			func() (*project.Projection, error) { return project.CompileStage(s, nil) },
			func() (*project.Projection, error) { return project.CompileSet(s, nil) },
			func() (*project.Projection, error) { return project.CompileUnset(value.Get(s, "a")) },
		} {
			p, err := compile()
			if err != nil {
				continue
			}
			if out, err := p.Apply(d); err == nil && value.Validate(out) != nil {
				t.Errorf("%v of %v is not valid: %v", s, d, value.Validate(out))
			}
		}
	})
}
