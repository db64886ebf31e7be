package store_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/store"
)

// Every type, as it comes, goes back and is written.
func TestIDsOfBSON(t *testing.T) {
	oid := "507f1f77bcf86cd799439011"
	for _, test := range []struct {
		name  string
		kind  byte
		value string // hex; gaps are for reading
		back  string // kind and value as they go back, if otherwise
		json  string
		text  string // if not as the JSON
	}{
		{"double", 0x01, "000000000000f83f", "", `1.5`, ""},
		{"whole double", 0x01, "000000000000f03f", "10 01000000", `1`, ""},
		{"negative zero", 0x01, "0000000000000080", "10 00000000", `0`, ""},
		{"odd NaN", 0x01, "0100000000f0f8ff", "01 010000000000f87f", `{"$numberDouble":"NaN"}`, ""},
		{"int32", 0x10, "ffffffff", "", `-1`, ""},
		{"small int64", 0x12, "ffffffffffffffff", "10 ffffffff", `-1`, ""},
		{"int64", 0x12, "0000008000000000", "", `2147483648`, ""},
		{"least int64", 0x12, "0000000000000080", "", `-9223372036854775808`, ""},
		{"string", 0x02, "03000000 616200", "", `"ab"`, "ab"},
		{"string with zeros", 0x02, "04000000 00010000", "", `"\u0000\u0001\u0000"`, "\x00\x01\x00"},
		{"symbol", 0x0e, "03000000 616200", "", `{"$symbol":"ab"}`, ""},
		{"code", 0x0d, "03000000 616200", "", `{"$code":"ab"}`, ""},
		{"code with scope", 0x0f, "1a000000 02000000 6100 10000000 01 6100 000000000000f83f 00", "", `{"$code":"a","$scope":{"a":1.5}}`, ""},
		{"binary", 0x05, "02000000 00 00ff", "", `{"$binary":{"base64":"AP8=","subType":"00"}}`, ""},
		{"binary of a high subtype", 0x05, "00000000 ff", "", `{"$binary":{"base64":"","subType":"ff"}}`, ""},
		{"old binary", 0x05, "06000000 02 02000000 00ff", "", `{"$binary":{"base64":"AP8=","subType":"02"}}`, ""},
		{"UUID", 0x05, "10000000 04 00112233445566778899aabbccddeeff", "", `{"$binary":{"base64":"ABEiM0RVZneImaq7zN3u/w==","subType":"04"}}`, ""},
		{"ObjectId", 0x07, oid, "", `{"$oid":"` + oid + `"}`, oid},
		{"true", 0x08, "01", "", `true`, ""},
		{"false", 0x08, "00", "", `false`, ""},
		{"date", 0x09, "e877a4d171010000", "", `{"$date":"2020-05-01T19:09:08.968Z"}`, ""},
		{"date of whole seconds", 0x09, "0000000000000000", "", `{"$date":"1970-01-01T00:00:00Z"}`, ""},
		{"early date", 0x09, "ffffffffffffffff", "", `{"$date":{"$numberLong":"-1"}}`, ""},
		{"late date", 0x09, "00dc1fd277e60000", "", `{"$date":{"$numberLong":"253402300800000"}}`, ""},
		{"null", 0x0a, "", "", `null`, ""},
		{"undefined", 0x06, "", "", `{"$undefined":true}`, ""},
		{"MinKey", 0xff, "", "", `{"$minKey":1}`, ""},
		{"MaxKey", 0x7f, "", "", `{"$maxKey":1}`, ""},
		{"timestamp", 0x11, "01000000 ffffffff", "", `{"$timestamp":{"t":4294967295,"i":1}}`, ""},
		{"regex", 0x0b, "612e00 697800", "", `{"$regularExpression":{"pattern":"a.","options":"ix"}}`, ""},
		{"DBPointer", 0x0c, "02000000 6300" + oid, "", `{"$dbPointer":{"$ref":"c","$id":{"$oid":"` + oid + `"}}}`, ""},
		{"decimal", 0x13, "0b00000000000000 0000000000003e30", "13 0b00000000000000 0000000000003e30", `{"$numberDecimal":"1.1"}`, ""},
		{"decimal with zeros", 0x13, "6e00000000000000 0000000000003c30", "13 0b00000000000000 0000000000003e30", `{"$numberDecimal":"1.1"}`, ""},
		{"decimal that is a double", 0x13, "0f00000000000000 0000000000003e30", "01 000000000000f83f", `1.5`, ""},
		{"decimal that is whole", 0x13, "0a00000000000000 0000000000003eb0", "10 ffffffff", `-1`, ""},
		{"decimal zero", 0x13, "0000000000000000 00000000000000b0", "10 00000000", `0`, ""},
		{"decimal that is too large", 0x13, "ffffffffffffffff ffffffffffff5f00", "10 00000000", `0`, ""},
		{"decimal NaN", 0x13, "0000000000000000 000000000000007c", "01 010000000000f87f", `{"$numberDouble":"NaN"}`, ""},
		{"decimal infinity", 0x13, "0000000000000000 00000000000000f8", "01 000000000000f0ff", `{"$numberDouble":"-Infinity"}`, ""},
		{"document", 0x03, "1b000000 02 6200 02000000 7800 01 6100 000000000000f03f 0a 00 00", "03 17000000 02 6200 02000000 7800 10 6100 01000000 0a 00 00",
			`{"b":"x","a":1,"":null}`, ""},
		{"empty document", 0x03, "05000000 00", "", `{}`, ""},
		{"document with arrays", 0x03, "19000000 04 6100 11000000 08 7800 01 04 3000 05000000 00 00 00",
			"03 19000000 04 6100 11000000 08 3000 01 04 3100 05000000 00 00 00", `{"a":[true,[]]}`, ""},
		{"reference", 0x03, "22000000 02 2472656600 02000000 6300 07 24696400" + oid + "00", "", `{"$ref":"c","$id":{"$oid":"` + oid + `"}}`, ""},
		{"document like an ObjectId", 0x03, "10000000 02 246f696400 01000000 00 00", "", `{"$fields":[["$oid",""]]}`, ""},
		{"document with a name twice", 0x03, "0e000000 0a 6100 08 6100 01 0a 00 00", "", `{"$fields":[["a",null],["a",true],["",null]]}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			id, err := store.BSONID(test.kind, unhex(t, test.value))
			if err != nil {
				t.Fatal(err)
			}
			if test.back == "" {
				test.back = fmt.Sprintf("%02x", test.kind) + test.value
			}
			kind, value, err := id.AppendBSON([]byte{'x'})
			if got, want := append([]byte{kind}, value[1:]...), unhex(t, test.back); err != nil || value[0] != 'x' || !bytes.Equal(got, want) {
				t.Errorf("AppendBSON: %x (%v), want %x", got, err, want)
			}
			if got := string(id.AppendJSON([]byte("x"))); got != "x"+test.json {
				t.Errorf("AppendJSON after x: %s, want %s", got, test.json)
			}
			if test.text == "" {
				test.text = test.json
			}
			if id.String() != test.text {
				t.Errorf("String: %q, want %q", id, test.text)
			}
			checkForms(t, id)
		})
	}
}

// The other forms of extended JSON.
func TestParseIDOfForms(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{"$date": {"$numberLong": "1590000000000"}}`, `{"$date":"2020-05-20T18:40:00Z"}`},
		{`{"$date": 1590000000000}`, `{"$date":"2020-05-20T18:40:00Z"}`},
		{`{"$date": "2020-05-20T20:40:00.000+0200"}`, `{"$date":"2020-05-20T18:40:00Z"}`},
		{`{"$date": "2020-05-20T20:40:00.1+02:00"}`, `{"$date":"2020-05-20T18:40:00.100Z"}`},
		{`{"$date": "0001-01-01T00:00:00Z"}`, `{"$date":{"$numberLong":"-62135596800000"}}`},
		{`{"$oid": "507F1F77BCF86CD799439011"}`, `{"$oid":"507f1f77bcf86cd799439011"}`},
		{`{"$uuid": "00112233-4455-6677-8899-AABBCCDDEEFF"}`, `{"$binary":{"base64":"ABEiM0RVZneImaq7zN3u/w==","subType":"04"}}`},
		{`{"$timestamp": {"i": 1, "t": 2}}`, `{"$timestamp":{"t":2,"i":1}}`},
		{`{"$scope": {"a": {"$numberInt": "1"}}, "$code": "f"}`, `{"$code":"f","$scope":{"a":1}}`},
		{`{"$code": "f", "$scope": {"$fields": [["a", 1], ["a", 2]]}}`, `{"$code":"f","$scope":{"$fields":[["a",1],["a",2]]}}`},
		{`{"$fields": [["a", 1], ["b", {"$numberLong": "2"}]]}`, `{"a":1,"b":2}`},
		{`{ "b": 1.0, "a": [ {"$numberDecimal": "2.0"}, "<x>" ] }`, `{"b":1,"a":[2,"<x>"]}`},
		{`{"$numberDecimal": "1E6144"}`, `{"$numberDecimal":"1.000000000000000000000000000000000E+6144"}`},
		{`{"$numberDecimal": "0E99999999999999999999"}`, `0`},
		{`{"$numberDecimal": "00.00001230"}`, `{"$numberDecimal":"0.0000123"}`},
		{`{"$numberDecimal": "+1e-7"}`, `{"$numberDecimal":"1E-7"}`},
		{`{"$numberDecimal": "-12.3e-8"}`, `{"$numberDecimal":"-1.23E-7"}`},
		{`{"$numberDecimal": "1234567890123456789012345678901234"}`, `{"$numberDecimal":"1234567890123456789012345678901234"}`},
		{`{"$numberDecimal": "9223372036854775808"}`, `9.223372036854776e+18`},
		{`{"$numberDecimal": "-9223372036854775808"}`, `-9223372036854775808`},
		{`{"$numberDecimal": "9007199254740993E1"}`, `90071992547409930`},
		{`{"$numberDecimal": "9007199254740993E10"}`, `{"$numberDecimal":"9.007199254740993E+25"}`},
	} {
		id, err := store.ParseID([]byte(test.text))
		if got := string(id.AppendJSON(nil)); err != nil || got != test.want {
			t.Errorf("%s: %s (%v), want %s", test.text, got, err, test.want)
			continue
		}
		checkForms(t, id)
	}
}

