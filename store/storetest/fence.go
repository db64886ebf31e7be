package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"botwatch/store"
)

// fenceCases is the full table of a write's kind, what is stored, and how old
// that is, and the race of many writers.
var fenceCases = func() []testCase {
	type state struct {
		name string
		make func(store.ID, store.Version) store.Write
	}
	states := []state{
		{"a prediction", replace},
		{"an error", fault},
		{"a tombstone", remove},
	}
	kinds := []state{{"replace", replace}, {"touch", touch}, {"fault", fault}, {"remove", remove}}
	versions := []struct {
		name   string
		stored store.Version
		newer  bool // the stored one is
	}{
		{"older", version(2, 4), false},
		{"an older epoch's", version(1, 9), false},
		{"equal", version(2, 5), false},
		{"newer", version(2, 6), true},
		{"a newer epoch's", version(3, 1), true},
	}
	var cases []testCase
	for _, k := range kinds {
		cases = append(cases, testCase{k.name + " over nothing", func(e *env) {
			id := store.StringID("a")
			e.checkWrite(nil, k.make(id, version(2, 5)), false)
		}})
		for _, s := range states {
			for _, v := range versions {
				name := fmt.Sprintf("%s over %s, %s", k.name, s.name, v.name)
				cases = append(cases, testCase{name, func(e *env) {
					id := store.StringID("a")
					first := s.make(id, v.stored)
					e.written(first)
					e.checkWrite(first.Prediction, k.make(id, version(2, 5)), v.newer)
				}})
			}
		}
	}
	return append(cases, testCase{"the greatest of racing versions wins", race})
}()

// checkWrite does a write over what is stored and checks the outcome, the
// document and the stamp; the same again changes nothing more.
func (e *env) checkWrite(stored *store.Prediction, w store.Write, newer bool) {
	e.Helper()
	result := store.Written
	switch {
	case newer:
		result = store.Superseded
	case stored == nil && w.Kind == store.Touch:
		result = store.Retry
	}
	want := stored
	if result == store.Written {
		want = after(stored, w)
	}
	for _, when := range []string{"first", "again"} {
		o := e.write(w)
		if o.Result != result {
			e.Errorf("%s: %v (%v), want %v", when, o.Result, o.Err, result)
		}
		if result == store.Retry && o.Err == nil {
			e.Errorf("%s: a retry without a reason", when)
		}
		if diff := differ(text(kept(e, want)), text(e.prediction(w.ID))); diff != "" {
			e.Errorf("%s: stored (-want +got):\n%s", when, diff)
		}
		if diff := differ(kept(e, stampOf(w.ID, want)), e.stamps(w.ID)[0]); diff != "" {
			e.Errorf("%s: stamp (-want +got):\n%s", when, diff)
		}
	}
}

// after is what a write that takes effect leaves.
func after(stored *store.Prediction, w store.Write) *store.Prediction {
	switch {
	case w.Kind == store.Touch:
		p := *stored
		p.Source.Version = w.Version
		return &p
	case w.Kind == store.Fault && stored != nil && stored.Status != store.StatusDeleted:
		p := *stored
		p.Source.Version, p.Stale, p.Error = w.Version, true, w.Prediction.Error
		return &p
	}
	return w.Prediction
}

// stampOf is a document's stamp.
func stampOf(id store.ID, p *store.Prediction) store.Stamp {
	switch {
	case p == nil:
		return store.Stamp{ID: id}
	case p.Status == store.StatusDeleted:
		return store.Stamp{ID: id, Found: true, Version: p.Source.Version, Status: p.Status}
	}
	return store.Stamp{
		ID: id, Found: true, Version: p.Source.Version, Status: p.Status, Fingerprint: p.Source.Fingerprint,
		Model: p.Model.Digest, Class: p.Slug, Support: p.Support.String(), Stale: p.Stale, Faulty: p.Error != nil,
		CrawledAt: p.Source.CrawledAt, ClassifiedAt: p.ClassifiedAt, ClassChangedAt: p.ClassChangedAt, History: p.History,
	}
}

// race has writers write versions of the same ids, each in its own order. What
// is stored in the end is the greatest, and no outcome contradicts that.
func race(e *env) {
	const writers, rounds = 8, 12
	ids := numbered("", 5)
	var group sync.WaitGroup
	for n := range writers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for _, round := range random.Perm(rounds) {
				var writes []store.Write
				for _, id := range ids {
					v := version(int64(1+round%3), uint64(round*writers+n))
					switch random.IntN(4) {
					case 0:
						writes = append(writes, remove(id, v))
					case 1:
						writes = append(writes, fault(id, v))
					default:
						writes = append(writes, replace(id, v))
					}
				}
				e.raceWrite(writes)
			}
		})
	}
	group.Wait()
	want := version(3, uint64((rounds-1)*writers+writers-1)) // round 11 is of epoch 3
	for _, st := range e.stamps(ids...) {
		if st.Version != want {
			e.Errorf("%v: version %v is stored, want %v", st.ID, st.Version, want)
		}
	}
}

// raceWrite writes until nothing is to be tried again, and looks after each.
func (e *env) raceWrite(writes []store.Write) {
	for len(writes) > 0 {
		outcomes, err := e.s.Write(e.ctx, writes)
		if err != nil {
			e.Errorf("Write: %v", err)
			return
		}
		var again []store.Write
		for i, o := range outcomes {
			w := writes[i]
			stamps, err := e.s.Stamps(e.ctx, []store.ID{w.ID})
			if err != nil {
				e.Errorf("Stamps: %v", err)
				return
			}
			stored := stamps[0].Version
			switch o.Result {
			case store.Written:
				if stored.Less(w.Version) {
					e.Errorf("%v: version %v was written, but %v is stored", w.ID, w.Version, stored)
				}
			case store.Superseded:
				if !w.Version.Less(stored) {
					e.Errorf("%v: version %v was superseded, but %v is stored", w.ID, w.Version, stored)
				}
			case store.Retry:
				again = append(again, w)
			default:
				e.Errorf("%v: %v (%v)", w.ID, o.Result, o.Err)
			}
		}
		writes = again
	}
}
