// Package simulate invents crawled accounts, and a crawler that inserts,
// updates and deletes them at a given rate. Everything follows from a seed, and
// nothing in it is, or is drawn from, a real person's data.
package simulate

import (
	"strconv"
	"time"
)

// Generator invents accounts in the upload format. An account is decided by
// the generator's fields, the account's number, its revision and the moment of
// the crawl: on one platform, the same ones give the same bytes. The zero
// Generator is ready. It is safe for concurrent use.
type Generator struct {
	// Seed decides everything that is drawn.
	Seed uint64
	// Tweets is how many tweets each account holds. 0 gives 5 to 200, few more
	// often than many, and a small share of accounts that hold 0 or 1 at first.
	Tweets int
	// Lean leaves out most of what classification does not need: about 450 bytes
	// a tweet in place of about 1,200.
	Lean bool
	// Strict keeps poison to valid JSON, for stores that take nothing else: what
	// JSON cannot say, NaN, is extended JSON then, as MongoDB has it.
	Strict bool
	// Epoch is when the first crawls take place: accounts and tweets are older.
	// The zero Epoch is 2026-01-01 00:00 UTC.
	Epoch time.Time
}

// Doc is one account.
type Doc struct {
	ID   string // as user_data.id_str has it: 9000000000000 + the account's number
	JSON []byte // {"user_data": {…}, "tweets": […], "crawled_at": …}
}

// reserve is how many slots for tweets lie between an account's newest tweet at
// its first crawl and the epoch; later revisions fill them.
const reserve = 40

// The numbers of tweets that are drawn. The API gives a timeline's newest 200.
const (
	minTweets = 5
	maxTweets = 200
)

// defaultEpoch is 2026-01-01 00:00 UTC in seconds.
const defaultEpoch = 1767225600

// Account gives account n, 0 to 10^12, at a revision, 0 for its first crawl.
// Each revision that follows brings newer tweets, as far as they lie before
// now, or greater counts; in some accounts a revision changes the class, say
// where what nobody shared becomes amplified. now is when the account is
// crawled, the epoch or later.
func (g Generator) Account(n, revision int, now time.Time) Doc {
	a := g.account(n)
	size := 1 << 10
	if g.Lean {
		size += 600 * a.tweets
	} else {
		size += 1400 * a.tweets
	}
	return Doc{ID: id(n), JSON: a.append(make([]byte, 0, size), revision, now.UTC(), g.Lean)}
}

// AppendAccount appends to dst what Account gives as JSON.
func (g Generator) AppendAccount(dst []byte, n, revision int, now time.Time) []byte {
	a := g.account(n)
	return a.append(dst, revision, now.UTC(), g.Lean)
}

// Profile names what account n is made to look like at its first crawl: a
// class by its slug in the published model, "thin" for an account of less than
// 2 tweets, or "retweets_only". What a model says of it may be another class.
func (g Generator) Profile(n int) string { return g.account(n).profile.slug }

func id(n int) string { return strconv.FormatInt(firstID+int64(n), 10) }

// dice is a splitmix64 generator.
type dice uint64

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// roll gives a dice of its own for the k-th thing that d decides.
func (d dice) roll(k int) dice {
	d += dice(uint64(k+1) * 0xd6e8feb86659fd93)
	return dice(d.next())
}

// unit gives 0 ≤ x < 1.
func (d *dice) unit() float64 { return float64(d.next()>>11) / (1 << 53) }

// below gives 0 ≤ i < n.
func (d *dice) below(n int) int { return int(d.next() >> 33 % uint64(n)) }

// bell gives a number that is roughly normal, of mean 0 and deviation 1, and
// never beyond 3.5.
func (d *dice) bell() float64 {
	a, b := d.next(), d.next()
	sum := a>>32 + a&0xffffffff + b>>32 + b&0xffffffff
	return (float64(sum)/(1<<32) - 2) * 1.7320508
}
