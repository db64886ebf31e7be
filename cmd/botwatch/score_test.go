package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// table of attributes: a heading and rows.
func parse(t testing.TB, text string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestScoreAgrees scores the reference's rows: on the thresholds, and one float
// beside them.
func TestScoreAgrees(t *testing.T) {
	path := reference(t, "forest_vectors.csv.gz")
	z, err := gzip.NewReader(strings.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	input := parse(t, string(unpacked))
	packed := succeed(t, "model", "score", path)
	if want := strconv.Itoa(len(input)-1) + " rows, 0 errors\n"; packed.err != want {
		t.Errorf("standard error is %q; want %q", packed.err, want)
	}
	rows := parse(t, packed.out)
	if len(rows) != len(input) {
		t.Fatalf("%d rows of %d", len(rows), len(input))
	}
	for i, row := range rows {
		n := len(input[i])
		if diff := cmp.Diff(input[i], row[:n]); diff != "" {
			t.Fatalf("row %d does not pass through:\n%s", i, diff)
		}
		for j, text := range row[n:] {
			want := row[n-7+j] // the file's own scores and prediction
			if i > 0 {
				want = shortest(t, want)
			}
			if text != want {
				t.Errorf("row %d, %s: %s; the reference says %s", i, rows[0][n+j], text, want)
			}
		}
	}
	stdin := invocation{args: []string{"model", "score", "-"}, stdin: bytes.NewReader(unpacked)}.run()
	if stdin != packed {
		t.Error("plain, from standard input, the answer is another")
	}
}

// shortest gives a number as the shortest text that reads back as it.
func shortest(t testing.TB, text string) string {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// rowOf gives a heading and a row of numbers that are all 0.
func rowOf(t testing.TB) (heading, row []string, want string) {
	t.Helper()
	m := builtIn(t)
	for i, a := range m.Inputs() {
		heading = append(heading, strconv.Itoa(i)+":"+a.String())
		row = append(row, "0")
	}
	scores, prediction := m.Score(make([]float64, len(row)))
	for _, v := range scores {
		want += strconv.FormatFloat(v, 'g', -1, 64) + ","
	}
	return heading, row, want + strconv.Itoa(prediction)
}

func TestScoreRows(t *testing.T) {
	heading, zeros, scores := rowOf(t)
	head, row := strings.Join(heading, ","), strings.Join(zeros, ",")
	const blanks = ",,,,,,"
	names := head // by name alone; posting_intensity is two inputs, but one column
	for i, h := range heading {
		names = strings.Replace(names, h, strings.TrimPrefix(h, strconv.Itoa(i)+":"), 1)
	}
	names = strings.Replace(names, ",posting_intensity,language", ",language", 1)
	const added = ",score_1,score_2,score_3,score_4,score_5,score_6,prediction\n"
	cases := []struct {
		rule, input, want string
		code              int
		err               string
	}{
		{"other columns pass through", "note," + head + ",\"a, b\"\n\"x, \"\"y\"\"\"," + row + ",é\n", "note," + head + ",\"a, b\"" + added + "\"x, \"\"y\"\"\"," + row + ",é," + scores + "\n", exitOK, "1 rows, 0 errors"},
		{"columns by name", names + "\n" + row[2:] + "\n", names + added + row[2:] + "," + scores + "\n", exitOK, "1 rows"},
		{"a byte order mark, CRLF, spaces around", "\ufeff" + head + "\r\n 0 " + row[1:] + "\r\n", head + added + "\" 0 \"" + row[1:] + "," + scores + "\n", exitOK, "1 rows"},
		{"a heading alone", head + "\n", head + added, exitOK, "0 rows, 0 errors"},
		{"a faulty row keeps its place", head + "\n" + row + "\nx" + row[1:] + "\n" + row + "\n", head + added + row + "," + scores + "\nx" + row[1:] + "," + blanks + "\n" + row + "," + scores + "\n",
			exitRows, `line 3, column 1 (0:interaction_mentions): is "x"; want a finite number within float32`},
		{"a missing number", head + "\n" + row[:len(row)-1] + "\n", head + added + row[:len(row)-1] + "," + blanks + "\n", exitRows, `line 2, column 18 (17:burst): is ""`},
		{"not a number", head + "\nNaN" + row[1:] + "\n", head + added + "NaN" + row[1:] + "," + blanks + "\n", exitRows, `is "NaN"`},
		{"infinite", head + "\n-Inf" + row[1:] + "\n", head + added + "-Inf" + row[1:] + "," + blanks + "\n", exitRows, `is "-Inf"`},
		{"beyond float32", head + "\n1e39" + row[1:] + "\n", head + added + "1e39" + row[1:] + "," + blanks + "\n", exitRows, `is "1e39"`},
		{"too few columns", head + "\n1,2\n", head + added + "1,2" + strings.Repeat(",", 16) + "," + blanks + "\n", exitRows, "line 2: has 2 columns; want 18, as the heading has"},
		{"too many columns", head + "\n" + row + ",7\n", head + added + row + "," + blanks + "\n", exitRows, "line 2: has 19 columns; want 18"},
		{"no CSV", head + "\n" + "a\"b" + row[1:] + "\n" + row + "\n", head + added + strings.Repeat(",", 17) + "," + blanks + "\n" + row + "," + scores + "\n", exitRows, "line 2, column 2"},
		{"nothing", "", "", exitRuntime, "is empty; want a heading and rows of attributes"},
		{"columns that lack", "a,b\n1,2\n", "", exitRuntime, "lacks the columns 0:interaction_mentions, 1:interaction_replies"},
		{"a column twice", head + ",3:spreader\n", "", exitRuntime, "has 2 columns headed 3:spreader; want one"},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			got := invocation{args: []string{"model", "score", "-"}, stdin: strings.NewReader(tc.input)}.run()
			if got.code != tc.code || !strings.Contains(got.err, tc.err) {
				t.Errorf("exit %d, %q; want %d, %q", got.code, got.err, tc.code, tc.err)
			}
			if diff := cmp.Diff(tc.want, got.out); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestScoreFaultsAreFew(t *testing.T) {
	heading, _, _ := rowOf(t)
	input := strings.Join(heading, ",") + "\n" + strings.Repeat("x\n", 50)
	got := invocation{args: []string{"model", "score", "-"}, stdin: strings.NewReader(input)}.run()
	if n := strings.Count(got.err, "\n"); n != maxRowErrors+2 || !strings.Contains(got.err, "30 more rows with errors\n50 rows, 50 errors\n") {
		t.Errorf("%d lines: %s", n, got.err)
	}
}

func TestScoreFiles(t *testing.T) {
	heading, row, _ := rowOf(t)
	good := file(t, "good.csv", strings.Join(heading, ",")+"\n"+strings.Join(row, ",")+"\n")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, read(t, good)+strings.Repeat(strings.Join(row, ",")+"\n", 1000))
	z.Close()
	cut := file(t, "cut.csv", packed.String()[:packed.Len()-20])
	cases := []struct {
		rule, in string
		code     int
		want     string
	}{
		{"cut off", cut, exitRuntime, "cut.csv: unexpected EOF"},
		{"missing", "nowhere.csv", exitRuntime, "nowhere.csv: there is no such file; check the name"},
		{"a directory", "testdata", exitRuntime, "testdata: is a directory"},
		{"two files", "", exitUsage, "one CSV file"},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			old := file(t, "old.csv", "old")
			args := []string{"model", "score", "--output", old}
			if tc.in != "" {
				args = append(args, tc.in)
			}
			got := botwatch(args...)
			if got.code != tc.code || !strings.Contains(got.err, tc.want) {
				t.Errorf("exit %d, %q; want %q", got.code, got.err, tc.want)
			}
			if left, _ := os.ReadDir(filepath.Dir(old)); read(t, old) != "old" || len(left) != 1 {
				t.Error("the old output is gone, or something was left")
			}
		})
	}
	if got := botwatch("model", "score", good, "--output", good); got.code != exitUsage || !strings.Contains(got.err, "is to be read and written") {
		t.Errorf("exit %d, %q", got.code, got.err)
	}
	if got := botwatch("model", "score", good, "--output", "/dev/full"); got.code != exitRuntime || strings.Contains(got.err, "good.csv") {
		t.Errorf("a full output is no fault of the input: exit %d, %q", got.code, got.err)
	}
}
