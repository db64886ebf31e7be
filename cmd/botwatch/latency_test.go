package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"botwatch/store"
)

func TestHistogramQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []time.Duration
	for range 20000 {
		d := time.Duration(r.ExpFloat64()*5000) * time.Microsecond
		all = append(all, d)
		h.add(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		got := h.quantile(q)
		if got < want || float64(got) > float64(want)*33/32+float64(2*time.Microsecond) {
			t.Errorf("quantile %v: %v, exactly it is %v", q, got, want)
		}
	}
	if h.longest != all[len(all)-1] {
		t.Errorf("longest %v, want %v", h.longest, all[len(all)-1])
	}
	if got := new(histogram).quantile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestMeterTimesFromTheIntendedMoment(t *testing.T) {
	m := newMeter(time.Now)
	a, b := store.StringID("a"), store.StringID("b")
	at := func(ms int) time.Time { return today.Add(time.Duration(ms) * time.Millisecond) }
	m.change(a, store.OpUpsert, at(0))
	m.change(a, store.OpUpsert, at(10))
	m.change(a, store.OpUpsert, at(50)) // after the write below began
	m.change(b, store.OpDelete, at(0))
	m.covered(a, at(20), at(30))
	times, waiting := m.view()
	if times.n != 2 || waiting != 2 || times.longest != 30*time.Millisecond {
		t.Fatalf("%d timed, %d wait, longest %v; want 2, 2, 30ms", times.n, waiting, times.longest)
	}
	m.covered(a, at(60), at(61))
	m.covered(b, at(60), at(61))
	m.covered(b, at(60), at(99)) // nothing waited
	if times, waiting = m.view(); times.n != 4 || waiting != 0 || times.longest != 61*time.Millisecond {
		t.Fatalf("%d timed, %d wait, longest %v; want 4, 0, 61ms", times.n, waiting, times.longest)
	}
}

// TestMeterForgets: what is written as it was is no change to wait for.
func TestMeterForgets(t *testing.T) {
	m := newMeter(time.Now)
	w := newUnlike(acceptAll{}, m)
	id := store.StringID("a")
	put := func(doc string) {
		m.change(id, store.OpUpsert, today)
		if err := w.PutAccounts(t.Context(), []store.Account{{ID: id, Doc: []byte(doc)}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		doc  string
		want int // that wait
	}{{"1", 1}, {"1", 1}, {"2", 2}, {"2", 2}, {"1", 3}} {
		put(step.doc)
		if _, waiting := m.view(); waiting != step.want {
			t.Errorf("after %s, %d wait; want %d", step.doc, waiting, step.want)
		}
	}
	if err := w.DeleteAccounts(t.Context(), []store.ID{id}); err != nil {
		t.Fatal(err)
	}
	put("1")
	if _, waiting := m.view(); waiting != 4 {
		t.Errorf("after it was gone, %d wait; want 4", waiting)
	}
}

// acceptAll is where accounts may be written.
type acceptAll struct{ store.Accounts }

func (acceptAll) PutAccounts(context.Context, []store.Account) error { return nil }
func (acceptAll) DeleteAccounts(context.Context, []store.ID) error   { return nil }
