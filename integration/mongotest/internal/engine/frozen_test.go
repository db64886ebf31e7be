package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/engine"
	"botwatch/integration/mongotest/internal/fault"
)

func majority(t *testing.T, s *engine.Store) []int {
	t.Helper()
	q := query(t, `{}`)
	q.Majority = true
	return ids(scan(t, s, q))
}

func local(t *testing.T, s *engine.Store) []int {
	t.Helper()
	return ids(scan(t, s, query(t, `{}`)))
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestFreeze(t *testing.T) {
	s := store(t, `{"_id": 1, "a": 1}`, `{"_id": 2}`)
	_, before := s.Bounds()
	at := s.Committed()
	s.Freeze()
	must(t, s.Insert("d", "c", parse(t, `{"_id": 3}`), false))
	remove(t, s, `{"_id": 2}`)
	change(t, s, `{"_id": 1}`, `{"$set": {"a": 9}}`)
	must(t, s.Insert("d", "new", parse(t, `{"_id": 1}`), false))
	same(t, "what the majority has", majority(t, s), []int{1, 2})
	same(t, "what there is", local(t, s), []int{1, 3})
	if s.Committed() != at || !s.Applied().After(at) {
		t.Errorf("committed is %v, want %v; applied %v, want later", s.Committed(), at, s.Applied())
	}
	if entries, _, err := s.Read(before, 100); err != nil || len(entries) != 0 {
		t.Errorf("%d entries are committed, %v", len(entries), err)
	}
	q := query(t, `{"a": 1}`)
	q.Majority = true
	same(t, "an old state", ids(scan(t, s, q)), []int{1})
	sc, err := s.Open("d", "c", q)
	must(t, err)
	s.Drop("d", "c") // which no majority knows of
	if _, ok, err := sc.Next(); !ok || err != nil {
		t.Errorf("the majority's collection is gone: %v", err)
	}
	changed := s.Changed()
	s.Thaw()
	select {
	case <-changed:
	default:
		t.Error("Thaw tells nobody")
	}
	same(t, "after Thaw", majority(t, s), []int{})
	if entries, _, err := s.Read(before, 100); err != nil || len(entries) != 6 { // a create among them
		t.Errorf("%d entries are committed, %v; want 6", len(entries), err)
	}
}

func TestBackupAndRestore(t *testing.T) {
	s := store(t, `{"_id": 1, "a": 1}`)
	build(t, s, index(t, "a", `{"a": 1}`, unique))
	uuid := s.Collection("d", "c").UUID
	backup := s.Backup()
	_, end := s.Bounds()
	for round := range 2 { // a backup can be used again
		must(t, s.Insert("d", "c", parse(t, fmt.Sprintf(`{"_id": %d, "a": 2}`, 10+round)), false))
		change(t, s, `{"_id": 1}`, `{"$set": {"a": 7}}`)
		must(t, s.Insert("d", "other", parse(t, `{"_id": 1}`), false))
		sc, err := s.Open("d", "c", query(t, `{}`))
		must(t, err)
		s.Restore(backup)
		if _, _, err := sc.Next(); !fault.Is(err, fault.QueryPlanKilled) {
			t.Errorf("a scan outlives a restore: %v", err)
		}
		same(t, "documents", local(t, s), []int{1})
		same(t, "a document's state", len(scan(t, s, query(t, `{"a": 1}`))), 1)
		if s.Collection("d", "other") != nil || s.Collection("d", "c").UUID != uuid {
			t.Error("the catalog is other than the backup's")
		}
		if _, now := s.Bounds(); now != end {
			t.Errorf("the oplog ends at %d, want %d", now, end)
		}
		wantCode(t, s.Insert("d", "c", parse(t, `{"_id": 5, "a": 1}`), false), fault.DuplicateKey)
	}
}

func TestSetBack(t *testing.T) {
	s := store(t, `{"_id": 1}`)
	before, now := s.Applied(), s.Now()
	s.SetBack(time.Hour)
	if !s.Applied().Before(before) || now.Sub(s.Now()) < 59*time.Minute {
		t.Errorf("the time is %v, was %v", s.Applied(), before)
	}
	if _, covered := s.Locate(bson.Timestamp{T: 1}); covered {
		t.Error("the oplog has what was before")
	}
	same(t, "documents", local(t, s), []int{1})
}

func TestReplace(t *testing.T) {
	s := store(t, `{"_id": 1}`, `{"_id": 2}`)
	build(t, s, index(t, "a", `{"a": 1}`, nil))
	uuid := s.Collection("d", "c").UUID
	_, before := s.Bounds()
	must(t, s.Replace("d", "c"))
	if _, after := s.Bounds(); after != before {
		t.Error("the oplog tells of it")
	}
	if s.Collection("d", "c").UUID == uuid {
		t.Error("the UUID is the same")
	}
	same(t, "documents", local(t, s), []int{1, 2})
	indexes, err := s.Indexes("d", "c")
	must(t, err)
	same(t, "indexes", len(indexes), 2)
	wantCode(t, s.Replace("d", "absent"), fault.NamespaceNotFound)
}

func TestOplog(t *testing.T) {
	s := store(t)
	for i := range 10 {
		must(t, s.Insert("d", "c", parse(t, fmt.Sprintf(`{"_id": %d}`, i)), false))
	}
	first, end := s.Bounds()
	entries, next, err := s.Read(first, 100)
	must(t, err)
	if next != end || len(entries) != int(end-first) {
		t.Errorf("read %d entries up to %d, want all up to %d", len(entries), next, end)
	}
	for i := 1; i < len(entries); i++ {
		if !entries[i].TS.After(entries[i-1].TS) {
			t.Fatalf("the times %v, %v are not in order", entries[i-1].TS, entries[i].TS)
		}
	}
	fifth := entries[len(entries)-5]
	if at, covered := s.Locate(fifth.TS); at != end-5 || !covered {
		t.Errorf("located %d, %t", at, covered)
	}
	s.Shorten(5)
	if at, covered := s.Locate(fifth.TS); at != end-5 || !covered {
		t.Errorf("after Shorten: located %d, %t", at, covered)
	}
	if _, covered := s.Locate(entries[0].TS); covered {
		t.Error("what has left the oplog is covered")
	}
	_, _, err = s.Read(first, 1)
	wantCode(t, err, fault.CappedPositionLost)
	s.Resize(1)
	if first, end := s.Bounds(); end-first != 1 {
		t.Errorf("%d entries are left, want the newest", end-first)
	}
	n := s.Applied()
	s.Noop()
	if !s.Applied().After(n) {
		t.Error("no time passes")
	}
}

func TestStandalone(t *testing.T) {
	s := engine.New(engine.Options{})
	must(t, s.Insert("d", "c", parse(t, `{"_id": 1}`), false))
	if first, end := s.Bounds(); first != end {
		t.Error("a standalone has an oplog")
	}
	same(t, "documents", local(t, s), []int{1})
}

func TestExpire(t *testing.T) {
	s := store(t)
	build(t, s, index(t, "t", `{"t": 1}`, func(x *engine.Index) { x.Expire = 60 }))
	date := func(ago time.Duration) string {
		return fmt.Sprintf(`{"$date": {"$numberLong": "%d"}}`, s.Now().Add(-ago).UnixMilli())
	}
	for i, doc := range []string{date(2 * time.Minute), date(time.Second), `5`, `[` + date(time.Second) + `, ` + date(time.Hour) + `]`, `null`} {
		must(t, s.Insert("d", "c", parse(t, fmt.Sprintf(`{"_id": %d, "t": %s}`, i, doc)), false))
	}
	same(t, "how many expired", s.Expire(), 2)
	same(t, "who is left", local(t, s), []int{1, 2, 4})
}
