package classifier

import (
	"math"
	"strconv"
)

// Builder turns the values of one account, in whatever form they are stored,
// into an Account. It holds every rule about times, numbers and absent fields,
// so that JSON, pickle and BSON readers only push what they meet:
//
//	b.Reset()
//	b.BeginObject()          // the account itself
//	if b.Key("user_data") {  // false: skip the value, whatever it is
//		if b.BeginObject() { // false: skip its content, and call no EndObject
//			…
//			b.EndObject()
//		}
//	}
//	b.EndObject()
//	account, err := b.Finish()
//
// A value of a wrong type does not stop the reader: the first fault is kept
// and Finish returns it. Where a key comes twice, the last one counts. The zero
// Builder is ready; it is not safe for concurrent use.
type Builder struct {
	acc   Account
	err   *FieldError
	seen  seen
	start context // what the next BeginObject opens
	field field   // whose value comes next
	depth int
	stack [maxContexts]context

	tweet     Tweet
	tweetSeen seen
	raw       bool // reading a timeline's tweet
	userIDStr string
	userIDNum string

	ext     extKind // inside an extended JSON object: which of its keys came
	extTo   field   // the field whose value it is
	langMap map[string]uint32
	interns map[string]string
}

// A context is the kind of container that is being read.
type context uint8

const (
	ctxNone context = iota
	ctxAccount
	ctxUser
	ctxTweets
	ctxTweet
	ctxRawTweet // a tweet of a timeline as the API gives it, with its user
	ctxEntities
	ctxMentions
	ctxHashtags
	ctxExt     // {"$date": …} and its like
	ctxExtDate // {"$date": {"$numberLong": …}}
)

const maxContexts = 8

// A field is a key whose value is wanted.
type field uint8

const (
	fNone field = iota
	fUserData
	fTweets
	fCrawledAt
	fUserCreatedAt
	fFollowers
	fStatuses
	fVerified
	fURL
	fLocation
	fScreenName
	fUserID
	fUserIDStr
	fTweetItem
	fTweetCreatedAt
	fLang
	fReplyTo
	fRetweets
	fFavorites
	fEntities
	fRetweetedStatus
	fMentions
	fHashtags
	fMention
	fHashtag
	fExtDate
	fExtNumber
	fExtDouble
	numFields
)

var fieldNames = [numFields]string{
	fUserData: "user_data", fTweets: "tweets", fCrawledAt: "crawled_at",
	fUserCreatedAt: "created_at", fFollowers: "followers_count", fStatuses: "statuses_count", fVerified: "verified",
	fURL: "url", fLocation: "location", fScreenName: "screen_name", fUserID: "id", fUserIDStr: "id_str",
	fTweetCreatedAt: "created_at", fLang: "lang", fReplyTo: "in_reply_to_status_id", fRetweets: "retweet_count",
	fFavorites: "favorite_count", fEntities: "entities", fRetweetedStatus: "retweeted_status",
	fMentions: "entities.user_mentions", fHashtags: "entities.hashtags",
}

// seen is the set of needed fields that had a value that is not null.
type seen uint32

func (s seen) has(f field) bool { return s&(1<<f) != 0 }

type extKind uint8

const (
	extNone extKind = iota
	extDate
	extNumber
)

// Reset makes the Builder ready for an account in the upload format:
// {"user_data": {…}, "tweets": […], "crawled_at": …}.
func (b *Builder) Reset() { b.reset(ctxAccount) }

// ResetTimelineTweet makes the Builder ready for one tweet of a raw timeline,
// an object with the tweet's fields, its author under "user", and perhaps
// "crawled_at". FinishTweet gives an account of that one tweet.
func (b *Builder) ResetTimelineTweet() { b.reset(ctxRawTweet) }

func (b *Builder) reset(start context) {
	tweets, langs := b.acc.Tweets[:0], b.acc.Langs[:0]
	b.acc = Account{Tweets: tweets, Langs: langs}
	b.err, b.seen, b.start, b.field, b.depth = nil, 0, start, fNone, 0
	b.tweet, b.tweetSeen, b.raw = Tweet{}, 0, start == ctxRawTweet
	b.userIDStr, b.userIDNum = "", ""
	b.ext = extNone
	clear(b.langMap)
}

func (b *Builder) top() context {
	if b.depth == 0 {
		return ctxNone
	}
	return b.stack[b.depth-1]
}

func (b *Builder) push(c context) {
	b.stack[b.depth] = c
	b.depth++
	b.field = fNone
}

// BeginObject opens an object. Where it answers false the reader skips the
// object's content and calls neither Key nor EndObject for it.
func (b *Builder) BeginObject() bool {
	f := b.take()
	switch {
	case b.depth == 0:
		if b.start == ctxNone {
			return false
		}
		if b.start == ctxRawTweet {
			b.beginTweet()
		}
		b.push(b.start)
		b.start = ctxNone
		return true
	case f == fUserData:
		b.beginUser()
		b.seen |= 1 << fUserData
		b.push(ctxUser)
		return true
	case f == fTweetItem:
		b.beginTweet()
		b.push(ctxTweet)
		return true
	case f == fEntities:
		b.tweetSeen |= 1 << fEntities
		b.tweetSeen &^= 1<<fMentions | 1<<fHashtags
		b.tweet.Kind &^= Mentions | Hashtags
		b.push(ctxEntities)
		return true
	case f == fExtDate && b.top() == ctxExt:
		b.push(ctxExtDate)
		return true
	case isTime(f), isCount(f), f == fUserID:
		b.ext, b.extTo = extNone, f
		b.push(ctxExt)
		return true
	}
	b.other(f)
	return false
}

