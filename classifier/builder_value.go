package classifier

import (
	"math"
	"strconv"
)

// other takes a value whose content does not matter, only that it is there.
func (b *Builder) other(f field) {
	switch f {
	case fNone:
	case fReplyTo:
		b.tweet.Kind |= Reply
	case fURL:
		b.acc.HasURL = true
	case fMention:
		b.tweet.Kind |= Mentions
	case fHashtag:
		b.tweet.Kind |= Hashtags
	default:
		b.fault(f, CodeWrongType, wanted(f))
	}
}

// Null pushes a null: the field counts as absent.
func (b *Builder) Null() {
	if b.depth == 0 {
		b.notAnObject()
		return
	}
	switch f := b.take(); f {
	case fMention, fHashtag, fTweetItem, fExtDate, fExtNumber, fExtDouble:
		b.other(f)
	case fReplyTo:
		b.tweet.Kind &^= Reply
	case fURL:
		b.acc.HasURL = false
	case fLocation:
		b.acc.HasLocation = false
	case fVerified:
		b.acc.Verified = false
	case fScreenName:
		b.acc.ScreenName = ""
	case fUserID:
		b.userIDNum = ""
	case fUserIDStr:
		b.userIDStr = ""
	case fLang:
		b.langText = b.langText[:0]
	case fTweets:
		b.acc.Tweets, b.acc.Langs = b.acc.Tweets[:0], b.acc.Langs[:0]
		b.seen &^= 1 << fTweets
	case fUserData:
		b.beginUser()
	case fEntities:
		b.tweetSeen &^= 1<<fEntities | 1<<fMentions | 1<<fHashtags
		b.tweet.Kind &^= Mentions | Hashtags
	case fMentions:
		b.tweetSeen &^= 1 << fMentions
		b.tweet.Kind &^= Mentions
	case fHashtags:
		b.tweetSeen &^= 1 << fHashtags
		b.tweet.Kind &^= Hashtags
	default:
		b.seen &^= 1 << f
		b.tweetSeen &^= 1 << f
	}
}

// Bool pushes a boolean.
func (b *Builder) Bool(v bool) {
	if b.depth == 0 {
		b.notAnObject()
		return
	}
	f := b.take()
	if f == fVerified {
		b.acc.Verified = v
		return
	}
	b.other(f)
}

// String pushes a string of UTF-8 text. The Builder keeps no reference to s.
func (b *Builder) String(s []byte) {
	if b.depth == 0 {
		b.notAnObject()
		return
	}
	switch f := b.take(); {
	case f == fLang:
		b.langText = append(b.langText[:0], s...)
	case isTime(f):
		b.timeText(f, s)
	case f == fLocation:
		b.acc.HasLocation = len(s) > 0
	case f == fScreenName:
		b.acc.ScreenName = string(s)
	case f == fUserID:
		b.userIDNum = string(s)
	case f == fUserIDStr:
		b.userIDStr = string(s)
	case f == fExtDate:
		b.ext = extDate
		if isTime(b.extTo) {
			b.timeText(b.extTo, s)
		} else {
			b.fault(b.extTo, CodeWrongType, wanted(b.extTo))
		}
	case f == fExtNumber, f == fExtDouble:
		b.extNumber(s)
	default:
		b.other(f)
	}
}

// Number pushes a number as JSON writes it.
func (b *Builder) Number(text []byte) {
	if n, ok := parseInt(text); ok {
		b.Int(n)
		return
	}
	if b.field == fUserID { // an id keeps its digits, however many
		b.take()
		b.userIDNum = string(text)
		return
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		v = math.Inf(1)
	}
	b.Float(v)
}

// Int pushes an integer.
func (b *Builder) Int(v int64) {
	if b.depth == 0 {
		b.notAnObject()
		return
	}
	switch f := b.take(); {
	case isCount(f):
		b.count(f, v)
	case f == fUserID:
		b.userIDNum = strconv.FormatInt(v, 10)
	case f == fExtDate: // the old form, milliseconds as a plain number
		b.extMillis(v)
	default:
		b.other(f)
	}
}

// Float pushes a floating-point number. A count must be whole.
func (b *Builder) Float(v float64) {
	if b.depth == 0 {
		b.notAnObject()
		return
	}
	whole := v == math.Trunc(v) && math.Abs(v) < 1<<63
	switch f := b.take(); {
	case isCount(f) && whole:
		b.count(f, int64(v))
	case isCount(f):
		b.fault(f, CodeBadNumber, "is "+strconv.FormatFloat(v, 'g', -1, 64)+"; "+wanted(f))
	case f == fUserID && whole:
		b.userIDNum = strconv.FormatInt(int64(v), 10)
	case f == fUserID:
		b.userIDNum = strconv.FormatFloat(v, 'g', -1, 64)
	case f == fExtDate && whole:
		b.extMillis(int64(v))
	default:
		b.other(f)
	}
}

