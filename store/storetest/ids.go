package storetest

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"botwatch/store"
)

// someIDs are ids of every type that MongoDB takes, all distinct, among them
// those that careless stores mix up.
var someIDs = append([]store.ID{
	store.StringID(""), store.StringID("1"), store.StringID("a"), store.StringID("A"), store.StringID("a "), store.StringID("ä"),
	store.StringID("a\u0308"), store.StringID("日本"), store.StringID("a\x00"), store.StringID("a\x00b"), store.StringID(`"'\%_`),
	store.StringID("1.0"), store.StringID("null"), store.StringID(strings.Repeat("x", 900)),
	store.IntID(0), store.IntID(1), store.IntID(-1), store.IntID(813286), store.IntID(1 << 53), store.IntID(1<<53 + 1),
	store.IntID(math.MaxInt64), store.IntID(math.MaxInt64 - 1), store.IntID(math.MinInt64),
	store.FloatID(1.5), store.FloatID(-1.5), store.FloatID(0.1), store.FloatID(1e300), store.FloatID(1 << 63), store.FloatID(5e-324),
	store.FloatID(math.Inf(1)), store.FloatID(math.Inf(-1)), store.FloatID(math.NaN()),
	store.BytesID(nil), store.BytesID([]byte("1")), store.BytesID([]byte("a")), store.BytesID([]byte{0}), store.BytesID([]byte{0xff, 0}),
}, extended(
	`{"$numberDecimal":"0.1"}`, `{"$numberDecimal":"-0.1"}`, `{"$numberDecimal":"9223372036854775808.5"}`, `{"$numberDecimal":"1E+6000"}`,
	`{"$oid":"507f1f77bcf86cd799439011"}`, `{"$oid":"507f1f77bcf86cd799439012"}`, `{"$oid":"ffffffffffffffffffffffff"}`, `"507f1f77bcf86cd799439011"`,
	`true`, `false`, `null`, `{"$minKey":1}`, `{"$maxKey":1}`,
	`{"$date":"2020-05-20T09:18:42Z"}`, `{"$date":"2020-05-20T09:18:42.001Z"}`, `{"$date":{"$numberLong":"-1"}}`,
	`{"$timestamp":{"t":1590000000,"i":1}}`, `{"$timestamp":{"t":1590000000,"i":2}}`, `{"$timestamp":{"t":4294967295,"i":0}}`,
	`{"$binary":{"base64":"AA==","subType":"02"}}`, `{"$binary":{"base64":"AA==","subType":"80"}}`, `{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}`,
	`{"$symbol":"a symbol"}`, `{"$code":"f()"}`, `{"$code":"f()","$scope":{}}`, `{"$code":"f()","$scope":{"a":1}}`,
	`{"$dbPointer":{"$ref":"c","$id":{"$oid":"507f1f77bcf86cd799439011"}}}`, `{"$ref":"c","$id":{"$oid":"507f1f77bcf86cd799439011"}}`,
	`{}`, `{"a":1,"b":1}`, `{"b":1,"a":1}`, `{"a":"1"}`, `{"a":null}`, `{"a":{}}`, `{"a":[]}`, `{"a":[1,[2,{"b":1.5}]]}`, `{"":"a\u0000b"}`,
)...)

