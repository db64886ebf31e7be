package storetest

import (
	"context"
	"slices"

	"botwatch/store"
)

var sinkCases = []testCase{
	{"stamps come in the order asked", func(e *env) {
		a, b, none := store.StringID("a"), store.IntID(7), store.StringID("none")
		e.written(replace(a, version(1, 1)))
		e.written(replace(b, version(1, 2)))
		var got []store.Version
		for _, st := range e.stamps(b, none, a) {
			got = append(got, st.Version)
		}
		if diff := differ([]store.Version{version(1, 2), {}, version(1, 1)}, got); diff != "" {
			e.Errorf("versions (-want +got):\n%s", diff)
		}
		if stamps := e.stamps(); len(stamps) != 0 {
			e.Errorf("stamps of nothing: %v", stamps)
		}
	}},
	{"each write stands for itself", func(e *env) {
		old, absent, fresh := store.StringID("old"), store.StringID("absent"), store.StringID("fresh")
		e.written(replace(old, version(2, 2)))
		outcomes, err := e.s.Write(e.ctx, []store.Write{replace(old, version(2, 1)), touch(absent, version(2, 3)), replace(fresh, version(2, 3))})
		e.must("Write", err)
		var got []store.Result
		for _, o := range outcomes {
			got = append(got, o.Result)
		}
		if want := []store.Result{store.Superseded, store.Retry, store.Written}; !slices.Equal(got, want) {
			e.Errorf("outcomes %v, want %v", got, want)
		}
	}},
	{"the newest version is that of the greatest epoch, tombstones included", func(e *env) {
		want := store.Version{}
		check := func(when string) {
			e.Helper()
			got, err := e.s.Newest(e.ctx)
			e.must("Newest", err)
			if got != want {
				e.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		check("of nothing")
		for _, step := range []struct {
			w     store.Write
			newer bool
		}{
			{replace(store.StringID("a"), version(1, 9)), true},
			{replace(store.IntID(7), version(3, 4)), true},
			{fault(store.StringID("b"), version(3, 2)), false},
			{remove(store.StringID("c"), version(2, 99)), false},
			{touch(store.StringID("a"), version(3, 5)), true},
			{remove(store.StringID("d"), version(3, 6)), true},
		} {
			e.written(step.w)
			if step.newer {
				want = step.w.Version
			}
			check(step.w.ID.String())
		}
		e.restart()
		check("after a restart")
	}},
	{"a write of nothing is none", func(e *env) {
		outcomes, err := e.s.Write(e.ctx, nil)
		e.must("Write", err)
		if len(outcomes) != 0 {
			e.Errorf("%d outcomes", len(outcomes))
		}
	}},
	{"what is written outlasts a restart", func(e *env) {
		id := store.StringID("a")
		w := replace(id, version(1, 1))
		w.Prediction = full(id, w.Version)
		w.Letter = letter(id, w.Version, start)
		e.written(w)
		e.restart()
		if diff := differ(text(kept(e, w.Prediction)), text(e.prediction(id))); diff != "" {
			e.Errorf("stored (-want +got):\n%s", diff)
		}
		if diff := differ(kept(e, w.Letter), e.letter(id)); diff != "" {
			e.Errorf("letter (-want +got):\n%s", diff)
		}
	}},
	{"a write that was fenced once stays fenced after a restart", func(e *env) {
		id := store.StringID("a")
		e.written(remove(id, version(2, 1)))
		e.restart()
		if o := e.write(replace(id, version(1, 9))); o.Result != store.Superseded {
			e.Errorf("%v (%v), want superseded", o.Result, o.Err)
		}
	}},
	{"a tombstone keeps nothing personal", func(e *env) {
		id := store.StringID("a")
		p := full(id, version(1, 2))
		e.written(store.Write{ID: id, Version: version(1, 1), Kind: store.Replace, Prediction: full(id, version(1, 1))})
		dead := tombstone(id, version(1, 2))
		p.Status, p.ExpiresAt = dead.Status, dead.ExpiresAt
		e.written(store.Write{ID: id, Version: version(1, 2), Kind: store.Remove, Prediction: p})
		got := e.prediction(id)
		if diff := differ(kept(e, dead), got); diff != "" {
			e.Errorf("tombstone (-want +got):\n%s", diff)
		}
	}},
	{"a walk leaves tombstones out, and histories", func(e *env) {
		ids := numbered("", 30)
		for i, id := range ids {
			e.written(replace(id, version(1, uint64(i))))
		}
		for _, id := range ids[10:20] {
			e.written(remove(id, version(1, 100)))
		}
		for _, n := range []int{1, 7, 20, 100} {
			var walked []store.ID
			for _, st := range e.walk(n) {
				walked = append(walked, st.ID)
				want := stampOf(st.ID, healthy(st.ID, st.Version))
				want.History = nil
				if diff := differ(kept(e, want), st); diff != "" {
					e.Errorf("stamp (-want +got):\n%s", diff)
				}
			}
			e.sameIDs("Walk", walked, slices.Concat(ids[:10], ids[20:]))
		}
	}},
	{"a walk goes on from a position whose prediction is gone", func(e *env) {
		ids := numbered("", 9)
		for i, id := range ids {
			e.written(replace(id, version(1, uint64(i))))
		}
		first, after, err := e.s.Walk(e.ctx, nil, 4)
		e.must("Walk", err)
		e.written(remove(first[3].ID, version(1, 100)))
		rest, _, err := e.s.Walk(e.ctx, after, 100)
		e.must("Walk", err)
		var walked []store.ID
		for _, st := range slices.Concat(first, rest) {
			walked = append(walked, st.ID)
		}
		e.sameIDs("Walk", walked, ids)
	}},
	{"a tombstone stays until it expires", func(e *env) {
		epoch, err := e.s.Acquire(e.ctx, "suite")
		e.must("Acquire", err)
		id := store.StringID("a")
		e.written(remove(id, version(1, 5)))
		e.must("Save", e.s.Save(e.ctx, epoch, e.checkpoint()))
		if o := e.write(replace(id, version(1, 4))); o.Result != store.Superseded {
			e.Errorf("%v (%v), want superseded", o.Result, o.Err)
		}
	}},
	{"nothing is done under a cancelled context", func(e *env) {
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		id := store.StringID("a")
		if _, err := e.s.Write(ctx, []store.Write{replace(id, version(1, 1))}); err == nil {
			e.Error("Write: no error")
		}
		if e.stamps(id)[0].Found {
			e.Error("the write was done")
		}
	}},
}