// Time pushes a moment that the source stores as such (a BSON date, a pickled
// datetime).
func (b *Builder) Time(at Micros) {
	if b.depth == 0 {
		b.notAnObject()
		return
	}
	f := b.take()
	if !isTime(f) {
		b.other(f)
		return
	}
	b.time(f, at)
}

func (b *Builder) notAnObject() {
	b.fault(fNone, CodeWrongType, "an account is an object with user_data, tweets and crawled_at")
}

func isTime(f field) bool { return f == fCrawledAt || f == fUserCreatedAt || f == fTweetCreatedAt }

func isCount(f field) bool {
	return f == fFollowers || f == fStatuses || f == fRetweets || f == fFavorites
}

func (b *Builder) count(f field, v int64) {
	if v < 0 {
		b.fault(f, CodeBadNumber, "is "+strconv.FormatInt(v, 10)+"; "+wanted(f))
		return
	}
	switch f {
	case fFollowers:
		b.acc.Followers = v
	case fStatuses:
		b.acc.Statuses = v
	case fRetweets:
		b.tweet.Retweets = v
		b.tweetSeen |= 1 << f
		return
	case fFavorites:
		b.tweet.Favorites = v
		b.tweetSeen |= 1 << f
		return
	}
	b.seen |= 1 << f
}

func (b *Builder) timeText(f field, s []byte) {
	at, ok := parseTime(s)
	if !ok {
		b.fault(f, CodeBadTime, "is "+quoteShort(s)+"; "+wanted(f))
		return
	}
	b.time(f, at)
}

func (b *Builder) time(f field, at Micros) {
	if at < MinMicros || at > MaxMicros {
		b.fault(f, CodeBadTime, "lies outside the years 1 to 9999")
		return
	}
	switch f {
	case fCrawledAt:
		b.acc.CrawledAt = at
	case fUserCreatedAt:
		b.acc.CreatedAt = at
	case fTweetCreatedAt:
		b.tweet.At = at
		b.tweetSeen |= 1 << f
		return
	}
	b.seen |= 1 << f
}

func (b *Builder) extMillis(ms int64) {
	b.ext = extDate
	if !isTime(b.extTo) {
		b.fault(b.extTo, CodeWrongType, wanted(b.extTo))
		return
	}
	if ms < int64(MinMicros)/1000 || ms > int64(MaxMicros)/1000 {
		b.fault(b.extTo, CodeBadTime, "lies outside the years 1 to 9999")
		return
	}
	b.time(b.extTo, Micros(ms*1000))
}

func (b *Builder) extNumber(s []byte) {
	n, ok := parseInt(s)
	if !ok {
		v, err := strconv.ParseFloat(string(s), 64)
		if err != nil || v != math.Trunc(v) || math.Abs(v) >= 1<<63 {
			b.ext = extNumber
			b.fault(b.extTo, CodeBadNumber, "is "+quoteShort(s)+"; "+wanted(b.extTo))
			return
		}
		n = int64(v)
	}
	if b.top() == ctxExtDate {
		b.extMillis(n)
		return
	}
	b.ext = extNumber
	switch {
	case isCount(b.extTo):
		b.count(b.extTo, n)
	case b.extTo == fUserID:
		b.userIDNum = strconv.FormatInt(n, 10)
	default:
		b.fault(b.extTo, CodeWrongType, wanted(b.extTo))
	}
}

// manyLangs is the number of languages beyond which a map finds them.
const manyLangs = 16

// lang gives 1 + the index of a language among those of the account.
func (b *Builder) lang(s []byte) uint32 {
	if len(s) == 0 || string(s) == "und" {
		return 0
	}
	langs := b.acc.Langs
	if len(langs) <= manyLangs {
		for i, l := range langs {
			if l == string(s) {
				return uint32(i + 1)
			}
		}
	} else if i, ok := b.langMap[string(s)]; ok {
		return i
	}
	b.acc.Langs = append(langs, b.intern(s))
	n := len(b.acc.Langs)
	if n > manyLangs {
		if b.langMap == nil {
			b.langMap = make(map[string]uint32)
		}
		if n == manyLangs+1 {
			for i, l := range b.acc.Langs {
				b.langMap[l] = uint32(i + 1)
			}
		}
		b.langMap[b.acc.Langs[n-1]] = uint32(n)
	}
	return uint32(n)
}

// intern gives the string for s, remembering a bounded number of short ones.
func (b *Builder) intern(s []byte) string {
	if v, ok := b.interns[string(s)]; ok {
		return v
	}
	v := string(s)
	if len(v) <= 16 && len(b.interns) < 1024 {
		if b.interns == nil {
			b.interns = make(map[string]string)
		}
		b.interns[v] = v
	}
	return v
}

// parseInt reads an integer that fits int64, with no leading plus sign.
func parseInt(s []byte) (int64, bool) {
	digits := s
	if len(s) > 0 && s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if len(digits) != len(s) {
		if n > 1<<63 {
			return 0, false
		}
		return -int64(n), true
	}
	return int64(n), n < 1<<63
}
