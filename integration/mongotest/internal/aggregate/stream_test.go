package aggregate_test

import (
	"testing"

	"botwatch/integration/mongotest/internal/aggregate"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// source counts what is drawn from it, and has an end that may move.
type source struct {
	docs  []value.Doc
	drawn int
}

func (s *source) Next() (value.Doc, bool, error) {
	if s.drawn == len(s.docs) {
		return nil, false, nil
	}
	s.drawn++
	return s.docs[s.drawn-1], true, nil
}

// TestStreaming: stages that hold nothing back draw no more than they give, and
// go on where their source goes on.
func TestStreaming(t *testing.T) {
	p, err := aggregate.Compile(list(t, `[{"$match":{"a":1}},{"$set":{"b":1}},{"$unwind":"$c"},{"$skip":1},{"$project":{"_id":1,"c":1}},{"$limit":3}]`), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{docs: list(t, `[{"_id":1,"a":1,"c":[1,2]},{"_id":2,"a":1,"c":5},{"_id":3}]`)}
	it := p.Run(s)
	next := func(want string, drawn int) {
		t.Helper()
		doc, ok, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		var got []value.Doc
		if ok {
			got = append(got, doc)
		}
		wantDocs(t, got, want)
		if s.drawn != drawn {
			t.Errorf("%d documents drawn, want %d", s.drawn, drawn)
		}
	}
	next(`[{"_id":1,"c":2}]`, 1)
	next(`[{"_id":2,"c":5}]`, 2)
	next(`[]`, 3)
	next(`[]`, 3)
	s.docs = append(s.docs, list(t, `[{"_id":4,"a":1,"c":6},{"_id":5,"a":1,"c":7}]`)...)
	next(`[{"_id":4,"c":6}]`, 4)
	next(`[]`, 4) // the limit
}

// TestCheckStream: which stages may follow $changeStream.
func TestCheckStream(t *testing.T) {
	for _, c := range []struct {
		pipeline string
		code     fault.Code
	}{
		{`[]`, 0},
		{`[{"$match":{}},{"$project":{"a":1}},{"$addFields":{"a":1}},{"$set":{"a":1}},{"$unset":"a"},{"$replaceRoot":{}},{"$replaceWith":{}},{"$redact":{}},{"$changeStreamSplitLargeEvent":{}}]`, 0},
		{`[{"$group":{"_id":1}}]`, fault.IllegalOperation},
		{`[{"$limit":1}]`, fault.IllegalOperation},
		{`[{"$out":"x"}]`, fault.IllegalOperation},
		{`[{"$unsupported":"foo"}]`, 40324},
		{`[{"$changeStreamSplitLargeEvent":{}},{"$match":{}}]`, 7182802},
		{`[{"$changeStream":{}}]`, 40602},
		{`[{"$match":{},"$set":{}}]`, 40323},
	} {
		err := aggregate.CheckStream(list(t, c.pipeline))
		if c.code == 0 && err != nil {
			t.Errorf("%s: %v", c.pipeline, err)
		} else if c.code != 0 {
			wantCode(t, err, c.code)
		}
	}
}
