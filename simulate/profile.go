package simulate

import "math"

// A span is a range to draw from, evenly in the logarithm.
type span struct{ lo, hi float64 }

func (s span) draw(d *dice) float64 {
	return s.lo * math.Exp(d.unit()*math.Log(s.hi/s.lo))
}

// A profile is a way to behave.
type profile struct {
	slug      string
	age       span // of the account at the epoch, in days
	intensity span // statuses a day
	followers span
	langs     span // languages that the tweets are taken to be in
	idle      span // days, less one, from the newest slot to the epoch
	gap       span // days from one tweet to the next
	habits    habits
	clock     clock
	echo      echo
	later     *echo // what an account may find at a later revision, which changes its class
}

// habits are shares of an account's tweets: retweets of all, the rest of own ones.
type habits struct{ retweets, replies, mentions, hashtags float64 }

// vary gives the habits of one account of the profile.
func (h habits) vary(d *dice) habits {
	v := func(x float64) float64 { return min(1, x*(0.8+0.4*d.unit())) }
	return habits{v(h.retweets), v(h.replies), v(h.mentions), v(h.hashtags)}
}

// An echo is how others answer to own tweets.
type echo struct{ likes, shares counts }

// draw takes d by value, so that one tweet's echoes of two kinds are alike, and
// nothing else of the tweet depends on them.
func (e *echo) draw(d dice, scale float64) (likes, shares int64) {
	return e.likes.draw(&d, scale), e.shares.draw(&d, scale)
}

// counts are of a share of the tweets, log-normal; 0 on the others.
type counts struct {
	share, median float64
	sigma         float64 // of the natural logarithm
}

func (c *counts) draw(d *dice, scale float64) int64 {
	if d.unit() >= c.share {
		return 0
	}
	return 1 + int64(max(0, c.median*scale-1)*math.Exp(c.sigma*d.bell()))
}
