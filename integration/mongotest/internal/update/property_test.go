package update_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/update"
	"botwatch/integration/mongotest/internal/value"
)

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

// TestDifference: the description of a pipeline's difference leads from the old
// document to the new one.
func TestDifference(t *testing.T) {
	for seed := range uint64(2000) {
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
	}
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

// TestOperatorsDescribed: the description of what operators did leads from the old
// document to the new one; and an update says so when it does nothing.
func TestOperatorsDescribed(t *testing.T) {
	changed := 0
	for seed := range uint64(10_000) {
		g := generator{rand.New(rand.NewPCG(seed, 2))}
		old := g.doc(3)
		operators := g.operators(old)
		u, err := update.Compile(value.Document(operators), nil, env)
		if err != nil {
			continue
		}
		result, err := u.Apply(old, 1, false)
		if err != nil {
			continue
		}
		if err := value.Validate(result.Doc); err != nil {
			t.Fatal(err)
		}
		if !result.Changed && !bytes.Equal(result.Doc, old) {
			t.Errorf("%v says that %v did not change, but it is %v", operators, old, result.Doc)
		}
		if result.Changed {
			changed++
			checkReplay(t, old, result)
		}
		if _, err := u.Upsert(nil); err != nil && fault.Of(err).Code == fault.InternalError {
			t.Error(err)
		}
	}
	if changed < 1000 {
		t.Errorf("only %d updates changed something", changed)
	}
}