// Key names the field whose value comes next. Where it answers false the
// reader skips that value and pushes nothing for it.
func (b *Builder) Key(name []byte) bool {
	f := fNone
	switch b.top() {
	case ctxAccount:
		switch string(name) {
		case "user_data":
			f = fUserData
		case "tweets":
			f = fTweets
		case "crawled_at":
			f = fCrawledAt
		}
	case ctxUser:
		switch string(name) {
		case "created_at":
			f = fUserCreatedAt
		case "followers_count":
			f = fFollowers
		case "statuses_count":
			f = fStatuses
		case "verified":
			f = fVerified
		case "url":
			f = fURL
		case "location":
			f = fLocation
		case "screen_name":
			f = fScreenName
		case "id":
			f = fUserID
		case "id_str":
			f = fUserIDStr
		}
	case ctxTweet:
		f = tweetField(name)
	case ctxRawTweet:
		switch string(name) {
		case "user":
			f = fUserData
		case "crawled_at":
			f = fCrawledAt
		default:
			f = tweetField(name)
		}
	case ctxEntities:
		switch string(name) {
		case "user_mentions":
			f = fMentions
		case "hashtags":
			f = fHashtags
		}
	case ctxExt, ctxExtDate:
		f = b.extField(name)
	}
	if f == fRetweetedStatus {
		b.tweet.Kind |= Retweet // the key alone says so
		f = fNone
	}
	b.field = f
	return f != fNone
}

func tweetField(name []byte) field {
	switch string(name) {
	case "created_at":
		return fTweetCreatedAt
	case "lang":
		return fLang
	case "in_reply_to_status_id":
		return fReplyTo
	case "retweet_count":
		return fRetweets
	case "favorite_count":
		return fFavorites
	case "entities":
		return fEntities
	case "retweeted_status":
		return fRetweetedStatus
	}
	return fNone
}

func (b *Builder) extField(name []byte) field {
	switch string(name) {
	case "$date":
		if b.top() == ctxExt {
			return fExtDate
		}
	case "$numberLong", "$numberInt":
		return fExtNumber
	case "$numberDouble", "$numberDecimal":
		return fExtDouble
	}
	b.fault(b.extTo, CodeWrongType, "is an object; "+wanted(b.extTo))
	return fNone
}

// EndObject closes the object that BeginObject opened.
func (b *Builder) EndObject() {
	c := b.top()
	b.depth--
	b.field = fNone
	switch c {
	case ctxTweet, ctxRawTweet:
		b.endTweet()
	case ctxExt:
		if b.ext == extNone {
			b.fault(b.extTo, CodeWrongType, "is an object; "+wanted(b.extTo))
		}
	}
	b.next()
}

// BeginArray opens an array. Where it answers false the reader skips the
// array's content and calls no EndArray for it.
func (b *Builder) BeginArray() bool {
	switch f := b.take(); f {
	case fTweets:
		b.seen |= 1 << fTweets
		b.acc.Tweets, b.acc.Langs = b.acc.Tweets[:0], b.acc.Langs[:0]
		clear(b.langMap)
		b.push(ctxTweets)
		b.field = fTweetItem
	case fMentions:
		b.tweetSeen |= 1 << fMentions
		b.tweet.Kind &^= Mentions
		b.push(ctxMentions)
		b.field = fMention
	case fHashtags:
		b.tweetSeen |= 1 << fHashtags
		b.tweet.Kind &^= Hashtags
		b.push(ctxHashtags)
		b.field = fHashtag
	default:
		b.other(f)
		return false
	}
	return true
}

// EndArray closes the array that BeginArray opened.
func (b *Builder) EndArray() {
	b.depth--
	b.field = fNone
	b.next()
}

// take gives the field that the coming value belongs to.
func (b *Builder) take() field {
	f := b.field
	b.next()
	return f
}

// next makes an array's next element the coming value.
func (b *Builder) next() {
	switch b.top() {
	case ctxTweets:
		b.field = fTweetItem
	case ctxMentions:
		b.field = fMention
	case ctxHashtags:
		b.field = fHashtag
	default:
		b.field = fNone
	}
}

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
		b.tweet.Lang = 0
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
		b.tweet.Lang = b.lang(s)
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

// Fail records a fault that the reader found in the field at hand, if none
// came before.
func (b *Builder) Fail(code ErrorCode, message string) { b.fault(b.field, code, message) }

func (b *Builder) notAnObject() {
	b.fault(fNone, CodeWrongType, "an account is an object with user_data, tweets and crawled_at")
}

