package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"botwatch/classifier"
	"botwatch/classifier/model"
)

// TestModelImport: from the published pickles comes the model that is built in.
func TestModelImport(t *testing.T) {
	dir := filepath.Dir(reference(t, "attributes.p"))
	path := filepath.Join(t.TempDir(), "published.json")
	got := succeed(t, "model", "import", dir, "--output", path)
	want, err := model.Default()
	if err != nil {
		t.Fatal(err)
	}
	if line := "model published, " + want.Digest + "\n"; got.err != line || got.out != "" {
		t.Errorf("says %q, %q; want %q", got.err, got.out, line)
	}
	spec, err := model.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	// The names are given by hand, the descriptions of the origin too.
	if diff := cmp.Diff(want, spec, cmpopts.IgnoreFields(classifier.Spec{}, "Name", "Provenance")); diff != "" {
		t.Errorf("(-built in +imported):\n%s", diff)
	}
	for name, sum := range spec.Provenance {
		if sum != want.Provenance[name] {
			t.Errorf("provenance of %s is %q; built in, %q", name, sum, want.Provenance[name])
		}
	}

	t.Run("to standard output", func(t *testing.T) {
		stdout := succeed(t, "model", "import", dir, "--output", "-")
		spec, err := model.Load(strings.NewReader(stdout.out))
		if err != nil || spec.Digest != want.Digest {
			t.Errorf("%v, %v", spec, err)
		}
	})
	t.Run("as --model and as a setting", func(t *testing.T) {
		builtIn := predictions(t, succeed(t, "classify", "--format", "ndjson", published).out)
		config := file(t, "botwatch.yaml", "model: "+path+"\n")
		for _, i := range []invocation{
			{args: []string{"classify", "--format", "ndjson", published, "--model", path}},
			{args: []string{"classify", "--format", "ndjson", published, "--config", config}},
			{args: []string{"classify", "--format", "ndjson", published}, env: map[string]string{"BOTWATCH_MODEL": path}},
		} {
			got := predictions(t, i.run().out)
			if got[0].Model.Name != "published" {
				t.Errorf("%v: the model is %s", i.args, got[0].Model.Name)
			}
			if diff := cmp.Diff(verdicts(builtIn), verdicts(got)); diff != "" {
				t.Errorf("%v (-built in +imported):\n%s", i.args, diff)
			}
		}
	})
	t.Run("not over its inputs", func(t *testing.T) {
		copied := t.TempDir()
		for _, name := range []string{"attributes.p", "cluser_classifiers_6.p", "minmaxscaler.p"} {
			if err := os.WriteFile(filepath.Join(copied, name), []byte(read(t, filepath.Join(dir, name))), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		got := botwatch("model", "import", copied, "--output", filepath.Join(copied, "minmaxscaler.p"))
		if got.code != exitUsage || !strings.Contains(got.err, "is to be read and written") {
			t.Errorf("exit %d, %q", got.code, got.err)
		}
	})
}

func TestModelFaults(t *testing.T) {
	spoiled := t.TempDir()
	if err := os.WriteFile(filepath.Join(spoiled, "attributes.p"), []byte("cos\nsystem\n(S'true'\ntR."), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "model.json")
	builtIn := read(t, filepath.Join("..", "..", "classifier", "model", "default.json"))
	changed := file(t, "changed.json", strings.Replace(builtIn, `"organic"`, `"organik"`, 1))
	cases := []struct {
		rule string
		args []string
		code int
		want string
	}{
		{"no folder named", []string{"import", "--output", out}, exitUsage, "want a folder; none is given"},
		{"no output named", []string{"import", spoiled}, exitUsage, "--output names no file; - is standard output"},
		{"a file for a folder", []string{"import", published, "--output", out}, exitRuntime, "accounts.ndjson is no folder; name the one with the three files in it"},
		{"a folder without the files", []string{"import", "testdata", "--output", out}, exitRuntime, "in testdata; want the folder with attributes.p, cluser_classifiers_6.p, minmaxscaler.p"},
		{"a pickle that calls something", []string{"import", spoiled, "--output", out}, exitRuntime, "attributes.p: "},
		{"a missing model", []string{"info", "--model", "nowhere.json"}, exitRuntime, "nowhere.json"},
		{"a model that is none", []string{"info", "--model", hostile}, exitRuntime, "; want a model that 'botwatch model import' wrote"},
		{"a changed model", []string{"info", "--model", changed}, exitRuntime, "digest"},
		{"a changed model, scoring", []string{"score", "--model", changed, "-"}, exitRuntime, "digest"},
		{"an unknown form", []string{"info", "--format", "yaml"}, exitUsage, `--format: unknown "yaml"; want text, json`},
		{"an argument too many", []string{"info", "x"}, exitUsage, `takes no arguments, but "x" is given`},
		{"an unknown subcommand", []string{"inf"}, exitUsage, `unknown command "inf"; did you mean info?`},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			got := botwatch(append([]string{"model"}, tc.args...)...)
			if got.code != tc.code || !strings.Contains(got.err, tc.want) {
				t.Errorf("exit %d, %q; want %d, %q", got.code, got.err, tc.code, tc.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("an output was written")
			}
		})
	}
}

func TestModelInfo(t *testing.T) {
	golden(t, "model.info", succeed(t, "model", "info").out)
	var got modelInfo
	if err := json.Unmarshal([]byte(succeed(t, "model", "info", "--format", "json").out), &got); err != nil {
		t.Fatal(err)
	}
	spec, err := model.Default()
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != spec.Digest || got.Digest != spec.ComputeDigest() || len(got.Inputs) != 18 || len(got.Classes) != classifier.NumClasses {
		t.Errorf("%+v", got)
	}
	trees, nodes := 0, 0
	for i, c := range got.Classes {
		if c.Prediction != i+1 || c.Trees != 10 { // as it was published
			t.Errorf("class %d: %+v", i, c)
		}
		trees, nodes = trees+c.Trees, nodes+c.Nodes
	}
	if got.Trees != trees || got.Nodes != nodes {
		t.Errorf("%d trees and %d nodes; want %d and %d", got.Trees, got.Nodes, trees, nodes)
	}
}
