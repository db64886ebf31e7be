package format_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
	"botwatch/classifier/format"
)

// decode reads an account with DecodeJSON.
func decode(doc []byte) (*classifier.Account, error) {
	var b classifier.Builder
	b.Reset()
	if err := format.DecodeJSON(doc, &b); err != nil {
		return nil, err
	}
	account, err := b.Finish()
	return account.Clone(), err
}

// decodeSlowly reads an account with encoding/json: the reference for decode.
func decodeSlowly(doc []byte) (*classifier.Account, error) {
	var b classifier.Builder
	b.Reset()
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if err := pushToken(dec, &b); err != nil {
		return nil, err
	}
	account, err := b.Finish()
	return account.Clone(), err
}

func pushToken(dec *json.Decoder, b *classifier.Builder) error {
	if !dec.More() {
		return fmt.Errorf("no value")
	}
	token, err := dec.Token()
	if err != nil {
		return err
	}
	skip := func() error { // to the end of the container that was just opened
		for depth := 1; depth > 0; {
			token, err := dec.Token()
			if err != nil {
				return err
			}
			switch token {
			case json.Delim('{'), json.Delim('['):
				depth++
			case json.Delim('}'), json.Delim(']'):
				depth--
			}
		}
		return nil
	}
	switch v := token.(type) {
	case nil:
		b.Null()
	case bool:
		b.Bool(v)
	case string:
		b.String([]byte(v))
	case json.Number:
		b.Number([]byte(v))
	case json.Delim:
		object := v == '{'
		if object && !b.BeginObject() || !object && !b.BeginArray() {
			return skip()
		}
		for dec.More() {
			if object {
				key, err := dec.Token()
				if err != nil {
					return err
				}
				if !b.Key([]byte(key.(string))) {
					var skipped json.RawMessage
					if err := dec.Decode(&skipped); err != nil {
						return err
					}
					continue
				}
			}
			if err := pushToken(dec, b); err != nil {
				return err
			}
		}
		if _, err := dec.Token(); err != nil {
			return err
		}
		if object {
			b.EndObject()
		} else {
			b.EndArray()
		}
	}
	return nil
}

// checkDecode compares DecodeJSON with encoding/json on one document.
func checkDecode(t *testing.T, doc []byte) {
	t.Helper()
	got, gotErr := decode(doc)
	if valid := json.Valid(doc); valid != (got != nil) {
		t.Fatalf("json.Valid: %v, DecodeJSON: %v\n%.300q", valid, gotErr, doc)
	}
	if got == nil {
		return
	}
	want, wantErr := decodeSlowly(doc)
	if want == nil {
		t.Fatalf("reference: %v\n%.300q", wantErr, doc)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("account (-encoding/json +DecodeJSON):\n%s\n%.300q", diff, doc)
	}
	if diff := cmp.Diff(wantErr, gotErr); diff != "" {
		t.Fatalf("fault (-encoding/json +DecodeJSON):\n%s\n%.300q", diff, doc)
	}
}

const goodAccount = `{"user_data": {"id": 12, "id_str": "12", "screen_name": "bob", "location": "", "url": null,
	"followers_count": 3, "statuses_count": 4, "verified": false, "created_at": "2010-01-02 03:04:05"},
	"tweets": [{"created_at": "Wed May 20 09:18:42 +0000 2020", "lang": "en", "in_reply_to_status_id": null, "retweet_count": 1e0,
	"favorite_count": {"$numberLong": "7"}, "entities": {"user_mentions": [{"id": 1}], "hashtags": []},
	"user": {"id": 12, "note": "\u00e9\ud83d\ude00\\\"", "nested": [[], {}, [{"a": [true, false, null, -0.5e-7]}]]}}],
	"crawled_at": {"$date": {"$numberLong": "1590000000000"}}}`

