package mongo

import (
	"bytes"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/simulate"
)

var plainID = func() bson.RawValue {
	t, v, err := bson.MarshalValue("id")
	if err != nil {
		panic(err)
	}
	return bson.RawValue{Type: t, Value: v}
}()

// byDriver makes an account's document by the driver's reader alone.
func byDriver(object []byte) (bson.Raw, error) {
	doc, err := extended(plainID, object)
	if err != nil {
		return nil, err
	}
	return bson.Marshal(doc)
}

// samePlain fails where plain JSON makes another document than the driver does;
// it says whether it was plain.
func samePlain(t *testing.T, object []byte) bool {
	t.Helper()
	doc, ok := appendPlain(nil, plainID, object)
	if !ok {
		return false
	}
	want, err := byDriver(object)
	if err != nil {
		t.Fatalf("%q is plain, and to the driver: %v", object, err)
	}
	if !bytes.Equal(doc, want) {
		t.Fatalf("%q\nbecomes %v\nand is  %v", object, bson.Raw(doc), want)
	}
	return true
}

func TestPlainJSON(t *testing.T) {
	for object, plain := range map[string]bool{
		`{}`: true, ` { } `: true, `{"a":1}`: true, `{"_id":7,"a":[],"b":{"_id":8}}`: true,
		`{"a":[1,2147483647,2147483648,-2147483649,0,999999999999999999,9223372036854775807,-9223372036854775808,1.5,-2e3,1E-2,0.0]}`: true,
		`{"a":[true,false,null,"",{},[[]],"é ☃","\n\t\"\\\/A"]}`:                                                                      true, `{"a":1,"a":2}`: true,
		`{"a":9223372036854775808}`: false, `{"a":-0}`: false, `{"a":{"$numberLong":"5"}}`: false, `{"a":"\ud83d\ude00"}`: false,
		``: false, `[]`: false, `{"a"}`: false, `{"a":1,}`: false, `{"a":01}`: false, `{"a":1.}`: false, `{"a":+1}`: false, `{"a":NaN}`: false,
		`{"a":1} x`: false, `{"a":"b`: false, `{"a":tru}`: false, `{"a":nullx}`: false, "{\"a\":\"\x01\"}": false, "{\"a\":\"\xff\"}": false,
		`{"a\u0000b":1}`: false, `{"a":1e999}`: false, `{"a":[1 2]}`: false, `{"a":"\x"}`: false, `{"a":1-2}`: false,
	} {
		if got := samePlain(t, []byte(object)); got != plain {
			t.Errorf("%q is plain: %v", object, got)
		}
	}
	g := simulate.Generator{Seed: 5, Strict: true}
	now := time.Now()
	for n := range 200 {
		if !samePlain(t, g.Account(n, n%3, now).JSON) {
			t.Errorf("account %d is not plain", n)
		}
		samePlain(t, g.Poison(n, n%3, now).JSON)
	}
	for _, account := range someAccounts(t) {
		if !samePlain(t, account) {
			t.Error("an account is not plain")
		}
	}
}

func FuzzPlainJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,-2.5e3,"x\n",{"b":null,"_id":true}],"_id":"y"}`))
	f.Add([]byte(`{"a":{"$date":"2020-01-01T00:00:00Z"}}`))
	f.Fuzz(func(t *testing.T, object []byte) { samePlain(t, object) })
}

func BenchmarkPutAccount(b *testing.B) {
	object := simulate.Generator{Seed: 1, Tweets: 20, Lean: true}.Account(1, 0, time.Now()).JSON
	b.Run("plain", func(b *testing.B) {
		b.SetBytes(int64(len(object)))
		for b.Loop() {
			if _, ok := appendPlain(nil, plainID, object); !ok {
				b.Fatal("not plain")
			}
		}
	})
	b.Run("driver", func(b *testing.B) {
		b.SetBytes(int64(len(object)))
		for b.Loop() {
			if _, err := byDriver(object); err != nil {
				b.Fatal(err)
			}
		}
	})
}
