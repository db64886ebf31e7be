package mongo

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/classifier"
	"botwatch/integration/mongotest"
)

// testAccounts gives an empty collection in a server of the test's own.
func testAccounts(t testing.TB) *mongo.Collection {
	t.Helper()
	server := mongotest.Start(t, mongotest.Options{})
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Disconnect(context.Background()) })
	return client.Database("needed").Collection("accounts")
}

// An inventor makes accounts that nobody would.
type inventor struct{ *rand.Rand }

func (r inventor) pick(values ...any) any { return values[r.IntN(len(values))] }

// value gives a value of any type.
func (r inventor) value(depth int) any {
	switch n := r.IntN(28); {
	case n < 4 && depth > 0:
		a := bson.A{}
		for range r.IntN(4) {
			a = append(a, r.value(depth-1))
		}
		return a
	case n < 8 && depth > 0:
		d := bson.D{}
		for range r.IntN(4) {
			d = append(d, bson.E{Key: r.key(), Value: r.value(depth - 1)})
		}
		return d
	case n < 10:
		return r.extended()
	case n < 12:
		return nil
	}
	decimal, _ := bson.ParseDecimal128(r.pick("5", "5.00", "1E+3", "-0", "NaN", "Infinity", "9007199254740993", "0.5", "1E+40").(string))
	return r.pick(bson.A{}, bson.D{}, "", "5", "und", "a\x00b", strings.Repeat("long ", 100), "2020-05-20 09:18:42", "Wed May 20 09:18:42 +0000 2020",
		int32(5), int32(-1), int64(1)<<40, 5.0, 0.5, -1e300, decimal, true, false, bson.DateTime(1589966322000), bson.DateTime(1<<62),
		bson.Undefined{}, bson.NewObjectID(), bson.Binary{Data: []byte("x")}, bson.Regex{Pattern: "x", Options: "i"}, bson.JavaScript("x"), bson.Symbol("5"),
		bson.CodeWithScope{Code: "x", Scope: bson.D{}}, bson.DBPointer{DB: "x"}, bson.Timestamp{T: 5}, bson.MinKey{}, bson.MaxKey{})
}

// extended gives a document that is stored as extended JSON means it.
func (r inventor) extended() bson.D {
	inner := r.pick("5", "1589966322000", "2020-05-20T09:18:42Z", int32(5), int64(1589966322000), nil, bson.D{{Key: "$numberLong", Value: "1589966322000"}}, true)
	return bson.D{{Key: r.pick("$numberLong", "$numberInt", "$numberDouble", "$numberDecimal", "$date", "$oid").(string), Value: inner}}
}

func (r inventor) key() string {
	return r.pick("user_data", "tweets", "crawled_at", "created_at", "url", "entities", "user_mentions", "hashtags", "retweeted_status",
		"retweet_count", "0", "$numberLong", "$date", "x").(string)
}

// account gives a good one, of a few tweets.
func (r inventor) account() bson.D {
	when := func() any {
		return r.pick("2020-05-20 09:18:42", "Wed May 20 09:18:42 +0000 2020", bson.DateTime(1589966322000), bson.D{{Key: "$date", Value: "2020-05-20T09:18:42Z"}})
	}
	count := func() any { return r.pick(int32(5), int64(6), 7.0, bson.D{{Key: "$numberLong", Value: "8"}}) }
	tweets := bson.A{}
	for range r.IntN(4) {
		list := func() any {
			return r.pick(bson.A{}, bson.A{nil}, bson.A{bson.D{{Key: "text", Value: "x"}}, "y"}, bson.A{bson.A{}})
		}
		tweet := bson.D{
			{Key: "created_at", Value: when()}, {Key: "id", Value: int64(1) << 60}, {Key: "full_text", Value: "some text"},
			{Key: "entities", Value: bson.D{{Key: "hashtags", Value: list()}, {Key: "urls", Value: bson.A{}}, {Key: "user_mentions", Value: list()}}},
			{Key: "in_reply_to_status_id", Value: r.pick(nil, int64(1)<<60, "5", bson.D{}, bson.A{})}, {Key: "user", Value: bson.D{{Key: "lang", Value: "x"}}},
			{Key: "retweet_count", Value: count()}, {Key: "favorite_count", Value: count()}, {Key: "lang", Value: r.pick("en", "und", nil, "sv", "")},
		}
		if r.IntN(3) == 0 {
			tweet = append(tweet, bson.E{Key: "retweeted_status", Value: r.value(2)})
		}
		tweets = append(tweets, r.shuffled(tweet))
	}
	user := bson.D{
		{Key: "id", Value: r.pick(int64(5), "5", 5.0)}, {Key: "id_str", Value: "5"}, {Key: "screen_name", Value: "name12345678"}, {Key: "location", Value: r.pick("", "x", nil)},
		{Key: "description", Value: "x"}, {Key: "url", Value: r.pick(nil, "x", "", bson.D{{Key: "a", Value: 1}}, bson.A{})}, {Key: "followers_count", Value: count()},
		{Key: "created_at", Value: when()}, {Key: "verified", Value: r.pick(true, false, nil)}, {Key: "statuses_count", Value: count()},
	}
	return r.shuffled(bson.D{{Key: "user_data", Value: r.shuffled(user)}, {Key: "other", Value: 1}, {Key: "tweets", Value: tweets}, {Key: "crawled_at", Value: when()}})
}

