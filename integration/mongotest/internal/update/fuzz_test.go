package update_test

import (
	"bytes"
	"testing"

	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

// FuzzUpdate: any valid document as an update, on any other one: an error or a
// valid document with the same _id, and a description that leads there.
func FuzzUpdate(f *testing.F) {
	doc := `{"_id":1,"a":[1,{"b":[2,3],"0":1}],"c":{"d":{"e":1}},"s":"x","n":5}`
	for _, u := range []string{
		`{"$set":{"a.1.b.0":5,"c.d.f":1,"x":{"y":[1]}},"$unset":{"s":1}}`,
		`{"$inc":{"n":1,"a.0":2147483647},"$mul":{"m":2.5},"$min":{"s":1},"$max":{"c":1}}`,
		`{"$push":{"a":{"$each":[1,2],"$slice":-2,"$sort":{"b":1},"$position":1}},"$rename":{"s":"c.s"}}`,
		`{"$addToSet":{"a":{"$each":[1,2]}},"$pop":{"c.x":1}}`,
		`{"$pull":{"a":{"b":{"$gte":1}}},"$bit":{"n":{"xor":3}},"$currentDate":{"t":{"$type":"timestamp"}}}`,
		`{"$set":{"a.$[].z":1}}`, `{"$pullAll":{"a":[1]},"$setOnInsert":{"q":1}}`, `{"x":1}`,
	} {
		f.Add([]byte(parse(f, doc)), []byte(parse(f, u)), false)
	}
	f.Add([]byte(parse(f, doc)), []byte(parse(f, `{"0":{"$set":{"x":"$n","c.d":1}},"1":{"$unset":"s"},"2":{"$replaceWith":"$c"}}`)), true)
	f.Fuzz(func(t *testing.T, d, u []byte, array bool) {
		if value.Validate(d) != nil || value.Validate(u) != nil {
			return
		}
		v := value.Document(u)
		if array {
			v = value.Array(value.Items(v)...)
		}
		c, err := update.Compile(v, nil, env)
		if err != nil {
			return
		}
		doc := bytes.Clone(d)
		result, err := c.Apply(doc, 0, false)
		if !bytes.Equal(doc, d) {
			t.Fatal("the document was changed in place")
		}
		if err == nil {
			if err := value.Validate(result.Doc); err != nil {
				t.Fatal(err)
			}
			if id := value.Get(d, "_id"); !value.Missing(id) && !value.Equal(id, value.Get(result.Doc, "_id")) {
				t.Error("the _id changed")
			}
			if !result.Changed && !bytes.Equal(result.Doc, d) {
				t.Error("changed, but does not say so")
			}
			if result.Changed && !result.Replaced && unambiguous(value.Document(d)) && unambiguous(value.Document(result.Doc)) {
				checkReplay(t, d, result)
			}
		}
		if f, err := match.Compile(d, env); err == nil {
			if doc, err := c.Upsert(f); err == nil {
				if err := value.Validate(doc); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// unambiguous says that no document has a field twice, or one without a name.
func unambiguous(v value.Value) bool {
	if !value.IsDocument(v) && !value.IsArray(v) {
		return true
	}
	seen := map[string]bool{}
	for name, e := range value.Elements(value.Doc(v.Value)) {
		if seen[name] || name == "" || !unambiguous(e) {
			return false
		}
		seen[name] = true
	}
	return true
}
