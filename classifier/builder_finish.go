package classifier

import "strconv"

// Fail records a fault that the reader found in the field at hand, if none
// came before.
func (b *Builder) Fail(code ErrorCode, message string) { b.fault(b.field, code, message) }

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

func quoteShort(s []byte) string {
	if len(s) > 40 {
		return strconv.Quote(string(s[:40])) + "…"
	}
	return strconv.Quote(string(s))
}
