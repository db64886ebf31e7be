package update_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"botwatch/integration/mongotest/internal/fault"
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

// generator makes small documents with few names, so that pairs of them have
// much in common.
type generator struct{ *rand.Rand }

func (g generator) value(depth int) value.Value {
	n := g.IntN(10)
	switch {
	case depth > 0 && n < 3:
		return value.Document(g.doc(depth - 1))
	case depth > 0 && n < 6:
		items := make([]value.Value, g.IntN(5))
		for i := range items {
			items[i] = g.value(depth - 1)
		}
		return value.Array(items...)
	case n < 8:
		return value.Int32(int32(g.IntN(3)))
	}
	return value.String(strings.Repeat("x", g.IntN(40)))
}

func (g generator) doc(depth int) value.Doc {
	b := value.NewBuilder(nil)
	names := []string{"a", "b", "c", "0", "1", "d.e"}
	for _, i := range g.Perm(len(names))[:g.IntN(len(names)+1)] {
		b.Append(names[i], g.value(depth))
	}
	return b.Doc()
}

// change alters a document here and there.
func (g generator) change(d value.Doc, depth int) value.Doc {
	b := value.NewBuilder(nil)
	for name, v := range value.Elements(d) {
		switch n := g.IntN(8); {
		case n == 0:
		case n == 1:
			b.Append(name, g.value(depth))
		case n < 5 && value.IsDocument(v):
			b.Append(name, value.Document(g.change(value.Doc(v.Value), depth-1)))
		case n < 5 && value.IsArray(v):
			items := value.Items(v)
			items = items[:len(items)-g.IntN(len(items)+1)/2]
			for i := range items {
				if g.IntN(3) == 0 {
					items[i] = g.value(1)
				}
			}
			b.Append(name, value.Array(items...))
		default:
			b.Append(name, v)
		}
	}
	return b.Doc()
}

// FuzzDifference: the description of a pipeline's difference leads from the old
// document to the new one.
func FuzzDifference(f *testing.F) {
	for i := range uint64(300) {
		f.Add(i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		fill := value.String(strings.Repeat("f", g.IntN(100)))
		old := g.doc(4)
		now := g.change(old, 4)
		with := func(d value.Doc) value.Doc { return value.D("_id", 1, "fill", fill, "doc", d) }
		u, err := update.Compile(value.Array(value.Document(value.D("$replaceWith", value.D("$literal", with(now))))), nil, env)
		if err != nil {
			t.Fatal(err)
		}
		result, err := u.Apply(with(old), -1, false)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(result.Doc, with(now)) {
			t.Fatalf("got %v, want %v", result.Doc, with(now))
		}
		if result.Changed != !bytes.Equal(old, now) {
			t.Errorf("changed: %v", result.Changed)
		}
		if result.Changed && !result.Replaced {
			checkReplay(t, with(old), result)
		}
	})
}

// operators makes an update of a few operators on a document's own paths and
// on others.
func (g generator) operators(d value.Doc) value.Doc {
	paths := []string{"a", "b", "c.a", "a.0", "a.$[]", "a.$[].b", "b.2", "a.b.c", "a.$", "c.1.a"}
	var walk func(v value.Value, at string)
	walk = func(v value.Value, at string) {
		if value.IsDocument(v) || value.IsArray(v) {
			for name, e := range value.Elements(value.Doc(v.Value)) {
				if name != "d.e" && len(at) < 12 {
					walk(e, strings.TrimPrefix(at+"."+name, "."))
				}
			}
		}
		if at != "" {
			paths = append(paths, at)
		}
	}
	walk(value.Document(d), "")
	arguments := map[string]func() value.Value{
		"$set":   func() value.Value { return g.value(2) },
		"$unset": func() value.Value { return value.Int32(1) },
		"$inc":   func() value.Value { return value.Int32(int32(g.IntN(3))) },
		"$mul":   func() value.Value { return value.Double(float64(g.IntN(3))) },
		"$min":   func() value.Value { return g.value(1) },
		"$max":   func() value.Value { return g.value(1) },
		"$push": func() value.Value {
			return value.Document(value.D("$each", []value.Value{g.value(1), g.value(0)}, "$position", g.IntN(5)-2, "$slice", g.IntN(9)-4))
		},
		"$addToSet":    func() value.Value { return value.Document(value.D("$each", []value.Value{g.value(1), g.value(0)})) },
		"$pull":        func() value.Value { return g.value(0) },
		"$pullAll":     func() value.Value { return value.Array(g.value(0), g.value(0)) },
		"$pop":         func() value.Value { return value.Int32(1) },
		"$rename":      func() value.Value { return value.String(paths[g.IntN(len(paths))]) },
		"$setOnInsert": func() value.Value { return g.value(1) },
	}
	names := slices.Sorted(maps.Keys(arguments))
	b := value.NewBuilder(nil)
	for _, i := range g.Perm(len(names))[:1+g.IntN(2)] {
		b.Open(names[i], false)
		for _, p := range g.Perm(len(paths))[:1+g.IntN(2)] {
			b.Append(paths[p], arguments[names[i]]())
		}
		b.Close()
	}
	return b.Doc()
}

// FuzzOperators: the description of what operators did leads from the old
// document to the new one; and an update says so when it does nothing.
func FuzzOperators(f *testing.F) {
	for i := range uint64(1000) {
		f.Add(i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := generator{rand.New(rand.NewPCG(seed, 2))}
		old := g.doc(3)
		operators := g.operators(old)
		u, err := update.Compile(value.Document(operators), nil, env)
		if err != nil {
			return
		}
		result, err := u.Apply(old, 1, false)
		if err != nil {
			return
		}
		if err := value.Validate(result.Doc); err != nil {
			t.Fatal(err)
		}
		if !result.Changed && !bytes.Equal(result.Doc, old) {
			t.Errorf("%v says that %v did not change, but it is %v", operators, old, result.Doc)
		}
		if result.Changed {
			checkReplay(t, old, result)
		}
		if _, err := u.Upsert(nil); err != nil && fault.Of(err).Code == fault.InternalError {
			t.Error(err)
		}
	})
}
