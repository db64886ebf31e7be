package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/classifier/format"
	"botwatch/store"
)

const (
	published = "testdata/accounts.ndjson" // thirteen of the reference's accounts, with what it says of them
	hostile   = "testdata/hostile.ndjson"
)

// verdictOf is what is known of an account in advance, and what came of it.
type verdictOf struct {
	Scores     []float64 `json:"scores"`
	Prediction int       `json:"prediction"`
}

// expected gives what the reference says of the accounts in NDJSON.
func expected(t testing.TB, ndjson string) []verdictOf {
	t.Helper()
	var all []verdictOf
	for _, line := range strings.Split(strings.TrimSpace(ndjson), "\n") {
		var account struct{ Expected verdictOf }
		if err := json.Unmarshal([]byte(line), &account); err != nil {
			t.Fatal(err)
		}
		all = append(all, account.Expected)
	}
	return all
}

// predictions reads documents from NDJSON.
func predictions(t testing.TB, ndjson string) []store.Prediction {
	t.Helper()
	var all []store.Prediction
	for _, line := range strings.Split(strings.TrimSpace(ndjson), "\n") {
		var p store.Prediction
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, p)
	}
	return all
}

func verdicts(all []store.Prediction) []verdictOf {
	var got []verdictOf
	for _, p := range all {
		got = append(got, verdictOf{p.Scores[:], p.Class})
	}
	return got
}

// TestClassifyAgrees holds every form to what the reference computed.
func TestClassifyAgrees(t *testing.T) {
	want := expected(t, read(t, published))

	t.Run("ndjson", func(t *testing.T) {
		got := verdicts(predictions(t, succeed(t, "classify", "--format", "ndjson", published).out))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-reference +got):\n%s", diff)
		}
	})
	t.Run("json", func(t *testing.T) {
		var all []store.Prediction
		if err := json.Unmarshal([]byte(succeed(t, "classify", "--format", "json", published).out), &all); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, verdicts(all)); diff != "" {
			t.Errorf("(-reference +got):\n%s", diff)
		}
	})
	t.Run("csv", func(t *testing.T) {
		rows, err := csv.NewReader(strings.NewReader(succeed(t, "classify", "--format", "csv", published).out)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		first, prediction := slices.Index(rows[0], "score_1"), slices.Index(rows[0], "prediction")
		var got []verdictOf
		for _, row := range rows[1:] {
			v := verdictOf{Scores: make([]float64, 6)}
			for i := range v.Scores {
				v.Scores[i], _ = strconv.ParseFloat(row[first+i], 64)
			}
			v.Prediction, _ = strconv.Atoi(row[prediction])
			got = append(got, v)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-reference +got):\n%s", diff)
		}
	})
	t.Run("table", func(t *testing.T) {
		rows := strings.Split(strings.TrimSpace(succeed(t, "classify", published).out), "\n")[1:]
		if len(rows) != len(want) {
			t.Fatalf("%d rows", len(rows))
		}
		for i, row := range rows {
			for _, part := range []string{fmt.Sprintf("%d ", want[i].Prediction), fmt.Sprintf("  %.2f  ", want[i].Scores[want[i].Prediction-1])} {
				if !strings.Contains(row, part) {
					t.Errorf("%q lacks %q", row, part)
				}
			}
		}
	})
	t.Run("all of the reference", func(t *testing.T) {
		path := reference(t, "synthetic_accounts.ndjson.gz")
		z, err := gzip.NewReader(strings.NewReader(read(t, path)))
		if err != nil {
			t.Fatal(err)
		}
		var unpacked bytes.Buffer
		if _, err := unpacked.ReadFrom(z); err != nil {
			t.Fatal(err)
		}
		got := verdicts(predictions(t, succeed(t, "classify", "--format", "ndjson", path).out))
		if diff := cmp.Diff(expected(t, unpacked.String()), got); diff != "" {
			t.Errorf("(-reference +got):\n%s", diff)
		}
	})
}

