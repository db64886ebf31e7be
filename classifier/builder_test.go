package classifier_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"botwatch/classifier"
	"botwatch/classifier/format"
)

// wholeUser and wholeTweet are all that an account needs, as JSON.
const (
	wholeUser  = `"followers_count": 1, "statuses_count": 2, "created_at": "2010-01-01 00:00:00"`
	wholeTweet = `"created_at": "2020-05-20 09:18:42", "retweet_count": 3, "favorite_count": 4, "entities": {"user_mentions": [], "hashtags": []}`
)

func accountJSON(user, tweets string) string {
	return `{"user_data": {` + user + `}, "tweets": [` + tweets + `], "crawled_at": "2020-06-01 00:00:00"}`
}

// build pushes JSON into b.
func build(t *testing.T, b *classifier.Builder, doc string) (*classifier.Account, error) {
	t.Helper()
	b.Reset()
	if err := format.DecodeJSON([]byte(doc), b); err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return b.Finish()
}

func TestBuilderUser(t *testing.T) {
	cases := []struct {
		rule, members string
		want          classifier.Account // beside what wholeUser says
	}{
		{"nothing but the needed", ``, classifier.Account{}},
		{"verified", `, "verified": true`, classifier.Account{Verified: true}},
		{"verified null", `, "verified": true, "verified": null`, classifier.Account{}},
		{"a url of any type", `, "url": {"a": 1}`, classifier.Account{HasURL: true}},
		{"url null", `, "url": "x", "url": null`, classifier.Account{}},
		{"an empty url is not null", `, "url": ""`, classifier.Account{HasURL: true}},
		{"location", `, "location": "x"`, classifier.Account{HasLocation: true}},
		{"location empty", `, "location": "x", "location": ""`, classifier.Account{}},
		{"id_str before id", `, "id_str": "12", "id": 13`, classifier.Account{UserID: "12"}},
		{"id alone", `, "id": 13`, classifier.Account{UserID: "13"}},
		{"an id that is text", `, "id": "13"`, classifier.Account{UserID: "13"}},
		{"an id beyond 64 bits keeps its digits", `, "id": 123456789012345678901234567890`, classifier.Account{UserID: "123456789012345678901234567890"}},
		{"an id in extended JSON", `, "id": {"$numberLong": "13"}`, classifier.Account{UserID: "13"}},
		{"id_str null", `, "id_str": null, "id": 13`, classifier.Account{UserID: "13"}},
		{"screen_name", `, "screen_name": "a", "screen_name": "b"`, classifier.Account{ScreenName: "b"}},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			var b classifier.Builder
			got, err := build(t, &b, accountJSON(wholeUser+tc.members, ""))
			if err != nil {
				t.Fatal(err)
			}
			want := tc.want
			want.Followers, want.Statuses = 1, 2
			ignore := cmpopts.IgnoreFields(classifier.Account{}, "CreatedAt", "CrawledAt")
			if diff := cmp.Diff(&want, got, ignore, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBuilderTweets(t *testing.T) {
	own := classifier.Tweet{Retweets: 3, Favorites: 4}
	with := func(change func(*classifier.Tweet)) classifier.Tweet {
		tw := own
		change(&tw)
		return tw
	}
	kind := func(k classifier.TweetKind) classifier.Tweet {
		return with(func(tw *classifier.Tweet) { tw.Kind = k })
	}
	retweet := classifier.Tweet{Kind: classifier.Retweet}
	cases := []struct {
		rule, tweets string
		want         []classifier.Tweet
		langs        []string
	}{
		{"an own tweet", `{` + wholeTweet + `}`, []classifier.Tweet{own}, nil},
		{"a retweet by its key alone", `{` + wholeTweet + `, "in_reply_to_status_id": 1, "retweeted_status": null}`, []classifier.Tweet{retweet}, nil},
		{"a retweet needs only its time", `{"retweeted_status": {}, "created_at": "2020-05-20 09:18:42"}`, []classifier.Tweet{retweet}, nil},
		{"a reply", `{` + wholeTweet + `, "in_reply_to_status_id": {"$numberLong": "1"}}`, []classifier.Tweet{kind(classifier.Reply)}, nil},
		{"a reply to null is none", `{` + wholeTweet + `, "in_reply_to_status_id": 1, "in_reply_to_status_id": null}`, []classifier.Tweet{own}, nil},
		{"mentions and hashtags of any type", `{` + wholeTweet + `, "entities": {"user_mentions": [null], "hashtags": [[], {}]}}`,
			[]classifier.Tweet{kind(classifier.Mentions | classifier.Hashtags)}, nil},
		{"the last entities count", `{` + wholeTweet + `, "entities": {"user_mentions": [1], "hashtags": [1]}, "entities": {"user_mentions": [], "hashtags": [1], "hashtags": []}}`,
			[]classifier.Tweet{own}, nil},
		{"languages in the order of their first use", `{` + wholeTweet + `, "lang": "b"}, {` + wholeTweet + `, "lang": "a"}, {` + wholeTweet + `, "lang": "b"}`,
			[]classifier.Tweet{with(func(tw *classifier.Tweet) { tw.Lang = 1 }), with(func(tw *classifier.Tweet) { tw.Lang = 2 }), with(func(tw *classifier.Tweet) { tw.Lang = 1 })}, []string{"b", "a"}},
		{"und, empty and null are no languages", `{` + wholeTweet + `, "lang": "und"}, {` + wholeTweet + `, "lang": ""}, {` + wholeTweet + `, "lang": null}`,
			[]classifier.Tweet{own, own, own}, nil},
		{"a lang that comes twice counts once", `{` + wholeTweet + `, "lang": "a", "lang": "b"}, {` + wholeTweet + `, "lang": "a", "lang": null}`,
			[]classifier.Tweet{with(func(tw *classifier.Tweet) { tw.Lang = 1 }), own}, []string{"b"}},
		{"the last tweets count", `{` + wholeTweet + `, "lang": "a"}], "tweets": [{` + wholeTweet + `}`, []classifier.Tweet{own}, nil},
		{"counts in extended JSON and as floats", `{` + wholeTweet + `, "retweet_count": {"$numberInt": "5"}, "favorite_count": 6.0}`,
			[]classifier.Tweet{{Retweets: 5, Favorites: 6}}, nil},
		{"counts as decimals", `{` + wholeTweet + `, "retweet_count": {"$numberDecimal": "5.0"}, "favorite_count": {"$numberDouble": "6"}}`,
			[]classifier.Tweet{{Retweets: 5, Favorites: 6}}, nil},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			var b classifier.Builder
			got, err := build(t, &b, accountJSON(wholeUser, tc.tweets))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.Tweets, cmpopts.IgnoreFields(classifier.Tweet{}, "At")); diff != "" {
				t.Errorf("tweets (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.langs, got.Langs, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("languages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBuilderFaults(t *testing.T) {
	const (
		aCount = "want a whole number from 0 to 9223372036854775807"
		aTime  = `want a time such as "2020-05-20 09:18:42", "2020-05-20T09:18:42Z" or "Wed May 20 09:18:42 +0000 2020"`
	)
	tweet := func(members string) string {
		return accountJSON(wholeUser, "{"+wholeTweet+"}, {"+wholeTweet+members+"}")
	}
	user := func(members string) string { return accountJSON(wholeUser+members, "") }
	cases := []struct {
		rule, doc string
		want      classifier.FieldError
	}{
		{"a root that is an array", `[]`, classifier.FieldError{Code: classifier.CodeWrongType, Message: "an account is an object with user_data, tweets and crawled_at"}},
		{"a root that is text", `"x"`, classifier.FieldError{Code: classifier.CodeWrongType, Message: "an account is an object with user_data, tweets and crawled_at"}},
		{"no user_data", `{}`, classifier.FieldError{Code: classifier.CodeMissing, Field: "user_data", Message: "is missing; want the account's user object"}},
		{"user_data null", `{"user_data": null}`, classifier.FieldError{Code: classifier.CodeMissing, Field: "user_data", Message: "is missing; want the account's user object"}},
		{"user_data an array", `{"user_data": []}`, classifier.FieldError{Code: classifier.CodeWrongType, Field: "user_data", Message: "want the account's user object"}},
		{"no tweets", `{"user_data": {` + wholeUser + `}, "crawled_at": "2020-01-01 00:00:00"}`, classifier.FieldError{Code: classifier.CodeMissing, Field: "tweets", Message: "is missing; want an array of tweets"}},
		{"tweets an object", `{"tweets": {}}`, classifier.FieldError{Code: classifier.CodeWrongType, Field: "tweets", Message: "want an array of tweets"}},
		{"no crawled_at", `{"user_data": {` + wholeUser + `}, "tweets": []}`, classifier.FieldError{Code: classifier.CodeMissing, Field: "crawled_at", Message: "is missing; " + aTime}},
		{"a negative count", user(`, "statuses_count": -1`), classifier.FieldError{Code: classifier.CodeBadNumber, Field: "user_data.statuses_count", Message: "is -1; " + aCount}},
		{"a fractional count", user(`, "statuses_count": 1.5`), classifier.FieldError{Code: classifier.CodeBadNumber, Field: "user_data.statuses_count", Message: "is 1.5; " + aCount}},
		{"a count beyond 64 bits", user(`, "statuses_count": 9223372036854775808`), classifier.FieldError{Code: classifier.CodeBadNumber, Field: "user_data.statuses_count", Message: "is 9.223372036854776e+18; " + aCount}},
		{"a count that is text", user(`, "statuses_count": "1"`), classifier.FieldError{Code: classifier.CodeWrongType, Field: "user_data.statuses_count", Message: aCount}},
		{"a count that is another object", user(`, "statuses_count": {"a": 1}`), classifier.FieldError{Code: classifier.CodeWrongType, Field: "user_data.statuses_count", Message: "is an object; " + aCount}},
		{"a count that is an empty object", user(`, "statuses_count": {}`), classifier.FieldError{Code: classifier.CodeWrongType, Field: "user_data.statuses_count", Message: "is an object; " + aCount}},
		{"a count that is a date", user(`, "statuses_count": {"$date": 5}`), classifier.FieldError{Code: classifier.CodeWrongType, Field: "user_data.statuses_count", Message: aCount}},
		{"a bad extended count", user(`, "statuses_count": {"$numberLong": "x"}`), classifier.FieldError{Code: classifier.CodeBadNumber, Field: "user_data.statuses_count", Message: `is "x"; ` + aCount}},
		{"verified is text", user(`, "verified": "yes"`), classifier.FieldError{Code: classifier.CodeWrongType, Field: "user_data.verified", Message: "want true or false"}},
		{"a bad time", user(`, "created_at": "soon"`), classifier.FieldError{Code: classifier.CodeBadTime, Field: "user_data.created_at", Message: `is "soon"; ` + aTime}},
		{"a long bad time is cut", user(`, "created_at": "` + strings.Repeat("x", 50) + `"`), classifier.FieldError{Code: classifier.CodeBadTime, Field: "user_data.created_at", Message: `is "` + strings.Repeat("x", 40) + `"…; ` + aTime}},
		{"a time that is a number", user(`, "created_at": 5`), classifier.FieldError{Code: classifier.CodeWrongType, Field: "user_data.created_at", Message: aTime}},
		{"a date out of range", user(`, "created_at": {"$date": {"$numberLong": "999999999999999"}}`), classifier.FieldError{Code: classifier.CodeBadTime, Field: "user_data.created_at", Message: "lies outside the years 1 to 9999"}},
		{"a time whose zone leaves the years", user(`, "created_at": "0001-01-01T00:00:00+01:00"`), classifier.FieldError{Code: classifier.CodeBadTime, Field: "user_data.created_at", Message: "lies outside the years 1 to 9999"}},
		{"a tweet that is no object", accountJSON(wholeUser, `{`+wholeTweet+`}, 5`), classifier.FieldError{Code: classifier.CodeWrongType, Field: "tweets[1]", Message: "want a tweet object"}},
		{"a tweet without time", accountJSON(wholeUser, `{`+wholeTweet+`}, {}`), classifier.FieldError{Code: classifier.CodeMissing, Field: "tweets[1].created_at", Message: "is missing; " + aTime}},
		{"a tweet without count", tweet(`, "retweet_count": null`), classifier.FieldError{Code: classifier.CodeMissing, Field: "tweets[1].retweet_count", Message: "is missing; " + aCount}},
		{"a tweet without entities", tweet(`, "entities": null`), classifier.FieldError{Code: classifier.CodeMissing, Field: "tweets[1].entities.user_mentions", Message: "is missing; want an array"}},
		{"a tweet without hashtags", tweet(`, "entities": {"user_mentions": []}`), classifier.FieldError{Code: classifier.CodeMissing, Field: "tweets[1].entities.hashtags", Message: "is missing; want an array"}},
		{"hashtags that are an object", tweet(`, "entities": {"hashtags": {}}`), classifier.FieldError{Code: classifier.CodeWrongType, Field: "tweets[1].entities.hashtags", Message: "want an array"}},
		{"a lang that is a number", tweet(`, "lang": 5`), classifier.FieldError{Code: classifier.CodeWrongType, Field: "tweets[1].lang", Message: "want a string"}},
		{"the first fault stays", accountJSON(wholeUser, `{}, {"lang": 5}`), classifier.FieldError{Code: classifier.CodeMissing, Field: "tweets[0].created_at", Message: "is missing; " + aTime}},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			var b classifier.Builder
			_, err := build(t, &b, tc.doc)
			if diff := cmp.Diff(error(&tc.want), err); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestBuilderPushes covers what JSON cannot push.
func TestBuilderPushes(t *testing.T) {
	push := func(key string, value func(*classifier.Builder)) (*classifier.Account, error) {
		var b classifier.Builder
		b.Reset()
		b.BeginObject()
		if b.Key([]byte("user_data")) && b.BeginObject() {
			for _, name := range []string{"followers_count", "statuses_count", "created_at", key} {
				if !b.Key([]byte(name)) {
					t.Fatalf("%s is not wanted", name)
				}
				switch {
				case name == key:
					value(&b)
				case name == "created_at":
					b.Time(5)
				default:
					b.Int(7)
				}
			}
			b.EndObject()
		}
		if b.Key([]byte("tweets")) && b.BeginArray() {
			b.EndArray()
		}
		if b.Key([]byte("crawled_at")) {
			b.Time(9)
		}
		b.EndObject()
		return b.Finish()
	}
	cases := []struct {
		rule, key string
		value     func(*classifier.Builder)
		want      string
	}{
		{"a time", "created_at", func(b *classifier.Builder) { b.Time(classifier.MaxMicros) }, ""},
		{"a time out of range", "created_at", func(b *classifier.Builder) { b.Time(classifier.MaxMicros + 1) }, "user_data.created_at: lies outside the years 1 to 9999"},
		{"a time for a count", "followers_count", func(b *classifier.Builder) { b.Time(1) }, "user_data.followers_count: want a whole number from 0 to 9223372036854775807"},
		{"a whole float", "followers_count", func(b *classifier.Builder) { b.Float(1 << 60) }, ""},
		{"not a number", "followers_count", func(b *classifier.Builder) { b.Float(math.NaN()) }, "user_data.followers_count: is NaN; want a whole number from 0 to 9223372036854775807"},
		{"infinity", "followers_count", func(b *classifier.Builder) { b.Float(math.Inf(1)) }, "user_data.followers_count: is +Inf; want a whole number from 0 to 9223372036854775807"},
		{"the reader's own fault", "followers_count", func(b *classifier.Builder) { b.Fail(classifier.CodeTooLarge, "is huge") }, "user_data.followers_count: is huge"},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			got := ""
			if _, err := push(tc.key, tc.value); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestBuilderIsReusable checks that nothing of an account stays for the next.
func TestBuilderIsReusable(t *testing.T) {
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `{%s, "lang": "l%d"}, `, wholeTweet, i)
	}
	docs := []string{
		accountJSON(wholeUser+`, "id": 5, "screen_name": "x", "verified": true, "url": 1, "location": "y"`, many.String()+`{`+wholeTweet+`, "lang": "z"}`),
		`{"user_data": 5`,
		accountJSON(wholeUser, `{`+wholeTweet+`, "lang": "l5"}`),
		accountJSON(wholeUser, strings.Repeat(`{`+wholeTweet+`},`, 1<<17)+`{`+wholeTweet+`}`),
		`[]`,
		accountJSON(wholeUser, ``),
	}
	var used classifier.Builder
	for range 2 {
		for i, doc := range docs {
			var fresh classifier.Builder
			fresh.Reset()
			used.Reset()
			format.DecodeJSON([]byte(doc), &fresh)
			format.DecodeJSON([]byte(doc), &used)
			want, wantErr := fresh.Finish()
			got, gotErr := used.Finish()
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%d (-fresh +used):\n%s", i, diff)
			}
			if diff := cmp.Diff(wantErr, gotErr); diff != "" {
				t.Errorf("%d (-fresh +used):\n%s", i, diff)
			}
		}
	}
}

func TestBuilderAllocatesLittle(t *testing.T) {
	doc := []byte(accountJSON(wholeUser, strings.Repeat(`{`+wholeTweet+`, "lang": "en"},`, 99)+`{`+wholeTweet+`, "lang": "de"}`))
	var b classifier.Builder
	n := testing.AllocsPerRun(100, func() {
		b.Reset()
		if err := format.DecodeJSON(doc, &b); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Finish(); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for an account without texts", n)
	}
}

func TestAccountTimes(t *testing.T) {
	var b classifier.Builder
	got, err := build(t, &b, accountJSON(wholeUser, `{`+wholeTweet+`}`))
	if err != nil {
		t.Fatal(err)
	}
	for rule, c := range map[string]struct {
		at   classifier.Micros
		want time.Time
	}{
		"created_at of the user":  {got.CreatedAt, time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)},
		"created_at of the tweet": {got.Tweets[0].At, time.Date(2020, 5, 20, 9, 18, 42, 0, time.UTC)},
		"crawled_at":              {got.CrawledAt, time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if !c.at.Time().Equal(c.want) {
			t.Errorf("%s: got %v, want %v", rule, c.at.Time(), c.want)
		}
	}
}
