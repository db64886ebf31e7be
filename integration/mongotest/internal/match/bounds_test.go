package match_test

import (
	"fmt"
	"strings"
	"testing"

	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/valuetest"
)

// show writes ranges with the values whose keys their ends are.
func show(t *testing.T, list []match.Interval, ok bool) string {
	t.Helper()
	if !ok {
		return "-"
	}
	names := map[string]string{"": "∞"}
	for _, v := range []any{1, 2, 3, 5, 7, 9, "a", "b", "x"} {
		names[value.Key(value.Of(v))] = fmt.Sprint(v)
	}
	for name, rank := range map[string]byte{"numbers": value.Rank(16), "strings": value.Rank(2)} {
		names[string([]byte{rank})] = "<" + name
		names[string([]byte{rank + 1})] = name + ">"
	}
	text := ""
	for i, r := range list {
		if i > 0 {
			text += " "
		}
		if r.Point() {
			text += names[r.Low]
			continue
		}
		text += map[bool]string{false: "[", true: "("}[r.LowOpen] + names[r.Low] + " " + names[r.High] + map[bool]string{false: "]", true: ")"}[r.HighOpen]
	}
	return text
}

func TestBounds(t *testing.T) {
	for _, c := range []struct{ rule, filter, path, bounds, scalar string }{
		{"equality is a point", `{"a": 5}`, "a", "5", "5"},
		{"a filter of other paths says nothing", `{"b": 5}`, "a", "-", "-"},
		{"ranges stay within a bracket", `{"a": {"$gt": 5}}`, "a", "(5 numbers>)", "(5 numbers>)"},
		{"downwards too", `{"a": {"$lte": "x"}}`, "a", "[<strings x]", "[<strings x]"},
		{"two conditions may be two elements'", `{"a": {"$gt": 1, "$lt": 5}}`, "a", "(1 numbers>)", "(1 5)"},
		{"_id is no array", `{"_id": {"$gt": 1, "$lt": 5}}`, "_id", "(1 5)", "(1 5)"},
		{"a point is the better one", `{"a": {"$gt": 1}, "$and": [{"a": 5}]}`, "a", "5", "5"},
		{"what cannot be", `{"_id": {"$gt": 5, "$lt": 1}}`, "_id", "", ""},
		{"$in is points in order", `{"a": {"$in": [7, 5, "x", 5.0]}}`, "a", "5 7 x", "5 7 x"},
		{"$or joins", `{"$or": [{"a": {"$gt": 5}}, {"a": 1}, {"a": {"$gte": 3, "$lt": 7}}]}`, "a", "1 [3 numbers>)", "1 [3 numbers>)"},
		{"$or with a part that says nothing", `{"$or": [{"a": 1}, {"b": 1}]}`, "a", "-", "-"},
		{"null is of no use", `{"a": null}`, "a", "-", "-"},
		{"nor in $in", `{"a": {"$in": [1, null]}}`, "a", "-", "-"},
		{"arrays neither", `{"a": [1]}`, "a", "-", "-"},
		{"negations neither", `{"a": {"$ne": 1}}`, "a", "-", "-"},
		{"$exists neither", `{"a": {"$exists": true}}`, "a", "-", "-"},
		{"names that may be positions neither", `{"a.0": 1}`, "a.0", "-", "-"},
		{"$elemMatch: one element fulfils all", `{"a": {"$elemMatch": {"$gt": 1, "$lt": 5}}}`, "a", "(1 5)", "(1 5)"},
		{"$elemMatch of a query: paths below", `{"a": {"$elemMatch": {"b": 5}}}`, "a.b", "5", "5"},
		{"$all: the better one, or both", `{"a": {"$all": [1, 5]}}`, "a", "1", ""},
		{"nested paths", `{"a.b": {"$gte": 1}}`, "a.b", "[1 numbers>)", "[1 numbers>)"},
		{"a pattern without an anchor", `{"a": {"$regex": "b"}}`, "a", "-", "-"},
		{"without case", `{"a": {"$regex": "^b", "$options": "i"}}`, "a", "-", "-"},
		{"with alternatives", `{"a": {"$regex": "^b|c"}}`, "a", "-", "-"},
	} {
		f := compile(t, c.filter)
		list, ok := f.Bounds(c.path)
		if got := show(t, list, ok); got != c.bounds {
			t.Errorf("%s: Bounds of %s = %s, want %s", c.rule, c.filter, got, c.bounds)
		}
		list, ok = f.ScalarBounds(c.path)
		if got := show(t, list, ok); got != c.scalar {
			t.Errorf("%s: ScalarBounds of %s = %s, want %s", c.rule, c.filter, got, c.scalar)
		}
	}
}

