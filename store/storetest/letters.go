package storetest

import (
	"slices"
	"time"

	"botwatch/store"
)

var letterCases = []testCase{
	{"a second one keeps first_seen and counts an attempt", func(e *env) {
		id := store.StringID("a")
		first, second := letter(id, version(1, 1), start), letter(id, version(1, 2), start.Add(time.Hour))
		second.Reason, second.Field, second.Error, second.Model = "missing", "tweets", "is missing", "sha256:new"
		e.faultWith(first)
		e.faultWith(second)
		want := *second
		want.FirstSeen, want.Attempts = first.FirstSeen, 2
		if diff := differ(kept(e, &want), e.letter(id)); diff != "" {
			e.Errorf("letter (-want +got):\n%s", diff)
		}
	}},
	{"a good write clears it", func(e *env) {
		id, other := store.StringID("a"), store.StringID("b")
		e.faultWith(letter(id, version(1, 1), start))
		e.faultWith(letter(other, version(1, 1), start))
		w := replace(id, version(1, 2))
		w.ClearLetter = true
		e.written(w)
		if l := e.letter(id); l != nil {
			e.Errorf("still there: %+v", l)
		}
		if e.letter(other) == nil {
			e.Error("another's is gone")
		}
		e.written(w) // nothing to clear
	}},
	{"a superseded write neither puts nor clears", func(e *env) {
		id, clean := store.StringID("a"), store.StringID("clean")
		l := letter(id, version(2, 2), start)
		e.faultWith(l)
		w := replace(id, version(2, 1))
		w.ClearLetter = true
		if o := e.write(w); o.Result != store.Superseded {
			e.Fatalf("%v (%v), want superseded", o.Result, o.Err)
		}
		if diff := differ(kept(e, l), e.letter(id)); diff != "" {
			e.Errorf("letter (-want +got):\n%s", diff)
		}
		e.written(replace(clean, version(2, 2)))
		w = fault(clean, version(2, 1))
		w.Letter = letter(clean, w.Version, start)
		if o := e.write(w); o.Result != store.Superseded {
			e.Fatalf("%v (%v), want superseded", o.Result, o.Err)
		}
		if l := e.letter(clean); l != nil {
			e.Errorf("a late fault left a letter: %+v", l)
		}
	}},
	{"a write to be tried again clears nothing", func(e *env) {
		id := store.StringID("a")
		e.faultWith(letter(id, version(1, 1), start))
		w := touch(store.StringID("none"), version(1, 2))
		w.ClearLetter = true
		if o := e.write(w); o.Result != store.Retry {
			e.Fatalf("%v (%v), want retry", o.Result, o.Err)
		}
		if e.letter(id) == nil {
			e.Error("the letter is gone")
		}
	}},
	{"a touch and a removal clear it too", func(e *env) {
		for i, make := range []func(store.ID, store.Version) store.Write{touch, remove} {
			id := numbered("", 2)[i]
			e.faultWith(letter(id, version(1, 1), start))
			w := make(id, version(1, 2))
			w.ClearLetter = true
			e.written(w)
			if l := e.letter(id); l != nil {
				e.Errorf("kind %d: still there: %+v", w.Kind, l)
			}
		}
	}},
	{"lists page by page, in one order", func(e *env) {
		ids := numbered("", 10)
		for _, id := range ids {
			e.faultWith(letter(id, version(1, 1), start))
		}
		whole := e.letters(100)
		for _, n := range []int{1, 3, 5, 10} {
			if diff := differ(whole, e.letters(n)); diff != "" {
				e.Errorf("pages of %d (-whole +pages):\n%s", n, diff)
			}
		}
		var listed []store.ID
		for _, l := range whole {
			listed = append(listed, l.ID)
		}
		e.sameIDs("ListLetters", listed, ids)
	}},
	{"gets those that there are", func(e *env) {
		ids := numbered("", 4)
		for _, id := range ids[1:3] {
			e.faultWith(letter(id, version(1, 1), start))
		}
		list, err := e.s.GetLetters(e.ctx, ids)
		e.must("GetLetters", err)
		var got []store.ID
		for _, l := range list {
			got = append(got, l.ID)
		}
		e.sameIDs("GetLetters", got, ids[1:3])
	}},
	{"discards and counts those that there are", func(e *env) {
		ids := numbered("", 4)
		for i, id := range ids {
			l := letter(id, version(1, 1), start)
			if i == 3 {
				l.Reason = "missing"
			}
			e.faultWith(l)
		}
		e.checkLetterCounts(map[string]int{"bad_time": 3, "missing": 1})
		n, err := e.s.DiscardLetters(e.ctx, slices.Concat(ids[:2], []store.ID{store.StringID("none")}))
		e.must("DiscardLetters", err)
		if n != 2 {
			e.Errorf("DiscardLetters: %d, want 2", n)
		}
		e.checkLetterCounts(map[string]int{"bad_time": 1, "missing": 1})
		if !e.stamps(ids[0])[0].Found {
			e.Error("the prediction is gone with its letter")
		}
	}},
	{"counts none", func(e *env) { e.checkLetterCounts(map[string]int{}) }},
}

// faultWith does a Fault with a letter.
func (e *env) faultWith(l *store.Letter) {
	e.Helper()
	w := fault(l.ID, l.Version)
	w.Letter = l
	e.written(w)
}

func (e *env) checkLetterCounts(want map[string]int) {
	e.Helper()
	got, err := e.s.CountLetters(e.ctx)
	e.must("CountLetters", err)
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := differ(want, got); diff != "" {
		e.Errorf("CountLetters (-want +got):\n%s", diff)
	}
}