// What is no BSON, or could be no id, is refused.
func TestBSONIDFaults(t *testing.T) {
	deep := func(n int) string {
		value := "0500000000"
		for size := 5 + 8; n > 1; n, size = n-1, size+8 {
			value = fmt.Sprintf("%02x%02x0000 03 6100 %s00", size&255, size>>8, value)
		}
		return value
	}
	for _, test := range []struct {
		name  string
		kind  byte
		value string
	}{
		{"array", 0x04, "05000000 00"},
		{"no type", 0x00, ""},
		{"unknown type", 0x14, ""},
		{"short double", 0x01, "00000000000000"},
		{"long double", 0x01, "000000000000000000"},
		{"long null", 0x0a, "00"},
		{"string without a length", 0x02, "010000"},
		{"string of length 0", 0x02, "00000000"},
		{"string of a negative length", 0x02, "ffffffff 00"},
		{"string too short", 0x02, "03000000 6100"},
		{"string too long", 0x02, "02000000 610000"},
		{"string without its end", 0x02, "01000000 61"},
		{"boolean", 0x08, "02"},
		{"ObjectId", 0x07, "507f1f77bcf86cd7994390"},
		{"binary too short", 0x05, "02000000 00 00"},
		{"binary without a subtype", 0x05, "00000000"},
		{"binary of a negative length", 0x05, "ffffffff 00"},
		{"old binary, lengths apart", 0x05, "06000000 02 01000000 00ff"},
		{"old binary without its length", 0x05, "03000000 02 000000"},
		{"regex without options", 0x0b, "6100"},
		{"regex that does not end", 0x0b, "6100 69"},
		{"DBPointer", 0x0c, "02000000 6300 507f"},
		{"code with scope of another length", 0x0f, "1b000000 02000000 6100 10000000 01 6100 000000000000f83f 00"},
		{"code with scope, cut", 0x0f, "0a000000 02000000 6100"},
		{"document without its end", 0x03, "05000000 01"},
		{"document too long", 0x03, "05000000 00 00"},
		{"document too short", 0x03, "06000000 00"},
		{"document of a negative length", 0x03, "ffffffff 00"},
		{"document with an element cut", 0x03, "08000000 10 6100 00"},
		{"document with a name that does not end", 0x03, "07000000 0a 61 00"},
		{"document with an unknown type", 0x03, "08000000 14 6100 00"},
		{"document within that reaches out", 0x03, "0d000000 03 6100 06000000 00 00"},
		{"document nested too deep", 0x03, deep(181)},
	} {
		if id, err := store.BSONID(test.kind, unhex(t, test.value)); err == nil || id != "" {
			t.Errorf("%s: %x, want an error", test.name, string(id))
		}
	}
	id, err := store.BSONID(0x03, unhex(t, deep(180)))
	if err != nil {
		t.Fatal(err)
	}
	checkForms(t, id)
}

