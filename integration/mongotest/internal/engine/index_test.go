package engine_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func unique(x *engine.Index) { x.Unique = true }

// Which documents a unique index takes to have the same key.
func TestUniqueKeys(t *testing.T) {
	for _, c := range []struct {
		rule, spec, a, b string
		same             bool
	}{
		{"numbers are equal by value", `{"a": 1}`, `{"a": 1}`, `{"a": 1.0}`, true},
		{"a missing field is null", `{"a": 1}`, `{}`, `{"a": null}`, true},
		{"an empty array is no null", `{"a": 1}`, `{"a": []}`, `{"a": null}`, false},
		{"two empty arrays are alike", `{"a": 1}`, `{"a": []}`, `{"a": []}`, true},
		{"each element is a key", `{"a": 1}`, `{"a": [1, 2]}`, `{"a": [2, 3]}`, true},
		{"an element is as a value", `{"a": 1}`, `{"a": [1, 2]}`, `{"a": 2}`, true},
		{"an array in an array is one key", `{"a": 1}`, `{"a": [[1, 2]]}`, `{"a": [1]}`, false},
		{"text and number", `{"a": 1}`, `{"a": "1"}`, `{"a": 1}`, false},
		{"documents by all their fields, in order", `{"a": 1}`, `{"a": {"x": 1, "y": 2}}`, `{"a": {"y": 2, "x": 1}}`, false},
		{"a path through an array", `{"a.x": 1}`, `{"a": [{"x": 1}, {"x": 2}]}`, `{"a": {"x": 2}}`, true},
		{"a path through an array without it", `{"a.x": 1}`, `{"a": [{"y": 1}, {"x": 2}]}`, `{}`, true},
		{"a position in an array", `{"a.0": 1}`, `{"a": [1, 2]}`, `{"a": [1, 3]}`, true},
		{"two fields, one other", `{"a": 1, "b": -1}`, `{"a": 1, "b": 1}`, `{"a": 1, "b": 2}`, false},
		{"two fields alike", `{"a": 1, "b": -1}`, `{"a": 1, "b": 1}`, `{"a": 1, "b": {"$numberLong": "1"}}`, true},
		{"texts do not run together", `{"a": 1, "b": 1}`, `{"a": "x", "b": "yz"}`, `{"a": "xy", "b": "z"}`, false},
		{"a zero byte ends no text", `{"a": 1}`, `{"a": "x"}`, `{"a": "x\u0000y"}`, false},
	} {
		for _, late := range []bool{false, true} { // built before, or over documents that are there
			s := store(t)
			x := index(t, "x", c.spec, unique)
			if !late {
				build(t, s, x)
			}
			must(t, s.Insert("d", "c", parse(t, c.a), false))
			err := s.Insert("d", "c", parse(t, c.b), false)
			if late {
				must(t, err)
				_, _, _, err = s.Index("d", "c", []*engine.Index{x})
			}
			if got := fault.Is(err, fault.DuplicateKey); got != c.same || err != nil && !got {
				t.Errorf("%s: %s and %s, built late: %t: %v", c.rule, c.a, c.b, late, err)
			}
		}
	}
}

// A write that is refused leaves nothing in any index.
func TestRefusedWriteLeavesNothing(t *testing.T) {
	s := store(t, `{"_id": 1, "a": 1, "b": 1}`)
	build(t, s, index(t, "a", `{"a": 1}`, nil), index(t, "b", `{"b": 1}`, unique))
	wantCode(t, s.Insert("d", "c", parse(t, `{"_id": 2, "a": 2, "b": 1}`), false), fault.DuplicateKey)
	wantCode(t, s.Insert("d", "c", parse(t, `{"_id": 1, "a": 3, "b": 3}`), false), fault.DuplicateKey)
	for _, hint := range []string{"_id_", "a", "b"} {
		q := query(t, `{}`)
		q.Hint = value.String(hint)
		if diff := cmp.Diff([]int{1}, ids(scan(t, s, q))); diff != "" {
			t.Errorf("the index %s (-want +got):\n%s", hint, diff)
		}
	}
	_, _, _, err := s.Index("d", "c", []*engine.Index{index(t, "pq", `{"p": 1, "q": 1}`, nil)})
	must(t, err)
	wantCode(t, s.Insert("d", "c", parse(t, `{"p": [1], "q": [2]}`), false), fault.CannotIndexParallelArrays)
}

