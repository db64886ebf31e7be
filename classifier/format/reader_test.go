package format_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"botwatch/classifier"
	"botwatch/classifier/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// row is what the tests look at of an account.
type row struct {
	Key, KeyJSON string
	User         string // screen_name
	Place        string
	Index        int
	Err          string
}

// readRows reads all rows, and the error that ends the input early.
func readRows(r io.Reader, o format.Options) (rows []row, err error) {
	rd, err := format.Open(r, o)
	if err != nil {
		return nil, err
	}
	var b classifier.Builder
	for {
		f, err := rd.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		account, err := f.Decode(&b)
		rows = append(rows, rowOf(f, account, err))
	}
}

func rowOf(f *format.Frame, account *classifier.Account, err error) row {
	r := row{Key: f.Key, KeyJSON: string(f.KeyJSON), User: account.ScreenName, Place: f.Place.String(), Index: f.Index}
	if err != nil {
		r.Err = err.Error()
	}
	return r
}

// account gives the JSON of an account without a name of its own at the root.
func account(name string) string {
	return fmt.Sprintf(`{"user_data": {"screen_name": %q, "followers_count": 1, "statuses_count": 2, "created_at": "2010-01-01 00:00:00"}, "tweets": [], "crawled_at": "2020-01-01 00:00:00"}`, name)
}

// withID puts members before those of the account.
func withID(members, name string) string { return "{" + members + ", " + account(name)[1:] }

const unnamed = `{"user_data": {"followers_count": 1, "statuses_count": 2, "created_at": "2010-01-01 00:00:00"}, "tweets": [], "crawled_at": "2020-01-01 00:00:00"}`

// brief is a row without its place.
func brief(key, keyJSON, user, err string) row {
	return row{Key: key, KeyJSON: keyJSON, User: user, Err: err}
}

const noUserData = "user_data: is missing; want the account's user object"

