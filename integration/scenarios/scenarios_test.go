package scenarios_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"botwatch/integration/scenarios"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folders are those that mongotest is held to.
var folders = []string{"change-streams", "crud", "retryable-reads", "retryable-writes"}

// servers is how many servers of ours share the files of one version: most of
// the time goes by while a driver waits to look again for its primary.
const servers = 8

// enough is the share of the tests in scope that must pass.
const enough = 0.95

// TestScenarios runs the published scenarios against mongotest as each version
// that it offers, or against the server that BOTWATCH_TEST_MONGODB_URI names.
// BOTWATCH_SCENARIOS_TABLE=1 prints the table without -v.
func TestScenarios(t *testing.T) {
	files := load(t)
	tally := new(scenarios.Tally)
	t.Cleanup(func() {
		table := tally.String()
		if os.Getenv("BOTWATCH_SCENARIOS_TABLE") != "" {
			fmt.Print(table)
		}
		t.Log("\n" + table)
	})
	if uri := os.Getenv("BOTWATCH_TEST_MONGODB_URI"); uri != "" {
		runAll(t, tally, server{name: "given"}, []string{uri}, files)
	} else {
		for _, s := range ours {
			t.Run(s.name, func(t *testing.T) {
				var uris []string
				for range servers {
					uris = append(uris, s.start(t))
				}
				runAll(t, tally, s, uris, files)
			})
		}
		for _, name := range tally.LeftOut("change-streams") {
			if !slices.Contains(newer, name) {
				t.Errorf("%s is out of scope as a whole", name)
			}
		}
	}
	if share := tally.Share(); share < enough {
		t.Errorf("%.1f %% of the tests in scope pass; %.0f %% must", 100*share, 100*enough)
	}
}

// newer are change stream files for server versions that mongotest does not
// offer.
var newer = []string{
	"change-streams/change-streams-nsType.json", // 8.1
}

// runAll runs all files against one deployment, or against several that are
// alike, each of which runs one test at a time.
func runAll(t *testing.T, tally *scenarios.Tally, s server, uris []string, files []*scenarios.File) {
	queue := make(chan *scenarios.File)
	var wg sync.WaitGroup
	for _, uri := range uris {
		d, err := scenarios.Connect(t.Context(), uri)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer disconnect(t, d)
			for f := range queue {
				tests, err := s.tests(d.Facts, f)
				if err != nil {
					t.Errorf("%s: %v", f.Name, err)
				}
				if len(tests) > 0 {
					t.Run(f.Folder+"/"+f.Name, func(t *testing.T) { runFile(t, tally, s, d, f, tests) })
				}
			}
		})
	}
	for _, f := range files {
		queue <- f
	}
	close(queue)
	wg.Wait()
}

func disconnect(t *testing.T, d *scenarios.Deployment) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := d.Close(ctx); err != nil {
		t.Error(err)
	}
}

func runFile(
	t *testing.T, tally *scenarios.Tally, s server, d *scenarios.Deployment, f *scenarios.File, tests []*scenarios.Test,
) {
	for _, test := range tests {
		t.Run(test.Description, func(t *testing.T) {
			reason, err := scenarios.Scope(f, test, d.Facts)
			if err != nil {
				t.Fatal(err)
			}
			if reason != scenarios.InScope {
				tally.Out(s.name, f, reason)
				t.Skip("out of scope: ", reason)
			}
			err = d.Run(t.Context(), f, test)
			name := scenarios.Name(f, test)
			switch asKnown := tally.Ran(s.name, f, test, err); {
			case !asKnown && err != nil:
				t.Error(err)
			case !asKnown:
				t.Error("passes, but is known to fail: ", scenarios.Known(name))
			case err != nil:
				t.Logf("fails as known, because %s: %v", scenarios.Known(name), err)
			}
		})
	}
}

// load reads all scenario files. Without BOTWATCH_SHARED, and with nothing
// beside the project, the test is skipped.
func load(t testing.TB) []*scenarios.File {
	t.Helper()
	shared, asked := os.LookupEnv("BOTWATCH_SHARED")
	if !asked {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	specs := filepath.Join(shared, "specs")
	if _, err := os.Stat(specs); err != nil {
		if asked {
			t.Fatal(err)
		}
		t.Skipf("no scenario files in %s beside the project", specs)
	}
	var files []*scenarios.File
	for _, folder := range folders {
		of, err := scenarios.Load(filepath.Join(specs, folder))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, of...)
	}
	return files
}

// TestKnownDifferencesAreOfTests finds names in the table that are no test's.
func TestKnownDifferencesAreOfTests(t *testing.T) {
	there := map[string]int{}
	for _, f := range load(t) {
		for _, test := range f.Tests {
			there[scenarios.Name(f, &test)]++
		}
	}
	for _, name := range scenarios.KnownNames() {
		if there[name] != 1 {
			t.Errorf("known difference %q: there are %d tests of that name", name, there[name])
		}
	}
}
