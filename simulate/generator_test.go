package simulate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"botwatch/classifier"
	"botwatch/classifier/format"
	"botwatch/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// decode reads an account as botwatch does; it belongs to the Builder.
func decode(b *classifier.Builder, doc []byte) (*classifier.Account, error) {
	b.Reset()
	if err := format.DecodeJSON(doc, b); err != nil {
		return nil, err
	}
	return b.Finish()
}

func TestAccountsDecode(t *testing.T) {
	now := epoch.Add(36 * time.Hour)
	for _, g := range []simulate.Generator{
		{}, {Seed: 1}, {Seed: 1, Lean: true}, {Seed: 2, Tweets: 20},
		{Seed: 3, Tweets: 7, Lean: true, Epoch: epoch.Add(-1234567 * time.Second)},
	} {
		t.Run(fmt.Sprintf("%+v", g), func(t *testing.T) {
			var b classifier.Builder
			for n := range 100 {
				for _, revision := range []int{0, 1, 1000} {
					doc := g.Account(n, revision, now)
					if !json.Valid(doc.JSON) {
						t.Fatalf("account %d, revision %d: invalid JSON", n, revision)
					}
					a, err := decode(&b, doc.JSON)
					if err != nil {
						t.Fatalf("account %d, revision %d: %v", n, revision, err)
					}
					checkAccount(t, g, n, doc.ID, a)
				}
			}
		})
	}
}

func checkAccount(t *testing.T, g simulate.Generator, n int, id string, a *classifier.Account) {
	t.Helper()
	if a.UserID != id || id != fmt.Sprint(9_000_000_000_000+n) {
		t.Errorf("account %d: id %q, user id %q", n, id, a.UserID)
	}
	if !strings.HasPrefix(a.ScreenName, "synthetic_") {
		t.Errorf("account %d: screen name %q does not say that it is synthetic", n, a.ScreenName)
	}
	if g.Tweets > 0 && len(a.Tweets) != g.Tweets {
		t.Errorf("account %d: %d tweets, want %d", n, len(a.Tweets), g.Tweets)
	}
	if len(a.Tweets) > 200 || int(a.Statuses) < len(a.Tweets) {
		t.Errorf("account %d: %d tweets of %d statuses", n, len(a.Tweets), a.Statuses)
	}
	for i, tweet := range a.Tweets {
		if tweet.At < a.CreatedAt || tweet.At > a.CrawledAt {
			t.Errorf("account %d: tweet %d at %v, opened %v, crawled %v", n, i, tweet.At.Time(), a.CreatedAt.Time(), a.CrawledAt.Time())
		}
	}
}

// What the seed, the number, the revision and the moment decide comes again;
// any of them changes it.
func TestAccountIsDetermined(t *testing.T) {
	g := simulate.Generator{Seed: 7}
	other := simulate.Generator{Seed: 8}
	for n := range 100 {
		doc := g.Account(n, 2, epoch)
		if again := g.Account(n, 2, epoch); again.ID != doc.ID || !bytes.Equal(again.JSON, doc.JSON) {
			t.Fatalf("account %d differs from itself", n)
		}
		if got := g.AppendAccount([]byte("x"), n, 2, epoch); string(got) != "x"+string(doc.JSON) {
			t.Fatalf("account %d: AppendAccount and Account differ", n)
		}
		for name, d := range map[string]simulate.Doc{
			"seed": other.Account(n, 2, epoch), "number": g.Account(n+1, 2, epoch), "moment": g.Account(n, 2, epoch.Add(time.Second)),
		} {
			if bytes.Equal(d.JSON, doc.JSON) {
				t.Errorf("account %d: another %s gives the same", n, name)
			}
		}
	}
}

// timeline is what a revision must keep or raise.
type timeline struct {
	User struct {
		Followers int `json:"followers_count"`
		Statuses  int `json:"statuses_count"`
	} `json:"user_data"`
	Tweets []struct {
		ID        int64           `json:"id"`
		CreatedAt string          `json:"created_at"`
		Text      string          `json:"full_text"`
		Lang      string          `json:"lang"`
		Entities  json.RawMessage `json:"entities"`
		Reply     json.RawMessage `json:"in_reply_to_status_id"`
		Likes     int             `json:"favorite_count"`
		Shares    int             `json:"retweet_count"`
	}
}

