package mongo

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"botwatch/classifier"
	"botwatch/classifier/format"
)

// sharedFile reads one of the reference files. Without BOTWATCH_SHARED, and with
// nothing beside the project, the test is skipped.
func sharedFile(t testing.TB, name string) []byte {
	t.Helper()
	dir, asked := os.LookupEnv("BOTWATCH_SHARED")
	if !asked {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, "reference", name))
	if os.IsNotExist(err) && !asked {
		t.Skipf("no reference file %s beside the project", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// accountsOf gives the accounts of gzipped lines {"account": …, "expected": …}.
func accountsOf(t testing.TB, zipped []byte) (all [][]byte) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(z); ; {
		var line struct{ Account json.RawMessage }
		if err := d.Decode(&line); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, line.Account)
	}
}

// someAccounts gives the golden accounts that are part of the project, as JSON.
func someAccounts(t testing.TB) [][]byte {
	t.Helper()
	zipped, err := os.ReadFile(filepath.Join("..", "..", "classifier", "format", "testdata", "synthetic.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return accountsOf(t, zipped)
}

// exampleAccount gives the first example account, as JSON.
func exampleAccount(t testing.TB) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(sharedFile(t, "example_data.json")))
	for range 2 { // the brace and the first key
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
	}
	var doc json.RawMessage
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// An encoding is a way in which a crawler may store what JSON holds.
type encoding struct {
	name   string
	number bson.Type // 0: int32 or int64, as pymongo chooses
	dates  bool      // created_at and crawled_at as dates
	symbol bool      // for strings
}

// document gives the BSON of a JSON object.
func (e encoding) document(t testing.TB, object []byte) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	_, v := e.value(t, "", d)
	return v
}

// value reads the value of a key. Its members keep their order.
func (e encoding) value(t testing.TB, key string, d *json.Decoder) (bson.Type, []byte) {
	t.Helper()
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch v := token.(type) {
	case json.Delim:
		kind := bson.TypeEmbeddedDocument
		if v == '[' {
			kind = bson.TypeArray
		}
		index, doc := bsoncore.AppendDocumentStart(nil)
		for n := 0; d.More(); n++ {
			name := strconv.Itoa(n)
			if v == '{' {
				member, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				name = member.(string)
			}
			inner, content := e.value(t, name, d)
			doc = append(bsoncore.AppendHeader(doc, bsoncore.Type(inner), name), content...)
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		doc, err := bsoncore.AppendDocumentEnd(doc, index)
		if err != nil {
			t.Fatal(err)
		}
		return kind, doc
	case string:
		at, ok := classifier.ParseTime(v)
		switch {
		case e.dates && (key == "created_at" || key == "crawled_at") && ok && at%1000 == 0:
			return bson.TypeDateTime, bsoncore.AppendDateTime(nil, int64(at/1000))
		case e.symbol:
			return bson.TypeSymbol, bsoncore.AppendString(nil, v)
		}
		return bson.TypeString, bsoncore.AppendString(nil, v)
	case json.Number:
		return e.num(t, v)
	case bool:
		return bson.TypeBoolean, bsoncore.AppendBoolean(nil, v)
	}
	return bson.TypeNull, nil
}

func (e encoding) num(t testing.TB, v json.Number) (bson.Type, []byte) {
	t.Helper()
	if e.number == bson.TypeDecimal128 {
		d, err := bson.ParseDecimal128(v.String())
		if err != nil {
			t.Fatal(err)
		}
		high, low := d.GetBytes()
		return bson.TypeDecimal128, bsoncore.AppendDecimal128(nil, high, low)
	}
	n, err := v.Int64()
	f, _ := v.Float64()
	switch {
	case err != nil, e.number == bson.TypeDouble && int64(f) == n:
		return bson.TypeDouble, bsoncore.AppendDouble(nil, f)
	case e.number != bson.TypeInt64 && int64(int32(n)) == n:
		return bson.TypeInt32, bsoncore.AppendInt32(nil, int32(n))
	}
	return bson.TypeInt64, bsoncore.AppendInt64(nil, n)
}

// decoded is what comes of an account: its Account as far as it could be read,
// and why it could not.
type decoded struct {
	Account     *classifier.Account
	Fingerprint string
	Err         error
}

func decodeBSON(doc []byte) decoded {
	var b classifier.Builder
	if err := decode(doc, &b); err != nil {
		return decoded{Err: err}
	}
	return finished(&b)
}

func decodeJSON(doc []byte) decoded {
	var b classifier.Builder
	b.Reset()
	if err := format.DecodeJSON(doc, &b); err != nil {
		return decoded{Err: err}
	}
	return finished(&b)
}

func finished(b *classifier.Builder) decoded {
	account, err := b.Finish()
	d := decoded{Account: account, Err: err}
	d.Fingerprint, _ = account.Fingerprint(nil)
	return d
}
