package mongotest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"botwatch/integration/mongotest"
)

// TestClients runs the scripts of unmodified clients: BOTWATCH_TEST_PYTHON lists
// interpreters that have pymongo, as PATH lists folders, BOTWATCH_TEST_MONGOSH
// names a mongosh. What is not named is not run.
func TestClients(t *testing.T) {
	if testing.Short() {
		t.Skip("the scripts of other clients take a minute")
	}
	python := filepath.SplitList(os.Getenv("BOTWATCH_TEST_PYTHON"))
	if len(python) == 0 {
		t.Run("pymongo", func(t *testing.T) { t.Skip("BOTWATCH_TEST_PYTHON names no interpreter with pymongo") })
	}
	for _, interpreter := range python {
		t.Run("pymongo by "+interpreter, func(t *testing.T) {
			eachClient(t, interpreter, "testdata/client.py")
		})
	}
	t.Run("mongosh", func(t *testing.T) {
		shell := os.Getenv("BOTWATCH_TEST_MONGOSH")
		if shell == "" {
			t.Skip("BOTWATCH_TEST_MONGOSH names no mongosh")
		}
		eachClient(t, shell, "--quiet", "--file", "testdata/client.js")
	})
}

// eachClient runs a client against servers of each version; the URI follows its
// arguments.
func eachClient(t *testing.T, program string, args ...string) {
	t.Helper()
	for _, o := range []mongotest.Options{
		{Version: "6.0"}, {Version: "7.0"}, {Version: "8.0", User: "crawler", Password: "p@ss/word"},
	} {
		s := mongotest.Start(t, o)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, program, append(args, s.URI())...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "done") {
			t.Errorf("%s against %s: %v\n%s", program, o.Version, err, out)
		}
	}
}