// MongoDB's driver reads and writes the same values, as BSON and as JSON.
func TestIDsAsTheDriver(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	seen := make(map[store.ID]string)
	for range 5_000 {
		v := anyValue(random, 3)
		doc, err := bson.Marshal(bson.D{{Key: "v", Value: v}})
		if err != nil {
			t.Fatal(err)
		}
		raw := bson.Raw(doc).Lookup("v")
		id, err := store.BSONID(byte(raw.Type), raw.Value)
		if raw.Type == bson.TypeArray {
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		checkForms(t, id)

		kind, value, err := id.AppendBSON(nil)
		back := bson.RawValue{Type: bson.Type(kind), Value: value}
		if err != nil || back.Validate() != nil {
			t.Fatalf("%s: came back as %x (%v), %v", raw, value, err, back.Validate())
		}
		if other, there := seen[id]; there && other != string(id.AppendJSON(nil)) {
			t.Fatalf("%s and %s: one ID", other, id.AppendJSON(nil))
		}
		seen[id] = string(id.AppendJSON(nil))
		for other := range seen {
			if other != id && strings.HasPrefix(string(other), string(id)) {
				t.Fatalf("%x is the beginning of %x", string(id), string(other))
			}
			if len(seen) > 500 {
				delete(seen, other)
			}
		}
		for _, canonical := range []bool{false, true} {
			text, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: v}}, canonical, false)
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.TrimSuffix(bytes.TrimPrefix(text, []byte(`{"v":`)), []byte("}"))
			if got, err := store.ParseID(text); err != nil || got != id {
				t.Fatalf("the driver's %s: %s (%v), want %s", text, got.AppendJSON(nil), err, id.AppendJSON(nil))
			}
		}
		var theirs bson.Raw
		if err := bson.UnmarshalExtJSON(id.AppendJSON([]byte(`{"v":`)), false, &theirs); err == nil {
			t.Fatal("the driver reads half an object")
		}
		if err := bson.UnmarshalExtJSON(append(id.AppendJSON([]byte(`{"v":`)), '}'), false, &theirs); err != nil {
			t.Fatalf("the driver on %s: %v", id.AppendJSON(nil), err)
		}
		raw = theirs.Lookup("v")
		if got, err := store.BSONID(byte(raw.Type), raw.Value); err != nil || got != id {
			t.Fatalf("the driver reads %s as %s: %s (%v)", id.AppendJSON(nil), raw, got.AppendJSON(nil), err)
		}
	}
}

