package simulate

import (
	"math"
	"time"
)

// account is what is drawn once for an account, whatever its revision.
type account struct {
	n       int
	dice    dice
	profile *profile
	turn    int // the revision at which it finds its profile's later echo; 0 for never

	tweets    int // held at the first crawl
	grows     bool
	created   int64   // seconds since 1970
	first     float64 // weeks since Monday, 1970-01-05: the slot of tweet 0
	gap       float64 // weeks
	shift     float64 // weeks: the time zone
	statuses  int64   // before tweet 0
	followers int64
	langs     int
	habits    habits
	scale     float64 // of the counts of its echo
	ruby      bool    // times in v1.1's own form
}

const (
	weekSeconds = 7 * 86400
	firstMonday = 4 * 86400
)

func (g Generator) account(n int) account {
	epoch := int64(defaultEpoch)
	if !g.Epoch.IsZero() {
		epoch = g.Epoch.Unix()
	}
	root := dice(g.Seed).roll(n)
	d := root.roll(-1)
	a := account{n: n, dice: root}
	a.profile, a.tweets, a.grows = g.draw(&d)
	p := a.profile
	if p.later != nil && d.below(6) == 0 {
		a.turn = 1 + d.below(3)
	}
	a.langs = int(p.langs.draw(&d))
	a.followers = int64(p.followers.draw(&d))
	a.scale = math.Exp(0.5 * d.bell())
	a.habits = p.habits.vary(&d)
	a.shift = float64(d.below(24)) / 168
	a.ruby = d.below(4) == 0

	// All slots lie between the account's opening and the epoch.
	age := p.age.draw(&d)
	idle := min(1+p.idle.draw(&d), 0.5*age) // a day, since a clock moves tweets that far
	slots := float64(a.tweets + reserve)
	gap := min(p.gap.draw(&d), 0.9*(age-idle)/slots)
	a.gap = gap / 7
	a.created = epoch - int64(age*86400)
	a.first = (float64(epoch-firstMonday)-idle*86400)/weekSeconds - slots*a.gap
	a.statuses = int64(age*p.intensity.draw(&d)) + int64(d.below(10))
	return a
}

// draw gives an account its profile and its number of tweets.
func (g Generator) draw(d *dice) (p *profile, tweets int, grows bool) {
	kind := d.below(100)
	tweets = g.Tweets
	if tweets == 0 {
		tweets = int(span{minTweets, maxTweets + 1}.draw(d))
		if kind < 3 {
			return &thin, d.below(2), true
		}
	}
	if kind >= 3 && kind < 7 {
		return &retweeting, tweets, false
	}
	return classes[d.below(len(classes))], tweets, false
}

// window gives which tweets a crawl finds: lo ≤ j < hi, in the order of time.
func (a *account) window(revision int, now int64) (lo, hi int) {
	hi = a.tweets
	if revision > 0 {
		d := a.dice.roll(-2)
		hi += min((revision*(1+d.below(3))+1)/2, reserve)
	}
	for hi > 0 && a.at(hi-1) > now {
		hi--
	}
	if a.grows {
		return 0, hi
	}
	return max(0, hi-a.tweets), hi
}

// at gives when tweet j was posted, in seconds since 1970.
func (a *account) at(j int) int64 {
	d := a.dice.roll(2*j + 1)
	c := &a.profile.clock
	weeks := c.week.warp(a.first+(float64(j)+d.unit())*a.gap+a.shift) - a.shift
	at := int64(weeks*weekSeconds) + firstMonday
	if d.unit() < c.aligned {
		at -= at % (60 * c.grid)
		if c.delay > 0 {
			at += int64(d.below(int(c.delay)))
		}
	}
	return max(at, a.created)
}

// tweet is what is drawn for one tweet.
type tweet struct {
	j               int
	dice            dice
	at              int64
	retweet         bool
	reply           bool
	mention, tagged bool
	lang            string
	likes, shares   int64
}

func (a *account) tweet(j, revision int) tweet {
	d := a.dice.roll(2 * j)
	t := tweet{j: j, at: a.at(j), lang: a.lang(j, &d)}
	t.retweet = d.unit() < a.habits.retweets
	t.reply = d.unit() < a.habits.replies
	t.mention = d.unit() < a.habits.mentions
	t.tagged = d.unit() < a.habits.hashtags
	growth := int64(revision * d.below(8))
	heard := d.roll(0)
	t.likes, t.shares = a.profile.echo.draw(heard, a.scale)
	if a.turn > 0 && revision >= a.turn {
		likes, shares := a.profile.later.draw(heard, a.scale)
		t.likes, t.shares = max(t.likes, likes), max(t.shares, shares)
	}
	t.likes += t.likes * growth / 64
	t.shares += t.shares * growth / 64
	if t.retweet {
		t.reply, t.likes, t.shares = false, 0, 1+t.shares+int64(d.below(500))
	}
	t.dice = d
	return t
}

// lang mostly gives the first of the account's languages; the others come in
// turn where the tweets are many enough.
func (a *account) lang(j int, d *dice) string {
	if a.langs > 1 && d.below(3) == 0 {
		return langs[(a.n+d.below(a.langs))%len(langs)]
	}
	return langs[a.n%len(langs)]
}

func (t *tweet) time() time.Time { return time.Unix(t.at, 0).UTC() }