// extended reads ids from extended JSON.
func extended(texts ...string) (ids []store.ID) {
	for _, text := range texts {
		id, err := store.ParseID([]byte(text))
		if err != nil {
			panic(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// someIDs gives those that the store can hold.
func (e *env) someIDs() []store.ID {
	if e.h.Holds == nil {
		return someIDs
	}
	return slices.DeleteFunc(slices.Clone(someIDs), func(id store.ID) bool { return !e.h.Holds(id) })
}

var idCases = []testCase{
	{"come through the source unchanged and distinct", func(e *env) {
		someIDs := e.someIDs()
		head := e.head()
		e.put(1, someIDs...)
		n, err := e.s.CountAccounts(e.ctx)
		e.must("CountAccounts", err)
		if n != len(someIDs) {
			e.Errorf("CountAccounts: %d, want %d", n, len(someIDs))
		}
		check := func(where string, changes []store.Change, mode store.ScanMode) {
			e.Helper()
			e.sameIDs(where, idsOf(changes), someIDs)
			for _, c := range changes {
				switch {
				case mode == store.ScanDocs:
					if name, _ := e.read(c.Doc); name != nameOf(c.ID, 1) {
						e.Errorf("%s: %v has the document of %s, want %s", where, c.ID, name, nameOf(c.ID, 1))
					}
				case c.CrawledAt.Time() != crawled(1):
					e.Errorf("%s: %v was crawled at %v, want %v", where, c.ID, c.CrawledAt.Time(), crawled(1))
				}
			}
		}
		check("Stream", e.follow(head.Position, len(someIDs)), store.ScanDocs)
		for _, mode := range []store.ScanMode{store.ScanDocs, store.ScanKeys} {
			check("Scan", e.scan(nil, mode), mode)
			changes, err := e.s.Fetch(e.ctx, someIDs, mode)
			e.must("Fetch", err)
			check("Fetch", changes, mode)
		}
	}},
	{"come through the sink unchanged and distinct", func(e *env) {
		someIDs := e.someIDs()
		var writes []store.Write
		for i, id := range someIDs {
			w := fault(id, version(1, uint64(i)))
			w.Prediction.ScreenName = nameOf(id, 1)
			w.Letter = letter(id, w.Version, start)
			writes = append(writes, w)
		}
		outcomes, err := e.s.Write(e.ctx, writes)
		e.must("Write", err)
		for i, o := range outcomes {
			if o.Result != store.Written {
				e.Errorf("Write of %v: %v (%v), want written", someIDs[i], o.Result, o.Err)
			}
		}
		for i, st := range e.stamps(someIDs...) {
			if st.ID != someIDs[i] || st.Version != version(1, uint64(i)) {
				e.Errorf("Stamps[%d]: %v of %v, want %v of %v", i, st.ID, st.Version, someIDs[i], version(1, uint64(i)))
			}
		}
		var walked []store.ID
		for _, st := range e.walk(5) {
			walked = append(walked, st.ID)
		}
		e.sameIDs("Walk", walked, someIDs)
		var listed []store.ID
		for _, l := range e.letters(5) {
			listed = append(listed, l.ID)
		}
		e.sameIDs("ListLetters", listed, someIDs)
		for _, id := range someIDs {
			if p := e.prediction(id); p == nil || p.ID != id || p.ScreenName != nameOf(id, 1) {
				e.Errorf("Predictions of %v: %s", id, text(p))
			}
			if l := e.letter(id); l == nil || l.ID != id {
				e.Errorf("GetLetters of %v: %v", id, l)
			}
		}
		n, err := e.s.DiscardLetters(e.ctx, someIDs)
		e.must("DiscardLetters", err)
		if n != len(someIDs) {
			e.Errorf("DiscardLetters: %d, want %d", n, len(someIDs))
		}
	}},
	{"1 and 1.0 are one", func(e *env) {
		e.same(store.IntID(1), store.FloatID(1))
	}},
	{"numbers of a document are one whatever their type", func(e *env) {
		wide := extended(`{"a":[1,{"$numberDecimal":"2.50"}]}`)[0]
		if e.h.Holds != nil && !e.h.Holds(wide) {
			return
		}
		e.same(wide, extended(`{"a":[{"$numberDouble":"1.0"},2.5]}`)[0])
	}},
}

// same checks that two ids are one account.
func (e *env) same(id, other store.ID) {
	e.Helper()
	e.put(1, id)
	e.put(2, other)
	changes := e.scan(nil, store.ScanDocs)
	e.sameIDs("Scan", idsOf(changes), []store.ID{id})
	if name, _ := e.read(changes[0].Doc); name != nameOf(id, 2) {
		e.Errorf("Scan: %s, want %s", name, nameOf(id, 2))
	}
	e.delete(other)
	e.sameIDs("Scan after delete", idsOf(e.scan(nil, store.ScanKeys)), nil)
}

// sameIDs checks that got holds just want, each once, in any order.
func (e *env) sameIDs(where string, got, want []store.ID) {
	e.Helper()
	if diff := differ(readable(want), readable(got)); diff != "" {
		e.Errorf("%s: ids (-want +got):\n%s", where, diff)
	}
}

// readable gives sorted ids as JSON, so that "1" and 1 look different.
func readable(ids []store.ID) []string {
	list := make([]string, 0, len(ids))
	for _, id := range ids {
		list = append(list, string(id.AppendJSON(nil)))
	}
	slices.Sort(list)
	return list
}

func idsOf(changes []store.Change) []store.ID {
	var ids []store.ID
	for _, c := range changes {
		ids = append(ids, c.ID)
	}
	return ids
}

// scan reads a scan to its end.
func (e *env) scan(from store.Position, mode store.ScanMode) []store.Change {
	e.Helper()
	var all []store.Change
	for _, b := range e.scanBatches(from, mode, nil) {
		all = append(all, b.Changes...)
	}
	return all
}

// scanBatches reads a scan to its end and runs between before each batch.
func (e *env) scanBatches(from store.Position, mode store.ScanMode, between func(batch int)) []store.Batch {
	e.Helper()
	feed, err := e.s.Scan(e.ctx, from, mode)
	e.must("Scan", err)
	defer e.closeFeed(feed)
	for batches := []store.Batch(nil); ; {
		if between != nil {
			between(len(batches))
		}
		b, err := feed.Next(e.ctx)
		if errors.Is(err, io.EOF) {
			return batches
		}
		e.must("Scan: Next", err)
		if head := e.head(); b.Seq > head.Seq {
			e.Errorf("Scan: a batch of seq %d, and the head is at %d", b.Seq, head.Seq)
		}
		for _, c := range b.Changes {
			if c.Op != store.OpUpsert || c.Err != nil {
				e.Fatalf("Scan: %v is %v (%v), want an upsert", c.ID, c.Op, c.Err)
			}
			if c.Seq > b.Seq {
				e.Errorf("Scan: %v has seq %d, its batch %d", c.ID, c.Seq, b.Seq)
			}
			if mode == store.ScanKeys && c.Doc != nil {
				e.Errorf("Scan of keys: %v comes with a document", c.ID)
			}
		}
		batches = append(batches, b)
	}
}

func (e *env) closeFeed(f store.Feed) {
	e.Helper()
	if err := f.Close(); err != nil {
		e.Errorf("Close of a feed: %v", err)
	}
}

// walk reads all stamps in pages of n.
func (e *env) walk(n int) (all []store.Stamp) {
	e.Helper()
	for at := store.Position(nil); ; {
		page, after, err := e.s.Walk(e.ctx, at, n)
		e.must("Walk", err)
		all = append(all, page...)
		if len(page) < n {
			return all
		}
		if len(page) > n {
			e.Fatalf("Walk: %d stamps, want at most %d", len(page), n)
		}
		at = after
	}
}

// letters lists all letters in pages of n.
func (e *env) letters(n int) (all []store.Letter) {
	e.Helper()
	for after := store.ID(""); ; {
		page, err := e.s.ListLetters(e.ctx, after, n)
		e.must("ListLetters", err)
		if len(page) > n {
			e.Fatalf("ListLetters: %d letters, want at most %d", len(page), n)
		}
		all = append(all, page...)
		if len(page) < n {
			return all
		}
		after = page[n-1].ID
	}
}
