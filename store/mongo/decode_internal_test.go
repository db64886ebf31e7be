package mongo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"botwatch/classifier"
	"botwatch/classifier/model"
)

var encodings = []encoding{
	{name: "as pymongo"},
	{name: "int64", number: bson.TypeInt64},
	{name: "double", number: bson.TypeDouble},
	{name: "decimal", number: bson.TypeDecimal128},
	{name: "dates", dates: true},
	{name: "symbols and dates", symbol: true, dates: true},
}

// TestDecodeGolden: whatever way an account was stored, it is the one that the
// JSON holds.
func TestDecodeGolden(t *testing.T) {
	accounts := accountsOf(t, sharedFile(t, "synthetic_accounts.ndjson.gz"))
	if len(accounts) != 400 {
		t.Fatalf("%d golden accounts; want 400", len(accounts))
	}
	if testing.Short() {
		accounts = accounts[:40]
	}
	decodesAsJSON(t, accounts)
}

func TestDecodeSomeGolden(t *testing.T) { decodesAsJSON(t, someAccounts(t)) }

func TestDecodeExample(t *testing.T) { decodesAsJSON(t, [][]byte{exampleAccount(t)}) }

func decodesAsJSON(t *testing.T, accounts [][]byte) {
	t.Helper()
	for i, account := range accounts {
		want := decodeJSON(account)
		if want.Err != nil {
			t.Fatal(want.Err)
		}
		for _, e := range encodings {
			if diff := cmp.Diff(want, decodeBSON(e.document(t, account))); diff != "" {
				t.Fatalf("account %d, %s (-JSON +BSON):\n%s", i, e.name, diff)
			}
		}
	}
}

