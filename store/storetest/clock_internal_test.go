package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/store"
)

// A case's expectation is cut wherever it holds a moment, and itself unchanged.
func TestKept(t *testing.T) {
	id := store.StringID("a")
	fine, coarse := &env{T: t}, &env{T: t, h: Harness{Clock: time.Millisecond}}
	at, cutAt := start, time.Date(2020, 5, 20, 9, 18, 42, 123000000, time.UTC)

	p := full(id, version(1, 1))
	p.ExpiresAt, p.Basis.FirstAt = at, -1
	want := full(id, version(1, 1))
	want.ExpiresAt, want.ClassChangedAt, want.ClassifiedAt = cutAt, cutAt, cutAt.Add(time.Minute)
	want.Basis.FirstAt, want.Basis.LastAt = -1000, classifier.Micros(cutAt.UnixMicro())
	want.Source.CrawledAt = classifier.Micros(cutAt.UnixMicro())
	want.History[0].At, want.History[1].At = cutAt, cutAt.Add(-time.Hour)
	if diff := cmp.Diff(want, kept(coarse, p)); diff != "" {
		t.Errorf("prediction (-want +got):\n%s", diff)
	}
	if p.History[0].At != at || p.ClassifiedAt != at.Add(time.Minute) || kept(fine, p) != p {
		t.Error("the expectation itself was changed")
	}

	c := store.Checkpoint{At: at, Owed: &store.Reconcile{Since: at}, Jobs: map[string]store.Job{"a": {LastStart: at, LastError: "e"}}}
	wantC := store.Checkpoint{At: cutAt, Owed: &store.Reconcile{Since: cutAt}, Jobs: map[string]store.Job{"a": {LastStart: cutAt, LastError: "e"}}}
	if diff := cmp.Diff(wantC, kept(coarse, c)); diff != "" {
		t.Errorf("checkpoint (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff((*store.Prediction)(nil), kept(coarse, (*store.Prediction)(nil))); diff != "" {
		t.Errorf("nothing (-want +got):\n%s", diff)
	}
}
