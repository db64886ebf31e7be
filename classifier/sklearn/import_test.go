package sklearn_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/classifier/pickle"
	"botwatch/classifier/sklearn"
)

// score walks a forest as scikit-learn does.
func score(forest []classifier.TreeSpec, row []float64) float64 {
	sum := 0.0
	for _, t := range forest {
		i := 0
		for t.Left[i] >= 0 {
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

// TestImport compares the models in testdata, of several versions and
// protocols, with what scikit-learn itself answered.
func TestImport(t *testing.T) {
	folders, err := filepath.Glob("testdata/sklearn-*")
	if err != nil || len(folders) < 6 {
		t.Fatalf("got %d folders of test data and %v", len(folders), err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			var want struct {
				Names    []string
				Min, Max []float64
				Rows     [][]float64
				Scores   [][]float64
			}
			data, err := os.ReadFile(filepath.Join(folder, "expected.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			spec, err := sklearn.Import(os.DirFS(folder))
			if err != nil {
				t.Fatal(err)
			}
			var inputs []classifier.InputSpec
			for i, name := range want.Names {
				inputs = append(inputs, classifier.InputSpec{Attribute: name, Min: want.Min[i], Max: want.Max[i]})
			}
			if d := cmp.Diff(inputs, spec.Inputs); d != "" {
				t.Errorf("inputs (-want +got):\n%s", d)
			}
			got := make([][]float64, len(want.Rows))
			for i, row := range want.Rows {
				for _, c := range spec.Classes {
					got[i] = append(got[i], score(c.Forest, row))
				}
			}
			if d := cmp.Diff(want.Scores, got); d != "" {
				t.Errorf("scores (-want +got):\n%s", d)
			}
			version := strings.Split(filepath.Base(folder), "-")[1]
			if got := spec.Provenance["scikit-learn"]; got != version {
				t.Errorf("got version %q, want %q", got, version)
			}
		})
	}
}

// TestImportIsOfOneMind reads one model in several protocols.
func TestImportIsOfOneMind(t *testing.T) {
	for _, version := range []string{"1.2.2", "1.9.1"} {
		folders, err := filepath.Glob("testdata/sklearn-" + version + "-*")
		if err != nil || len(folders) < 2 {
			t.Fatalf("got %v, %v", folders, err)
		}
		digests := map[string]bool{}
		for _, folder := range folders {
			spec, err := sklearn.Import(os.DirFS(folder))
			if err != nil {
				t.Fatal(err)
			}
			digests[spec.Digest] = true
		}
		if len(digests) != 1 {
			t.Errorf("%s: got digests %v; want the same in every protocol", version, digests)
		}
	}
}

// load gives a model's files for tests to change.
func load(t testing.TB, folder string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, name := range []string{"attributes.p", "cluser_classifiers_6.p", "minmaxscaler.p"} {
		data, err := os.ReadFile(filepath.Join("testdata", folder, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	return files
}

func TestImportRefuses(t *testing.T) {
	// replace changes the first place, all bytes of which must be there.
	replace := func(name, old, new string) func(testing.TB, fstest.MapFS) {
		return func(t testing.TB, files fstest.MapFS) {
			if !bytes.Contains(files[name].Data, []byte(old)) {
				t.Fatalf("%s does not hold %q", name, old)
			}
			files[name].Data = bytes.Replace(files[name].Data, []byte(old), []byte(new), 1)
		}
	}
	// node changes a number in the first tree's nodes, 64 bytes each.
	node := func(offset int, value string) func(testing.TB, fstest.MapFS) {
		return func(t testing.TB, files fstest.MapFS) {
			data := files["cluser_classifiers_6.p"].Data
			start := bytes.Index(data, []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00")) // as a root often has
			at := bytes.Index(data, []byte("tree_"))
			for start >= 0 && start < at {
				start += 1 + bytes.Index(data[start+1:], []byte("\x01\x00\x00\x00\x00\x00\x00\x00"))
			}
			copy(data[start+offset:], value)
		}
	}
	whole := func(name, data string) func(testing.TB, fstest.MapFS) {
		return func(_ testing.TB, files fstest.MapFS) { files[name].Data = []byte(data) }
	}
	const forests, scaler, attributes = "cluser_classifiers_6.p", "minmaxscaler.p", "attributes.p"
	tests := []struct {
		name   string
		change func(testing.TB, fstest.MapFS)
		want   string
	}{
		{"a file that is not there", func(_ testing.TB, f fstest.MapFS) { delete(f, scaler) }, "minmaxscaler.p: file does not exist"},
		{"a model that runs commands", whole(forests, "cos\nsystem\n(S'true'\ntR."), "cluser_classifiers_6.p: pickle: byte 0, GLOBAL: global os.system: refused"},
		{"another estimator", replace(forests, "RandomForestClassifier", "RandomForestRegressorx"), "global sklearn.ensemble._forest.RandomForestRegressorx: refused"},
		{"no list of forests", whole(forests, "N."), "cluser_classifiers_6.p: is None of 0; want a list of 6 forests"},
		{"too few forests", whole(forests, "]Na."), "is list of 1; want a list of 6 forests"},
		{"forests that are none", whole(forests, "(NNNNNNl."), "[0]: is None; want a RandomForestClassifier"},
		{"no list of attributes", whole(attributes, "N."), "attributes.p: is None; want a list of attributes"},
		{"an attribute that is none", whole(attributes, "]Na."), "attributes.p: [0]: is None; want an attribute's name"},
		{"an unknown attribute", replace(attributes, "burst", "bursa"), `inputs[2].attribute: unknown "bursa"`},
		{"an attribute too few", whole(attributes, "(Vspreader\nVage\nVburst\nl."), "data_min_: 4 numbers; want 3"},
		{"a scaler that is none", whole(scaler, "N."), "minmaxscaler.p: is None; want a MinMaxScaler"},
		{"a scaler without a range", replace(scaler, "data_max_", "data_mux_"), "minmaxscaler.p: data_max_: is nothing; want an ndarray"},
		{"a tree of other classes", replace(forests, "\x00\x00\x00\x00\x00\x00\xf0?", "\x00\x00\x00\x00\x00\x00\xf0\xbf"), "[0]: estimators_[0].classes_: are [0 -1]; want [0 1]"},
		{"a field that is missing", replace(forests, "left_child", "leaf_child"), `nodes: has no field "left_child"`},
		{"a child beyond the end", node(0, "\x7f"), "want 0 to"},
		{"a child before the start", node(0, "\xfe\xff\xff\xff\xff\xff\xff\xff"), "children -2 and"},
		{"one child only", node(0, "\xff\xff\xff\xff\xff\xff\xff\xff"), "children -1 and"},
		{"a cycle", node(0, "\x00"), "child 0 was reached before"},
		{"nodes never reached", node(0, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "are reached from the root"},
		{"a feature that is none", node(16, "\x04"), "nodes[0].feature: is 4; want 0 to 3"},
		{"a threshold that is none", node(24, "\x00\x00\x00\x00\x00\x00\xf8\x7f"), "nodes[0].threshold: is NaN"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := load(t, "sklearn-1.9.1-protocol5")
			tt.change(t, files)
			if _, err := sklearn.Import(files); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
	if _, err := sklearn.Import(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no files: got %v, want fs.ErrNotExist", err)
	}
	files := load(t, "sklearn-1.9.1-protocol5")
	files[forests].Data = files[forests].Data[:99]
	if _, err := sklearn.Import(files); !errors.Is(err, pickle.ErrMalformed) {
		t.Errorf("a short file: got %v, want pickle.ErrMalformed", err)
	}
}

func FuzzImport(f *testing.F) {
	folders := []string{"sklearn-1.2.2-protocol0", "sklearn-1.2.2-protocol2", "sklearn-1.9.1-protocol4", "sklearn-1.9.1-protocol5"}
	for _, folder := range folders {
		f.Add(load(f, folder)["cluser_classifiers_6.p"].Data)
	}
	files := load(f, "sklearn-1.9.1-protocol5")
	f.Fuzz(func(t *testing.T, data []byte) {
		files["cluser_classifiers_6.p"] = &fstest.MapFile{Data: data}
		spec, err := sklearn.Import(files)
		if err != nil {
			return
		}
		if err := spec.Validate(); err != nil {
			t.Error(err)
		}
	})
}
