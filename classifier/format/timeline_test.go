package format_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"botwatch/classifier"
	"botwatch/classifier/format"
)

func tweet(at, more, user string) string {
	return `{"created_at": "` + at + `", ` + more + `"retweet_count": 1, "favorite_count": 2, "entities": {"user_mentions": [], "hashtags": []}, "user": {` +
		user + `, "statuses_count": 9, "created_at": "Sat Jan 02 03:04:05 +0000 2010"}}`
}

// timelineInput holds the tweets of three users in turn.
var timelineInput = strings.Join([]string{
	tweet("Wed May 20 09:18:42 +0000 2020", `"lang": "en", `, `"id_str": "1", "screen_name": "old", "followers_count": 5`),
	tweet("Wed May 20 10:18:42 +0000 2020", `"lang": "de", "crawled_at": "2020-06-01 00:00:00", `, `"id_str": "2", "followers_count": 1`),
	tweet("Thu May 21 09:18:42 +0000 2020", `"lang": "de", "in_reply_to_status_id": 5, `, `"id_str": "1", "screen_name": "new", "followers_count": 6`),
	tweet("Wed May 20 10:00:00 +0000 2020", `"lang": "en", "crawled_at": "2020-06-02 00:00:00", "retweeted_status": {}, `, `"id_str": "2", "followers_count": 2`),
	tweet("Mon May 18 09:18:42 +0000 2020", `"lang": "en", `, `"id_str": "1", "screen_name": "older", "followers_count": 4`),
	tweet("Mon May 18 09:18:42 +0000 2020", ``, `"id": {"$numberLong": "3"}, "followers_count": 4`),
}, "\n") + "\n"

func moment(t *testing.T, text string) classifier.Micros {
	t.Helper()
	at, ok := format.CrawledAt([]byte(`{"crawled_at": "` + text + `"}`))
	if !ok {
		t.Fatalf("no time: %s", text)
	}
	return at
}

func TestTimeline(t *testing.T) {
	at := func(text string) classifier.Micros { return moment(t, text) }
	opened, crawled := at("2010-01-02 03:04:05"), at("2020-07-01 00:00:00")
	want := []classifier.Account{
		{UserID: "1", ScreenName: "new", CreatedAt: opened, CrawledAt: crawled, Followers: 6, Statuses: 9, Langs: []string{"en", "de"}, Tweets: []classifier.Tweet{
			{At: at("2020-05-20 09:18:42"), Favorites: 2, Retweets: 1, Lang: 1},
			{At: at("2020-05-21 09:18:42"), Favorites: 2, Retweets: 1, Lang: 2, Kind: classifier.Reply},
			{At: at("2020-05-18 09:18:42"), Favorites: 2, Retweets: 1, Lang: 1},
		}},
		{UserID: "2", CreatedAt: opened, CrawledAt: at("2020-06-02 00:00:00"), Followers: 1, Statuses: 9, Langs: []string{"de", "en"}, Tweets: []classifier.Tweet{
			{At: at("2020-05-20 10:18:42"), Favorites: 2, Retweets: 1, Lang: 1},
			{At: at("2020-05-20 10:00:00"), Lang: 2, Kind: classifier.Retweet},
		}},
		{UserID: "3", CreatedAt: opened, CrawledAt: crawled, Followers: 4, Statuses: 9, Tweets: []classifier.Tweet{
			{At: at("2020-05-18 09:18:42"), Favorites: 2, Retweets: 1},
		}},
	}
	for rule, input := range map[string]string{
		"NDJSON": timelineInput,
		"array":  "[" + strings.ReplaceAll(strings.TrimSpace(timelineInput), "\n", ",\n") + "]",
	} {
		t.Run(rule, func(t *testing.T) {
			rd, err := format.OpenInBlocks(strings.NewReader(input), format.Options{CrawledAt: crawled}, 100)
			if err != nil {
				t.Fatal(err)
			}
			var got []classifier.Account
			var keys []string
			err = format.Each(rd, 2, func(_ int, f *format.Frame, a *classifier.Account, err error) error {
				got, keys = append(got, *a.Clone()), append(keys, f.Key+" "+string(f.KeyJSON))
				return err
			}, func(err error) error { return err })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{`1 "1"`, `2 "2"`, `3 "3"`}, keys); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTimelineFaults(t *testing.T) {
	good := tweet("Wed May 20 09:18:42 +0000 2020", `"crawled_at": "2020-06-02 00:00:00", `, `"id": 1, "followers_count": 5`)
	const flag = "crawled_at: is missing; a timeline does not say when it was crawled: give the time with --crawled-at"
	cases := []struct {
		rule, input string
		want        []row
		end         string
	}{
		{"no crawled_at", strings.SplitAfter(timelineInput, "\n")[0], []row{brief("1", `"1"`, "old", flag)}, ""},
		{"one bad tweet costs its user's account alone",
			good + "\n" + strings.Replace(good, `"retweet_count": 1`, `"retweet_count": -1`, 1) + "\n" + strings.Replace(good, `"id": 1`, `"id": 2`, 1),
			[]row{brief("1", `"1"`, "", "tweets[1].retweet_count: is -1; want a whole number from 0 to 9223372036854775807"), brief("2", `"2"`, "", "")}, ""},
		{"a bad user", strings.Replace(good, `"followers_count": 5`, `"followers_count": null`, 1),
			[]row{brief("1", `"1"`, "", "tweets[0].user.followers_count: is missing; want a whole number from 0 to 9223372036854775807")}, ""},
		{"broken lines are rows of their own", "{\"user_da\n" + good + "\n{\"x\": tru}\n" + strings.Replace(good, `"id": 1, `, "", 1),
			[]row{
				brief("", "", "", "is not JSON: it ends too early at byte 9"),
				brief("1", `"1"`, "", ""),
				brief("", "", "", "is not JSON: unexpected '}' at byte 9"),
				brief("", "", "", "user.id: is missing; a tweet of a timeline must name its user"),
			}, ""},
		{"a timeline cut off keeps what came before", "[" + good + ", {", []row{brief("1", `"1"`, "", "")}, "the input is cut off: it ends at byte 291 in line 1; accounts before it: 1"},
	}
	for _, tc := range cases {
		t.Run(tc.rule, func(t *testing.T) {
			got, err := readRows(strings.NewReader(tc.input), format.Options{})
			for i := range got {
				if got[i].Index != i {
					t.Errorf("row %d has index %d", i, got[i].Index)
				}
				got[i].Place, got[i].Index = "", 0
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.end, errText(err)); diff != "" {
				t.Errorf("end (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("more than may be held", func(t *testing.T) {
		rows, err := readRows(strings.NewReader(strings.Repeat(good+"\n", 1000)), format.Options{MaxTimelines: 10_000})
		var fault *classifier.FieldError
		if !errors.As(err, &fault) || fault.Code != classifier.CodeTooLarge || len(rows) != 0 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
}
