//go:build unix

package integration_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// program is the binary under test, with the killpoints in it.
var program struct {
	once   sync.Once
	folder string
	path   string
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if program.folder != "" {
		os.RemoveAll(program.folder)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// binary gives the path of the program, built once.
func binary(t testing.TB) string {
	t.Helper()
	program.once.Do(func() {
		if program.folder, program.err = os.MkdirTemp("", "botwatch-integration"); program.err != nil {
			return
		}
		program.path = filepath.Join(program.folder, "botwatch")
		build := exec.Command("go", "build", "-tags", "killpoints", "-o", program.path, "botwatch/cmd/botwatch")
		if out, err := build.CombinedOutput(); err != nil {
			program.err = fmt.Errorf("build botwatch: %w\n%s", err, out)
		}
	})
	check(t, program.err)
	return program.path
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience is how long anything may take before it is taken for stuck. What
// works takes far less.
const patience = 60 * time.Second

// command prepares a run of the program that sees nothing of this environment's
// configuration.
func command(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BOTWATCH_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	cmd.WaitDelay = time.Second
	return cmd
}

// outcome is what came of a run of the program.
type outcome struct {
	code     int
	out, err string
}

// botwatch runs the program to its end.
func botwatch(t testing.TB, args ...string) outcome {
	t.Helper()
	cmd := command(t, nil, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	check(t, cmd.Start())
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	var ended *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// succeed runs the program to its end, which must be a good one.
func succeed(t testing.TB, args ...string) outcome {
	t.Helper()
	got := botwatch(t, args...)
	if got.code != 0 {
		t.Fatalf("botwatch %s: exit %d\n%s", strings.Join(args, " "), got.code, got.err)
	}
	return got
}

// process is a `botwatch run` in a process of its own.
type process struct {
	cmd    *exec.Cmd
	leads  chan struct{} // closed once it took the lease
	ended  chan struct{} // closed once the process is gone
	status syscall.WaitStatus
	begun  time.Time
	lead   time.Time // when it took the lease; valid once leads is closed

	mu  sync.Mutex
	log bytes.Buffer
}

// start starts a daemon on an SQLite file.
func start(t testing.TB, file string, env []string, args ...string) *process {
	t.Helper()
	return startOn(t, "sqlite:"+file, env, args...)
}

// startOn starts a daemon on a store; env are further NAME=value. It is killed
// when the test ends, if it still runs, and its log is shown if the test failed.
func startOn(t testing.TB, of string, env []string, args ...string) *process {
	t.Helper()
	args = append([]string{"run", "--store", of, "--log-format", "json"}, args...)
	d := &process{cmd: command(t, env, args...), leads: make(chan struct{}), ended: make(chan struct{}), begun: time.Now()}
	stderr, err := d.cmd.StderrPipe()
	check(t, err)
	check(t, d.cmd.Start())
	go func() {
		defer close(d.ended)
		d.read(stderr)
		_ = d.cmd.Wait() // the status says more
		d.status, _ = d.cmd.ProcessState.Sys().(syscall.WaitStatus)
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill() // an error means that it is gone
		<-d.ended
		if t.Failed() {
			t.Logf("log of process %d, ended by %s:\n%s", d.cmd.Process.Pid, d.end(), tail(d.text(), 8<<10))
		}
	})
	return d
}

// read keeps the log and notes the line that says that the lease is taken.
func (d *process) read(stderr io.Reader) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadBytes('\n')
		d.mu.Lock()
		d.log.Write(line)
		d.mu.Unlock()
		if bytes.Contains(line, []byte(`"took the lease"`)) && d.lead.IsZero() {
			d.lead = time.Now()
			close(d.leads)
		}
		if err != nil {
			return
		}
	}
}

func (d *process) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// end says how the process ended.
func (d *process) end() string {
	if d.status.Signaled() {
		return d.status.Signal().String()
	}
	return fmt.Sprintf("exit %d", d.status.ExitStatus())
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// awaitLead waits until the daemon leads.
func (d *process) awaitLead(t testing.TB) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-d.leads:
	case <-d.ended:
		t.Fatalf("the daemon ended by %s before it took the lease:\n%s", d.end(), d.text())
	case <-timer.C:
		t.Fatalf("the daemon did not take the lease within %v", patience)
	}
}

// awaitEnd waits until the process is gone.
func (d *process) awaitEnd(t testing.TB) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-d.ended:
	case <-timer.C:
		t.Fatalf("process %d did not end within %v", d.cmd.Process.Pid, patience)
	}
}

func (d *process) gone() bool {
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// stop ends the daemon by a signal, which must be in order.
func (d *process) stop(t testing.TB, by os.Signal) {
	t.Helper()
	check(t, d.cmd.Process.Signal(by))
	d.awaitEnd(t)
	if !d.status.Exited() || d.status.ExitStatus() != 0 || !d.said("ended in order") {
		t.Fatalf("after %v the daemon ended by %s:\n%s", by, d.end(), tail(d.text(), 4<<10))
	}
}

// said looks for a text in the messages of the log.
func (d *process) said(text string) bool {
	for line := range strings.Lines(d.text()) {
		var entry struct{ Msg, Error string }
		if json.Unmarshal([]byte(line), &entry) == nil && (strings.Contains(entry.Msg, text) || strings.Contains(entry.Error, text)) {
			return true
		}
	}
	return false
}

// await polls until ok answers true; state says how far it is, should it not.
// What is awaited happens in other processes, which give no other signal.
func await(t testing.TB, what string, limit time.Duration, ok func() (done bool, state string)) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		done, state := ok()
		if done {
			return
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %s", what, limit, state)
		}
	}
}