// within says whether a key is in ranges.
func within(list []match.Interval, key string) bool {
	for _, i := range list {
		if (key > i.Low || key == i.Low && !i.LowOpen) && (i.High == "" || key < i.High || key == i.High && !i.HighOpen) {
			return true
		}
	}
	return false
}

// TestBoundsHold: what matches has a key within the bounds.
func TestBoundsHold(t *testing.T) {
	values := []string{
		`1`, `-3.5`, `"a"`, `"ab"`, `"abc"`, `"b"`, `""`, `null`, `true`, `{"x": 1}`, `{"$numberDouble": "NaN"}`, `{"$numberDouble": "Infinity"}`,
		`{"$date": "2020-01-01T00:00:00Z"}`, `{"$oid": "000102030405060708090a0b"}`, `{"$regularExpression": {"pattern": "^ab?", "options": ""}}`,
		`{"$minKey": 1}`, `{"$maxKey": 1}`, `{"$numberDecimal": "1E+400"}`,
	}
	var filters []string
	for _, v := range values {
		for _, op := range []string{"$eq", "$lt", "$lte", "$gt", "$gte"} {
			filters = append(filters, `{"a": {"`+op+`": `+v+`}}`)
		}
		filters = append(filters, `{"a": {"$in": [`+v+`, 1]}}`, `{"$or": [{"a": `+v+`}, {"a": {"$gt": "b"}}]}`, `{"a": {"$elemMatch": {"$gte": `+v+`, "$lt": "b"}}}`)
	}
	for _, p := range []string{"^a", "^ab", "^ab?", "^ab*c", "^a{1}b", `^a\\.`, "^a.", "^a+", "^(ab)", "^ab$", "^é"} {
		filters = append(filters, `{"a": {"$regex": "`+p+`"}}`)
	}
	usable := 0
	for _, filter := range filters {
		f, err := match.Compile(doc(t, filter), nil)
		if err != nil {
			continue
		}
		list, ok := f.Bounds("a")
		if !ok {
			continue
		}
		usable++
		for _, v := range append(values, `"é"`, `"éa"`, `"a.c"`, `"aab"`) {
			d := doc(t, `{"a": `+v+`}`)
			if matched, _ := f.Match(d); matched && !within(list, value.Key(value.Get(d, "a"))) {
				t.Errorf("%s matches %s, which is outside of its bounds", filter, v)
			}
		}
	}
	if usable < 50 {
		t.Errorf("%d filters have bounds", usable)
	}
}

var (
	queries = valuetest.Grower{
		Operators: strings.Fields("$eq $ne $lt $lte $gt $gte $in $nin $not $all $exists $type $size $mod $elemMatch $regex $bitsAllSet $bitsAnyClear"),
		Names:     strings.Fields("a b a.b a.0 a.0.b $and $or $nor $expr $gt $lt $elemMatch $options $regex"),
		Texts:     strings.Fields("x ^a ^ab* (a|b)$ int number $a i"),
	}
	fields = valuetest.Grower{
		Operators: []string{"b", "0"}, Names: strings.Fields("a b 0 c"), Texts: strings.Fields("x a ab abb b"),
	}
)

func FuzzMatch(f *testing.F) {
	for i := range queries.Operators {
		f.Add([]byte{1, 0, 2, byte(i), 9, 1}, []byte{1, 0, 9, 1})
		f.Add([]byte{2, 2, 2, byte(i), 4, 2, 9, 1, 7, 1, 5, 4, 2, 5, 1, 0, 9, 2, 5, 1, 1, 7, 1}, []byte{2, 0, 4, 2, 9, 1, 5, 1, 1, 9, 1})
	}
	f.Fuzz(func(t *testing.T, filter, in []byte) {
		query, d := queries.Doc(&filter), fields.Doc(&in)
		compiled, err := match.Compile(query, nil)
		if err == nil {
			compiled.Equalities()
			_, _, _ = compiled.MatchAt(d)
			matched, err := compiled.Match(d)
			list, ok := compiled.Bounds("a")
			if v := value.Get(d, "a"); matched && err == nil && ok && !value.IsArray(v) && !within(list, value.Key(v)) {
				t.Errorf("%v matches %v outside of its bounds", query, d)
			}
			if narrow, ok2 := compiled.ScalarBounds("a"); ok && ok2 && matched && err == nil {
				if v := value.Get(d, "a"); !value.IsArray(v) && !within(narrow, value.Key(v)) {
					t.Errorf("%v matches %v outside of its scalar bounds", query, d)
				}
			}
		}
		if f, err := match.CompileElement(queries.Value(&filter), nil); err == nil {
			for _, v := range value.Elements(d) {
				_, _ = f.MatchElement(v)
			}
		}
	})
}