func readTimeline(t *testing.T, doc simulate.Doc) (l timeline) {
	t.Helper()
	if err := json.Unmarshal(doc.JSON, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// A revision keeps the tweets that the one before had, but for the oldest, and
// no count falls.
func TestRevisionsGoOn(t *testing.T) {
	g := simulate.Generator{Seed: 7, Tweets: 30, Lean: true}
	newer, grown := 0, 0
	for n := range 300 {
		step := n % 6
		was, is := readTimeline(t, g.Account(n, step, epoch)), readTimeline(t, g.Account(n, step+1, epoch))
		if is.User.Followers < was.User.Followers || is.User.Statuses < was.User.Statuses {
			t.Errorf("account %d: followers or statuses fell", n)
		}
		shift := is.User.Statuses - was.User.Statuses
		if shift > 0 {
			newer++
		}
		for i, old := range was.Tweets[:len(was.Tweets)-shift] {
			tweet := is.Tweets[i+shift]
			if tweet.Likes < old.Likes || tweet.Shares < old.Shares {
				t.Fatalf("account %d: the counts of tweet %d fell", n, old.ID)
			}
			if tweet.Likes > old.Likes || tweet.Shares > old.Shares {
				grown++
			}
			tweet.Likes, tweet.Shares = old.Likes, old.Shares
			if !reflect.DeepEqual(old, tweet) { // cmp takes long for so many
				t.Fatalf("account %d: a tweet changed:\n%s", n, cmp.Diff(old, tweet))
			}
		}
	}
	if newer < 150 || grown < 1500 {
		t.Errorf("%d of 300 accounts have newer tweets, %d of about 9,000 tweets greater counts", newer, grown)
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		lean   bool
		lo, hi int
	}{{false, 900, 1300}, {true, 300, 550}} {
		size := 0
		for n := range 100 {
			size += len(simulate.Generator{Seed: 1, Tweets: 50, Lean: c.lean}.Account(n, 0, epoch).JSON)
		}
		if per := size / 100 / 50; per < c.lo || per > c.hi {
			t.Errorf("lean %v: %d bytes a tweet, want %d to %d", c.lean, per, c.lo, c.hi)
		}
	}
}

// Every kind of poison keeps the account from being decoded, whatever else it
// holds, and all of them occur.
func TestPoison(t *testing.T) {
	for _, strict := range []bool{false, true} {
		faults := make(map[string]int)
		g := simulate.Generator{Seed: 4, Lean: true, Strict: strict}
		var b classifier.Builder
		invalid := 0
		for n := range 1000 {
			doc := g.Poison(n, n%3, epoch).JSON
			_, err := decode(&b, doc)
			var fault *classifier.FieldError
			if !errors.As(err, &fault) {
				t.Fatalf("account %d decodes: %v", n, err)
			}
			faults[string(fault.Code)+" "+fault.Field]++
			if !json.Valid(doc) {
				invalid++
			}
		}
		if len(faults) < 6 {
			t.Errorf("kinds of poison: %v, want 6", faults)
		}
		if (invalid > 0) == strict {
			t.Errorf("strict %v: %d of 1000 are no JSON", strict, invalid)
		}
	}
}

func BenchmarkAccount(b *testing.B) {
	for _, lean := range []bool{false, true} {
		b.Run(fmt.Sprintf("tweets=20/lean=%v", lean), func(b *testing.B) {
			g := simulate.Generator{Seed: 1, Tweets: 20, Lean: lean}
			var dst []byte
			bytes, n := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				dst = g.AppendAccount(dst[:0], n, 0, epoch)
				bytes += len(dst)
				n++
			}
			b.SetBytes(int64(bytes / n))
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "accounts/s")
		})
	}
}