// anyValue draws a value of any type.
func anyValue(random *rand.Rand, depth int) any {
	kinds := 20
	if depth == 0 {
		kinds = 17
	}
	text := func() string { return asUTF8(hostile(random)) }
	name := func() string { return strings.ReplaceAll(strings.ReplaceAll(text(), "\x00", "0"), "$", "S") }
	switch random.IntN(kinds) {
	case 0:
		return math.Float64frombits(random.Uint64())
	case 1:
		return float64(random.IntN(9)) / 2
	case 2:
		return text()
	case 3:
		data := []byte(text() + "x") // where there is none, the driver's subtype 2 is other data
		return bson.Binary{Subtype: []byte{0, 1, 2, 3, 4, 5, 0x80, 0xff}[random.IntN(8)], Data: data}
	case 4:
		return bson.Undefined{}
	case 5:
		var oid bson.ObjectID
		for i := range oid {
			oid[i] = byte(random.Uint32())
		}
		return oid
	case 6:
		return random.IntN(2) == 0
	case 7:
		return bson.DateTime(int64(random.Uint64()) >> random.IntN(64) >> 16)
	case 8:
		return nil
	case 9:
		return bson.Regex{Pattern: name(), Options: []string{"", "i", "imsx"}[random.IntN(3)]}
	case 10:
		return bson.DBPointer{DB: "db.c", Pointer: bson.ObjectID{byte(random.Uint32())}} // the driver writes other names as no JSON
	case 11:
		return bson.JavaScript(text())
	case 12:
		return bson.Symbol(text())
	case 13:
		return int32(random.Uint32()) >> random.IntN(32)
	case 14:
		return bson.Timestamp{T: random.Uint32(), I: random.Uint32N(3)}
	case 15:
		return int64(random.Uint64()) >> random.IntN(64)
	case 16:
		if random.IntN(4) == 0 {
			return []any{bson.MinKey{}, bson.MaxKey{}}[random.IntN(2)]
		}
		d := anyDecimal(random)
		if _, err := bson.ParseDecimal128(d.String()); err != nil { // the driver writes those too large for one
			return bson.Decimal128{}
		}
		return d
	case 17:
		list := bson.A{}
		for range random.IntN(4) {
			list = append(list, anyValue(random, depth-1))
		}
		return list
	case 18:
		return bson.CodeWithScope{Code: bson.JavaScript(text()), Scope: anyDocument(random, depth, name)}
	}
	return anyDocument(random, depth, name)
}