func (r inventor) shuffled(d bson.D) bson.D {
	if r.IntN(2) == 0 {
		r.Shuffle(len(d), func(i, j int) { d[i], d[j] = d[j], d[i] })
	}
	return d
}

// spoilt changes something in a value, mostly further in.
func (r inventor) spoilt(v any) any {
	further := r.IntN(5) > 0
	switch v := v.(type) {
	case bson.D:
		if len(v) == 0 || !further {
			break
		}
		i := r.IntN(len(v))
		switch r.IntN(8) {
		case 0:
			return append(append(bson.D{}, v[:i]...), v[i+1:]...)
		case 1: // twice
			return append(append(bson.D{}, v...), bson.E{Key: v[i].Key, Value: r.value(2)})
		}
		d := append(bson.D{}, v...)
		d[i].Value = r.spoilt(d[i].Value)
		return d
	case bson.A:
		if len(v) == 0 || !further {
			break
		}
		a := append(bson.A{}, v...)
		i := r.IntN(len(a))
		a[i] = r.spoilt(a[i])
		return a
	}
	switch r.IntN(6) {
	case 0:
		return bson.A{v}
	case 1:
		return bson.D{{Key: r.key(), Value: v}}
	case 2:
		if _, ok := v.(int32); ok {
			return r.pick(int32(-1), 0.5, math.NaN())
		}
	}
	return r.value(3)
}

