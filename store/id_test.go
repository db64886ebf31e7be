package store_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"botwatch/store"
)

func TestIDForms(t *testing.T) {
	for _, test := range []struct {
		name  string
		id    store.ID
		value any
		json  string
		text  string
	}{
		{"text", store.StringID("813286"), "813286", `"813286"`, "813286"},
		{"empty text", store.StringID(""), "", `""`, ""},
		{"hostile text", store.StringID("a\"\\\n\x00é\u2028\u202e\x7f\u009b\U000e0001"), "a\"\\\n\x00é\u2028\u202e\x7f\u009b\U000e0001",
			`"a\"\\\u000a\u0000é\u2028\u202e\u007f\u009b\udb40\udc01"`, "a\"\\\n\x00é\u2028\u202e\x7f\u009b\U000e0001"},
		{"whole number", store.IntID(813286), int64(813286), `813286`, "813286"},
		{"greatest", store.IntID(math.MaxInt64), int64(math.MaxInt64), `9223372036854775807`, "9223372036854775807"},
		{"least", store.IntID(math.MinInt64), int64(math.MinInt64), `-9223372036854775808`, "-9223372036854775808"},
		{"whole float", store.FloatID(1), int64(1), `1`, "1"},
		{"negative zero", store.FloatID(math.Copysign(0, -1)), int64(0), `0`, "0"},
		{"least as a float", store.FloatID(math.MinInt64), int64(math.MinInt64), `-9223372036854775808`, "-9223372036854775808"},
		{"beyond the greatest", store.FloatID(1 << 63), float64(1 << 63), `9.223372036854775808e+18`, ""},
		{"fraction", store.FloatID(1.5), 1.5, `1.5`, "1.5"},
		{"tiny", store.FloatID(5e-324), 5e-324, `5e-324`, "5e-324"},
		{"infinity", store.FloatID(math.Inf(1)), math.Inf(1), `{"$numberDouble":"Infinity"}`, `{"$numberDouble":"Infinity"}`},
		{"negative infinity", store.FloatID(math.Inf(-1)), math.Inf(-1), `{"$numberDouble":"-Infinity"}`, `{"$numberDouble":"-Infinity"}`},
		{"not a number", store.FloatID(math.NaN()), math.NaN(), `{"$numberDouble":"NaN"}`, `{"$numberDouble":"NaN"}`},
		{"bytes", store.BytesID([]byte{0, 0xff}), []byte{0, 0xff}, `{"$binary":{"base64":"AP8=","subType":"00"}}`, `{"$binary":{"base64":"AP8=","subType":"00"}}`},
		{"no bytes", store.BytesID(nil), []byte{}, `{"$binary":{"base64":"","subType":"00"}}`, `{"$binary":{"base64":"","subType":"00"}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			value, err := test.id.Value()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.value, value, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("Value (-want +got):\n%s", diff)
			}
			got := string(test.id.AppendJSON(nil))
			if test.name != "beyond the greatest" && got != test.json {
				t.Errorf("AppendJSON: %s, want %s", got, test.json)
			}
			if test.text != "" && test.id.String() != test.text {
				t.Errorf("String: %s, want %s", test.id, test.text)
			}
			for _, form := range []string{test.json, got, " " + got + "\n"} {
				if id, err := store.ParseID([]byte(form)); err != nil || id != test.id {
					t.Errorf("ParseID(%s): %x (%v), want %x", form, string(id), err, string(test.id))
				}
			}
		})
	}
}

func TestParseIDOfOtherForms(t *testing.T) {
	for _, test := range []struct {
		text string
		want store.ID
	}{
		{`1.0`, store.IntID(1)},
		{`1e2`, store.IntID(100)},
		{`-0.0`, store.IntID(0)},
		{`{"$numberLong": "813286"}`, store.IntID(813286)},
		{`{"$numberInt": "-7"}`, store.IntID(-7)},
		{`{"$numberDouble": "1.0"}`, store.IntID(1)},
		{`{"$numberDouble": "0.5"}`, store.FloatID(0.5)},
		{`{"$numberDecimal": "1.50E0"}`, store.FloatID(1.5)},
		{`{"$numberDecimal": "-813286E-0"}`, store.IntID(-813286)},
		{`{"$numberDecimal": "NaN"}`, store.FloatID(math.NaN())},
		{`{"$numberDecimal": "-Infinity"}`, store.FloatID(math.Inf(-1))},
		{`{"$binary": {"subType": "0", "base64": "AP8="}}`, store.BytesID([]byte{0, 0xff})},
		{`"\ud83d\ude00"`, store.StringID("😀")},
	} {
		if got, err := store.ParseID([]byte(test.text)); err != nil || got != test.want {
			t.Errorf("%s: %x (%v), want %x", test.text, string(got), err, string(test.want))
		}
	}
}

// What is no id is told with what is wanted.
func TestParseIDFaults(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{``, "unexpected end of JSON input"},
		{` `, "unexpected end of JSON input"},
		{`[1]`, "want any value but an array"},
		{`[]`, "want any value but an array"},
		{`813286 7`, "invalid character '7'"},
		{`"a"]`, "invalid character ']'"},
		{`{`, "unexpected end"},
		{`{"a": 1,}`, "invalid character '}'"},
		{`abc`, "invalid character 'a'"},
		{`01`, "invalid character '1'"},
		{`1e999`, "1e999 is too large for a double"},
		{`{"a": 1, "b": 2, "a": 1}`, `the name "a" comes twice`},
		{`{"a": {"$oid": "1", "$oid": "1"}}`, `the name "$oid" comes twice`},
		{`{"a\u0000b": 1}`, `a name is "a\x00b"; want one without`},
		{`{"$iod": "507f1f77bcf86cd799439011"}`, "$iod is no name of extended JSON; want a document, or one of $binary, "},
		{`{"a": {"$regex": "a", "$options": ""}}`, "$regex is no name of extended JSON"},
		{`{"$oid": "507f1f77bcf86cd799439011", "a": 1}`, `want {"$oid": "24 hex digits"}`},
		{`{"$oid": "507f1f77bcf86cd79943901"}`, `want {"$oid": "24 hex digits"}`},
		{`{"$oid": "507f1f77bcf86cd79943901g"}`, `want {"$oid": "24 hex digits"}`},
		{`{"$oid": 1}`, `want {"$oid": "24 hex digits"}`},
		{`{"$ref": "c", "$oid": "507f1f77bcf86cd799439011"}`, `want {"$oid": "24 hex digits"}`},
		{`{"$numberInt": "2147483648"}`, "a whole number of 32 bits"},
		{`{"$numberLong": "x"}`, "a whole number of 64 bits"},
		{`{"$numberLong": 1}`, "a whole number of 64 bits"},
		{`{"$numberDouble": ""}`, "a number, Infinity, -Infinity or NaN"},
		{`{"$numberDouble": "0x1p1"}`, "a number, Infinity, -Infinity or NaN"},
		{`{"$numberDouble": "1e999"}`, "a number, Infinity, -Infinity or NaN"},
		{`{"$numberDecimal": "1.2.3"}`, "$numberDecimal"},
		{`{"$numberDecimal": "12345678901234567890123456789012345"}`, "$numberDecimal"},
		{`{"$date": "yesterday"}`, "$date"},
		{`{"$date": "2020-05-20T09:18:42.0001Z"}`, "$date"},
		{`{"$date": 1.5}`, "$date"},
		{`{"$date": {"$numberLong": "1", "a": 1}}`, "$date"},
		{`{"$binary": {"base64": "?", "subType": "00"}}`, "$binary"},
		{`{"$binary": {"base64": ""}}`, "$binary"},
		{`{"$binary": {"base64": "", "subType": "100"}}`, "$binary"},
		{`{"$uuid": "00112233445566778899aabbccddeeff"}`, "$uuid"},
		{`{"$timestamp": {"t": 1, "i": -1}}`, "$timestamp"},
		{`{"$timestamp": {"t": 1}}`, "$timestamp"},
		{`{"$regularExpression": {"pattern": "a\u0000", "options": ""}}`, "$regularExpression"},
		{`{"$regularExpression": {"pattern": "a"}}`, "$regularExpression"},
		{`{"$code": "a", "$scope": 1}`, "$scope"},
		{`{"$scope": {}}`, "$scope"},
		{`{"$symbol": null}`, "$symbol"},
		{`{"$dbPointer": {"$ref": "c", "$id": "507f1f77bcf86cd799439011"}}`, "$dbPointer"},
		{`{"$undefined": false}`, "$undefined"},
		{`{"$minKey": 2}`, "$minKey"},
		{`{"$maxKey": "1"}`, "$maxKey"},
		{`{"$fields": [["a"]]}`, "$fields"},
		{strings.Repeat(`{"a":`, 181) + "1" + strings.Repeat("}", 181), "nested deeper than 180"},
		{strings.Repeat(`{"a":[`, 5000) + "1" + strings.Repeat("]}", 5000), "nested deeper than 180"},
	} {
		id, err := store.ParseID([]byte(test.text))
		if err == nil || id != "" || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 500 {
			t.Errorf("%.100s: %x (%v), want an error with %q", test.text, string(id), err, test.want)
		}
	}
}

func TestIDOfUnknownBytes(t *testing.T) {
	for _, id := range []store.ID{
		"", "\x07abc", "\x12short", "\x01", "\x02abc", "\x02abc\x00", "\x02a\x00b\x00\x01", "\x05\xff\xff\xff\xff\x00", "\x08\x02", "\x03\x01a",
		"\x03\x01a\x00\x01\x0a\x02", "\x04\x00", "\x10\x00\x00\x00\x00", "\x0a\x00", "\x0fa\x00\x01\x0a", "\x0ba\x00\xff\x00\x01\x00\x01",
		store.ID(strings.Repeat("\x03\x01\x00\x01", 181) + "\x0a" + strings.Repeat("\x00", 181)),
	} {
		if v, err := id.Value(); err == nil {
			t.Errorf("Value of %x: %v, want an error", string(id), v)
		}
		if _, b, err := id.AppendBSON([]byte("x")); err == nil || string(b) != "x" {
			t.Errorf("AppendBSON of %x: %x (%v), want an error", string(id), b, err)
		}
		if got := string(id.AppendJSON(nil)); got != "null" {
			t.Errorf("AppendJSON of %x: %s, want null", string(id), got)
		}
		_ = id.String()
	}
}

// A number is one ID whatever its type, two numbers are two, and the order of
// whole ones is that of their bytes.
func TestIDsOfNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func() int64 { return int64(random.Uint64()) >> random.IntN(64) }
	for range 10_000 {
		n, m := draw(), draw()
		if f := float64(n); f >= -1<<63 && f < 1<<63 && int64(f) == n && store.FloatID(f) != store.IntID(n) {
			t.Fatalf("%d: its float has another ID", n)
		}
		if (n < m) != (store.IntID(n) < store.IntID(m)) {
			t.Fatalf("%d and %d: their IDs are ordered otherwise", n, m)
		}
		f, g := math.Float64frombits(random.Uint64()), math.Float64frombits(random.Uint64())
		if f != g && (store.FloatID(f) == store.FloatID(g)) != (math.IsNaN(f) && math.IsNaN(g)) {
			t.Fatalf("%v and %v: one ID", f, g)
		}
		checkRoundTrip(t, store.IntID(n))
		checkRoundTrip(t, store.FloatID(f))
	}
}

func TestIDsOfTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		s := hostile(random)
		if id := store.BytesID([]byte(s)); id == store.StringID(s) {
			t.Fatalf("%q: its bytes have the same ID", s)
		} else {
			checkRoundTrip(t, id)
		}
		text := store.StringID(s).AppendJSON(nil)
		var got string
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if want := asUTF8(s); got != want {
			t.Fatalf("%q came back as %q", want, got)
		}
		if utf8.ValidString(s) {
			checkRoundTrip(t, store.StringID(s))
		}
	}
}

func checkRoundTrip(t *testing.T, id store.ID) {
	t.Helper()
	text := id.AppendJSON(nil)
	if !json.Valid(text) {
		t.Fatalf("%x: no JSON: %s", string(id), text)
	}
	var back store.ID
	if err := json.Unmarshal(text, &back); err != nil || back != id {
		t.Fatalf("%s: came back as %x (%v), want %x", text, string(back), err, string(id))
	}
}

// asUTF8 replaces each byte that is no UTF-8, as encoding/json does.
func asUTF8(s string) string { return string([]rune(s)) }

// hostile draws a text of what breaks encoders.
func hostile(random *rand.Rand) string {
	pieces := []string{
		"a", "B", "7", " ", `"`, `\`, "/", "'", "<b>", "&", "=1+1", "\x00", "\x1f", "\x7f", "\n", "\r\n", "\t", "é", "日本", "😀", "e\u0301",
		"\u2028", "\u2029", "\ufeff", "\ufffd", "\u202e", "\xff", "\xc3", "\xe6\x97", "\xed\xa0\x80", `\u0000`, "$oid", "{", "}",
	}
	var b strings.Builder
	for range random.IntN(12) {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return b.String()
}
