package simulate

import (
	"bytes"
	"strings"
	"time"
)

// A poison is what can be wrong with an account: it replaces the first old text
// by the new one.
type poison struct{ old, new string }

// poisons are valid JSON, but for the last.
var poisons = [...]poison{
	{`"crawled_at":"`, `"crawled_at":"not a time, `},
	{`"statuses_count":`, `"statuses_count":"many","statuses":`},
	{`"followers_count":`, `"followers_count":-1,"followers":`},
	{`"user_data":`, `"profile":`},
	{`"tweets":[`, `"tweets":[17],"timeline":[`},
	{`"created_at":"`, `"created_at":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `,"created":"`},
	{`"followers_count":`, `"followers_count":NaN,"followers":`},
}

// deep is how deep a poison is nested: MongoDB holds 100 levels.
const deep = 90

// strictNaN is the last poison as extended JSON.
const strictNaN = `"followers_count":{"$numberDouble":"NaN"},"followers":`

// Poison gives account n as Account does, with a fault that keeps it from being
// decoded: a bad time, a wrong type, NaN, a negative count, deep nesting, a missing
// or a misplaced value.
func (g Generator) Poison(n, revision int, now time.Time) Doc {
	doc := g.Account(n, revision, now)
	d := dice(g.Seed).roll(n).roll(-4 - revision)
	i := d.below(len(poisons))
	p := poisons[i]
	if g.Strict && i == len(poisons)-1 {
		p.new = strictNaN
	}
	doc.JSON = bytes.Replace(doc.JSON, []byte(p.old), []byte(p.new), 1)
	return doc
}
