package simulate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"botwatch/classifier"
	"botwatch/classifier/format"
	"botwatch/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// decode reads an account as botwatch does; it belongs to the Builder.
func decode(t testing.TB, b *classifier.Builder, doc []byte) (*classifier.Account, error) {
	t.Helper()
	if !json.Valid(doc) {
		t.Fatalf("invalid JSON: %.200s", doc)
	}
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
			for n := range 300 {
				for _, revision := range []int{0, 1, 1000} {
					doc := g.Account(n, revision, now)
					a, err := decode(t, &b, doc.JSON)
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

// A revision keeps the tweets that the one before had, but for the oldest, and
// their counts do not fall.
func TestRevisionsGoOn(t *testing.T) {
	g := simulate.Generator{Seed: 7, Tweets: 30}
	var b classifier.Builder
	newer, grown := 0, 0
	for n := range 200 {
		old, err := decode(t, &b, g.Account(n, 5, epoch).JSON)
		if err != nil {
			t.Fatal(err)
		}
		before := old.Clone()
		after, err := decode(t, &b, g.Account(n, 6, epoch).JSON)
		if err != nil {
			t.Fatal(err)
		}
		if after.Followers < before.Followers || after.Statuses < before.Statuses {
			t.Errorf("account %d: followers or statuses fell", n)
		}
		shift := int(after.Statuses - before.Statuses)
		if shift > 0 {
			newer++
		}
		for i, was := range before.Tweets[:len(before.Tweets)-shift] {
			is := after.Tweets[i+shift]
			if is.At != was.At || is.Kind != was.Kind || is.Favorites < was.Favorites || is.Retweets < was.Retweets {
				t.Fatalf("account %d: tweet %d was %+v, is %+v", n, i, was, is)
			}
			if is.Favorites > was.Favorites || is.Retweets > was.Retweets {
				grown++
			}
		}
	}
	if newer < 100 || grown < 100 {
		t.Errorf("%d accounts of 200 have newer tweets, %d tweets greater counts", newer, grown)
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
	faults := make(map[string]int)
	g := simulate.Generator{Seed: 4, Lean: true}
	var b classifier.Builder
	for n := range 1000 {
		b.Reset()
		err := format.DecodeJSON(g.Poison(n, n%3, epoch).JSON, &b)
		if err == nil {
			_, err = b.Finish()
		}
		var fault *classifier.FieldError
		if !errors.As(err, &fault) {
			t.Fatalf("account %d decodes: %v", n, err)
		}
		faults[string(fault.Code)+" "+fault.Field]++
	}
	if len(faults) < 6 {
		t.Errorf("kinds of poison: %v, want 6", faults)
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
