package mongo

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/classifier"
	"botwatch/classifier/model"
	"botwatch/integration/mongotest"
)

var encodings = []encoding{
	{name: "as pymongo"},
	{name: "int64", number: bson.TypeInt64},
	{name: "double", number: bson.TypeDouble},
	{name: "decimal", number: bson.TypeDecimal128},
	{name: "dates", dates: true},
	{name: "symbols and dates", symbol: true, dates: true},
}

func TestDecodeGolden(t *testing.T) {
	accounts := accountsOf(t, sharedFile(t, "synthetic_accounts.ndjson.gz"))
	if len(accounts) != 400 {
		t.Fatalf("%d golden accounts; want 400", len(accounts))
	}
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) { decodesAsJSON(t, e, accounts) })
	}
}

func decodesAsJSON(t *testing.T, e encoding, accounts [][]byte) {
	t.Helper()
	for i, account := range accounts {
		want := decodeJSON(account)
		if want.Err != nil {
			t.Fatal(want.Err)
		}
		if diff := cmp.Diff(want, decodeBSON(e.document(t, account))); diff != "" {
			t.Fatalf("account %d (-JSON +BSON):\n%s", i, diff)
		}
	}
}

// benchAccount gives the BSON of an account, whole and as a server projects it.
func benchAccount(b *testing.B, account []byte) (whole, projected []byte) {
	b.Helper()
	whole = encoding{}.document(b, account)
	server := mongotest.Start(b, mongotest.Options{})
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Disconnect(context.Background()) })
	accounts := client.Database("bench").Collection("accounts")
	if _, err := accounts.InsertOne(b.Context(), bson.Raw(whole)); err != nil {
		b.Fatal(err)
	}
	projected, err = accounts.FindOne(b.Context(), bson.D{}, options.FindOne().SetProjection(neededFields("$"))).Raw()
	if err != nil {
		b.Fatal(err)
	}
	return whole, projected
}

// BenchmarkDecode reads an account, and classifies it too.
func BenchmarkDecode(b *testing.B) {
	spec, err := model.Default()
	if err != nil {
		b.Fatal(err)
	}
	m, err := classifier.NewModel(spec)
	if err != nil {
		b.Fatal(err)
	}
	run := func(b *testing.B, account []byte) {
		whole, projected := benchAccount(b, account)
		for _, form := range []struct {
			name string
			doc  []byte
		}{{"raw", whole}, {"projected", projected}} {
			builder, c, r := new(classifier.Builder), classifier.New(m), new(classifier.Result)
			decodeOne := func(b *testing.B) *classifier.Account {
				if err := decode(form.doc, builder); err != nil {
					b.Fatal(err)
				}
				account, err := builder.Finish()
				if err != nil {
					b.Fatal(err)
				}
				return account
			}
			b.Run(form.name+"/decode", func(b *testing.B) {
				b.SetBytes(int64(len(form.doc)))
				b.ReportAllocs()
				for b.Loop() {
					decodeOne(b)
				}
			})
			b.Run(form.name+"/predict", func(b *testing.B) {
				b.SetBytes(int64(len(form.doc)))
				b.ReportAllocs()
				for b.Loop() {
					if err := c.Classify(decodeOne(b), r); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(form.doc)), "B/doc")
			})
		}
	}
	b.Run("golden", func(b *testing.B) { run(b, someAccounts(b)[0]) })
	b.Run("example", func(b *testing.B) { run(b, exampleAccount(b)) })
}

var _ = fmt.Sprint
