package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"botwatch/daemon"
	"botwatch/store"
	"botwatch/store/sqlite"
)

// TestStatusSaysWhatIsWrong: a stall, the lack of a stream, and how much history
// is left are shown.
func TestStatusSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	s, err := sqlite.Open(t.Context(), file, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	text, err := json.Marshal(daemon.Status{
		Role: "leader", Holder: "someone", At: today, Polling: true,
		Stalled: &daemon.Stall{Reason: "write predictions: no majority", Since: today.Add(-40 * time.Second)},
		History: &store.Headroom{Window: 10 * time.Hour, Left: 2 * time.Hour},
	})
	if err == nil {
		err = s.Publish(t.Context(), 1, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	got := botwatch("status", "--store", "sqlite:"+file)
	for _, want := range []string{"STALLED", "for 40 s: write predictions: no majority", "polling", "20 % of 10 h are left"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s%s", want, got.out, got.err)
		}
	}
}
