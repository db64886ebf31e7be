package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/store"
)

func TestFollow(t *testing.T) {
	then, now := time.Date(2020, 5, 20, 9, 0, 0, 0, time.UTC), time.Date(2020, 5, 21, 9, 0, 0, 1234, time.FixedZone("", 3600))
	at := time.Date(2020, 5, 21, 8, 0, 0, 1000, time.UTC)
	first := store.HistoryEntry{Class: "organic", Support: "strong", Model: "m1", At: then}
	stored := store.Stamp{
		Found: true, Status: store.StatusClassified, Class: "organic", Support: "strong", Model: "m1", ClassChangedAt: then,
		History: []store.HistoryEntry{first},
	}
	made := func(class, support, model string) store.HistoryEntry {
		return store.HistoryEntry{Class: class, Support: support, Model: model, At: at}
	}
	deleted := store.Stamp{Found: true, Status: store.StatusDeleted}
	var long store.Stamp
	for i := range store.MaxHistory {
		long.History = append(long.History, store.HistoryEntry{Class: fmt.Sprint(i)})
	}
	long.Found = true
	for _, test := range []struct {
		name    string
		stored  store.Stamp
		class   string
		support classifier.Support
		model   string
		changed time.Time
		history []store.HistoryEntry
	}{
		{"the first", store.Stamp{}, "organic", classifier.SupportStrong, "m1", at, []store.HistoryEntry{made("organic", "strong", "m1")}},
		{"after a delete", deleted, "organic", classifier.SupportStrong, "m1", at, []store.HistoryEntry{made("organic", "strong", "m1")}},
		{"the same again", stored, "organic", classifier.SupportStrong, "m1", then, stored.History},
		{"another class", stored, "unheard", classifier.SupportStrong, "m1", at, []store.HistoryEntry{made("unheard", "strong", "m1"), first}},
		{"another support", stored, "organic", classifier.SupportWeak, "m1", then, []store.HistoryEntry{made("organic", "weak", "m1"), first}},
		{"another model", stored, "organic", classifier.SupportStrong, "m2", then, []store.HistoryEntry{made("organic", "strong", "m2"), first}},
		{"beyond the greatest length", long, "organic", classifier.SupportStrong, "m1", at,
			append([]store.HistoryEntry{made("organic", "strong", "m1")}, long.History[:store.MaxHistory-1]...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &store.Prediction{Slug: test.class, Support: test.support, Model: store.ModelRef{Digest: test.model}}
			before := slices.Clone(test.stored.History)
			p.Follow(&test.stored, now)
			if !p.ClassifiedAt.Equal(at) || !p.ClassChangedAt.Equal(test.changed) {
				t.Errorf("classified %v, class changed %v; want %v and %v", p.ClassifiedAt, p.ClassChangedAt, at, test.changed)
			}
			if diff := cmp.Diff(test.history, p.History); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
			if !slices.Equal(before, test.stored.History) {
				t.Error("the stamp's history was changed")
			}
		})
	}
}
