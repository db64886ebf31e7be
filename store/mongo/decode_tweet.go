package mongo

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/classifier"
)

// The fields of a tweet, in the order of tweetFields.
const (
	tweetCreatedAt = iota
	tweetLang
	tweetReplyTo
	tweetRetweets
	tweetFavorites
	tweetEntities
	tweetRetweeted

	tweetNeeds = 1<<tweetCreatedAt | 1<<tweetRetweets | 1<<tweetFavorites | 1<<tweetEntities
)

// tweet pushes the tweet whose document is at i at once, if it is like nearly all
// are: nothing missing, all of the types that crawlers write. Else it answers
// false and has pushed nothing, and the fields are to be pushed one by one, by the
// Builder's rules. Those few that are needed here stand here too: half the time
// that an account takes would go into so many calls.
func (d *decoder) tweet(i int) bool {
	last, ok := d.last(i)
	if !ok {
		return false
	}
	var t classifier.Tweet
	var lang []byte
	var seen uint
	for i, next := i+4, 0; i < last; {
		n, e := d.next(i, last, &tweetFields, next)
		if e.end == 0 {
			return false
		}
		i = int(e.end)
		if n < 0 {
			continue
		}
		next = n + 1
		if seen>>n&1 != 0 {
			continue
		}
		seen |= 1 << n
		ok := true
		switch n {
		case tweetCreatedAt:
			t.At, ok = d.moment(e)
		case tweetLang:
			if ok = e.null(); !ok && e.kind == byte(bson.TypeString) {
				lang, ok = d.text(e)
			}
		case tweetReplyTo:
			if !e.null() {
				t.Kind |= classifier.Reply
				ok = e.kind == byte(bson.TypeInt64) || e.kind == byte(bson.TypeString)
			}
		case tweetRetweets:
			t.Retweets, ok = d.count(e)
		case tweetFavorites:
			t.Favorites, ok = d.count(e)
		case tweetEntities:
			var has classifier.TweetKind
			has, ok = d.entities(e)
			t.Kind |= has
		case tweetRetweeted:
			t.Kind |= classifier.Retweet
		}
		if !ok {
			return false
		}
	}
	if t.Kind&classifier.Retweet != 0 {
		seen |= tweetNeeds &^ (1 << tweetCreatedAt)
	}
	if seen&tweetNeeds != tweetNeeds {
		return false
	}
	d.b.Tweet(t, lang)
	return true
}

// moment reads a time.
func (d *decoder) moment(e element) (classifier.Micros, bool) {
	switch bson.Type(e.kind) {
	case bson.TypeDateTime:
		at := dateMicros(d.int64(e.value))
		return at, at <= classifier.MaxMicros
	case bson.TypeString:
		if d.doc[e.end-1] == 0 {
			return classifier.ParseTime(string(d.doc[e.value+4 : e.end-1]))
		}
	}
	return 0, false
}

// count reads a number that is no less than 0.
func (d *decoder) count(e element) (int64, bool) {
	n := int64(-1)
	switch bson.Type(e.kind) {
	case bson.TypeInt32:
		n = int64(d.int32(e.value))
	case bson.TypeInt64:
		n = d.int64(e.value)
	}
	return n, n >= 0
}

// entities looks whether there are mentions and hashtags in arrays that are both there.
func (d *decoder) entities(e element) (has classifier.TweetKind, ok bool) {
	if e.kind != byte(bson.TypeEmbeddedDocument) {
		return 0, false
	}
	last, ok := d.last(int(e.value))
	if !ok {
		return 0, false
	}
	kinds := [...]classifier.TweetKind{classifier.Mentions, classifier.Hashtags} // in the order of entityFields
	var seen uint
	for i, next := int(e.value)+4, 0; i < last; {
		n, e := d.next(i, last, &entityFields, next)
		if e.end == 0 {
			return 0, false
		}
		i = int(e.end)
		if n < 0 || seen>>n&1 != 0 {
			continue
		}
		next = n + 1
		seen |= 1 << n
		if e.kind != byte(bson.TypeArray) || d.doc[e.end-1] != 0 {
			return 0, false
		}
		if e.end-e.value > 5 {
			has |= kinds[n]
		}
	}
	return has, seen == 1<<len(kinds)-1
}