// jsonCases are documents that name a rule of JSON each.
var jsonCases = []struct{ rule, doc string }{
	{"a whole account", goodAccount},
	{"empty", ""},
	{"white space only", " \t\r\n"},
	{"a number", "12"},
	{"a string", `"a"`},
	{"an array", `[{"a": 1}]`},
	{"null", "null"},
	{"empty object", "{}"},
	{"white space of every kind", " \t\r\n{ \t\r\n\"a\" \t\r\n: \t\r\n[ \t\r\n] \t\r\n} \t\r\n"},
	{"other white space", "{\"a\":\v1}"},
	{"no-break space", "{\"a\":\u00a01}"},
	{"trailing garbage", `{} x`},
	{"two values", `{}{}`},
	{"trailing comma in an object", `{"a": 1,}`},
	{"trailing comma in an array", `{"a": [1,]}`},
	{"comma first", `{,"a": 1}`},
	{"missing comma", `{"a": 1 "b": 2}`},
	{"missing colon", `{"a" 1}`},
	{"missing value", `{"a": }`},
	{"missing value of a needed key", `{"tweets": }`},
	{"key without quotes", `{a: 1}`},
	{"key that is a number", `{1: 1}`},
	{"single quotes", `{'a': 1}`},
	{"brackets crossed", `{"a": [}]`},
	{"brackets crossed in tweets", `{"tweets": [}]`},
	{"object closed as array", `{"a": {"b": 1]}`},
	{"object not closed", `{"a": {"b": 1}`},
	{"array not closed", `{"tweets": [`},
	{"string not closed", `{"a": "b`},
	{"string not closed after a backslash", `{"a": "b\`},
	{"control character in a skipped string", "{\"a\": \"b\x1f\"}"},
	{"control character in a needed string", "{\"crawled_at\": \"b\x00\"}"},
	{"control character in a key", "{\"a\n\": 1}"},
	{"control character far into a string", "{\"a\": \"0123456789012345678\n\"}"},
	{"delete is no control character", "{\"a\": \"\x7f\"}"},
	{"every escape", `{"a": "\"\\\/\b\f\n\r\t\u0041\uABcd"}`},
	{"bad escape", `{"a": "\x41"}`},
	{"bad escape far into a string", `{"a": "0123456789012345678\'"}`},
	{"short unicode escape", `{"a": "\u12"}`},
	{"bad unicode escape", `{"a": "\u12g4"}`},
	{"unicode escape cut off", `{"a": "\u12`},
	{"capital unicode escape", `{"a": "\U1234"}`},
	{"invalid UTF-8, skipped", "{\"a\": \"\xff\xc0\x80\"}"},
	{"invalid UTF-8 in a needed string", "{\"user_data\": {\"screen_name\": \"a\xff\xe2\x82b\"}}"},
	{"invalid UTF-8 in a key", "{\"user_data\xff\": 1}"},
	{"surrogate pair", `{"user_data": {"screen_name": "\ud83d\ude00"}}`},
	{"lone high surrogate", `{"user_data": {"screen_name": "\ud83d x"}}`},
	{"lone low surrogate", `{"user_data": {"screen_name": "\ude00x"}}`},
	{"high surrogate, then another pair", `{"user_data": {"screen_name": "\ud83d\ud83d\ude00"}}`},
	{"high surrogate, then another escape", `{"user_data": {"screen_name": "\ud83d\u0041\n"}}`},
	{"high surrogate at the end", `{"user_data": {"screen_name": "\ud83d"}}`},
	{"escaped key is wanted", `{"user\u005fdata": {"screen\u005Fname": "x\u0079"}}`},
	{"escaped NUL", `{"user_data": {"screen_name": "\u0000"}}`},
	{"long string with escapes", `{"user_data": {"screen_name": "` + strings.Repeat(`\u20ac`, 500) + `"}}`},
	{"numbers", `{"a": [0, -0, 1, -1, 10, 0.0, 0.10, 1e1, 1E+1, 1e-01, -1.5e300, 123456789012345678901234567890]}`},
	{"leading zero", `{"a": 01}`},
	{"leading plus", `{"a": +1}`},
	{"bare minus", `{"a": -}`},
	{"minus and letter", `{"a": -a}`},
	{"point without digits", `{"a": 1.}`},
	{"point first", `{"a": .5}`},
	{"exponent without digits", `{"a": 1e}`},
	{"exponent sign only", `{"a": 1e+}`},
	{"hexadecimal", `{"a": 0x10}`},
	{"infinity", `{"a": Infinity}`},
	{"not a number", `{"a": NaN}`},
	{"digits, then letters", `{"a": 1234567a}`},
	{"digits, then a colon", `{"a": 12345678:}`},
	{"digits, then a byte above ASCII", "{\"a\": 1\xca0000000}"},
	{"number cut off", `{"a": 123`},
	{"huge count", `{"user_data": {"followers_count": 1` + strings.Repeat("0", 400) + `}}`},
	{"huge id", `{"user_data": {"id": 1` + strings.Repeat("0", 40) + `}}`},
	{"fractional count", `{"user_data": {"followers_count": 1.5}}`},
	{"whole count with an exponent", `{"user_data": {"followers_count": 1.50e2}}`},
	{"negative count", `{"user_data": {"followers_count": -1}}`},
	{"literals", `{"a": [true, false, null]}`},
	{"literal with a capital", `{"a": True}`},
	{"literal cut", `{"a": nul}`},
	{"literal too long", `{"a": nullx}`},
	{"false cut", `{"a": fals}`},
	{"literal at the end", `{"a": tru`},
	{"duplicate keys: the last counts", `{"crawled_at": 5, "crawled_at": "2020-01-01 00:00:00", "user_data": {"id": 1}, "user_data": {"id": 2}}`},
	{"field fault before a syntax fault", `{"tweets": 5, "a": tru}`},
	{"needed fields of wrong types", `{"tweets": {"a": [1]}, "user_data": [{"b": {}}], "crawled_at": [2]}`},
	{"tweets that are no objects", `{"tweets": [1, "a", null, [], true]}`},
	{"byte order mark", "\xef\xbb\xbf{}"},
	{"an object seen before, then a longer one", `{"aaa": {"b": "` + strings.Repeat("x", 80) + `"}, "ccc": {"b": "` + strings.Repeat("x", 80) + `"}, "ddd": {"b": "` + strings.Repeat("x", 80) + `"x}}`},
	{"an object seen before, cut", `{"aaa": {"b": 1}, "aaa": {"b": 1`},
	{"depth 10000", nested(9999)},
	{"depth 10001", nested(10000)},
	{"depth 10000 in a tweet", `{"tweets": [{"a": ` + nested(9997) + `}]}`},
	{"depth 10001 in a tweet", `{"tweets": [{"a": ` + nested(9998) + `}]}`},
	{"arrays and objects in turn", `{"a": ` + strings.Repeat(`[{"a":`, 200) + "1" + strings.Repeat("}]", 200) + "}"},
	{"arrays and objects in turn, one crossed", `{"a": ` + strings.Repeat(`[{"a":`, 200) + "1" + strings.Repeat("}]", 100) + "]}" + strings.Repeat("}]", 99) + "}"},
}

func nested(depth int) string {
	return `{"a": ` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}"
}

func TestDecodeJSON(t *testing.T) {
	for _, tc := range jsonCases {
		t.Run(tc.rule, func(t *testing.T) { checkDecode(t, []byte(tc.doc)) })
	}
}

func TestDecodeJSONOfFiles(t *testing.T) {
	t.Run("synthetic", func(t *testing.T) {
		for _, line := range syntheticLines(t) {
			checkDecode(t, line)
			checkDecode(t, accountOf(t, line))
		}
	})
	t.Run("example", func(t *testing.T) { checkDecode(t, exampleAccount(t)) })
}

func TestDecodeJSONTruncated(t *testing.T) {
	for n := range len(goodAccount) {
		checkDecode(t, []byte(goodAccount[:n]))
	}
}

func TestDecodeJSONOneByteChanged(t *testing.T) {
	for i := range len(goodAccount) {
		for _, c := range []byte("\x00\n \"\\{}[],:0-.eEux\x80\xff") {
			doc := []byte(goodAccount)
			doc[i] = c
			checkDecode(t, doc)
		}
	}
}

func TestDecodeJSONErrors(t *testing.T) {
	cases := []struct {
		rule, doc, want string
		code            classifier.ErrorCode
	}{
		{"the byte at fault", `{"a": tru}`, `is not JSON: unexpected '}' at byte 9`, classifier.CodeSyntax},
		{"cut off", `{"a": [1, 2`, "is not JSON: it ends too early at byte 11", classifier.CodeSyntax},
		{"empty", "", "is not JSON: it ends too early at byte 0", classifier.CodeSyntax},
		{"trailing garbage", `{} x`, `is not JSON: unexpected 'x' after the end of the value at byte 3`, classifier.CodeSyntax},
		{"control character", "{\"a\": \"\n\"}", "is not JSON: control character in a string at byte 7", classifier.CodeSyntax},
		{"escape", `{"a": "\x"}`, "is not JSON: bad escape at byte 8", classifier.CodeSyntax},
		{"unicode escape", `{"a": "\u00x0"}`, `is not JSON: bad \u escape at byte 11`, classifier.CodeSyntax},
		{"depth", nested(1000_000), "nests deeper than 10000 objects and arrays at byte 10005", classifier.CodeTooDeep},
		{"syntax wins over a field fault before it", `{"tweets": 5, "a": tru}`, "is not JSON: unexpected '}' at byte 22", classifier.CodeSyntax},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			_, err := decode([]byte(tc.doc))
			want := &classifier.FieldError{Code: tc.code, Message: tc.want}
			if diff := cmp.Diff(error(want), err); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDecodeJSONHostile checks that hostile documents take time in proportion
// to their size: they would not finish otherwise.
func TestDecodeJSONHostile(t *testing.T) {
	langs := strings.Builder{}
	for i := range 100_000 {
		fmt.Fprintf(&langs, `{"created_at": "2020-01-01 00:00:00", "retweeted_status": 0, "lang": "l%d"},`, i)
	}
	many := strings.Builder{}
	for i := range 300_000 {
		fmt.Fprintf(&many, `"k%d": {"a": %d}, `, i, i)
	}
	cases := []struct{ rule, doc string }{
		{"a string of 50 MB", `{"a": "` + strings.Repeat("x", 50<<20) + `"}`},
		{"a needed string of 5 MB of escapes", `{"user_data": {"screen_name": "` + strings.Repeat(`\n`, 5<<20/2) + `"}}`},
		{"100,000 languages", `{"tweets": [` + strings.TrimSuffix(langs.String(), ",") + `]}`},
		{"many keys", "{" + many.String() + `"z": 0}`},
		{"a number of 1 MB", `{"user_data": {"followers_count": ` + strings.Repeat("9", 1<<20) + `}}`},
		{"a million open arrays", `{"a": ` + strings.Repeat("[", 1000_000)},
		{"a million open objects", strings.Repeat(`{"a":`, 1000_000)},
		{"a million open tweets", `{"tweets": ` + strings.Repeat("[", 1000_000)},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			_, err := decode([]byte(tc.doc))
			if err == nil {
				t.Error("want a fault")
			}
			t.Log(err)
		})
	}
}

func FuzzJSON(f *testing.F) {
	for _, tc := range jsonCases {
		if len(tc.doc) < 2000 {
			f.Add([]byte(tc.doc))
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte) { checkDecode(t, doc) })
}

func BenchmarkDecodeJSON(b *testing.B) {
	doc := exampleAccount(b)
	b.Run("botwatch", func(b *testing.B) {
		var builder classifier.Builder
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			builder.Reset()
			if err := format.DecodeJSON(doc, &builder); err != nil {
				b.Fatal(err)
			}
			if _, err := builder.Finish(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) { // the needed fields alone, into structs
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			var account struct {
				UserData struct {
					CreatedAt  string  `json:"created_at"`
					Followers  int64   `json:"followers_count"`
					Statuses   int64   `json:"statuses_count"`
					Verified   bool    `json:"verified"`
					URL        *string `json:"url"`
					Location   string  `json:"location"`
					ScreenName string  `json:"screen_name"`
					IDStr      string  `json:"id_str"`
				} `json:"user_data"`
				Tweets []struct {
					CreatedAt string          `json:"created_at"`
					Lang      string          `json:"lang"`
					ReplyTo   json.RawMessage `json:"in_reply_to_status_id"`
					Retweets  int64           `json:"retweet_count"`
					Favorites int64           `json:"favorite_count"`
					Entities  struct {
						Mentions []struct{} `json:"user_mentions"`
						Hashtags []struct{} `json:"hashtags"`
					} `json:"entities"`
					Retweeted json.RawMessage `json:"retweeted_status"`
				} `json:"tweets"`
				CrawledAt string `json:"crawled_at"`
			}
			if err := json.Unmarshal(doc, &account); err != nil {
				b.Fatal(err)
			}
		}
	})
}
