package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"botwatch/classifier"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asProgram makes the test binary run as botwatch, for tests of a whole process.
const asProgram = "BOTWATCH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// today is when all commands run.
var today = time.Date(2026, 2, 3, 4, 5, 6, 789e3, time.UTC)

// invocation is one run of the program within the test.
type invocation struct {
	ctx    context.Context
	args   []string
	stdin  io.Reader
	stdout io.Writer // nil to keep it
	stderr io.Writer // likewise
	env    map[string]string
}

// outcome is what came of it.
type outcome struct {
	code     int
	out, err string
}

func (i invocation) run() outcome {
	var out, err bytes.Buffer
	if i.ctx == nil {
		i.ctx = context.Background()
	}
	if i.stdin == nil {
		i.stdin = strings.NewReader("")
	}
	if i.stdout == nil {
		i.stdout = &out
	}
	if i.stderr == nil {
		i.stderr = &err
	}
	a := &app{
		stdin: i.stdin, stdout: i.stdout, stderr: i.stderr,
		getenv: func(name string) string { return i.env[name] },
		now:    func() time.Time { return today },
	}
	code := a.run(i.ctx, i.args)
	return outcome{code, out.String(), err.String()}
}

// botwatch runs the program with these arguments.
func botwatch(args ...string) outcome { return invocation{args: args}.run() }

// succeed runs the program, which must not complain.
func succeed(t testing.TB, args ...string) outcome {
	t.Helper()
	got := botwatch(args...)
	if got.code != exitOK {
		t.Fatalf("botwatch %s: exit %d\n%s", strings.Join(args, " "), got.code, got.err)
	}
	return got
}

// golden compares a text with a file in testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update if it is right):\n%s", path, diff)
	}
}

// reference gives the path of a reference file. Without BOTWATCH_SHARED, and
// with nothing beside the project, the test is skipped.
func reference(t testing.TB, name string) string {
	t.Helper()
	shared, asked := os.LookupEnv("BOTWATCH_SHARED")
	if !asked {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(shared, "reference", name)
	if _, err := os.Stat(path); err != nil {
		if asked {
			t.Fatal(err)
		}
		t.Skipf("no reference file %s beside the project", name)
	}
	return path
}

// file writes a file into a fresh folder and gives its path.
func file(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// builtIn gives the model that is used without --model.
func builtIn(t testing.TB) *classifier.Model {
	t.Helper()
	m, err := loadModel("")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// fixture gives the lines of a file in testdata.
func fixture(t testing.TB, name string) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(read(t, filepath.Join("testdata", name))), "\n")
}