// document gives the BSON of a value of the driver's types.
func document(t testing.TB, v any) []byte {
	t.Helper()
	doc, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// setIn gives an account of one tweet, with a value at a dotted path: set, put in
// the place of another, or of the tweets' one.
func setIn(path string, v any) bson.D {
	names := strings.Split(path, ".")
	var set func(in any, names []string) any
	set = func(in any, names []string) any {
		if len(names) == 0 {
			return v
		}
		if a, ok := in.(bson.A); ok {
			return bson.A{set(a[0], names[1:])}
		}
		d := in.(bson.D)
		for i := range d {
			if d[i].Key == names[0] {
				d[i].Value = set(d[i].Value, names[1:])
				return d
			}
		}
		return append(d, bson.E{Key: names[0], Value: v})
	}
	return set(bson.D{
		{Key: "user_data", Value: bson.D{{Key: "created_at", Value: "2010-01-01 00:00:00"}, {Key: "followers_count", Value: 1}, {Key: "statuses_count", Value: 2}}},
		{Key: "tweets", Value: bson.A{bson.D{
			{Key: "created_at", Value: "2020-05-20 09:18:42"}, {Key: "retweet_count", Value: 3}, {Key: "favorite_count", Value: 4},
			{Key: "entities", Value: bson.D{{Key: "user_mentions", Value: bson.A{}}, {Key: "hashtags", Value: bson.A{}}}},
		}}},
		{Key: "crawled_at", Value: "2020-06-01 00:00:00"},
	}, names).(bson.D)
}

func decimal(text string) bson.Decimal128 {
	d, err := bson.ParseDecimal128(text)
	if err != nil {
		panic(err)
	}
	return d
}

const (
	wantCount = "; want a whole number from 0 to 9223372036854775807"
	wantTime  = `want a time such as "2020-05-20 09:18:42", "2020-05-20T09:18:42Z" or "Wed May 20 09:18:42 +0000 2020"`
)

func TestDecodeValues(t *testing.T) {
	followers := func(a *classifier.Account) any { return a.Followers }
	crawled := func(a *classifier.Account) any { return a.CrawledAt.Time().Format(time.RFC3339Nano) }
	userID := func(a *classifier.Account) any { return a.UserID }
	kind := func(a *classifier.Account) any { return a.Tweets[0].Kind }
	verified := func(a *classifier.Account) any { return a.Verified }
	hasURL := func(a *classifier.Account) any { return a.HasURL }
	cases := []struct {
		path  string
		value any
		get   func(*classifier.Account) any
		want  any // or the error
	}{
		{"user_data.followers_count", int32(math.MaxInt32), followers, int64(math.MaxInt32)},
		{"user_data.followers_count", int64(math.MaxInt64), followers, int64(math.MaxInt64)},
		{"user_data.followers_count", 5.0, followers, int64(5)},
		{"user_data.followers_count", math.Copysign(0, -1), followers, int64(0)},
		{"user_data.followers_count", decimal("9007199254740993"), followers, int64(9007199254740993)},
		{"user_data.followers_count", decimal("9007199254740993.000"), followers, int64(9007199254740993)},
		{"user_data.followers_count", decimal("9223372036854775807"), followers, int64(math.MaxInt64)},
		{"user_data.followers_count", decimal("9223372036854775807.000000000000000"), followers, int64(math.MaxInt64)},
		{"user_data.followers_count", decimal("12E+3"), followers, int64(12000)},
		{"user_data.followers_count", decimal("0E+6000"), followers, int64(0)},
		{"user_data.followers_count", decimal("-0.00"), followers, int64(0)},
		{"user_data.followers_count", bson.D{{Key: "$numberLong", Value: "5"}}, followers, int64(5)},
		{"user_data.followers_count", int32(-1), nil, "user_data.followers_count: is -1" + wantCount},
		{"user_data.followers_count", 0.5, nil, "user_data.followers_count: is 0.5" + wantCount},
		{"user_data.followers_count", math.NaN(), nil, "user_data.followers_count: is NaN" + wantCount},
		{"user_data.followers_count", decimal("-5"), nil, "user_data.followers_count: is -5" + wantCount},
		{"user_data.followers_count", decimal("0.5"), nil, "user_data.followers_count: is 0.5" + wantCount},
		{"user_data.followers_count", decimal("9223372036854775808"), nil, "user_data.followers_count: is 9.223372036854776e+18" + wantCount},
		{"user_data.followers_count", decimal("1E+19"), nil, "user_data.followers_count: is 1e+19" + wantCount},
		{"user_data.followers_count", decimal("1E+6000"), nil, "user_data.followers_count: is +Inf" + wantCount},
		{"user_data.followers_count", decimal("NaN"), nil, "user_data.followers_count: is NaN" + wantCount},
		{"user_data.followers_count", "5", nil, "user_data.followers_count: want a whole number from 0 to 9223372036854775807"},
		{"user_data.followers_count", nil, nil, "user_data.followers_count: is missing" + wantCount},
		{"user_data.followers_count", bson.Undefined{}, nil, "user_data.followers_count: is missing" + wantCount},
		{"user_data.followers_count", bson.ObjectID{}, nil, "user_data.followers_count: is of BSON's type objectId, which it cannot be"},
		{"user_data.followers_count", bson.DateTime(5), nil, "user_data.followers_count: want a whole number from 0 to 9223372036854775807"},
		{"user_data.followers_count", bson.D{{Key: "$numberLong", Value: bson.Regex{}}}, nil, "user_data.followers_count: is of BSON's type regex, which it cannot be"},

		{"crawled_at", "2020-06-01T02:00:00.5+02:00", crawled, "2020-06-01T00:00:00.5Z"},
		{"crawled_at", bson.Symbol("2020-06-01 00:00:00"), crawled, "2020-06-01T00:00:00Z"},
		{"crawled_at", bson.DateTime(1590969600123), crawled, "2020-06-01T00:00:00.123Z"},
		{"crawled_at", bson.DateTime(-62135596800000), crawled, "0001-01-01T00:00:00Z"},
		{"crawled_at", bson.D{{Key: "$date", Value: bson.D{{Key: "$numberLong", Value: "1590969600123"}}}}, crawled, "2020-06-01T00:00:00.123Z"},
		{"crawled_at", bson.DateTime(-62135596800001), nil, "crawled_at: lies outside the years 1 to 9999"},
		{"crawled_at", bson.DateTime(math.MaxInt64), nil, "crawled_at: lies outside the years 1 to 9999"},
		{"crawled_at", "yesterday", nil, `crawled_at: is "yesterday"; ` + wantTime},
		{"crawled_at", "\xff", nil, `crawled_at: is "�"; ` + wantTime},
		{"crawled_at", bson.Timestamp{T: 1590969600}, nil, "crawled_at: is of BSON's type timestamp, which it cannot be"},
		{"crawled_at", int64(1590969600), nil, "crawled_at: " + wantTime},
		{"crawled_at", bson.D{{Key: "$date", Value: bson.MinKey{}}}, nil, "crawled_at: is of BSON's type minKey, which it cannot be"},

		{"user_data.id", int64(1) << 62, userID, "4611686018427387904"},
		{"user_data.id", 5.0, userID, "5"},
		{"user_data.id", decimal("1234567890123456789012345678901234"), userID, "1234567890123456789012345678901234"},
		{"user_data.id", bson.Symbol("x"), userID, "x"},
		{"user_data.id", nil, userID, ""},
		{"user_data.id", bson.ObjectID{}, nil, "user_data.id: is of BSON's type objectId, which it cannot be"},

		{"user_data.verified", true, verified, true},
		{"user_data.verified", bson.MaxKey{}, nil, "user_data.verified: is of BSON's type maxKey, which it cannot be"},
		{"user_data.url", bson.MinKey{}, hasURL, true},
		{"user_data.url", bson.Undefined{}, hasURL, false},
		{"user_data", bson.JavaScript("x"), nil, "user_data: is of BSON's type javascript, which it cannot be"},
		{"user_data", bson.A{bson.D{}}, nil, "user_data: want the account's user object"},
		{"user_data", nil, nil, "user_data: is missing; want the account's user object"},

		{"tweets", bson.D{{Key: "0", Value: bson.D{}}}, nil, "tweets: want an array of tweets"},
		{"tweets", bson.DBPointer{}, nil, "tweets: is of BSON's type dbPointer, which it cannot be"},
		{"tweets.0", bson.CodeWithScope{Scope: bson.D{}}, nil, "tweets[0]: is of BSON's type javascriptWithScope, which it cannot be"},
		{"tweets.0", nil, nil, "tweets[0]: want a tweet object"},
		{"tweets.0", bson.A{bson.D{}}, nil, "tweets[0]: want a tweet object"},
		{"tweets.0.in_reply_to_status_id", bson.Binary{}, kind, classifier.Reply},
		{"tweets.0.in_reply_to_status_id", bson.A{}, kind, classifier.Reply},
		{"tweets.0.in_reply_to_status_id", bson.Undefined{}, kind, classifier.TweetKind(0)},
		{"tweets.0.retweeted_status", bson.ObjectID{}, kind, classifier.Retweet},
		{"tweets.0.retweeted_status", nil, kind, classifier.Retweet},
		{"tweets.0.entities.hashtags", bson.A{nil}, kind, classifier.Hashtags},
		{"tweets.0.entities.user_mentions", bson.A{bson.Regex{}, 5}, kind, classifier.Mentions},
		{"tweets.0.entities.user_mentions", bson.Regex{}, nil, "tweets[0].entities.user_mentions: is of BSON's type regex, which it cannot be"},
		{"tweets.0.entities", bson.Binary{}, nil, "tweets[0].entities: is of BSON's type binData, which it cannot be"},
		{"tweets.0.entities", bson.A{}, nil, "tweets[0].entities: want an object with user_mentions and hashtags"},
		{"tweets.0.lang", bson.D{}, nil, "tweets[0].lang: want a string"},
	}
	for _, tc := range cases {
		t.Run(fmt.Sprintf("%s=%v", tc.path, tc.value), func(t *testing.T) {
			got := decodeBSON(document(t, setIn(tc.path, tc.value)))
			switch {
			case got.Err != nil:
				if got.Err.Error() != tc.want {
					t.Errorf("got error %v, want %v", got.Err, tc.want)
				}
			case tc.get == nil:
				t.Errorf("no error, want %v", tc.want)
			default:
				if diff := cmp.Diff(tc.want, tc.get(got.Account)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestDecodeOrder: neither the first fault nor anything else depends on the order
// of the fields; of a name that comes twice the first counts.
func TestDecodeOrder(t *testing.T) {
	r := inventor{rand.New(rand.NewPCG(3, 4))}
	var reversed func(v any) any
	reversed = func(v any) any {
		switch v := v.(type) {
		case bson.D:
			d := bson.D{}
			for _, e := range v {
				switch e.Key {
				case "user_data", "tweets", "entities": // others hold extended JSON, if anything
					e.Value = reversed(e.Value)
				}
				d = append(bson.D{e}, d...)
			}
			return d
		case bson.A:
			a := bson.A{}
			for _, e := range v {
				a = append(a, reversed(e))
			}
			return a
		}
		return v
	}
	for range 2000 {
		doc := setIn(r.pick("user_data.followers_count", "user_data.url", "tweets.0.created_at", "tweets.0.entities", "tweets.0.lang", "crawled_at").(string), r.value(1))
		doc[r.IntN(3)].Value = r.pick(doc[0].Value, doc[1].Value, doc[2].Value)
		back := reversed(doc).(bson.D)
		want := decodeBSON(document(t, doc))
		if diff := cmp.Diff(want, decodeBSON(document(t, back)), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-forward +backward):\n%s\n%v", diff, doc)
		}
		if diff := cmp.Diff(want, decodeBSON(document(t, append(doc, bson.E{Key: "crawled_at", Value: 5}, bson.E{Key: "tweets"}))), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-once +twice):\n%s\n%v", diff, doc)
		}
	}
}

// TestDecodeWays: an account that has no fault is the same whether its fields are
// pushed as they come or in order.
func TestDecodeWays(t *testing.T) {
	r := inventor{rand.New(rand.NewPCG(9, 10))}
	good := 0
	for range 5000 {
		var account any = r.account()
		if r.IntN(2) == 0 {
			account = r.spoilt(account)
		}
		if _, ok := account.(bson.D); !ok {
			continue
		}
		doc := document(t, account)
		var b classifier.Builder
		d := decoder{walker: walker{doc: doc}, b: &b, ordered: true}
		if d.account(); d.err != nil {
			t.Fatal(d.err)
		}
		want := finished(&b)
		if diff := cmp.Diff(want, decodeBSON(doc), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-in order +as they come):\n%s\n%v", diff, account)
		}
		if want.Err == nil {
			good++
		}
	}
	if good < 2000 {
		t.Errorf("only %d without a fault", good)
	}
}

// TestDecodeNoBSON: what is no document answers with an error; what is one as far
// as it is read, with an account or a fault; nothing panics.
func TestDecodeNoBSON(t *testing.T) {
	seeds := [][]byte{document(t, setIn("crawled_at", bson.DateTime(5)))}
	r := inventor{rand.New(rand.NewPCG(5, 6))}
	for range 200 {
		if doc, ok := r.spoilt(r.account()).(bson.D); ok {
			seeds = append(seeds, document(t, doc))
		}
	}
	for n := range seeds[0] {
		if err := decode(seeds[0][:n], new(classifier.Builder)); err == nil {
			t.Errorf("the first %d of %d bytes pass", n, len(seeds[0]))
		}
	}
	var b classifier.Builder
	syntax, fine := 0, 0
	for range 100_000 {
		doc := bytes.Clone(seeds[r.IntN(len(seeds))])
		for range 1 + r.IntN(3) {
			switch i := r.IntN(len(doc)); r.IntN(4) {
			case 0:
				doc[i] = byte(r.IntN(256))
			case 1:
				doc[i] = r.pick(byte(0), byte(1), byte(2), byte(3), byte(4), byte(5), byte(0x7f), byte(0xff)).(byte)
			case 2: // a length, or what is taken for one
				if i+4 <= len(doc) {
					binary.LittleEndian.PutUint32(doc[i:], r.pick(uint32(0), uint32(4), uint32(5), uint32(len(doc)), uint32(math.MaxInt32), uint32(math.MaxUint32), uint32(1<<31)).(uint32))
				}
			case 3:
				n := r.IntN(len(doc) - i + 1)
				doc = append(doc[:i], doc[i+n:]...)
				if len(doc) >= 4 && r.IntN(4) > 0 {
					binary.LittleEndian.PutUint32(doc, uint32(len(doc)))
				}
			}
			if len(doc) == 0 {
				break
			}
		}
		crawledAt(doc)
		err := decode(doc, &b)
		if err == nil {
			fine++
			b.Finish()
			continue
		}
		syntax++
		if fault, ok := err.(*classifier.FieldError); !ok || fault.Code != classifier.CodeSyntax || !strings.HasPrefix(fault.Message, "is not BSON: ") {
			t.Fatalf("error %#v", err)
		}
	}
	if syntax < 10_000 || fine < 10_000 {
		t.Errorf("%d with and %d without an error; want plenty of both", syntax, fine)
	}
}

// TestDecodeDeep: depth costs nothing where it is passed by, and is refused where not.
func TestDecodeDeep(t *testing.T) {
	deep := []byte{5, 0, 0, 0, 0}
	for range 100_000 {
		doc := binary.LittleEndian.AppendUint32(nil, uint32(len(deep)+8))
		deep = append(append(append(doc, byte(bson.TypeEmbeddedDocument), '$', 0), deep...), 0)
		if len(deep) > 1<<14 {
			break
		}
	}
	for path, want := range map[string]string{
		"other":                     "",
		"user_data.followers_count": "user_data.followers_count: is an object" + wantCount,
		"tweets.0.lang":             "tweets[0].lang: want a string",
	} {
		got := ""
		if err := decodeBSON(document(t, setIn(path, bson.Raw(deep)))).Err; err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: error %q, want %q", path, got, want)
		}
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	one := setIn("tweets.0.lang", "en")
	tweet := one[1].Value.(bson.A)[0]
	one[1].Value = slices.Repeat(bson.A{tweet}, 100)
	doc := document(t, one)
	var b classifier.Builder
	n := testing.AllocsPerRun(100, func() {
		if err := decode(doc, &b); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Finish(); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for an account without texts of its own", n)
	}
}

// TestCrawledAt: a scan of keys sees the crawled_at that decode would.
func TestCrawledAt(t *testing.T) {
	r := inventor{rand.New(rand.NewPCG(7, 8))}
	known := 0
	for range 3000 {
		v := r.pick(r.value(2), r.extended(), "2020-05-20 09:18:42", bson.DateTime(1589966322123), bson.D{{Key: "$date", Value: "2020-05-20T09:18:42Z"}})
		whole := decodeBSON(document(t, setIn("crawled_at", v)))
		at, ok := crawledAt(document(t, bson.D{{Key: "_id", Value: 5}, {Key: "crawled_at", Value: v}}))
		want := whole.Account.CrawledAt
		if whole.Err != nil {
			want = 0
		}
		if ok != (whole.Err == nil) || at != want {
			t.Fatalf("crawled_at %v: got %v, %v; the whole account says %v, %v", v, at, ok, whole.Account.CrawledAt, whole.Err)
		}
		if ok {
			known++
		}
	}
	if known < 500 {
		t.Errorf("only %d were times", known)
	}
	for _, doc := range [][]byte{nil, {5, 0, 0, 0, 0}, {5, 0, 0, 0, 1}} {
		if at, ok := crawledAt(doc); ok || at != 0 {
			t.Errorf("%v gives %v", doc, at)
		}
	}
}

// benchAccount gives the BSON of an account, whole and as a server projects it.
func benchAccount(b *testing.B, account []byte) (whole, projected []byte) {
	b.Helper()
	whole = encoding{}.document(b, account)
	accounts := testAccounts(b)
	if _, err := accounts.InsertOne(b.Context(), bson.Raw(whole)); err != nil {
		b.Fatal(err)
	}
	projected, err := accounts.FindOne(b.Context(), bson.D{}, options.FindOne().SetProjection(neededFields("$"))).Raw()
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
