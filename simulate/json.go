package simulate

import (
	"strconv"
	"time"
)

const (
	plainTime = "2006-01-02 15:04:05"
	rubyTime  = "Mon Jan 02 15:04:05 +0000 2006"
)

// append appends the account in the upload format.
func (a *account) append(dst []byte, revision int, now time.Time, lean bool) []byte {
	lo, hi := a.window(revision, now.Unix())
	dst = append(dst, `{"user_data":`...)
	user := len(dst)
	dst = a.appendUser(dst, revision, hi, lean)
	author := dst[user:]
	dst = append(dst, `,"tweets":[`...)
	for j := hi - 1; j >= lo; j-- {
		t := a.tweet(j, revision)
		dst = a.appendTweet(dst, &t, author, lean)
		if j > lo {
			dst = append(dst, ',')
		}
	}
	dst = append(dst, `],"crawled_at":"`...)
	dst = now.AppendFormat(dst, plainTime)
	return append(dst, `"}`...)
}

// appendUser appends the account's user object. hi is the number of its newest tweet.
func (a *account) appendUser(dst []byte, revision, hi int, lean bool) []byte {
	d := a.dice.roll(-3)
	dst = appendNames(append(dst, '{'), a.n)
	dst = append(dst, `,"location":"`...)
	dst = append(dst, places[d.below(len(places))]...)
	dst = append(dst, `","url":`...)
	if d.below(3) == 0 {
		dst = append(dst, `"https://example.org/`...)
		dst = appendInt(dst, firstID+a.n)
		dst = append(dst, '"')
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"followers_count":`...)
	dst = strconv.AppendInt(dst, a.followers+a.followers*int64(revision)/256, 10)
	dst = append(dst, `,"statuses_count":`...)
	dst = strconv.AppendInt(dst, a.statuses+int64(hi), 10)
	dst = append(dst, `,"created_at":"`...)
	dst = a.appendTime(dst, time.Unix(a.created, 0).UTC())
	dst = append(dst, `","verified":`...)
	dst = strconv.AppendBool(dst, d.below(50) == 0)
	if lean {
		return append(dst, '}')
	}
	dst = append(dst, `,"description":"A synthetic account: `...)
	dst = appendWords(dst, &d, 5)
	dst = append(dst, `","protected":false,"friends_count":`...)
	dst = appendInt(dst, d.below(900))
	dst = append(dst, `,"listed_count":`...)
	dst = appendInt(dst, d.below(30))
	dst = append(dst, `,"favourites_count":`...)
	dst = appendInt(dst, d.below(4000))
	return append(dst, `,"geo_enabled":false,"lang":null,"is_translator":false,"default_profile":true}`...)
}

// appendTweet appends a tweet; user is its author's object.
func (a *account) appendTweet(dst []byte, t *tweet, user []byte, lean bool) []byte {
	d := t.dice
	other := d.below(a.n + 1000)
	dst = append(dst, `{"created_at":"`...)
	dst = a.appendTime(dst, t.time())
	tweetID := firstTweetID + int64(a.n)*1000 + int64(t.j)
	dst = append(dst, `","id":`...)
	dst = strconv.AppendInt(dst, tweetID, 10)
	if !lean {
		dst = append(dst, `,"id_str":"`...)
		dst = strconv.AppendInt(dst, tweetID, 10)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"full_text":"`...)
	if t.retweet {
		dst = append(dst, "RT "...)
	}
	if t.mentions() {
		dst = appendScreenName(append(dst, '@'), other)
		dst = append(dst, ' ')
	}
	dst = appendWords(dst, &d, 4+d.below(8))
	tag := words[d.below(len(words))]
	if t.tagged {
		dst = append(dst, " #"...)
		dst = append(dst, tag...)
	}
	dst = append(dst, `","entities":{"hashtags":[`...)
	if t.tagged {
		dst = append(dst, `{"text":"`...)
		dst = append(dst, tag...)
		dst = append(dst, `","indices":[60,70]}`...)
	}
	dst = append(dst, `],"symbols":[],"user_mentions":[`...)
	if t.mentions() {
		dst = appendPerson(dst, other)
	}
	dst = append(dst, `],"urls":[]},`...)
	if !lean {
		dst = append(dst, `"truncated":false,"source":"<a href=\"https://example.org/client\" rel=\"nofollow\">Synthetic Client</a>","display_text_range":[0,80],`...)
	}
	dst = appendReply(dst, t, other)
	if !lean {
		dst = append(dst, `,"user":`...)
		dst = append(dst, user...)
		dst = append(dst, `,"geo":null,"coordinates":null,"place":null,"contributors":null,"is_quote_status":false,"favorited":false,"retweeted":false`...)
	}
	dst = append(dst, `,"retweet_count":`...)
	dst = strconv.AppendInt(dst, t.shares, 10)
	dst = append(dst, `,"favorite_count":`...)
	dst = strconv.AppendInt(dst, t.likes, 10)
	dst = append(dst, `,"lang":"`...)
	dst = append(dst, t.lang...)
	dst = append(dst, '"')
	if t.retweet {
		dst = a.appendOriginal(dst, t, other)
	}
	return append(dst, '}')
}

func appendReply(dst []byte, t *tweet, to int) []byte {
	if !t.reply {
		return append(dst, `"in_reply_to_status_id":null,"in_reply_to_user_id":null`...)
	}
	dst = append(dst, `"in_reply_to_status_id":`...)
	dst = strconv.AppendInt(dst, firstTweetID+int64(to)*1000, 10)
	dst = append(dst, `,"in_reply_to_user_id":`...)
	return appendInt(dst, firstID+to)
}

// appendOriginal appends the tweet that t repeats, an hour older.
func (a *account) appendOriginal(dst []byte, t *tweet, author int) []byte {
	dst = append(dst, `,"retweeted_status":{"id":`...)
	dst = strconv.AppendInt(dst, firstTweetID+int64(author)*1000, 10)
	dst = append(dst, `,"created_at":"`...)
	dst = a.appendTime(dst, t.time().Add(-time.Hour))
	dst = append(dst, `","user":`...)
	dst = appendPerson(dst, author)
	dst = append(dst, `,"retweet_count":`...)
	dst = strconv.AppendInt(dst, t.shares, 10)
	return append(dst, '}')
}

func (t *tweet) mentions() bool { return t.retweet || t.reply || t.mention }

func appendPerson(dst []byte, n int) []byte {
	return append(appendNames(append(dst, '{'), n), '}')
}

func appendNames(dst []byte, n int) []byte {
	dst = append(dst, `"id":`...)
	dst = appendInt(dst, firstID+n)
	dst = append(dst, `,"id_str":"`...)
	dst = appendInt(dst, firstID+n)
	dst = append(dst, `","name":"Synthetic `...)
	dst = append(dst, plant(n)...)
	dst = append(dst, ' ')
	dst = appendInt(dst, n)
	dst = append(dst, `","screen_name":"`...)
	dst = appendScreenName(dst, n)
	return append(dst, '"')
}

// appendScreenName appends the like of synthetic_orchid_0042.
func appendScreenName(dst []byte, n int) []byte {
	dst = append(dst, "synthetic_"...)
	dst = append(dst, plant(n)...)
	dst = append(dst, '_')
	for limit := 1000; limit > 1 && n < limit; limit /= 10 {
		dst = append(dst, '0')
	}
	return appendInt(dst, n)
}

func plant(n int) string { return plants[n%len(plants)] }

func appendWords(dst []byte, d *dice, n int) []byte {
	bits := d.next()
	for i := range n {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, words[bits%uint64(len(words))]...)
		bits /= uint64(len(words))
	}
	return dst
}

func (a *account) appendTime(dst []byte, t time.Time) []byte {
	if a.ruby {
		return t.AppendFormat(dst, rubyTime)
	}
	return t.AppendFormat(dst, plainTime)
}

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }
