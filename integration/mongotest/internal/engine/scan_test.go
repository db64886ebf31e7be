package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// scalars are values that lie close to each other, and at the ends of their types.
var scalars = []string{
	`0`, `1`, `1.0`, `{"$numberLong": "2"}`, `2.5`, `3`, `{"$numberDecimal": "0.1"}`, `{"$numberDouble": "NaN"}`, `{"$numberDouble": "-Infinity"}`, `{"$numberDouble": "Infinity"}`, `-5`,
	`""`, `"a"`, `"ab"`, `"abc"`, `"b"`, `"a\u0000b"`, `null`, `true`, `false`, `{"$minKey": 1}`, `{"$maxKey": 1}`, `{"$date": "2020-01-01T00:00:00Z"}`, `{"$timestamp": {"t": 1, "i": 1}}`,
	`{"$oid": "5f0000000000000000000000"}`, `{"$binary": {"base64": "", "subType": "00"}}`, `{"$binary": {"base64": "/w==", "subType": "00"}}`, `{"$regularExpression": {"pattern": "^a", "options": ""}}`,
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func anyValue(r *rand.Rand, depth int) string {
	switch n := r.IntN(12); {
	case depth > 0 && n == 0:
		var items []string
		for range r.IntN(4) {
			items = append(items, anyValue(r, depth-1))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case depth > 0 && n <= 2:
		return `{"x": ` + anyValue(r, depth-1) + `}`
	}
	return pick(r, scalars...)
}

func anyDoc(r *rand.Rand, id int, depth int) string {
	doc := fmt.Sprintf(`{"_id": %d`, id)
	for _, name := range []string{"a", "b", "c"} {
		if r.IntN(5) > 0 {
			doc += `, "` + name + `": ` + anyValue(r, depth)
		}
	}
	return doc + "}"
}

func anyCondition(r *rand.Rand) string {
	switch r.IntN(10) {
	case 0:
		return `{"$in": [` + pick(r, scalars...) + `, ` + pick(r, scalars...) + `]}`
	case 1:
		return `{"$gte": ` + comparable(r) + `, "$lt": ` + comparable(r) + `}`
	case 2:
		return pick(r, `{"$exists": true}`, `{"$exists": false}`, `{"$type": "string"}`, `{"$size": 1}`, `{"$ne": 1}`, `{"$not": {"$gt": 1}}`, `null`)
	case 3:
		return `{"$regularExpression": {"pattern": "` + pick(r, "^a", "^ab", "^ab?", "b$") + `", "options": ""}}`
	case 4:
		return `{"$elemMatch": {"` + pick(r, "$gt", "$eq", "$lte") + `": ` + comparable(r) + `}}`
	case 5, 6:
		return anyValue(r, 1)
	}
	return `{"` + pick(r, "$eq", "$gt", "$gte", "$lt", "$lte") + `": ` + comparable(r) + `}`
}

// comparable gives an operand of a comparison, which no regular expression is.
func comparable(r *rand.Rand) string { return pick(r, scalars[:len(scalars)-1]...) }

func anyFilter(r *rand.Rand, depth int) string {
	switch n := r.IntN(8); {
	case depth > 0 && n == 0:
		return `{"$or": [` + anyFilter(r, depth-1) + `, ` + anyFilter(r, depth-1) + `]}`
	case depth > 0 && n == 1:
		return `{"$and": [` + anyFilter(r, depth-1) + `, ` + anyFilter(r, depth-1) + `]}`
	case n == 2:
		return `{"_id": ` + pick(r, `{"$gt": 20}`, `{"$lte": 7.5}`, `5`, `{"$in": [1, 7, 99]}`) + `}`
	}
	return `{"` + pick(r, "a", "b", "c", "a.x", "b.x") + `": ` + anyCondition(r) + `}`
}

// indexes makes indexes of all kinds.
func indexes(t *testing.T) []*engine.Index {
	partial, err := match.Compile(parse(t, `{"c": {"$exists": true}}`), &expr.Env{})
	must(t, err)
	return []*engine.Index{
		index(t, "down", `{"a": -1, "b": 1}`, nil), index(t, "up", `{"a": 1, "b": -1}`, nil), index(t, "inner", `{"a.x": 1}`, nil), index(t, "b", `{"b": -1}`, nil),
		index(t, "sparse", `{"b": 1}`, func(x *engine.Index) { x.Sparse = true }),
		index(t, "partial", `{"c": 1}`, func(x *engine.Index) { x.Partial, x.PartialDoc = partial, parse(t, `{"c": {"$exists": true}}`) }),
	}
}

// Property: whatever index a scan walks, it gives the same documents, each once,
// and in the order that it says.
func TestScanAsFull(t *testing.T) {
	for seed := range uint64(45) {
		r := rand.New(rand.NewPCG(seed, 1))
		depth := int(seed % 3) // 0: no arrays at all, so that bounds and orders of indexes are used
		s := engine.New(engine.Options{Log: true})
		var all []*engine.Index
		for _, x := range indexes(t) {
			if depth == 0 || x.Name != "down" && x.Name != "up" { // no parallel arrays
				all = append(all, x)
			}
		}
		early := seed%2 == 0
		if early {
			build(t, s, all...)
		}
		for i := range 60 {
			must(t, s.Insert("d", "c", parse(t, anyDoc(r, i, depth)), false))
		}
		for i := range 20 {
			if i%2 == 0 {
				remove(t, s, fmt.Sprintf(`{"_id": %d}`, r.IntN(60)))
			} else {
				n := r.IntN(60)
				change(t, s, fmt.Sprintf(`{"_id": %d}`, n), anyDoc(r, n, depth))
			}
		}
		if !early {
			build(t, s, all...)
		}
		for range 40 {
			filter := anyFilter(r, 2)
			q := query(t, filter)
			natural := q
			natural.Hint = value.Document(parse(t, `{"$natural": 1}`))
			want := scan(t, s, natural)
			check := func(how string, q engine.Query) {
				t.Helper()
				got := scan(t, s, q)
				sorted := slices.Sorted(slices.Values(ids(got)))
				if diff := cmp.Diff(slices.Sorted(slices.Values(ids(want))), sorted); diff != "" {
					t.Fatalf("seed %d: %s by %s (-full +got):\n%s", seed, filter, how, diff)
				}
				if sc, err := s.Open("d", "c", q); err != nil {
					t.Fatal(err)
				} else if q.Sort != nil && sc.Sorted() {
					inOrder(t, fmt.Sprintf("seed %d: %s by %s", seed, filter, how), got, q.Sort)
				}
			}
			check("the planner", q)
			for _, sort := range []string{`{"_id": 1}`, `{"_id": -1}`, `{"a": 1}`, `{"a": -1, "b": 1}`, `{"a": 1, "b": 1}`, `{"b": 1}`, `{"a.x": -1}`} {
				ordered := q
				ordered.Sort = parse(t, sort)
				check("the order "+sort, ordered)
				for _, x := range append(all, index(t, "_id_", `{"_id": 1}`, nil)) {
					if x.Sparse || x.Partial != nil {
						continue
					}
					hinted := ordered
					hinted.Hint = value.String(x.Name)
					check("the hint "+x.Name+" and the order "+sort, hinted)
				}
			}
			rested := q
			rested.Hint = value.String(pick(r, all[:len(all)-2]...).Name)
			if got := slices.Sorted(slices.Values(ids(resting(t, s, rested, r)))); !slices.Equal(got, slices.Sorted(slices.Values(ids(want)))) {
				t.Fatalf("seed %d: %s in batches gives %v, want %v", seed, filter, got, ids(want))
			}
		}
	}
}

// inOrder holds documents against the order that they should be in.
func inOrder(t *testing.T, what string, docs []value.Doc, sort value.Doc) {
	t.Helper()
	o := order(t, sort.String())
	var last []byte
	for _, doc := range docs {
		key, err := o.Key(doc)
		must(t, err)
		if bytes.Compare(last, key) > 0 {
			t.Fatalf("%s: not in the order of %s:\n%v", what, sort, docs)
		}
		last = key
	}
}

// resting scans with pauses, as the batches of a cursor are.
func resting(t *testing.T, s *engine.Store, q engine.Query, r *rand.Rand) []value.Doc {
	t.Helper()
	sc, err := s.Open("d", "c", q)
	must(t, err)
	var docs []value.Doc
	for {
		if r.IntN(3) == 0 {
			sc.Rest()
		}
		doc, ok, err := sc.Next()
		must(t, err)
		if !ok {
			return docs
		}
		docs = append(docs, doc)
	}
}

// Property: a document that stays as it is is given once, whatever happens to
// the others between batches.
func TestScanWhileChanging(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		s := store(t)
		build(t, s, index(t, "a", `{"a": 1}`, nil), index(t, "b", `{"b": -1}`, nil))
		const n = 400
		for i := range n {
			must(t, s.Insert("d", "c", parse(t, fmt.Sprintf(`{"_id": %d, "a": %d, "b": [%d, %d]}`, i, r.IntN(50), r.IntN(50), r.IntN(50))), false))
		}
		q := query(t, pick(r, `{}`, `{"a": {"$gte": 10, "$lt": 40}}`, `{"$or": [{"a": {"$lt": 5}}, {"a": {"$gt": 30}}]}`))
		q.Hint = pick(r, value.String("a"), value.String("b"), value.String("_id_"), value.Document(parse(t, `{"$natural": 1}`)), value.Document(parse(t, `{"$natural": -1}`)))
		if r.IntN(2) == 0 {
			q.Sort = parse(t, pick(r, `{"a": -1}`, `{"_id": -1}`))
		}
		before := map[int]bool{}
		for _, id := range ids(scan(t, s, q)) {
			before[id] = true
		}
		sc, err := s.Open("d", "c", q)
		must(t, err)
		given := map[int]int{}
		touched := map[int]bool{}
		for {
			doc, ok, err := sc.Next()
			must(t, err)
			if !ok {
				break
			}
			given[ids([]value.Doc{doc})[0]]++
			if r.IntN(10) > 0 {
				continue
			}
			sc.Rest()
			id := r.IntN(n)
			touched[id] = true
			switch r.IntN(3) {
			case 0:
				remove(t, s, fmt.Sprintf(`{"_id": %d}`, id))
			case 1:
				change(t, s, fmt.Sprintf(`{"_id": %d}`, id), fmt.Sprintf(`{"a": %d, "b": %d}`, r.IntN(50), r.IntN(50)))
			default:
				change(t, s, fmt.Sprintf(`{"_id": %d}`, id), fmt.Sprintf(`{"$set": {"b": [%d]}}`, r.IntN(50)))
			}
		}
		for id := range n {
			if want := map[bool]int{true: 1}[before[id]]; !touched[id] && given[id] != want {
				t.Fatalf("seed %d: the document %d was given %d times, want %d", seed, id, given[id], want)
			}
		}
	}
}