func TestClassifyExample(t *testing.T) {
	for _, name := range []string{"example_data.json", "example_data.p"} {
		t.Run(name, func(t *testing.T) {
			var want map[string]verdictOf
			if err := json.Unmarshal([]byte(read(t, reference(t, "example_expected.json"))), &want); err != nil {
				t.Fatal(err)
			}
			got := predictions(t, succeed(t, "classify", "--format", "ndjson", reference(t, name)).out)
			var classes []int
			for _, p := range got {
				classes = append(classes, p.Class)
				if diff := cmp.Diff(want[p.ID.String()], verdictOf{p.Scores[:], p.Class}); diff != "" {
					t.Errorf("%s (-reference +got):\n%s", p.ID, diff)
				}
			}
			if diff := cmp.Diff([]int{4, 3, 2, 4, 4}, classes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestClassifyLayout(t *testing.T) {
	for _, name := range []string{"accounts", "hostile"} {
		in := "testdata/" + name + ".ndjson"
		golden(t, name+".table", botwatch("classify", in).out)
		golden(t, name+".explain", botwatch("classify", "--explain", in).out)
		golden(t, name+".csv", botwatch("classify", "--format", "csv", in).out)
		golden(t, name+".json", botwatch("classify", "--format", "json", in).out)
	}
}

// TestClassifyForms: the three machine forms tell the same.
func TestClassifyForms(t *testing.T) {
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(botwatch("classify", "--format", "json", hostile).out), &list); err != nil {
		t.Fatal(err)
	}
	var lines string
	for _, doc := range list {
		lines += string(doc) + "\n"
	}
	if diff := cmp.Diff(lines, botwatch("classify", "--format", "ndjson", hostile).out); diff != "" {
		t.Errorf("JSON and NDJSON differ:\n%s", diff)
	}
	rows, err := csv.NewReader(strings.NewReader(botwatch("classify", "--format", "csv", hostile).out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range predictions(t, lines) {
		got := strings.TrimPrefix(rows[i+1][0], "'")
		if want := strings.ReplaceAll(p.ID.String(), "\r\n", "\n"); got != want {
			t.Errorf("row %d of CSV is of %q; want %q", i+1, got, want)
		}
	}
}

// TestClassifyKeys: _id is the key, of its own type, whatever it is.
func TestClassifyKeys(t *testing.T) {
	account := `{"user_data":{},"tweets":[]}`
	cases := []struct{ rule, input, want string }{
		{"keys of an upload", `{"b":` + account + `,"a":` + account + `}`, `"b" "a"`},
		{"a key that comes twice is two accounts", `{"a":` + account + `,"a":` + account + `}`, `"a" "a"`},
		{"_id", `{"_id":"x","user_data":{"id":1},"tweets":[]}`, `"x"`},
		{"a number", `{"_id":7,"user_data":{"id":1},"tweets":[]}`, `7`},
		{"extended JSON", `{"_id":{"$numberLong":"7"},"account":` + account + `}`, `7`},
		{"an ObjectId", `{"_id":{"$oid":"507f1f77bcf86cd799439011"},"account":` + account + `}`, `{"$oid":"507f1f77bcf86cd799439011"}`},
		{"a document", `{"_id":{"b":1, "a":[true,{"$date":"2020-05-20T09:18:42Z"}]},"account":` + account + `}`, `{"b":1,"a":[true,{"$date":"2020-05-20T09:18:42Z"}]}`},
		{"what is no id", `{"_id":{"$iod":"507f"},"account":` + account + `}`, `"{\"$iod\":\"507f\"}"`},
		{"an id of the user", `{"user_data":{"id_str":"12","id":12},"tweets":[]}`, `"12"`},
		{"nothing but a place", account, `"-#1"`},
		{"nothing but places on one line", "[" + account + "," + account + "]", `"-#1" "-#2"`},
		{"the last _id of two", `{"_id":1,"_id":2,"account":` + account + `}`, `2`},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			got := invocation{args: []string{"classify", "--format", "ndjson", "-"}, stdin: strings.NewReader(tc.input)}.run()
			var ids []string
			for _, p := range predictions(t, got.out) {
				ids = append(ids, string(p.ID.AppendJSON(nil)))
			}
			if s := strings.Join(ids, " "); s != tc.want {
				t.Errorf("%s; want %s", s, tc.want)
			}
		})
	}
}

// TestClassifyOrder: many accounts on many cores keep their order.
func TestClassifyOrder(t *testing.T) {
	lines := fixture(t, "accounts.ndjson")
	var input strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&input, `{"_id":%d,%s`+"\n", i, lines[i%len(lines)][1:])
	}
	want := expected(t, read(t, published))
	got := predictions(t, succeed(t, "classify", "--format", "ndjson", file(t, "many.ndjson", input.String())).out)
	for i, p := range got {
		if p.ID != store.IntID(int64(i)) || p.Class != want[i%len(want)].Prediction {
			t.Fatalf("row %d is of %s, class %d", i, p.ID, p.Class)
		}
	}
	if len(got) != 2000 {
		t.Errorf("%d rows", len(got))
	}
}

// TestClassifyFaults: a bad account keeps its row, with key, place, field and
// reason, and costs no other.
func TestClassifyFaults(t *testing.T) {
	lines := fixture(t, "accounts.ndjson")
	bad := `{"_id":"bad","account":{"user_data":{"created_at":"2010-01-01 00:00:00","followers_count":-1,"statuses_count":1},"tweets":[],"crawled_at":"2020-01-01 00:00:00"}}`
	path := file(t, "mixed.ndjson", strings.Join([]string{lines[0], bad, lines[2]}, "\n"))
	got := botwatch("classify", "--format", "ndjson", path)
	if got.code != exitRows {
		t.Errorf("exit %d; want %d", got.code, exitRows)
	}
	if want := "3 read: 2 strong, 0 weak, 0 none, 1 errors\n"; got.err != want {
		t.Errorf("standard error is %q; want %q", got.err, want)
	}
	all := predictions(t, got.out)
	if diff := cmp.Diff([]int{1, 0, 2}, []int{all[0].Class, all[1].Class, all[2].Class}); diff != "" {
		t.Errorf("classes (-want +got):\n%s", diff)
	}
	fault := all[1]
	if fault.ID != store.StringID("bad") || fault.Status != store.StatusError || fault.Error.Code != "bad_number" || fault.Error.Field != "user_data.followers_count" {
		t.Errorf("the fault is %s, %s, %+v", fault.ID, fault.Status, fault.Error)
	}
	place := fmt.Sprintf("(%s, line 2, byte %d)", path, len(lines[0])+1)
	if !strings.HasSuffix(fault.Error.Message, place) {
		t.Errorf("%q does not end in %q", fault.Error.Message, place)
	}
}

// TestClassifyPanic: a fault of ours is one account's error.
func TestClassifyPanic(t *testing.T) {
	m := builtIn(t)
	w := &newWorkers(&classify{model: m}, "a.json", ndjsonForm.row)[0]
	w.classifier = nil
	frame := &format.Frame{Key: "a"}
	if got := w.row(frame, nil, nil); got.status != store.StatusError || !strings.Contains(string(got.text), `{"code":"panic","field":"","message":"a fault of botwatch: `) {
		t.Errorf("%s", got.text)
	}
	account := &classifier.Account{Tweets: make([]classifier.Tweet, 2), CrawledAt: 1}
	if got := w.row(frame, account, nil); got.status != store.StatusClassified {
		t.Errorf("the next one: %s", got.text)
	}
}

func TestClassifyInputs(t *testing.T) {
	good := strings.Join(fixture(t, "accounts.ndjson"), "\n") + "\n"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(good))
	z.Close()
	timeline := `[{"created_at":"Wed May 20 09:18:42 +0000 2020","user":{"id":5,"created_at":"Wed May 20 09:18:42 +0000 2015","followers_count":1,"statuses_count":2},"retweet_count":0,"favorite_count":0,"entities":{"user_mentions":[],"hashtags":[]}},` +
		`{"created_at":"Wed May 20 09:18:43 +0000 2020","user":{"id":5,"created_at":"Wed May 20 09:18:42 +0000 2015","followers_count":1,"statuses_count":2},"retweet_count":0,"favorite_count":0,"entities":{"user_mentions":[],"hashtags":[]}}]`
	none := "0 read: 0 strong, 0 weak, 0 none, 0 errors"
	all := "13 read: 6 strong, 6 weak, 1 none, 0 errors"
	cases := []struct {
		rule string
		args []string
		code int
		err  []string // parts of what standard error says
	}{
		{"gzip is known by its content", []string{file(t, "odd.txt", packed.String())}, exitOK, []string{all}},
		{"an empty file", []string{file(t, "empty", "")}, exitRuntime, []string{"empty: the input is empty; want accounts as JSON", none + "; 1 of 1 inputs not read to the end"}},
		{"no accounts", []string{file(t, "none.json", "[]")}, exitOK, []string{none}},
		{"no JSON", []string{file(t, "hello", "hello")}, exitRuntime, []string{`begins with "hello"; want accounts`}},
		{"a directory", []string{"testdata"}, exitRuntime, []string{"testdata: is a directory; name the files in it"}},
		{"a missing file", []string{"nowhere.json"}, exitRuntime, []string{"nowhere.json: there is no such file; check the name"}},
		{"one missing file among good ones", []string{published, "nowhere.json", published}, exitRuntime,
			[]string{"nowhere.json: there is no such file", "26 read: 12 strong, 12 weak, 2 none, 0 errors; 1 of 3 inputs not read to the end"}},
		{"a file with faults and a missing one", []string{hostile, "nowhere.json"}, exitRuntime, []string{"3 errors; 1 of 2 inputs"}},
		{"a file with faults among good ones", []string{published, hostile}, exitRows, []string{"29 read: 6 strong, 17 weak, 3 none, 3 errors\n"}},
		{"gzip cut off", []string{file(t, "cut.gz", packed.String()[:packed.Len()/2])}, exitRuntime, []string{"cut.gz: ", "1 of 1 inputs not read to the end"}},
		{"JSON cut off", []string{file(t, "cut.json", `{"a":{"user_data":{},"tweets":[]},"b":{"user`)}, exitRuntime, []string{`inside the account "b"; accounts before it: 1`}},
		{"timelines without a crawl", []string{file(t, "timeline.json", timeline)}, exitRows, []string{"1 errors"}},
		{"timelines with one", []string{"--crawled-at", "2020-05-21T00:00:00Z", file(t, "timeline.json", timeline)}, exitOK, []string{"1 read"}},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			got := botwatch(append([]string{"classify"}, tc.args...)...)
			if got.code != tc.code {
				t.Errorf("exit %d; want %d", got.code, tc.code)
			}
			for _, part := range tc.err {
				if !strings.Contains(got.err, part) {
					t.Errorf("%q lacks %q", got.err, part)
				}
			}
		})
	}

	t.Run("the fault of a timeline names the flag", func(t *testing.T) {
		got := botwatch("classify", file(t, "timeline.json", timeline))
		if !strings.Contains(got.out, "--crawled-at") {
			t.Error(got.out)
		}
	})
	t.Run("an unreadable file", func(t *testing.T) {
		path := file(t, "secret.json", good)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := os.ReadFile(path); err == nil {
			t.Skip("this user may read everything")
		}
		if got := botwatch("classify", path); got.code != exitRuntime || !strings.Contains(got.err, "secret.json: permission denied") {
			t.Errorf("exit %d, %q", got.code, got.err)
		}
	})
}

