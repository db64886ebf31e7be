package storetest

import (
	"context"
	"reflect"

	"botwatch/classifier"
	"botwatch/store"
)

var readerCases = []testCase{
	{"gives back a prediction whole, every field", func(e *env) {
		id, v := store.StringID("a"), version(2, 1)
		p := full(id, v)
		p.ExpiresAt = start
		for i := range reflect.TypeFor[store.Prediction]().NumField() {
			if f := reflect.TypeFor[store.Prediction]().Field(i); reflect.ValueOf(*p).Field(i).IsZero() {
				e.Fatalf("the suite's full prediction lacks %s", f.Name)
			}
		}
		p.ExpiresAt = full(id, v).ExpiresAt // tombstones only
		e.written(store.Write{ID: id, Version: v, Kind: store.Replace, Prediction: p})
		got := e.prediction(id)
		if diff := differ(text(kept(e, p)), text(got)); diff != "" {
			e.Errorf("document (-want +got):\n%s", diff)
		}
		if diff := differ(kept(e, p), got); diff != "" {
			e.Errorf("prediction (-want +got):\n%s", diff)
		}
	}},
	{"gives back documents of every status", func(e *env) {
		id := store.StringID("a")
		insufficient := &store.Prediction{
			ID: id, Platform: store.Platform, UserID: "1", Status: store.StatusInsufficient,
			Flags: classifier.FlagFewerThanTwo, Model: store.ModelRef{Name: "m", Digest: "sha256:m"},
			Source: store.SourceRef{Version: version(1, 1), Via: "scan"}, ClassifiedAt: start,
		}
		for i, p := range []*store.Prediction{insufficient, faulty(id, version(1, 1)), tombstone(id, version(1, 1)), healthy(id, version(1, 1))} {
			kind := store.Replace
			if p.Status == store.StatusDeleted {
				kind = store.Remove
			}
			p.Source.Version = version(1, uint64(i))
			e.written(store.Write{ID: id, Version: p.Source.Version, Kind: kind, Prediction: p})
			if diff := differ(text(kept(e, p)), text(e.prediction(id))); diff != "" {
				e.Errorf("%s (-want +got):\n%s", p.Status, diff)
			}
		}
	}},
	{"gives those that there are", func(e *env) {
		ids := numbered("", 5)
		e.written(replace(ids[1], version(1, 1)))
		e.written(remove(ids[3], version(1, 1)))
		list, err := e.s.Predictions(e.ctx, ids)
		e.must("Predictions", err)
		var got []store.ID
		for _, p := range list {
			got = append(got, p.ID)
		}
		e.sameIDs("Predictions", got, []store.ID{ids[1], ids[3]})
	}},
	{"counts by class and support, without tombstones", func(e *env) {
		check := func(want store.Counts) {
			e.Helper()
			got, err := e.s.Count(e.ctx)
			e.must("Count", err)
			if len(got.Classes) == 0 {
				got.Classes = nil
			}
			if diff := differ(want, got); diff != "" {
				e.Errorf("Count (-want +got):\n%s", diff)
			}
		}
		check(store.Counts{})
		ids := numbered("", 6)
		put := func(id store.ID, class int, support classifier.Support) {
			e.Helper()
			w := replace(id, version(1, 1))
			w.Prediction.Class, w.Prediction.Slug, w.Prediction.Support = class, slugs[class-1], support
			e.written(w)
		}
		put(ids[0], 1, classifier.SupportStrong)
		put(ids[1], 1, classifier.SupportStrong)
		put(ids[2], 1, classifier.SupportWeak)
		put(ids[3], 4, classifier.SupportNone)
		e.written(fault(ids[4], version(1, 1)))
		e.written(remove(ids[5], version(1, 1)))
		want := store.Counts{
			Total: 5, Stale: 1, Errors: 1,
			Classes: map[string]map[string]int{slugs[0]: {"strong": 2, "weak": 1}, slugs[3]: {"none": 1}, "": {"none": 1}},
		}
		check(want)
		e.written(fault(ids[2], version(1, 2)))
		want.Stale, want.Errors = 2, 2
		check(want)
		e.written(remove(ids[0], version(1, 2)))
		want.Total, want.Classes[slugs[0]] = 4, map[string]int{"strong": 1, "weak": 1}
		check(want)
	}},
}

var lifeCases = []testCase{
	{"closing twice is once", func(e *env) {
		for range 2 {
			if err := e.s.Close(); err != nil {
				e.Errorf("Close: %v", err)
			}
		}
	}},
	{"a closed store answers with errors", func(e *env) {
		e.must("Close", e.s.Close())
		if _, err := e.s.Head(e.ctx); err == nil {
			e.Error("Head: no error")
		}
		if _, err := e.s.Write(e.ctx, []store.Write{replace(store.StringID("a"), version(1, 1))}); err == nil {
			e.Error("Write: no error")
		}
	}},
	{"closing the store ends an open stream", func(e *env) {
		feed, err := e.s.Stream(e.ctx, e.head().Position)
		e.must("Stream", err)
		defer feed.Close()
		ended := make(chan error, 1)
		go func() {
			for {
				if _, err := feed.Next(context.WithoutCancel(e.ctx)); err != nil {
					ended <- err
					return
				}
			}
		}()
		e.must("Close", e.s.Close())
		select {
		case <-ended:
		case <-e.ctx.Done():
			e.Fatal("Next goes on")
		}
	}},
	{"a check of a good store fails in nothing", func(e *env) {
		e.put(1, e.someIDs()...)
		findings, err := e.s.Check(e.ctx)
		e.must("Check", err)
		for _, f := range findings {
			if f.Level == store.LevelFail {
				e.Errorf("%s: %s", f.Subject, f.Message)
			}
			if f.Subject == "" || f.Message == "" {
				e.Errorf("an empty finding: %+v", f)
			}
		}
	}},
}
