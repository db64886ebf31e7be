package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"botwatch/integration/mongotest"
	"botwatch/store"
	"botwatch/store/mongo"
)

// mongoStore gives the URI of a database that is empty.
func mongoStore(t *testing.T) string {
	t.Helper()
	return strings.Replace(mongotest.Start(t, mongotest.Options{}).URI(), "/?", "/try?", 1)
}

func openMongo(t *testing.T, uri string) *mongo.Store {
	t.Helper()
	s, err := mongo.Open(t.Context(), mongo.Options{URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestBenchPipelineOnMongoDB: in an empty database, which is left empty; what is
// not empty is refused, and left as it is.
func TestBenchPipelineOnMongoDB(t *testing.T) {
	uri := mongoStore(t)
	args := []string{"bench", "pipeline", "--store", uri, "--accounts", "100", "--tweets", "3", "--rate", "200", "--for", "100ms"}
	for range 2 { // the second finds nothing of the first
		var r pipelineReport
		if err := json.Unmarshal([]byte(succeed(t, append(args, "--format", "json")...).out), &r); err != nil {
			t.Fatal(err)
		}
		if r.Store != "MongoDB" || r.Backlog.Accounts != 100 || r.Backlog.AccountsPerSecond <= 0 || r.Steady.Changes != 20 || r.Steady.P50 <= 0 ||
			r.Predict.Accounts < 2 || r.Predict.Microseconds <= 0 || r.Predict.Bytes < 100 {
			t.Errorf("%+v", r)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := (invocation{ctx: ctx, args: args}).run(); got.code != exitRuntime {
		t.Errorf("interrupted: %+v", got)
	}
	s := openMongo(t, uri)
	if err := s.PutAccounts(t.Context(), []store.Account{{ID: store.StringID("a"), Doc: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	if got := botwatch(args...); got.code != exitRuntime || !strings.Contains(got.err, "is not empty: it holds accounts") {
		t.Errorf("%+v", got)
	}
	if n, err := s.CountAccounts(t.Context()); n != 1 || err != nil {
		t.Errorf("%d accounts are left, %v", n, err)
	}
	if got := botwatch("bench", "pipeline", "--store", "sqlite:x.db"); got.code != exitUsage || !strings.Contains(got.err, "--store") {
		t.Errorf("%+v", got)
	}
}

// TestSimulateOnMongoDB: poison is what the database can hold.
func TestSimulateOnMongoDB(t *testing.T) {
	uri := mongoStore(t)
	got := invocation{
		ctx:  t.Context(),
		args: []string{"simulate", "--store", uri, "--rate", "5000", "--accounts", "200", "--changes", "300", "--tweets", "2", "--poison", "1"},
		env:  map[string]string{"BOTWATCH_ACCOUNTS_WRITABLE": "true"},
	}.run()
	if got.code != exitOK || strings.Contains(got.err, "trying again") || !strings.HasPrefix(got.err, "300 changes: ") {
		t.Fatalf("%+v", got)
	}
	if n, err := openMongo(t, uri).CountAccounts(t.Context()); n == 0 || err != nil {
		t.Errorf("%d accounts, %v", n, err)
	}
}