func TestClassifyMisuse(t *testing.T) {
	copied := file(t, "accounts.ndjson", read(t, published))
	model := file(t, "model.json", "{}")
	cases := []struct {
		rule string
		args []string
		want string
	}{
		{"no file", nil, "names no file; - is standard input"},
		{"standard input twice", []string{"-", "-"}, "- is named twice; standard input can be read only once"},
		{"an unknown form", []string{"--format", "xml", published}, `--format: unknown "xml"; want table, json, ndjson, csv`},
		{"an unknown flag", []string{"--fromat", "csv", published}, "unknown flag: --fromat"},
		{"no time", []string{"--crawled-at", "yesterday", published}, `--crawled-at: "yesterday" is no time; want one such as 2020-05-20T09:18:42Z`},
		{"the output is an input", []string{"--output", copied, published, copied}, "accounts.ndjson is to be read and written; name another output"},
		{"the output is the model", []string{"--output", model, "--model", model, published}, "model.json is to be read and written"},
		{"the manifest is an input", []string{"--manifest", copied, copied}, "accounts.ndjson is to be read and written"},
		{"the manifest is the output", []string{"--manifest", "./x.csv", "--output", "x.csv", published}, "--manifest and --output name the same file; want two"},
		{"both go to standard output", []string{"--manifest", "-", published}, "--manifest and --output name the same file"},
		{"a packed output", []string{"--output", "x.csv.gz", published}, "gzip is read, not written"},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			got := botwatch(append([]string{"classify"}, tc.args...)...)
			if got.code != exitUsage || got.out != "" {
				t.Errorf("exit %d, standard output %q", got.code, got.out)
			}
			if !strings.Contains(got.err, tc.want) || !strings.Contains(got.err, "Run 'botwatch classify --help' for usage.") {
				t.Errorf("%q lacks %q", got.err, tc.want)
			}
		})
	}
	if read(t, copied) != read(t, published) {
		t.Error("an input was changed")
	}
}

