package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"botwatch/daemon"
	"botwatch/store/sqlite"
)

// TestStatusHealthy: only a daemon that leads, and has said so of late, is at work.
func TestStatusHealthy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	args := []string{"status", "--healthy", "--store", "sqlite:" + file}
	if got := botwatch(args...); got.code != exitRuntime || got.err == "" {
		t.Errorf("without a store: %+v", got)
	}
	s, err := sqlite.Open(t.Context(), file, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := botwatch(args...); got.code != exitRuntime || !strings.Contains(got.err, "no daemon has run") {
		t.Errorf("without a daemon: %+v", got)
	}
	for _, tt := range []struct {
		status string
		ok     bool
		says   string
	}{
		{daemonSays("leader", 29*time.Second), true, ""},
		{daemonSays("leader", 31*time.Second), false, "the daemon is silent for"},
		{daemonSays("stopped", time.Second), false, "ended in order"},
		{`"nonsense"`, false, "read the daemon's status"},
	} {
		if err := s.Publish(t.Context(), 1, []byte(tt.status)); err != nil {
			t.Fatal(err)
		}
		got := botwatch(args...)
		if (got.code == exitOK) != tt.ok || got.out != "" || !strings.Contains(got.err, tt.says) || tt.ok != (got.err == "") {
			t.Errorf("%s: %+v", tt.status, got)
		}
	}
}

// daemonSays is the status of a daemon as of some time ago.
func daemonSays(role string, ago time.Duration) string {
	text, err := json.Marshal(daemon.Status{Role: role, Holder: "someone", At: today.Add(-ago)})
	if err != nil {
		panic(err)
	}
	return string(text)
}