func isTime(f field) bool { return f == fCrawledAt || f == fUserCreatedAt || f == fTweetCreatedAt }

func isCount(f field) bool {
	return f == fFollowers || f == fStatuses || f == fRetweets || f == fFavorites
}

func (b *Builder) beginUser() {
	b.acc.UserID, b.acc.ScreenName, b.userIDStr, b.userIDNum = "", "", "", ""
	b.acc.Verified, b.acc.HasURL, b.acc.HasLocation = false, false, false
	b.seen &^= 1<<fUserCreatedAt | 1<<fFollowers | 1<<fStatuses | 1<<fUserData
}

func (b *Builder) beginTweet() { b.tweet, b.tweetSeen = Tweet{}, 0 }

func (b *Builder) endTweet() {
	switch {
	case !b.tweetSeen.has(fTweetCreatedAt):
		b.fault(fTweetCreatedAt, CodeMissing, "is missing; "+wanted(fTweetCreatedAt))
	case b.tweet.Kind&Retweet != 0: // not an own tweet: nothing else of it is used
		b.tweet.Kind, b.tweet.Favorites, b.tweet.Retweets = Retweet, 0, 0
	default:
		for _, f := range [...]field{fRetweets, fFavorites, fMentions, fHashtags} {
			if !b.tweetSeen.has(f) {
				b.fault(f, CodeMissing, "is missing; "+wanted(f))
			}
		}
	}
	b.acc.Tweets = append(b.acc.Tweets, b.tweet)
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

// fault keeps the first fault, with the path of its field.
func (b *Builder) fault(f field, code ErrorCode, message string) {
	if b.err != nil {
		return
	}
	b.err = &FieldError{Code: code, Field: b.path(f), Message: message}
}

func (b *Builder) path(f field) string {
	name := fieldNames[f]
	switch f {
	case fUserData:
		return b.userPath()
	case fNone, fTweets, fCrawledAt:
		return name
	case fExtDate, fExtNumber, fExtDouble:
		return b.path(b.extTo)
	case fUserCreatedAt, fFollowers, fStatuses, fVerified, fURL, fLocation, fScreenName, fUserID, fUserIDStr:
		return b.userPath() + "." + name
	}
	if b.raw {
		return name
	}
	at := "tweets[" + strconv.Itoa(len(b.acc.Tweets)) + "]"
	if name == "" {
		return at
	}
	return at + "." + name
}

func (b *Builder) userPath() string {
	if b.raw {
		return "user"
	}
	return "user_data"
}

// wanted says what a field must be.
func wanted(f field) string {
	switch {
	case isTime(f):
		return `want a time such as "2020-05-20 09:18:42", "2020-05-20T09:18:42Z" or "Wed May 20 09:18:42 +0000 2020"`
	case isCount(f):
		return "want a whole number from 0 to 9223372036854775807"
	}
	switch f {
	case fUserData:
		return "want the account's user object"
	case fTweets:
		return "want an array of tweets"
	case fTweetItem:
		return "want a tweet object"
	case fEntities:
		return "want an object with user_mentions and hashtags"
	case fMentions, fHashtags:
		return "want an array"
	case fVerified:
		return "want true or false"
	case fUserID:
		return "want a number or a string"
	case fExtDate, fExtNumber, fExtDouble:
		return "want a value in MongoDB's extended JSON"
	}
	return "want a string"
}

// Finish closes an account begun by Reset. The Account belongs to the Builder
// until its next reset. A *FieldError comes with what could be read, so that
// the account can still be named.
func (b *Builder) Finish() (*Account, error) {
	b.finishUser()
	if b.err == nil {
		for _, f := range [...]field{fUserData, fUserCreatedAt, fFollowers, fStatuses, fTweets, fCrawledAt} {
			if !b.seen.has(f) {
				b.fault(f, CodeMissing, "is missing; "+wanted(f))
				break
			}
		}
	}
	if b.err != nil {
		return &b.acc, b.err
	}
	return &b.acc, nil
}

// FinishTweet closes a tweet begun by ResetTimelineTweet. hasCrawl says
// whether the tweet carried crawled_at, which a timeline may lack.
func (b *Builder) FinishTweet() (account *Account, hasCrawl bool, err error) {
	b.finishUser()
	hasCrawl = b.seen.has(fCrawledAt)
	if b.err == nil {
		for _, f := range [...]field{fUserData, fUserCreatedAt, fFollowers, fStatuses} {
			if !b.seen.has(f) {
				b.fault(f, CodeMissing, "is missing; "+wanted(f))
				break
			}
		}
	}
	if b.err != nil {
		return &b.acc, hasCrawl, b.err
	}
	return &b.acc, hasCrawl, nil
}

func (b *Builder) finishUser() {
	b.acc.UserID = b.userIDStr
	if b.acc.UserID == "" {
		b.acc.UserID = b.userIDNum
	}
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

func quoteShort(s []byte) string {
	if len(s) > 40 {
		return strconv.Quote(string(s[:40])) + "…"
	}
	return strconv.Quote(string(s))
}
