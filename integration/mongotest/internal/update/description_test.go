package update_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

// document writes a description as a change event has it.
func document(d update.Description) value.Doc {
	updated, paths := value.NewBuilder(nil), value.NewBuilder(nil)
	for _, f := range d.Updated {
		updated.Append(f.Path, f.Value)
	}
	var truncated []value.Doc
	for _, t := range d.Truncated {
		truncated = append(truncated, value.D("field", t.Path, "newSize", t.Size))
	}
	for _, p := range d.Disambiguated {
		paths.Append(p.Path, p.Parts)
	}
	return value.D("u", updated.Doc(), "r", d.Removed, "t", truncated, "d", paths.Doc())
}

// TestDescription: what a change event says of an update, as the manual's pages
// on change events have it.
func TestDescription(t *testing.T) {
	long := strings.Repeat("x", 128)
	for _, c := range []struct {
		rule, doc, update string
		position          int
		want              string // without what is empty
		replaced          bool
	}{
		{rule: "a field", doc: `{"_id":1,"x":1}`, update: `{"$set":{"x":2}}`, want: `{"u":{"x":2}}`},
		{rule: "a field within", doc: `{"_id":1,"x":{"y":1}}`, update: `{"$set":{"x.y":2}}`, want: `{"u":{"x.y":2}}`},
		{rule: "what was made on the way is one value", doc: `{"_id":1}`, update: `{"$set":{"a.b":2}}`, want: `{"u":{"a":{"b":2}}}`},
		{rule: "and so for two", doc: `{"_id":1}`, update: `{"$set":{"a.b":2},"$inc":{"a.c":1}}`, want: `{"u":{"a":{"b":2,"c":1}}}`},
		{rule: "made within a document", doc: `{"_id":1,"a":{}}`, update: `{"$set":{"a.b.c":2}}`, want: `{"u":{"a.b":{"c":2}}}`},
		{rule: "changed, then new, then within", doc: `{"_id":1,"x":1,"a":{"b":1}}`, update: `{"$set":{"a.b":2,"n":1,"x":2}}`, want: `{"u":{"x":2,"n":1,"a.b":2}}`},
		{rule: "what is the same is not told", doc: `{"_id":1,"x":1,"y":1}`, update: `{"$set":{"x":1,"y":2}}`, want: `{"u":{"y":2}}`},
		{rule: "removed fields", doc: `{"_id":1,"x":1,"y":{"z":1}}`, update: `{"$unset":{"x":1,"y.z":1,"q":1}}`, want: `{"r":["x","y.z"]}`},
		{rule: "$rename", doc: `{"_id":1,"x":1}`, update: `{"$rename":{"x":"y"}}`, want: `{"u":{"y":1},"r":["x"]}`},
		{rule: "$push to an empty array gives it whole", doc: `{"_id":1,"s":[]}`, update: `{"$push":{"s":0.85}}`, want: `{"u":{"s":[0.85]}}`},
		{rule: "$push to a missing one too", doc: `{"_id":1}`, update: `{"$push":{"s":0.85}}`, want: `{"u":{"s":[0.85]}}`},
		{rule: "$push at the end gives the element", doc: `{"_id":1,"s":[0.85]}`, update: `{"$push":{"s":0.94}}`, want: `{"u":{"s.1":0.94}}`},
		{rule: "or the elements", doc: `{"_id":1,"s":[1]}`, update: `{"$push":{"s":{"$each":[2,3]}}}`, want: `{"u":{"s.1":2,"s.2":3}}`},
		{rule: "$push elsewhere gives the array", doc: `{"_id":1,"s":[1]}`, update: `{"$push":{"s":{"$each":[2],"$position":0}}}`, want: `{"u":{"s":[2,1]}}`},
		{rule: "$addToSet gives the array", doc: `{"_id":1,"s":[1]}`, update: `{"$addToSet":{"s":2}}`, want: `{"u":{"s":[1,2]}}`},
		{rule: "$pull gives the array", doc: `{"_id":1,"s":[0.85,0.94]}`, update: `{"$pull":{"s":0.94}}`, want: `{"u":{"s":[0.85]}}`},
		{rule: "$pop gives the array", doc: `{"_id":1,"s":[1,2]}`, update: `{"$pop":{"s":1}}`, want: `{"u":{"s":[1]}}`},
		{rule: "an element by its position", doc: `{"_id":1,"a":[{"b":1},{"b":2}]}`, update: `{"$set":{"a.$.b":3}}`, position: 1, want: `{"u":{"a.1.b":3}}`},
		{rule: "all elements", doc: `{"_id":1,"a":[1,2]}`, update: `{"$inc":{"a.$[]":1}}`, want: `{"u":{"a.0":2,"a.1":3}}`},
		{rule: "an element removed is null", doc: `{"_id":1,"a":[1,2]}`, update: `{"$unset":{"a.0":1}}`, want: `{"u":{"a.0":null}}`},
		{rule: "an element beyond the end", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.3":1}}`, want: `{"u":{"a.3":1}}`},

		{rule: "a name that is a number is ambiguous", doc: `{"_id":1,"a":{"1":1}}`, update: `{"$set":{"a.1":2}}`, want: `{"u":{"a.1":2},"d":{"a.1":["a","1"]}}`},
		{rule: "positions are integers", doc: `{"_id":1,"a":[{"1":1}]}`, update: `{"$set":{"a.0.1":2}}`, want: `{"u":{"a.0.1":2},"d":{"a.0.1":["a",0,"1"]}}`},
		{rule: "a position on its own is not ambiguous", doc: `{"_id":1,"a":[1]}`, update: `{"$set":{"a.0":2}}`, want: `{"u":{"a.0":2}}`},
		{rule: "nor is a number that is first", doc: `{"_id":1,"0":{"a":1}}`, update: `{"$set":{"0.a":2}}`, want: `{"u":{"0.a":2}}`},
		{rule: "nor one with leading zeros", doc: `{"_id":1,"a":{"01":1}}`, update: `{"$set":{"a.01":2}}`, want: `{"u":{"a.01":2}}`},
		{rule: "removed paths too", doc: `{"_id":1,"a":{"1":1}}`, update: `{"$unset":{"a.1":2}}`, want: `{"r":["a.1"],"d":{"a.1":["a","1"]}}`},
		{rule: "a dot in a name", doc: `{"_id":1,"home.town":"Oxford","l":"` + long + `"}`,
			update: `[{"$replaceWith":{"$setField":{"field":"home.town","input":"$$ROOT","value":"London"}}}]`, want: `{"u":{"home.town":"London"},"d":{"home.town":["home.town"]}}`},

		{rule: "a pipeline is told by its difference", doc: `{"_id":1,"l":"` + long + `","x":1,"y":1,"z":{"a":1,"l":"` + long + `"}}`,
			update: `[{"$set":{"x":2,"n":3,"z.a":4}},{"$unset":"y"}]`, want: `{"u":{"x":2,"n":3,"z.a":4},"r":["y"]}`},
		{rule: "an array that got shorter", doc: `{"_id":1,"student_id":2,"scores":[0.85,0.94,0.78]}`, update: `[{"$set":{"scores":[0.85,0.94]}}]`, want: `{"t":[{"field":"scores","newSize":2}]}`},
		{rule: "an array that got longer", doc: `{"_id":1,"student_id":2,"scores":[0.85,0.94]}`, update: `[{"$set":{"scores":[0.85,0.94,0.78]}}]`, want: `{"u":{"scores.2":0.78}}`},
		{rule: "one field of three removed", doc: `{"_id":"pipeline_remove_1_of_3","c":{"email":"user@example.com","phone":"555-0100","mobile":"555-0101"}}`,
			update: `[{"$unset":"c.email"}]`, want: `{"r":["c.email"]}`},
		{rule: "two of three: the parent is shorter", doc: `{"_id":"pipeline_remove_2_of_3","c":{"email":"user@example.com","phone":"555-0100","mobile":"555-0101"}}`,
			update: `[{"$unset":["c.email","c.phone"]}]`, want: `{"u":{"c":{"mobile":"555-0101"}}}`},
		{rule: "by operators they are told one by one", doc: `{"_id":1,"c":{"email":"user@example.com","phone":"555-0100","mobile":"555-0101"}}`,
			update: `{"$unset":{"c.email":"","c.phone":""}}`, want: `{"r":["c.email","c.phone"]}`},
		{rule: "a document smaller than its difference is replaced", doc: `{"_id":1,"x":1}`, update: `[{"$set":{"x":2}}]`, want: `{}`, replaced: true},
		{rule: "fields in another order are new ones", doc: `{"_id":1.0,"x":"foo","y":"bar","z":"baz"}`,
			update: `[{"$replaceWith":{"_id":1.0,"z":"baz","y":"bar","x":"foo"}}]`, want: `{"u":{"y":"bar","x":"foo"}}`},
		{rule: "a replacement", doc: `{"_id":1,"x":1}`, update: `{"x":2}`, want: `{}`, replaced: true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, err := apply(t, c.doc, c.update, c.position)
			if err != nil {
				t.Fatal(err)
			}
			if got.Replaced != c.replaced {
				t.Errorf("replaced: %v", got.Replaced)
			}
			want := value.NewBuilder(nil)
			for _, f := range []struct{ name, empty string }{{"u", "{}"}, {"r", "[]"}, {"t", "[]"}, {"d", "{}"}} {
				v := value.Get(parse(t, c.want), f.name)
				if value.Missing(v) {
					v = parseValue(t, f.empty)
				}
				want.Append(f.name, v)
			}
			if diff := cmp.Diff(want.Doc().String(), document(got.Description).String()); diff != "" {
				t.Errorf("the description is other than wanted (-want +got):\n%s", diff)
			}
			if !c.replaced {
				checkReplay(t, parse(t, c.doc), got)
			}
		})
	}
}

