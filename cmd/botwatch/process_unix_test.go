//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a process may take to end; what ends takes far less.
const patience = 30 * time.Second

// process is botwatch in a process of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.WaitDelay = time.Second
	return cmd
}

// wait waits for the process's end, which must come soon.
func wait(t *testing.T, cmd *exec.Cmd) syscall.WaitStatus {
	t.Helper()
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	var ended *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// endless gives accounts without end.
type endless struct{ line, left []byte }

func (e *endless) Read(p []byte) (int, error) {
	if len(e.left) == 0 {
		e.left = e.line
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	return n, nil
}

// TestClosedPipe: botwatch classify … | head -1 ends at once, without a word.
func TestClosedPipe(t *testing.T) {
	line := []byte(fixture(t, "accounts.ndjson")[2] + "\n")
	for _, args := range [][]string{{"classify", "-"}, {"classify", "--format", "csv", "-"}, {"classify", "--format", "json", "-"}} {
		cmd := process(t, args...)
		var stderr bytes.Buffer
		cmd.Stdin, cmd.Stderr = &endless{line: line}, &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, 100)); err != nil {
			t.Error(err)
		}
		out.Close()
		if status := wait(t, cmd); status.Signal() != syscall.SIGPIPE || stderr.Len() > 0 {
			t.Errorf("%v: ended by %v, said %q", args, status.Signal(), stderr.String())
		}
	}
}

// TestInterrupt: Ctrl-C ends a run that waits for input, and leaves the old
// output.
func TestInterrupt(t *testing.T) {
	old := file(t, "old.csv", "old")
	cmd := process(t, "classify", "--output", old, "-")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: once it is written, the process reads.
	if _, err := io.WriteString(in, strings.Repeat(fixture(t, "accounts.ndjson")[2]+"\n", 20)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	status := wait(t, cmd)
	if status.ExitStatus() != exitRuntime || stderr.String() != "botwatch: interrupted\n" {
		t.Errorf("exit %d, %q", status.ExitStatus(), stderr.String())
	}
	if read(t, old) != "old" {
		t.Error("the old output is gone")
	}
	if left, _ := os.ReadDir(filepath.Dir(old)); len(left) != 1 {
		t.Errorf("left in the folder: %v", left)
	}
}

// TestExitCodes: main passes on what run answers.
func TestExitCodes(t *testing.T) {
	for want, args := range [][]string{exitOK: {"version"}, exitRuntime: {"classify", "nowhere.json"}, exitUsage: {"clasify"}, exitRows: {"classify", hostile}} {
		cmd := process(t, args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if got := wait(t, cmd).ExitStatus(); got != want {
			t.Errorf("%v: exit %d; want %d", args, got, want)
		}
	}
}
