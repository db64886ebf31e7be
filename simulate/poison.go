package simulate

import (
	"bytes"
	"time"
)

// poisons are what can be wrong with an account: each replaces the first old
// text by the new one.
var poisons = [...]struct{ old, new string }{
	{`"crawled_at":"`, `"crawled_at":"not a time, `},
	{`"statuses_count":`, `"statuses_count":"many","statuses":`},
	{`"followers_count":`, `"followers_count":NaN,"followers":`},
	{`"followers_count":`, `"followers_count":-1,"followers":`},
	{`"user_data":`, `"profile":`},
	{`"tweets":[`, `"tweets":[17,`},
}

// Poison gives account n as Account does, with a fault that keeps it from being
// decoded: a bad time, a wrong type, NaN, a negative count, a missing or a
// misplaced value.
func (g Generator) Poison(n, revision int, now time.Time) Doc {
	doc := g.Account(n, revision, now)
	d := dice(g.Seed).roll(n).roll(-4 - revision)
	p := poisons[d.below(len(poisons))]
	doc.JSON = bytes.Replace(doc.JSON, []byte(p.old), []byte(p.new), 1)
	return doc
}
