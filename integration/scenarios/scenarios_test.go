package scenarios_test

import (
	"context"
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

// servers is how many servers of ours share the tests of one version: most of
// the time goes by while a driver waits to look again for its primary.
const servers = 16

// enough is the share of the tests in scope that must pass.
const enough = 0.95

// TestScenarios runs the published scenarios against mongotest as each version
// that it offers (with -short the newest only), or against the server that
// BOTWATCH_TEST_MONGODB_URI names.
// The table of what passed is printed with -v, and written to the file that
// BOTWATCH_SCENARIOS_TABLE names: go test shows nothing of packages that pass.
func TestScenarios(t *testing.T) {
	files := load(t)
	tally := new(scenarios.Tally)
	t.Cleanup(func() {
		table := tally.String()
		if file := os.Getenv("BOTWATCH_SCENARIOS_TABLE"); file != "" {
			if err := os.WriteFile(file, []byte(table), 0o644); err != nil {
				t.Error(err)
			}
		}
		t.Log("\n" + table)
	})
	if uri := os.Getenv("BOTWATCH_TEST_MONGODB_URI"); uri != "" {
		runAll(t, tally, server{name: "given"}, []string{uri}, files)
	} else {
		for _, s := range ours {
			if testing.Short() && s.options.Version != newest {
				continue
			}
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

// scenario is one test of a file.
type scenario struct {
	file *scenarios.File
	test *scenarios.Test
}

// runAll runs all tests against one deployment, or against several that are
// alike, each of which runs one test at a time.
func runAll(t *testing.T, tally *scenarios.Tally, s server, uris []string, files []*scenarios.File) {
	var deployments []*scenarios.Deployment
	for _, uri := range uris {
		d, err := scenarios.Connect(t.Context(), uri)
		if err != nil {
			t.Fatal(err)
		}
		defer disconnect(t, d)
		deployments = append(deployments, d)
	}
	queue := make(chan scenario)
	var wg sync.WaitGroup
	for _, d := range deployments {
		wg.Go(func() {
			for c := range queue {
				t.Run(c.file.Folder+"/"+c.file.Name+"/"+c.test.Description, func(t *testing.T) {
					runOne(t, tally, s.name, d, c)
				})
			}
		})
	}
	for _, f := range files {
		for i := range f.Tests {
			c := scenario{f, &f.Tests[i]}
			runs, err := s.runs(deployments[0].Facts, c)
			if err != nil {
				t.Errorf("%s: %v", scenarios.Name(f, c.test), err)
			}
			if runs {
				queue <- c
			}
		}
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

func runOne(t *testing.T, tally *scenarios.Tally, target string, d *scenarios.Deployment, c scenario) {
	reason, err := scenarios.Scope(c.file, c.test, d.Facts)
	if err != nil {
		t.Fatal(err)
	}
	if reason != scenarios.InScope {
		tally.Out(target, c.file, reason)
		t.Skip("out of scope: ", reason)
	}
	err = d.Run(t.Context(), c.file, c.test)
	why := scenarios.Known(scenarios.Name(c.file, c.test))
	switch asKnown := tally.Ran(target, c.file, c.test, err); {
	case !asKnown && err != nil:
		t.Error(err)
	case !asKnown:
		t.Error("passes, but is known to fail because ", why)
	case err != nil:
		t.Logf("fails because %s: %v", why, err)
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
