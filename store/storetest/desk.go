package storetest

import (
	"errors"
	"time"

	"botwatch/store"
)

var deskCases = []testCase{
	{"passes requests, oldest first, until they are finished", func(e *env) {
		var want []store.Request
		for i, kind := range []string{"backfill", "resume", "replay"} {
			r := store.Request{
				Kind: kind, Args: map[string]string{"ids": `"ü"`, "n": kind}, Filed: start.Add(time.Duration(i) * time.Second), State: store.RequestFiled,
			}
			id, err := e.s.Submit(e.ctx, r)
			e.must("Submit", err)
			r.ID = id
			want = append(want, r)
		}
		if want[0].ID == want[1].ID || want[0].ID == "" {
			e.Errorf("ids: %q and %q", want[0].ID, want[1].ID)
		}
		e.checkRequests(true, want)
		e.checkRequests(false, want)

		want[1].State, want[1].Progress = store.RequestRunning, "3 of 4"
		e.must("Update", e.s.Update(e.ctx, want[1]))
		e.checkRequests(false, want)

		want[0].State, want[0].Ended = store.RequestDone, start.Add(time.Hour)
		e.must("Update", e.s.Update(e.ctx, want[0]))
		want[2].State, want[2].Error, want[2].Ended = store.RequestFailed, "no such letter", start.Add(time.Hour)
		e.must("Update", e.s.Update(e.ctx, want[2]))
		e.checkRequests(false, want[1:2])
		e.checkRequests(true, want)
		e.restart()
		e.checkRequests(true, want)
	}},
	{"passes requests from one handle to another", func(e *env) {
		other := e.connect()
		r := store.Request{Kind: "resume", Filed: start, State: store.RequestFiled}
		id, err := other.Submit(e.ctx, r)
		e.must("Submit", err)
		r.ID = id
		e.checkRequests(false, []store.Request{r})
	}},
	{"keeps the newest of many finished requests, and all others", func(e *env) {
		open, err := e.s.Submit(e.ctx, store.Request{Kind: "resume", Filed: start, State: store.RequestFiled})
		e.must("Submit", err)
		last := ""
		for range 150 {
			r := store.Request{Kind: "backfill", Filed: start, State: store.RequestFiled}
			r.ID, err = e.s.Submit(e.ctx, r)
			e.must("Submit", err)
			r.State, r.Ended = store.RequestDone, start
			e.must("Update", e.s.Update(e.ctx, r))
			last = r.ID
		}
		list, err := e.s.Requests(e.ctx, true)
		e.must("Requests", err)
		if len(list) < 2 || list[0].ID != open || list[len(list)-1].ID != last {
			e.Errorf("%d requests, want the open one first and the last finished one last", len(list))
		}
	}},
	{"publishes the status", func(e *env) {
		got, err := e.s.Published(e.ctx)
		e.must("Published", err)
		if got != nil {
			e.Errorf("at first: %q, want none", got)
		}
		for _, want := range []string{`{"role": "leader", "lag": 1.5}`, `{"role": "standby ü"}`} {
			e.must("Publish", e.s.Publish(e.ctx, 7, []byte(want)))
			for _, s := range []store.Store{e.s, e.connect()} {
				got, err := s.Published(e.ctx)
				e.must("Published", err)
				if string(got) != want {
					e.Errorf("Published: %q, want %q", got, want)
				}
			}
		}
	}},
	{"publishes nothing over the status of a greater epoch", func(e *env) {
		for _, step := range []struct {
			epoch  int64
			status string
			want   string
		}{{4, "old", "old"}, {5, "new", "new"}, {4, "old again", "new"}, {5, "newer", "newer"}} {
			err := e.s.Publish(e.ctx, step.epoch, []byte(step.status))
			if fenced := errors.Is(err, store.ErrFenced); fenced != (step.status != step.want) || err != nil && !fenced {
				e.Errorf("Publish %q of %d: %v", step.status, step.epoch, err)
			}
			got, err := e.s.Published(e.ctx)
			e.must("Published", err)
			if string(got) != step.want {
				e.Errorf("after %q: published is %q", step.status, got)
			}
		}
	}},
}

func (e *env) checkRequests(all bool, want []store.Request) {
	e.Helper()
	got, err := e.s.Requests(e.ctx, all)
	e.must("Requests", err)
	if diff := differ(want, got); diff != "" {
		e.Errorf("requests, all=%v (-want +got):\n%s", all, diff)
	}
}