func anyDocument(random *rand.Rand, depth int, name func() string) bson.D {
	doc, names := bson.D{}, map[string]bool{}
	for range random.IntN(5) {
		if n := name(); !names[n] {
			names[n] = true
			doc = append(doc, bson.E{Key: n, Value: anyValue(random, depth-1)})
		}
	}
	return doc
}

// checkForms checks that an ID comes back from BSON and from JSON.
func checkForms(t *testing.T, id store.ID) {
	t.Helper()
	kind, value, err := id.AppendBSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := store.BSONID(kind, value); err != nil || back != id {
		t.Fatalf("type 0x%02x, %x: came back as %x (%v), want %x", kind, value, string(back), err, string(id))
	}
	checkRoundTrip(t, id)
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Foreign bytes, be they BSON, JSON or an ID, make an ID that comes back, or an
// error.
func FuzzID(f *testing.F) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		doc, _ := bson.Marshal(bson.D{{Key: "v", Value: anyValue(random, 3)}})
		raw := bson.Raw(doc).Lookup("v")
		f.Add(byte(raw.Type), raw.Value)
		if id, err := store.BSONID(byte(raw.Type), raw.Value); err == nil {
			f.Add(byte(0), id.AppendJSON(nil))
			f.Add(id[0], []byte(id[1:]))
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, value []byte) {
		if id, err := store.BSONID(kind, value); err == nil {
			if err := (bson.RawValue{Type: bson.Type(kind), Value: value}).Validate(); err != nil {
				t.Fatalf("the driver on type 0x%02x, %x: %v", kind, value, err)
			}
			kind, value, err := id.AppendBSON(nil)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := store.BSONID(kind, value); err != nil || back != id {
				t.Fatalf("type 0x%02x, %x: came back as %x (%v), want %x", kind, value, string(back), err, string(id))
			}
			if !bytes.ContainsRune(id.AppendJSON(nil), utf8.RuneError) {
				checkRoundTrip(t, id)
			}
		}
		if id, err := store.ParseID(value); err == nil {
			checkForms(t, id)
		}
		id := store.ID(append([]byte{kind}, value...))
		_, _ = id.Value()
		_ = id.String()
		if _, value, err := id.AppendBSON(nil); err != nil && value != nil {
			t.Fatalf("%x: %x with an error", string(id), value)
		}
	})
}
