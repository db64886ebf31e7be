package classifier_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"botwatch/classifier"
	"botwatch/classifier/format"
	"botwatch/classifier/model"
)

// reference gives the path of a reference file. Without BOTWATCH_SHARED, and
// with nothing beside the project, the test is skipped.
func reference(t testing.TB, name string) string {
	t.Helper()
	shared, asked := os.LookupEnv("BOTWATCH_SHARED")
	if !asked {
		shared = filepath.Join("..", "..", "shared")
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

func defaultModel(t testing.TB) *classifier.Model {
	t.Helper()
	spec, err := model.Default()
	if err != nil {
		t.Fatal(err)
	}
	m, err := classifier.NewModel(spec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lines gives the lines of a gzipped file.
func lines(t testing.TB, path string) [][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	s := bufio.NewScanner(z)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		all = append(all, bytes.Clone(s.Bytes()))
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// expectation is what the reference says of an account.
type expectation struct {
	Attributes map[string]float64 `json:"attributes"`
	Scores     []float64          `json:"scores"`
	Prediction int                `json:"prediction"`
}

func decode(t testing.TB, doc []byte) *classifier.Account {
	t.Helper()
	var b classifier.Builder
	b.Reset()
	if err := format.DecodeJSON(doc, &b); err != nil {
		t.Fatal(err)
	}
	a, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// check compares one account's result with the reference's: attributes to a
// relative 1e-9, scores and prediction exactly; and the reasons of every class
// with its score.
func check(t *testing.T, name string, c *classifier.Classifier, a *classifier.Account, want expectation) {
	t.Helper()
	var r classifier.Result
	if err := c.Classify(a, &r); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	for attribute, value := range want.Attributes {
		i, ok := classifier.ParseAttribute(attribute)
		if !ok {
			t.Fatalf("%s: unknown attribute %s", name, attribute)
		}
		if i == classifier.StandardName { // the reference's own mistake, mended on purpose
			continue
		}
		if got := r.Attributes[i]; math.Abs(got-value) > 1e-9*math.Abs(value) {
			t.Errorf("%s: %s is %v; want %v", name, attribute, got, value)
		}
	}
	for i, s := range want.Scores {
		if r.Scores[i] != s {
			t.Errorf("%s: score %d is %v; want %v", name, i+1, r.Scores[i], s)
		}
	}
	if r.Prediction != want.Prediction {
		t.Errorf("%s: prediction %d; want %d", name, r.Prediction, want.Prediction)
	}
	for class := 1; class <= classifier.NumClasses; class++ {
		base, reasons := c.Explain(&r, class)
		for _, reason := range reasons {
			base += reason.Contribution
		}
		if math.Abs(base-r.Scores[class-1]) > 1e-12 {
			t.Errorf("%s: base and contributions for class %d add up to %v; want the score %v", name, class, base, r.Scores[class-1])
		}
	}
}

func TestGoldenAccounts(t *testing.T) {
	c := classifier.New(defaultModel(t))
	all := lines(t, reference(t, "synthetic_accounts.ndjson.gz"))
	if len(all) != 400 {
		t.Fatalf("%d accounts; want 400", len(all))
	}
	for i, line := range all {
		var g struct {
			Account  json.RawMessage `json:"account"`
			Expected expectation     `json:"expected"`
		}
		if err := json.Unmarshal(line, &g); err != nil {
			t.Fatal(err)
		}
		check(t, "account "+strconv.Itoa(i), c, decode(t, g.Account), g.Expected)
	}
}

func TestExampleAccounts(t *testing.T) {
	c := classifier.New(defaultModel(t))
	var accounts map[string]json.RawMessage
	var expected map[string]expectation
	for name, v := range map[string]any{"example_data.json": &accounts, "example_expected.json": &expected} {
		data, err := os.ReadFile(reference(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, v); err != nil {
			t.Fatal(err)
		}
	}
	if len(accounts) != 5 {
		t.Fatalf("%d accounts; want 5", len(accounts))
	}
	for key, doc := range accounts {
		check(t, key, c, decode(t, doc), expected[key])
	}
}

func TestForestVectors(t *testing.T) {
	m := defaultModel(t)
	all := lines(t, reference(t, "forest_vectors.csv.gz"))
	if len(all) != 3001 {
		t.Fatalf("%d lines; want 3001", len(all))
	}
	n := len(m.Inputs())
	for row, line := range all[1:] {
		var values []float64
		for _, text := range strings.Split(string(line), ",") {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, v)
		}
		scores, prediction := m.Score(values[:n])
		for i, s := range scores {
			if s != values[n+i] {
				t.Errorf("row %d: score %d is %v; want %v", row, i+1, s, values[n+i])
			}
		}
		if float64(prediction) != values[n+classifier.NumClasses] {
			t.Errorf("row %d: prediction %d; want %v", row, prediction, values[n+classifier.NumClasses])
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	c := classifier.New(defaultModel(b))
	var accounts []*classifier.Account
	for _, line := range lines(b, reference(b, "synthetic_accounts.ndjson.gz")) {
		var g struct {
			Account json.RawMessage `json:"account"`
		}
		if err := json.Unmarshal(line, &g); err != nil {
			b.Fatal(err)
		}
		accounts = append(accounts, decode(b, g.Account).Clone())
	}
	var r classifier.Result
	b.Run("account=varied", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_ = c.Classify(accounts[i%len(accounts)], &r)
		}
	})
	b.Run("account=one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = c.Classify(accounts[0], &r)
		}
	})
	var inputs [][]float64
	for _, a := range accounts {
		var in []float64
		_ = c.Classify(a, &r)
		for _, attribute := range c.Model().Inputs() {
			in = append(in, r.Attributes[attribute])
		}
		inputs = append(inputs, in)
	}
	b.Run("forests=varied", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			c.Model().Score(inputs[i%len(inputs)])
		}
	})
	b.Run("forests=one", func(b *testing.B) {
		for b.Loop() {
			c.Model().Score(inputs[0])
		}
	})
}
