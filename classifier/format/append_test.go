package format_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"botwatch/classifier"
	"botwatch/classifier/format"
)

// randomAccount makes an account such as a Builder can make.
func randomAccount(rng *rand.Rand) *classifier.Account {
	text := func() string {
		return []string{"", "bob", "\"\\/\n\x00\x1f\x7f", "żółw 😀 \u2028<&>", "12"}[rng.IntN(5)]
	}
	at := func() classifier.Micros {
		switch rng.IntN(5) {
		case 0:
			return classifier.MinMicros
		case 1:
			return classifier.MaxMicros
		case 2:
			return classifier.Micros(rng.Int64N(4e9)) * 1e6
		}
		return classifier.MinMicros + classifier.Micros(rng.Int64N(int64(classifier.MaxMicros-classifier.MinMicros)))
	}
	yes := func() bool { return rng.IntN(2) == 0 }
	a := &classifier.Account{
		UserID: text(), ScreenName: text(), CreatedAt: at(), CrawledAt: at(),
		Followers: rng.Int64(), Statuses: rng.Int64N(3), Verified: yes(), HasURL: yes(), HasLocation: yes(),
	}
	for range rng.IntN(40) {
		tw := classifier.Tweet{At: at()}
		if n := rng.IntN(len(a.Langs) + 2); n > len(a.Langs) {
			a.Langs = append(a.Langs, fmt.Sprint(text(), "l", n))
			tw.Lang = uint32(n)
		} else {
			tw.Lang = uint32(n)
		}
		if tw.Kind = classifier.TweetKind(rng.IntN(16)); tw.Kind&classifier.Retweet != 0 {
			tw.Kind = classifier.Retweet
		} else {
			tw.Favorites, tw.Retweets = rng.Int64(), rng.Int64N(3)
		}
		a.Tweets = append(a.Tweets, tw)
	}
	return a
}

func TestAppendAccount(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		want := randomAccount(rng)
		doc := format.AppendAccount(nil, want)
		if !json.Valid(doc) || strings.Contains(string(doc), "\n") {
			t.Fatalf("no line of JSON: %s", doc)
		}
		got, err := decode(doc)
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-written +read):\n%s\n%s", diff, doc)
		}
	}
}

func TestAppendAccountOfFile(t *testing.T) {
	for _, line := range syntheticLines(t) {
		want, err := decode(accountOf(t, line))
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(format.AppendAccount([]byte(" "), want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	}
}

func TestCrawledAt(t *testing.T) {
	const want = "2020-05-20T09:18:42.5Z"
	cases := []struct{ rule, doc, want string }{
		{"text", `{"user_data": {"crawled_at": "2001-01-01 00:00:00"}, "tweets": [], "crawled_at": "2020-05-20 09:18:42.500000"}`, want},
		{"white space", "\n{ \"crawled_at\" \t:\r\n\"2020-05-20 09:18:42.5\" }", want},
		{"extended JSON", `{"crawled_at": {"$date": "2020-05-20T09:18:42.5Z"}}`, want},
		{"extended JSON, milliseconds", `{"crawled_at": {"$date": {"$numberLong": "1589966322500"}}}`, want},
		{"the last one counts", `{"crawled_at": "2001-01-01 00:00:00", "x": "}", "crawled_at": "2020-05-20 09:18:42.5"}`, want},
		{"a key with an escape", `{"x\"": 1, "crawled\u005fat": "2020-05-20 09:18:42.5"}`, want},
		{"a key with a bad escape", `{"x\q": 1, "crawled_at": "2020-05-20 09:18:42.5"}`, want},
		{"none", `{"tweets": [{"crawled_at": "2020-05-20 09:18:42"}]}`, ""},
		{"null", `{"crawled_at": null}`, ""},
		{"no time", `{"crawled_at": "yesterday"}`, ""},
		{"a number", `{"crawled_at": 5}`, ""},
		{"no object", `[{"crawled_at": "2020-05-20 09:18:42"}]`, ""},
		{"empty", ``, ""},
		{"cut off", `{"crawled_at": "2020-05-20 09`, ""},
		{"no value", `{"crawled_at": }`, ""},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			got := ""
			if at, ok := format.CrawledAt([]byte(tc.doc)); ok {
				got = at.Time().Format(time.RFC3339Nano)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