// TestNeededFieldsHideNothing: whatever an account is like, what find and a change
// stream leave of it decodes as the whole does.
func TestNeededFieldsHideNothing(t *testing.T) {
	const accounts, batch = 6000, 500
	c := testAccounts(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	stream, err := c.Watch(ctx, mongo.Pipeline{{{Key: "$project", Value: bson.D{
		{Key: "operationType", Value: 1},
		{Key: "fullDocument", Value: documentOr("$fullDocument", neededFields("$fullDocument."))},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close(context.Background())

	r := inventor{rand.New(rand.NewPCG(1, 2))}
	whole := make([]bson.Raw, accounts)
	for from := 0; from < accounts; from += batch {
		var docs []any
		for i := from; i < from+batch; i++ {
			doc := r.account()
			for range r.IntN(4) {
				if spoilt, ok := r.spoilt(doc).(bson.D); ok {
					doc = spoilt
				}
			}
			doc = append(bson.D{{Key: "_id", Value: i}}, doc...)
			if whole[i], err = bson.Marshal(doc); err != nil {
				t.Fatal(err)
			}
			docs = append(docs, whole[i])
		}
		if _, err := c.InsertMany(ctx, docs); err != nil {
			t.Fatal(err)
		}
	}

	outcomes := make(map[classifier.ErrorCode]int)
	wants := make([]decoded, accounts)
	for i, doc := range whole {
		wants[i] = decodeBSON(doc)
		code := classifier.ErrorCode("")
		if fault := (*classifier.FieldError)(nil); errors.As(wants[i].Err, &fault) {
			code = fault.Code
		}
		outcomes[code]++
	}
	for _, code := range []classifier.ErrorCode{"", classifier.CodeMissing, classifier.CodeWrongType, classifier.CodeBadTime, classifier.CodeBadNumber} {
		if outcomes[code] < accounts/600 {
			t.Errorf("too few accounts with outcome %q: %v", code, outcomes)
		}
	}
	if outcomes[classifier.CodeSyntax] > 0 {
		t.Errorf("documents that decode does not take for BSON: %v", outcomes)
	}

	agree := func(via string, i int, got bson.Raw) {
		t.Helper()
		if diff := cmp.Diff(wants[i], decodeBSON(got), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("account %d, by %s (-whole +projected):\n%s\nwhole %v\nprojected %v", i, via, diff, whole[i], got)
		}
	}
	cursor, err := c.Find(ctx, bson.D{}, options.Find().SetProjection(neededFields("$")).SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close(context.Background())
	for i := range accounts {
		if !cursor.Next(ctx) {
			t.Fatalf("find ends after %d accounts: %v", i, cursor.Err())
		}
		agree("find", i, cursor.Current)
		if !stream.Next(ctx) {
			t.Fatalf("the stream ends after %d events: %v", i, stream.Err())
		}
		agree("change stream", i, stream.Current.Lookup("fullDocument").Document())
	}
}

// TestNeededFieldsLeaveLittle checks what is left of an account as crawlers write it.
func TestNeededFieldsLeaveLittle(t *testing.T) {
	c := testAccounts(t)
	tweet := bson.D{
		{Key: "created_at", Value: "2020-05-20 09:18:42"}, {Key: "id", Value: int64(1) << 60}, {Key: "full_text", Value: "some text"},
		{Key: "entities", Value: bson.D{{Key: "hashtags", Value: bson.A{bson.D{{Key: "text", Value: "x"}}, "x"}}, {Key: "urls", Value: bson.A{}}, {Key: "user_mentions", Value: bson.A{}}}},
		{Key: "retweet_count", Value: 3}, {Key: "lang", Value: "en"}, {Key: "user", Value: bson.D{{Key: "id", Value: 5}}},
		{Key: "retweeted_status", Value: bson.D{{Key: "id", Value: 5}}},
	}
	account := bson.D{
		{Key: "_id", Value: "x"}, {Key: "user_data", Value: bson.D{{Key: "name", Value: "x"}, {Key: "id", Value: 5}, {Key: "verified", Value: nil}}},
		{Key: "tweets", Value: bson.A{tweet, nil, "x"}}, {Key: "crawled_at", Value: "2020-05-21 09:18:42"}, {Key: "friends", Value: bson.A{1, 2}},
	}
	if _, err := c.InsertOne(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	var got bson.D
	if err := c.FindOne(t.Context(), bson.D{}, options.FindOne().SetProjection(neededFields("$"))).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := bson.D{
		{Key: "_id", Value: "x"}, {Key: "user_data", Value: bson.D{{Key: "id", Value: int32(5)}, {Key: "verified", Value: nil}}},
		{Key: "tweets", Value: bson.A{bson.D{
			{Key: "created_at", Value: "2020-05-20 09:18:42"}, {Key: "lang", Value: "en"}, {Key: "retweet_count", Value: int32(3)},
			{Key: "entities", Value: bson.D{{Key: "user_mentions", Value: bson.A{}}, {Key: "hashtags", Value: bson.A{true}}}},
			{Key: "retweeted_status", Value: true},
		}, nil, "x"}},
		{Key: "crawled_at", Value: "2020-05-21 09:18:42"},
	}
	byKey := func(d bson.D) map[string]any { // the order of computed fields is the server's
		m := make(map[string]any)
		for _, e := range d {
			m[e.Key] = e.Value
		}
		return m
	}
	if diff := cmp.Diff(byKey(want), byKey(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNeededFieldsOfNothing: an event without its document stays so.
func TestNeededFieldsOfNothing(t *testing.T) {
	c := testAccounts(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := c.Watch(ctx, mongo.Pipeline{{{Key: "$project", Value: bson.D{
		{Key: "operationType", Value: 1},
		{Key: "fullDocument", Value: documentOr("$fullDocument", neededFields("$fullDocument."))},
	}}}}, options.ChangeStream().SetFullDocument(options.UpdateLookup))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close(context.Background())
	one := bson.D{{Key: "_id", Value: 1}}
	if _, err := c.InsertOne(ctx, one); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateOne(ctx, one, bson.D{{Key: "$set", Value: bson.D{{Key: "x", Value: 1}}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteOne(ctx, one); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ operation, document string }{{"insert", "embedded document"}, {"update", "null"}, {"delete", ""}} {
		if !stream.Next(ctx) {
			t.Fatal(stream.Err())
		}
		v := stream.Current.Lookup("fullDocument")
		kind := ""
		if v.Type != 0 {
			kind = v.Type.String()
		}
		if got := stream.Current.Lookup("operationType").StringValue(); got != want.operation || kind != want.document {
			t.Errorf("%s with a fullDocument that is %q; want %s, %q", got, kind, want.operation, want.document)
		}
	}
}