// TestClassifyOutput: the form follows the name, a link stays one, permissions
// stay, and nothing else is left in the folder.
func TestClassifyOutput(t *testing.T) {
	want := succeed(t, "classify", "--format", "csv", published).out
	dir := t.TempDir()
	path, link := filepath.Join(dir, "result.csv"), filepath.Join(dir, "latest.csv")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("result.csv", link); err != nil {
		t.Skip(err)
	}
	if got := succeed(t, "classify", "--output", link, published); got.out != "" {
		t.Errorf("standard output: %q", got.out)
	}
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want the permissions of old", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left in the folder: %v", left)
	}
}

// TestClassifyKeepsOldOutput: what fails leaves the old output, and no part of a
// new one.
func TestClassifyKeepsOldOutput(t *testing.T) {
	full := "/dev/full"
	if _, err := os.Stat(full); err != nil {
		full = ""
	}
	cases := []struct {
		rule, want string
		args       func(old string) []string
	}{
		{"nothing was read", "there is no such file", func(old string) []string { return []string{"--output", old, "nowhere.json"} }},
		{"the manifest has no place", "no such folder", func(old string) []string {
			return []string{"--output", old, "--manifest", filepath.Join(old+".d", "m.json"), published}
		}},
		{"the model is none", "model", func(old string) []string { return []string{"--output", old, "--model", hostile, published} }},
		{"the output is a folder", "is a directory; name a file in it", func(old string) []string { return []string{"--output", filepath.Dir(old), published} }},
		{"the output is full", "no space left", func(string) []string { return []string{"--output", full, published} }},
		{"the output's folder is missing", "there is no such folder; make it first", func(old string) []string {
			return []string{"--output", filepath.Join(old+".d", "x.csv"), published}
		}},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			old := file(t, "old.csv", "old")
			args := tc.args(old)
			if slices.Contains(args, "") {
				t.Skip("there is no /dev/full")
			}
			got := botwatch(append([]string{"classify"}, args...)...)
			if got.code != exitRuntime || !strings.Contains(got.err, tc.want) {
				t.Errorf("exit %d, %q; want %q", got.code, got.err, tc.want)
			}
			if read(t, old) != "old" {
				t.Error("the old output is gone")
			}
			if left, _ := os.ReadDir(filepath.Dir(old)); len(left) != 1 {
				t.Errorf("left in the folder: %v", left)
			}
		})
	}
}
