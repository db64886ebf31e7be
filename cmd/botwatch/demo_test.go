package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestDemo(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	got := succeed(t, "demo", "--duration", "1s", "--rate", "300", "--accounts", "150", "--seed", "7")
	for _, want := range []string{
		"All accounts here are invented", temp, "sqlite3 ", "write → prediction", "p99", "longest",
		"1 automated_dormant", "2 organic", "3 automated_amplified", "4 unheard", "5 liked_only", "6 reply_heavy",
		"it has its prediction, or its dead letter", "The store is removed.",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in:\n%s", want, got.out)
		}
	}
	if strings.Contains(got.out, "\x1b") {
		t.Errorf("escapes, with no terminal:\n%q", got.out)
	}
	if m := regexp.MustCompile(`crawler +(\d+) changes`).FindStringSubmatch(got.out); m == nil || m[1] == "0" {
		t.Errorf("no changes in:\n%s", got.out)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDemoKeepsItsStore(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	got := succeed(t, "demo", "--duration", "300ms", "--keep")
	files, _ := filepath.Glob(filepath.Join(temp, "*", "demo.db"))
	if len(files) != 1 || !strings.Contains(got.out, "The store stays: "+files[0]) {
		t.Fatalf("stores %v, and:\n%s", files, got.out)
	}
	if s := succeed(t, "status", "--store", "sqlite:"+files[0]); !strings.Contains(s.out, "ended in order") {
		t.Errorf("status:\n%s", s.out)
	}
}

func TestDemoEndsOnAnInterrupt(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	got := invocation{ctx: ctx, args: []string{"demo"}}.run()
	if got.code != exitOK || !strings.Contains(got.out, "The store is removed.") {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
}

func TestDemoRefuses(t *testing.T) {
	for _, args := range [][]string{{"--rate", "0"}, {"--accounts", "0"}, {"--duration", "-1s"}, {"--duration", "soon"}, {"more"}} {
		got := botwatch(append([]string{"demo"}, args...)...)
		if got.code != exitUsage || !strings.Contains(got.err, strings.TrimPrefix(args[0], "--")) {
			t.Errorf("%v: exit %d, %s", args, got.code, got.err)
		}
	}
}
