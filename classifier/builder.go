package classifier

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
	langText  []byte // the tweet's language; of a lang that comes twice nothing may stay
	raw       bool   // reading a timeline's tweet
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

// manyTweets is the number of tweets or languages beyond which an account's
// memory is given back at the next reset.
const manyTweets = 1 << 16

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
	if cap(tweets) > manyTweets { // one huge account must not hold its memory for ever
		tweets = nil
	}
	if len(b.langMap) > manyTweets { // clearing costs what the map once held
		langs, b.langMap = nil, nil
	}
	if cap(b.langText) > manyTweets {
		b.langText = nil
	}
	clear(b.langMap)
	b.acc = Account{Tweets: tweets, Langs: langs}
	b.err, b.seen, b.start, b.field, b.depth = nil, 0, start, fNone, 0
	b.tweet, b.tweetSeen, b.raw = Tweet{}, 0, start == ctxRawTweet
	b.userIDStr, b.userIDNum = "", ""
	b.ext = extNone
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
	if b.depth == 0 {
		b.notAnObject()
		return false
	}
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

func (b *Builder) beginUser() {
	b.acc.UserID, b.acc.ScreenName, b.userIDStr, b.userIDNum = "", "", "", ""
	b.acc.Verified, b.acc.HasURL, b.acc.HasLocation = false, false, false
	b.seen &^= 1<<fUserCreatedAt | 1<<fFollowers | 1<<fStatuses | 1<<fUserData
}

func (b *Builder) beginTweet() { b.tweet, b.tweetSeen, b.langText = Tweet{}, 0, b.langText[:0] }

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
	if b.err == nil { // else the account is lost, and need not take memory
		b.tweet.Lang = b.lang(b.langText)
		b.acc.Tweets = append(b.acc.Tweets, b.tweet)
	}
}
