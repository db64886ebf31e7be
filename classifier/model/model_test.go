package model_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/classifier/model"
)

// small makes a model of stumps with numbers that are hard to write.
func small() *classifier.Spec {
	s := &classifier.Spec{
		Format: classifier.SpecFormat, Name: `a <small> "one"`, Provenance: map[string]string{"b": "2 & 3", "a": "1"},
		Inputs: []classifier.InputSpec{{Attribute: "age", Min: math.Copysign(0, -1), Max: math.MaxFloat64}, {Attribute: "age", Min: -10, Max: 5e-324}},
	}
	for _, slug := range []string{"a", "b", "c", "d", "e", "f_"} {
		s.Classes = append(s.Classes, classifier.ClassSpec{Slug: slug, Description: "größer\n", Forest: []classifier.TreeSpec{{
			Feature: []int{1, -1, -1}, Threshold: []float64{0.30000000000000004, 0, 0}, Left: []int{1, -1, -1}, Right: []int{2, -1, -1},
			Share: []float64{1.0 / 3, 1e-300, 1},
		}}})
	}
	return s
}

func write(t testing.TB, spec *classifier.Spec) []byte {
	var b bytes.Buffer
	if err := model.Write(&b, spec); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	want := small()
	text := write(t, want)
	if want.Digest != "" {
		t.Error("Write changed the model")
	}
	got, err := model.Load(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want.Digest = want.ComputeDigest() // over the bits, so -0 is told from 0
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if again := write(t, got); !bytes.Equal(text, again) {
		t.Error("written twice, the model differs")
	}
	if n := bytes.Count(text, []byte("\n")); n > 120 {
		t.Errorf("%d lines; want an array on a line", n)
	}
	path := filepath.Join(t.TempDir(), "model.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Read(path); err != nil {
		t.Error(err)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := string(write(t, small()))
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the model does not hold %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	digest := small().ComputeDigest()
	tests := []struct{ name, in, want string }{
		{"nothing", "", "EOF"},
		{"no JSON", "pickle", "invalid character"},
		{"cut short", good[:len(good)/2], "unexpected EOF"},
		{"more after it", good + "{}", "something follows the model"},
		{"junk after it", good + "x", "invalid character"},
		{"an unknown key", replace(`"name"`, `"nom"`), `unknown field "nom"`},
		{"a wrong type", replace(`"min": -0`, `"min": "low"`), "inputs.min"},
		{"another format", replace("botwatch-model/1", "botwatch-model/2"), `format: is "botwatch-model/2"`},
		{"an unknown attribute", replace(`"age"`, `"rage"`), `inputs[0].attribute: unknown "rage"`},
		{"a range the wrong way round", replace(`"min": -10`, `"min": 10`), "inputs[1]"},
		{"a bad slug", replace(`"slug": "b"`, `"slug": "B"`), "classes[1].slug"},
		{"a slug twice", replace(`"slug": "b"`, `"slug": "a"`), "classes[1].slug"},
		{"a child before its parent", replace(`"left": [1,`, `"left": [0,`), "classes[0].forest[0].left"},
		{"a node with two parents", replace(`"left": [1,`, `"left": [2,`), "classes[0].forest[0].left"},
		{"a leaf with a child", replace(`"left": [1, -1`, `"left": [1, 2`), "classes[0].forest[0].left"},
		{"a leaf with a threshold", replace(`"threshold": [0.30000000000000004, 0,`, `"threshold": [0.30000000000000004, 7,`), "classes[0].forest[0].threshold[1]"},
		{"a feature that is none", replace(`"feature": [1,`, `"feature": [2,`), "classes[0].forest[0].feature[0]"},
		{"a share that is none", replace(`1e-300`, `1.5`), "classes[0].forest[0].share[1]"},
		{"arrays of different length", replace(`"right": [2, -1, -1]`, `"right": [2, -1]`), "classes[0].forest[0]"},
		{"another threshold", replace("0.30000000000000004", "0.3"), "digest: is \"" + digest + "\", but the content gives \"sha256:"},
		{"no digest", replace(digest, ""), `digest: is "", but the content gives "` + digest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := model.Load(strings.NewReader(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
	if _, err := model.Load(strings.NewReader(replace("0.30000000000000004", "0.3"))); !errors.Is(err, model.ErrDigest) {
		t.Errorf("got %v, want ErrDigest", err)
	}
	if _, err := model.Load(io.MultiReader(strings.NewReader(good), spaces{})); !errors.Is(err, model.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if _, err := model.Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

// spaces is endless white space.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestWriteRefuses(t *testing.T) {
	spec := small()
	spec.Digest = "sha256:00"
	var b bytes.Buffer
	if err := model.Write(&b, spec); !errors.Is(err, model.ErrDigest) || b.Len() > 0 {
		t.Errorf("got %v and %d bytes, want ErrDigest and nothing", err, b.Len())
	}
	spec = small()
	spec.Classes[0].Forest[0].Share[0] = math.NaN()
	if err := model.Write(&b, spec); err == nil || b.Len() > 0 {
		t.Errorf("got %v and %d bytes, want an error and nothing", err, b.Len())
	}
}

// TestValidateBounds makes sure that a model with faults all over gives an
// error of bounded length.
func TestValidateBounds(t *testing.T) {
	spec := small()
	for i := range spec.Classes {
		tree := spec.Classes[i].Forest[0]
		tree.Feature = []int{9, -1, -1}
		spec.Classes[i].Forest = nil
		for range 1000 {
			spec.Classes[i].Forest = append(spec.Classes[i].Forest, tree)
		}
	}
	if err := spec.Validate(); err == nil || strings.Count(err.Error(), "\n") > 30 {
		t.Errorf("got %d lines; want 1 to 30", strings.Count(err.Error(), "\n")+1)
	}
}
