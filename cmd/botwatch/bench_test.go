package main

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestBenchPipeline(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	args := []string{"bench", "pipeline", "--accounts", "200", "--tweets", "3", "--rate", "200", "--for", "100ms"}
	got := succeed(t, append(args, "--format", "json")...)
	var r pipelineReport
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		t.Fatalf("%v in\n%s", err, got.out)
	}
	if r.Machine != thisMachine() || r.Accounts != 200 || r.Tweets != 3 || r.AccountBytes < 500 {
		t.Errorf("measured with %+v", r)
	}
	for name, b := range map[string]bulkReport{"fill": r.Fill, "backlog": r.Backlog, "stalled": r.Stalled.bulkReport} {
		want := 200
		if name == "stalled" {
			want = 100
		}
		if b.Accounts != want || b.Seconds <= 0 || b.AccountsPerSecond <= 0 || b.BytesPerSecond < b.AccountsPerSecond {
			t.Errorf("%s: %+v", name, b)
		}
		if known := b.PeakBytes > 1<<20; known != (runtime.GOOS == "linux") {
			t.Errorf("%s: a peak of %d bytes", name, b.PeakBytes)
		}
	}
	s := r.Steady
	if s.Rate != 200 || s.Changes != 20 || s.P50 <= 0 || s.P99 < s.P50 || s.Longest < s.P99 {
		t.Errorf("steady: %+v", s)
	}
	if r.Stalled.StallSeconds <= 0 {
		t.Error("no stall")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	table := succeed(t, args...).out
	for _, want := range []string{"200 invented accounts of 3 tweets", "PEAK MEMORY", "\nfill ", "\nbacklog ", "\nstalled ", "\nsteady "} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in:\n%s", want, table)
		}
	}
}

func TestBenchPipelineEndsOnAnInterrupt(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	got := invocation{ctx: ctx, args: []string{"bench", "pipeline"}}.run()
	if got.code != exitRuntime || got.out != "" || !strings.HasSuffix(got.err, "botwatch: interrupted\n") {
		t.Errorf("%+v", got)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBenchRefuses(t *testing.T) {
	for _, args := range []string{
		"pipeline --accounts 1", "pipeline --tweets 1", "pipeline --rate 0", "pipeline --for 1ms", "pipeline --format csv", "pipeline more", "nonsense",
	} {
		words := strings.Fields(args)
		got := botwatch(append([]string{"bench"}, words...)...)
		about := strings.TrimPrefix(words[min(1, len(words)-1)], "--")
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, about) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}