func TestBetween(t *testing.T) {
	s := store(t)
	for i := range 10 {
		must(t, s.Insert("d", "c", parse(t, fmt.Sprintf(`{"_id": %d, "a": %d, "s": "%s"}`, i, i, []string{"", "a", "a\\u0000", "a\\u0000b", "ab", "b", "c", "d", "e", "f"}[i])), false))
	}
	build(t, s, index(t, "up", `{"s": 1}`, nil), index(t, "down", `{"s": -1}`, nil))
	for _, c := range []struct {
		hint, low, high string
		want            []int
	}{
		{"_id_", `{"_id": 3}`, `{"_id": 5}`, []int{3, 4}},
		{"_id_", `{"_id": 7.5}`, ``, []int{8, 9}},
		{"_id_", ``, `{"_id": 2}`, []int{0, 1}},
		{"up", `{"s": "a"}`, `{"s": "ab"}`, []int{1, 2, 3}},
		{"up", `{"s": "a\u0000"}`, `{"s": "a\u0000b"}`, []int{2}},
		{"down", `{"s": "ab"}`, `{"s": "a"}`, []int{4, 3, 2}},
		{"down", `{"s": "a"}`, ``, []int{1, 0}},
	} {
		q := query(t, `{}`)
		q.Hint = value.String(c.hint)
		if c.low != "" {
			q.Min = parse(t, c.low)
		}
		if c.high != "" {
			q.Max = parse(t, c.high)
		}
		if diff := cmp.Diff(c.want, ids(scan(t, s, q))); diff != "" {
			t.Errorf("%s from %s to %s (-want +got):\n%s", c.hint, c.low, c.high, diff)
		}
	}
	q := query(t, `{}`)
	q.Min = parse(t, `{"_id": 1}`)
	_, err := s.Open("d", "c", q)
	wantCode(t, err, 51173)
}

func TestDropsEndScans(t *testing.T) {
	for _, c := range []struct {
		how  string
		hint value.Value
		drop func(*engine.Store)
	}{
		{"the collection", value.Value{}, func(s *engine.Store) { s.Drop("d", "c") }},
		{"the database", value.String("_id_"), func(s *engine.Store) { s.DropDatabase("d") }},
		{"a rename", value.Value{}, func(s *engine.Store) { must(t, s.Rename("d", "c", "d", "e", false)) }},
		{"the index", value.String("a"), func(s *engine.Store) {
			_, err := s.DropIndexes("d", "c", []value.Value{value.String("a")})
			must(t, err)
		}},
	} {
		s := store(t)
		for i := range 500 {
			must(t, s.Insert("d", "c", parse(t, fmt.Sprintf(`{"_id": %d, "a": %d}`, i, i)), false))
		}
		build(t, s, index(t, "a", `{"a": 1}`, nil))
		q := query(t, `{}`)
		q.Hint = c.hint
		sc, err := s.Open("d", "c", q)
		must(t, err)
		_, _, err = sc.Next()
		must(t, err)
		sc.Rest()
		c.drop(s)
		if _, _, err = sc.Next(); !fault.Is(err, fault.QueryPlanKilled) {
			t.Errorf("dropping %s: got %v, want QueryPlanKilled", c.how, err)
		}
	}
}

func TestIndexesFollowWrites(t *testing.T) {
	s := store(t)
	build(t, s, index(t, "a", `{"a": 1}`, nil))
	for i := range 100 {
		must(t, s.Insert("d", "c", parse(t, fmt.Sprintf(`{"_id": %d, "a": %d}`, i, 100-i)), false))
	}
	change(t, s, `{"_id": {"$lt": 50}}`, `{"$inc": {"a": 1000}}`)
	remove(t, s, `{"_id": {"$gte": 90}}`)
	q := query(t, `{}`)
	q.Hint = value.String("a")
	got := scan(t, s, q)
	if len(got) != 90 {
		t.Fatalf("%d documents, want 90", len(got))
	}
	if !slices.IsSortedFunc(got, func(x, y value.Doc) int { return value.Compare(value.Get(x, "a"), value.Get(y, "a")) }) {
		t.Error("the index is not in order")
	}
	if stats := s.Stats(s.Collection("d", "c")); stats.Count != 90 || stats.Indexes != 2 {
		t.Errorf("got %+v", stats)
	}
}
