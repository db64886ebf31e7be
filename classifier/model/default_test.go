package model_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/classifier/model"
	"botwatch/classifier/sklearn"
)

var update = flag.Bool("update", false, "write default.json anew from the published pickles")

// reference gives the folder of the reference files, or skips the test where
// there are none.
func reference(t *testing.T) string {
	dir := os.Getenv("BOTWATCH_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
		if _, err := os.Stat(dir); err != nil {
			t.Skip("the reference files are not there: set BOTWATCH_SHARED")
		}
	}
	return filepath.Join(dir, "reference")
}

// TestDefaultIsThePublishedModel imports the published pickles and compares
// the result with default.json, byte for byte; with -update it writes the file.
func TestDefaultIsThePublishedModel(t *testing.T) {
	spec, err := sklearn.Import(os.DirFS(reference(t)))
	if err != nil {
		t.Fatal(err)
	}
	spec.Name = "published-2020"
	spec.Provenance["origin"] = "the pickles published with a research classifier of Twitter accounts; see PROVENANCE.md"
	spec.Provenance["training"] = "896 Twitter accounts in six clusters, crawled before mid-2020"
	var want bytes.Buffer
	if err := model.Write(&want, spec); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("default.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return // this binary still has the old one embedded
	}
	got, err := os.ReadFile("default.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("default.json is not what the published pickles give; -update writes it")
	}
	def, err := model.Default()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(spec, def); d != "" {
		t.Errorf("the embedded model (-imported +embedded):\n%s", d)
	}
}

func TestDefault(t *testing.T) {
	spec, err := model.Default()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := classifier.NewModel(spec); err != nil {
		t.Error(err)
	}
	trees := map[string]int{}
	for _, c := range spec.Classes {
		trees[c.Slug] = len(c.Forest)
		if c.Description == "" {
			t.Errorf("%s has no description", c.Slug)
		}
	}
	want := map[string]int{"automated_dormant": 10, "organic": 10, "automated_amplified": 10, "unheard": 10, "liked_only": 10, "reply_heavy": 10}
	if d := cmp.Diff(want, trees); d != "" {
		t.Errorf("trees (-want +got):\n%s", d)
	}
	if len(spec.Inputs) != 18 {
		t.Errorf("got %d inputs, want 18", len(spec.Inputs))
	}
	if again, _ := model.Default(); again != spec {
		t.Error("the model is read twice")
	}
}

// walk scores a forest as scikit-learn does, node by node.
func walk(forest []classifier.TreeSpec, row []float64) float64 {
	sum := 0.0
	for _, t := range forest {
		i := 0
		for t.Feature[i] >= 0 {
			if float64(float32(row[t.Feature[i]])) <= t.Threshold[i] {
				i = t.Left[i]
			} else {
				i = t.Right[i]
			}
		}
		sum += t.Share[i]
	}
	return sum / float64(len(forest))
}

// TestDefaultScoresTheVectors compares with the reference's own scores on
// inputs on and one float beside the thresholds, bit for bit.
func TestDefaultScoresTheVectors(t *testing.T) {
	f, err := os.Open(filepath.Join(reference(t), "forest_vectors.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := model.Default()
	if err != nil {
		t.Fatal(err)
	}
	n := len(spec.Inputs)
	for i, in := range spec.Inputs {
		if want := strconv.Itoa(i) + ":" + in.Attribute; rows[0][i] != want {
			t.Errorf("input %d is %q, want %q", i, rows[0][i], want)
		}
	}
	if len(rows) != 3001 {
		t.Errorf("got %d rows, want 3000", len(rows)-1)
	}
	for i, row := range rows[1:] {
		var v []float64
		for _, text := range row {
			x, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			v = append(v, x)
		}
		best := 0
		for k, c := range spec.Classes {
			got := walk(c.Forest, v[:n])
			if got != v[n+k] {
				t.Errorf("row %d, class %d: got %v, want %v", i+1, k+1, got, v[n+k])
			}
			if got > v[n+best] {
				best = k
			}
		}
		if float64(best+1) != v[n+6] {
			t.Errorf("row %d: got prediction %d, want %v", i+1, best+1, v[n+6])
		}
	}
}