// unfold gives a value as maps, lists and texts.
func unfold(v value.Value) any {
	switch {
	case value.IsDocument(v):
		m := map[string]any{}
		for name, e := range value.Elements(value.Doc(v.Value)) {
			if _, ok := m[name]; !ok {
				m[name] = unfold(e)
			}
		}
		return m
	case value.IsArray(v):
		l := []any{}
		for _, e := range value.Items(v) {
			l = append(l, unfold(e))
		}
		return &l
	}
	return string(rune(v.Type)) + string(v.Value)
}

// checkReplay: who applies the description to the old document gets the new
// one.
func checkReplay(t *testing.T, old value.Doc, result update.Result) {
	t.Helper()
	root := unfold(value.Document(old))
	parts := func(path string) []string {
		for _, d := range result.Description.Disambiguated {
			if d.Path == path {
				var parts []string
				for _, p := range value.Items(d.Parts) {
					if s, ok := value.Text(p); ok {
						parts = append(parts, s)
					} else {
						n, _ := value.Integer(p)
						parts = append(parts, value.Index(int(n)))
					}
				}
				return parts
			}
		}
		return strings.Split(path, ".")
	}
	walk := func(path []string) any {
		at := root
		for _, name := range path {
			switch v := at.(type) {
			case map[string]any:
				at = v[name]
			case *[]any:
				i := -1
				for j := range *v {
					if value.Index(j) == name {
						i = j
					}
				}
				if i < 0 {
					t.Fatalf("the description leads to no element %s", name)
				}
				at = (*v)[i]
			default:
				t.Fatalf("the description leads to no field %s", name)
			}
		}
		return at
	}
	for _, r := range result.Description.Removed {
		p := parts(r)
		delete(walk(p[:len(p)-1]).(map[string]any), p[len(p)-1])
	}
	for _, c := range result.Description.Truncated {
		l := walk(parts(c.Path)).(*[]any)
		*l = (*l)[:c.Size]
	}
	for _, f := range result.Description.Updated {
		p := parts(f.Path)
		name := p[len(p)-1]
		switch at := walk(p[:len(p)-1]).(type) {
		case map[string]any:
			at[name] = unfold(f.Value)
		case *[]any:
			null := unfold(value.Null())
			for i := 0; ; i++ {
				if i == len(*at) {
					*at = append(*at, null)
				}
				if value.Index(i) == name {
					(*at)[i] = unfold(f.Value)
					break
				}
			}
		default:
			t.Fatalf("the description leads to no place for %s", f.Path)
		}
	}
	if diff := cmp.Diff(unfold(value.Document(result.Doc)), root); diff != "" {
		t.Errorf("the description %v does not lead from %v to %v:\n%s", document(result.Description), old, result.Doc, diff)
	}
}
