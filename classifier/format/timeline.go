package format

import (
	"fmt"

	"botwatch/classifier"
)

// timeline groups raw tweets by user. It holds of each tweet what an Account
// does, 32 bytes, and each user's account and languages.
type timeline struct {
	opts  Options
	rows  int // given out before
	users []*user
	byID  map[string]*user
	held  int // bytes
	b     classifier.Builder
}

// user is the account that a user's tweets add up to.
type user struct {
	account  classifier.Account
	latest   classifier.Micros // of the tweet that the user data is from
	hasCrawl bool
	langs    map[string]uint32 // as in Tweet.Lang
	place    Place             // of the first tweet, or of the faulty one
	fault    *classifier.FieldError
	stray    bool // no user: a tweet that cannot be read
}

// userBytes is about what a user takes beside tweets and texts.
const userBytes, tweetBytes, langBytes = 512, 32, 64

func newTimeline(o Options) *timeline { return &timeline{opts: o, byID: make(map[string]*user)} }

// group takes a batch of tweets, and gives out the accounts after the last one.
func (r *Reader) group(bt *batch) {
	for i := range bt.frames {
		if err := r.timeline.add(&bt.frames[i]); err != nil {
			r.done = err
			return
		}
	}
	if r.done != nil {
		r.ready = append(r.ready, r.timeline.frames()...)
		r.timeline = nil
	}
}

func (t *timeline) add(f *Frame) error {
	t.b.ResetTimelineTweet()
	syntax := DecodeJSON(f.text, &t.b)
	tweet, hasCrawl, err := t.b.FinishTweet()
	if syntax != nil {
		err = syntax
	}
	if f.fault != nil {
		err = f.fault
	}
	key := tweet.UserID
	if key == "" {
		key = tweet.ScreenName
	}
	fault, _ := err.(*classifier.FieldError)
	u := t.byID[key]
	switch {
	case key == "": // a row of its own
		u = &user{place: f.Place, stray: true}
		if fault == nil {
			fault = &classifier.FieldError{Code: classifier.CodeMissing, Field: "user.id", Message: "is missing; a tweet of a timeline must name its user"}
		}
		u.fault = fault
		t.users = append(t.users, u)
		t.held += userBytes
		return t.bound()
	case u == nil:
		u = &user{place: f.Place, latest: classifier.MinMicros - 1}
		u.account.UserID, u.account.ScreenName = tweet.UserID, tweet.ScreenName
		t.byID[key] = u
		t.users = append(t.users, u)
		t.held += userBytes + len(key)
	}
	if fault != nil {
		if u.fault == nil {
			u.place = f.Place
			u.fault = &classifier.FieldError{Code: fault.Code, Field: tweetPath(len(u.account.Tweets), fault.Field), Message: fault.Message}
		}
		return t.bound()
	}
	t.push(u, tweet, hasCrawl)
	return t.bound()
}

func tweetPath(n int, field string) string {
	path := fmt.Sprintf("tweets[%d]", n)
	if field != "" {
		path += "." + field
	}
	return path
}

// push adds a tweet, given as an account of one, to its user's.
func (t *timeline) push(u *user, one *classifier.Account, hasCrawl bool) {
	a, tweet := &u.account, one.Tweets[0]
	if tweet.Lang != 0 {
		tweet.Lang = t.lang(u, one.Langs[tweet.Lang-1])
	}
	crawled, known := a.CrawledAt, u.hasCrawl
	if hasCrawl && (!known || one.CrawledAt > crawled) {
		crawled, known = one.CrawledAt, true
	}
	tweets, langs := append(a.Tweets, tweet), a.Langs
	if tweet.At > u.latest {
		u.latest = tweet.At
		*a = *one
	}
	a.Tweets, a.Langs, a.CrawledAt, u.hasCrawl = tweets, langs, crawled, known
	t.held += tweetBytes
}

func (t *timeline) lang(u *user, text string) uint32 {
	if i, ok := u.langs[text]; ok {
		return i
	}
	if u.langs == nil {
		u.langs = make(map[string]uint32)
	}
	u.account.Langs = append(u.account.Langs, text)
	u.langs[text] = uint32(len(u.account.Langs))
	t.held += langBytes + len(text)
	return u.langs[text]
}

func (t *timeline) bound() error {
	if t.held <= t.opts.MaxTimelines {
		return nil
	}
	return &classifier.FieldError{
		Code:    classifier.CodeTooLarge,
		Message: fmt.Sprintf("the timelines take more than %d bytes, the limit; give fewer users at a time", t.opts.MaxTimelines),
	}
}

// frames gives the accounts, by the place of their users' first tweets.
func (t *timeline) frames() []Frame {
	frames := make([]Frame, len(t.users))
	for i, u := range t.users {
		u.place.Index = t.rows + i
		if u.fault == nil && !u.hasCrawl {
			u.account.CrawledAt = t.opts.CrawledAt
			if t.opts.CrawledAt == 0 {
				u.fault = &classifier.FieldError{
					Code: classifier.CodeMissing, Field: "crawled_at",
					Message: "is missing; a timeline does not say when it was crawled: give the time with --crawled-at",
				}
			}
		}
		frames[i] = Frame{Place: u.place, ready: &u.account, fault: u.fault}
	}
	return frames
}