var readerCases = []struct {
	rule, input string
	want        []row
	end         string // the error that ends the input
}{
	{rule: "an upload, keys in order, duplicates kept",
		input: `{"b": ` + account("bob") + `, "a": ` + account("ann") + `, "b": ` + account("bert") + `}`,
		want:  []row{brief("b", `"b"`, "bob", ""), brief("a", `"a"`, "ann", ""), brief("b", `"b"`, "bert", "")}},
	{rule: "an upload over many lines",
		input: "{\r\n  \"b\": " + strings.ReplaceAll(account("bob"), ",", ",\r\n") + ",\r\n  \"a\" : \r\n" + account("ann") + "\r\n}\r\n",
		want:  []row{brief("b", `"b"`, "bob", ""), brief("a", `"a"`, "ann", "")}},
	{rule: "an upload with a byte order mark", input: "\xef\xbb\xbf{\"b\": " + account("bob") + "}", want: []row{brief("b", `"b"`, "bob", "")}},
	{rule: "user keys with escapes", input: `{"\u0062\"\\": ` + account("bob") + `, "{": ` + account("ann") + `}`,
		want: []row{brief(`b"\`, `"\u0062\"\\"`, "bob", ""), brief("{", `"{"`, "ann", "")}},
	{rule: "a user key that is no UTF-8", input: "{\"\xff\": " + account("bob") + `}`, want: []row{brief("\ufffd", "\"\ufffd\"", "bob", "")}},
	{rule: "a user key with a bad escape costs its row alone", input: `{"\x": ` + account("bob") + `, "a": ` + account("ann") + `}`,
		want: []row{brief("", "", "", `the user key is not JSON: bad escape at byte 2`), brief("a", `"a"`, "ann", "")}},
	{rule: "user keys that are field names", input: `{"user_data": ` + account("bob") + `, "tweets": ` + account("ann") + `, "id": ` + account("eve") + `, "account": ` + account("al") + `}`,
		want: []row{brief("user_data", `"user_data"`, "bob", ""), brief("tweets", `"tweets"`, "ann", ""), brief("id", `"id"`, "eve", ""), brief("account", `"account"`, "al", "")}},
	{rule: "an empty upload", input: `{}`},
	{rule: "an empty array", input: ` [ ] `},
	{rule: "broken accounts keep their rows and cost no other",
		input: `{"a": {"user_data": tru}, "b": ` + account("bob") + `, "c": 5, "d": "x", "e": [{}], "f": null, "g": {}, "h": {"tweets": [}}, "i": ` + account("ida") + `}`,
		want: []row{
			brief("a", `"a"`, "", `is not JSON: unexpected '}' at byte 17`),
			brief("b", `"b"`, "bob", ""),
			brief("c", `"c"`, "", "an account is an object with user_data, tweets and crawled_at"),
			brief("d", `"d"`, "", "an account is an object with user_data, tweets and crawled_at"),
			brief("e", `"e"`, "", "an account is an object with user_data, tweets and crawled_at"),
			brief("f", `"f"`, "", "an account is an object with user_data, tweets and crawled_at"),
			brief("g", `"g"`, "", noUserData),
			brief("h", `"h"`, "", `is not JSON: unexpected '}' at byte 12`),
			brief("i", `"i"`, "ida", ""),
		}},
	{rule: "a field fault names its field", input: `{"a": {"user_data": {"followers_count": -1}}}`,
		want: []row{brief("a", `"a"`, "", "user_data.followers_count: is -1; want a whole number from 0 to 9223372036854775807")}},
	{rule: "a single account, named by its user", input: account("bob"), want: []row{brief("bob", `"bob"`, "bob", "")}},
	{rule: "a single account that nothing names", input: unnamed, want: []row{brief("", "", "", "")}},
	{rule: "a single account over many lines", input: strings.ReplaceAll(account("bob"), ",", ",\n"), want: []row{brief("bob", `"bob"`, "bob", "")}},
	{rule: "a single account, wrapped", input: `{"account": ` + account("bob") + `, "expected": {"a": {}}}`, want: []row{brief("bob", `"bob"`, "bob", "")}},
	{rule: "a single account with its own _id", input: withID(`"_id": 7`, "bob"), want: []row{brief("7", "7", "bob", "")}},
	{rule: "an array of accounts", input: "[" + account("bob") + ",\n" + withID(`"id_str": "9"`, "ann") + ", 3, {\"account\": " + account("eve") + "}]",
		want: []row{brief("bob", `"bob"`, "bob", ""), brief("9", `"9"`, "ann", ""),
			brief("", "", "", "an account is an object with user_data, tweets and crawled_at"), brief("eve", `"eve"`, "eve", "")}},
	{rule: "NDJSON with ids of every kind",
		input: withID(`"_id": "x\n"`, "s") + "\n" + withID(`"_id": 12345678901234567890123`, "n") + "\n" + withID(`"_id": {"$oid": "5ec"}`, "o") + "\n" +
			withID(`"_id": {"$numberLong": "12"}`, "l") + "\n" + withID(`"_id": {"a": 1, "b": [2, 3]}`, "c") + "\n" + withID(`"_id": null, "id": 5`, "i") + "\n" +
			withID(`"screen_name": "root"`, "r") + "\n" + withID(`"_id": {"$numberInt": "3"}, "id": 5`, "j"),
		want: []row{brief("x\n", `"x\n"`, "s", ""), brief("12345678901234567890123", "12345678901234567890123", "n", ""), brief("5ec", `{"$oid":"5ec"}`, "o", ""),
			brief("12", `{"$numberLong":"12"}`, "l", ""), brief(`{"a":1,"b":[2,3]}`, `{"a":1,"b":[2,3]}`, "c", ""), brief("5", "5", "i", ""),
			brief("root", `"root"`, "r", ""), brief("3", `{"$numberInt":"3"}`, "j", "")}},
	{rule: "NDJSON in its three forms, CRLF, blank lines",
		input: account("bob") + "\r\n\r\n" + `{"_id": "w", "account": ` + account("ann") + "}\r\n  \r\n" + `{"k": ` + account("eve") + "}\r\n" + `{"account": ` + withID(`"_id": 4`, "al") + "}\r\n\n",
		want:  []row{brief("bob", `"bob"`, "bob", ""), brief("w", `"w"`, "ann", ""), brief("k", `"k"`, "eve", ""), brief("4", "4", "al", "")}},
	{rule: "a bad line is a bad row",
		input: account("bob") + "\n" + `{"_id": 3, "user_data": {"a` + "\n" + "x,y\n" + `{"a": 1}` + "\n" + `{"a": {}, "b": {}}` + "\n" + account("ann") + " x\n" + account("eve") + "\n" + account("al")[:50],
		want: []row{brief("bob", `"bob"`, "bob", ""),
			brief("3", "3", "", "is not JSON: it ends too early at byte 27"),
			brief("", "", "", "is not JSON: unexpected 'x' at byte 0"),
			brief("", "", "", noUserData),
			brief("", "", "", "is a map of 2 entries; want one account"),
			brief("ann", `"ann"`, "ann", "is not JSON: unexpected 'x' after the end of the value at byte 169"),
			brief("eve", `"eve"`, "eve", ""),
			brief("al", `"al"`, "al", "is not JSON: it ends too early at byte 50")}},
	{rule: "a bad first line is a bad row", input: `{"user_data": {"id` + "\n" + account("bob") + "\n",
		want: []row{brief("", "", "", "is not JSON: it ends too early at byte 18"), brief("bob", `"bob"`, "bob", "")}},
	{rule: "documents one after the other", input: "{\n" + account("bob")[1:] + "\n{\n" + account("ann")[1:] + account("eve"),
		want: []row{brief("bob", `"bob"`, "bob", ""), brief("ann", `"ann"`, "ann", ""), brief("eve", `"eve"`, "eve", "")}},
	{rule: "account wrapped beside its own members does not count", input: withID(`"account": {"a": 1}`, "bob"), want: []row{brief("bob", `"bob"`, "bob", "")}},

	{rule: "cut off within an account", input: `{"a": ` + account("ann") + `, "b": {"user`, want: []row{brief("a", `"a"`, "ann", "")},
		end: `the input is cut off: it ends at byte 187 in line 1 inside the account "b"; accounts before it: 1`},
	{rule: "cut off between accounts", input: `{"a": ` + account("ann") + `,`, want: []row{brief("a", `"a"`, "ann", "")},
		end: `the input is cut off: it ends at byte 175 in line 1; accounts before it: 1`},
	{rule: "cut off within a key", input: `{"a": ` + account("ann") + `, "b`, want: []row{brief("a", `"a"`, "ann", "")},
		end: `the input is cut off: it ends at byte 178 in line 1; accounts before it: 1`},
	{rule: "cut off array", input: "[" + account("ann") + "\n", want: []row{brief("ann", `"ann"`, "ann", "")},
		end: `the input is cut off: it ends at byte 170 in line 2; accounts before it: 1`},
	{rule: "no comma between accounts", input: `{"a": ` + account("ann") + "\n\"b\": {}}", want: []row{brief("a", `"a"`, "ann", "")},
		end: `the input is broken at byte 175 in line 2: found '"', want ',' or '}' between accounts`},
	{rule: "no colon", input: `{"a": ` + account("ann") + `, "b" {}}`, want: []row{brief("a", `"a"`, "ann", "")},
		end: `the input is broken at byte 180 in line 1: found '{', want ':' after a user key`},
	{rule: "no key", input: `{"a": ` + account("ann") + `, {}}`, want: []row{brief("a", `"a"`, "ann", "")},
		end: `the input is broken at byte 176 in line 1: found '{', want a user key in quotes`},
	{rule: "no account", input: `{"a": ` + account("ann") + `, "b": }`, want: []row{brief("a", `"a"`, "ann", "")},
		end: `the input is broken at byte 181 in line 1: found '}', want an account`},
	{rule: "no account in an array", input: `[, 1]`, end: `the input is broken at byte 1 in line 1: found ',', want an account`},
	{rule: "garbage behind", input: `{"a": ` + account("ann") + `} x`, want: []row{brief("a", `"a"`, "ann", "")},
		end: `the input is broken at byte 176 in line 1: found 'x', want another account or the end of the input`},
}

func TestReader(t *testing.T) {
	for _, tc := range readerCases {
		t.Run(tc.rule, func(t *testing.T) {
			for name, src := range map[string]io.Reader{
				"plain": strings.NewReader(tc.input), "gzip": bytes.NewReader(pack(tc.input)), "byte by byte": iotest.OneByteReader(strings.NewReader(tc.input)),
			} {
				got, err := readRows(src, format.Options{})
				for i := range got {
					if got[i].Index != i {
						t.Errorf("%s: row %d has index %d", name, i, got[i].Index)
					}
					got[i].Place, got[i].Index = "", 0
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s: rows (-want +got):\n%s", name, diff)
				}
				if diff := cmp.Diff(tc.end, errText(err)); diff != "" {
					t.Errorf("%s: end (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// pack compresses text, in two members.
func pack(text string) []byte {
	var b bytes.Buffer
	for _, part := range []string{text[:len(text)/2], text[len(text)/2:]} {
		z := gzip.NewWriter(&b)
		z.Write([]byte(part))
		z.Close()
	}
	return b.Bytes()
}

func TestOpenForeign(t *testing.T) {
	cases := []struct{ rule, input, want string }{
		{"empty", "", "the input is empty"},
		{"white space", "\n \r\n\t", "the input is empty"},
		{"byte order mark alone", "\xef\xbb\xbf", "the input is empty"},
		{"empty gzip", string(pack("")), "the input is empty"},
		{"UTF-16, little-endian", "\xff\xfe{\x00}\x00", "the input is text in UTF-16, which must be turned into UTF-8 first"},
		{"UTF-16, big-endian, no mark", "\x00{\x00}", "the input is text in UTF-16, which must be turned into UTF-8 first"},
		{"UTF-16, little-endian, no mark", "{\x00}\x00", "the input is text in UTF-16, which must be turned into UTF-8 first"},
		{"HTML", "\n<!DOCTYPE html>", "the input is HTML or XML"},
		{"zip", "PK\x03\x04xx", "the input is a zip archive, which must be unpacked first"},
		{"gzip in gzip", string(pack(string(pack("{}")))), "the input is gzip within gzip"},
		{"CSV", "id,name\n1,bob\n", "the input is CSV or other text"},
		{"CSV with quotes", `"id","name"`, "the input is a JSON string or CSV"},
		{"binary", "\x01\x00\x02", "the input is binary data"},
		{"text", "hello there, you who read this\n", "the input is CSV or other text"},
		{"a number", "5", `the input is something that begins with "5"`},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			_, err := format.Open(strings.NewReader(tc.input), format.Options{})
			want := &classifier.FieldError{Code: classifier.CodeSyntax,
				Message: tc.want + "; want accounts as JSON, NDJSON or a pickle, or a raw v1.1 timeline as JSON or NDJSON, plain or gzip"}
			if diff := cmp.Diff(error(want), err); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	places := func(input string) (got []string) {
		rows, err := readRows(strings.NewReader(input), format.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			got = append(got, r.Place)
		}
		return got
	}
	cases := []struct {
		rule, input string
		want        []string
	}{
		{"an upload: where the account begins", "\xef\xbb\xbf\n{\"a\":\n" + account("a") + ",\n\n\"b\": 1}", []string{"line 3, byte 10", "line 5, byte 184"}},
		{"an array", "[\n1,\n\n {}]", []string{"line 2, byte 2", "line 4, byte 7"}},
		{"NDJSON", "{}\n\n  {}\n{}", []string{"line 1, byte 0", "line 3, byte 6", "line 4, byte 9"}},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, places(tc.input)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTooLarge checks that an account beyond the limit costs only its own row,
// over several blocks of input.
func TestTooLarge(t *testing.T) {
	huge := withID(`"_id": "h", "junk": "`+strings.Repeat(`}{\"`, 1<<20)+`"`, "huge")
	const limit = 100_000
	fault := "is larger than 100000 bytes, the limit for one account"
	cases := []struct {
		rule, input string
		want        []row
	}{
		{"in an upload", `{"a": ` + account("ann") + `, "h": ` + huge + `, "b": ` + account("bob") + `}`,
			[]row{brief("a", `"a"`, "ann", ""), brief("h", `"h"`, "", fault), brief("b", `"b"`, "bob", "")}},
		{"first in an upload", `{"h": ` + huge + `, "b": ` + account("bob") + `}`, []row{brief("h", `"h"`, "", fault), brief("b", `"b"`, "bob", "")}},
		{"in an array", `[` + account("ann") + `, ` + huge + `, ` + account("bob") + `]`,
			[]row{brief("ann", `"ann"`, "ann", ""), brief("h", `"h"`, "", fault), brief("bob", `"bob"`, "bob", "")}},
		{"in NDJSON", account("ann") + "\n" + huge + "\n" + account("bob") + "\n",
			[]row{brief("ann", `"ann"`, "ann", ""), brief("h", `"h"`, "", fault), brief("bob", `"bob"`, "bob", "")}},
		{"last in NDJSON", account("ann") + "\n" + huge, []row{brief("ann", `"ann"`, "ann", ""), brief("h", `"h"`, "", fault)}},
		{"by a little, in an upload", `{"a": {"x": "` + strings.Repeat("x", limit) + `"}, "b": ` + account("bob") + `}`,
			[]row{brief("a", `"a"`, "", fault), brief("b", `"b"`, "bob", "")}},
		{"by a little, in NDJSON", `{"_id": 1, "x": "` + strings.Repeat("x", limit) + `"}` + "\n" + account("bob"),
			[]row{brief("1", "1", "", fault), brief("bob", `"bob"`, "bob", "")}},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			got, err := readRows(strings.NewReader(tc.input), format.Options{MaxAccount: limit})
			if err != nil {
				t.Error(err)
			}
			for i := range got {
				got[i].Place, got[i].Index = "", 0
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a user key", func(t *testing.T) {
		_, err := readRows(strings.NewReader(`{"a": `+account("ann")+`, "`+strings.Repeat("k", 3<<20)), format.Options{MaxAccount: limit})
		var fault *classifier.FieldError
		if !errors.As(err, &fault) || fault.Code != classifier.CodeTooLarge {
			t.Error(err)
		}
	})
}

// TestTruncated cuts an input at every byte: the accounts before come, and then
// an error, whatever the block.
func TestTruncated(t *testing.T) {
	input := "{\"a\": " + account("ann") + ", \"b\":\n" + account("bob") + "}"
	for n := 1; n < len(input); n++ {
		rows, err := readRows(strings.NewReader(input[:n]), format.Options{})
		if err == nil {
			t.Errorf("cut at %d: no error", n)
		}
		want := 0
		if n >= strings.Index(input, ", \"b\"") {
			want = 1
		}
		if n == len(input)-1 {
			want = 2
		}
		if len(rows) != want {
			t.Errorf("cut at %d: %d rows, want %d", n, len(rows), want)
		}
	}
}

func TestReadErrors(t *testing.T) {
	input := `{"a": ` + account("ann") + `, "b": ` + account("bob") + `}`
	packed := pack(input)
	boom := errors.New("disk on fire")
	cases := []struct {
		rule string
		src  io.Reader
		want error
	}{
		{"at once", iotest.ErrReader(boom), boom},
		{"later", io.MultiReader(strings.NewReader(input[:250]), iotest.ErrReader(boom)), boom},
		{"after the last byte", io.MultiReader(strings.NewReader(input), iotest.ErrReader(boom)), boom},
		{"gzip cut off", bytes.NewReader(packed[:len(packed)-3]), io.ErrUnexpectedEOF},
		{"gzip damaged", bytes.NewReader(append(bytes.Clone(packed[:len(packed)-5]), 1, 2, 3, 4, 5)), gzip.ErrChecksum},
		{"gzip with garbage behind", bytes.NewReader(append(bytes.Clone(packed), "garbage garbage"...)), gzip.ErrHeader},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			rows, err := readRows(tc.src, format.Options{})
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v after %d rows, want %v", err, len(rows), tc.want)
			}
			if tc.rule != "at once" && len(rows) == 0 {
				t.Error("the accounts before it are lost")
			}
		})
	}
}

// TestDoc checks that Doc is the account's own JSON in every form of input.
func TestDoc(t *testing.T) {
	plain := account("bob")
	for rule, input := range map[string]string{
		"upload": `{"a":  ` + plain + ` }`, "array": "[ " + plain + " ]", "single": "\n" + plain + "\n", "NDJSON": plain + "\n" + plain,
		"wrapped": `{"account":  ` + plain + ` , "_id": 1}`, "one-entry map in NDJSON": `{"k": ` + plain + "}\n" + `{"k": ` + plain + "}",
	} {
		t.Run(rule, func(t *testing.T) {
			rd, err := format.Open(strings.NewReader(input), format.Options{})
			if err != nil {
				t.Fatal(err)
			}
			f, err := rd.Next()
			if err != nil {
				t.Fatal(err)
			}
			var b classifier.Builder
			if _, err := f.Decode(&b); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(plain, string(f.Doc)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestExampleFiles checks the forms of the example against each other.
func TestExampleFiles(t *testing.T) {
	fromJSON, err := readRows(bytes.NewReader(sharedFile(t, "example_data.json")), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fromPickle, err := readRows(bytes.NewReader(sharedFile(t, "example_data.p")), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(fromJSON) != 5 {
		t.Fatalf("%d rows", len(fromJSON))
	}
	for i := range fromJSON {
		if fromJSON[i].Err != "" {
			t.Error(fromJSON[i].Err)
		}
		fromJSON[i].Place, fromPickle[i].Place = "", ""
	}
	if diff := cmp.Diff(fromJSON, fromPickle); diff != "" {
		t.Errorf("(-JSON +pickle):\n%s", diff)
	}
}

func TestSyntheticFile(t *testing.T) {
	lines := syntheticLines(t)
	rows, err := readRows(bytes.NewReader(bytes.Join(lines, []byte("\n"))), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(lines) {
		t.Fatalf("%d rows, want %d", len(rows), len(lines))
	}
	for i, r := range rows {
		var want struct {
			Account struct {
				UserData struct {
					IDStr string `json:"id_str"`
				} `json:"user_data"`
			}
		}
		if err := json.Unmarshal(lines[i], &want); err != nil {
			t.Fatal(err)
		}
		if r.Err != "" || r.Key != want.Account.UserData.IDStr {
			t.Errorf("row %d: %+v", i, r)
		}
	}
}
