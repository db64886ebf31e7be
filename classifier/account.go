// Package classifier sorts crawled Twitter accounts into behaviour classes
// exactly as the published research classifier does. It is pure: no I/O, no
// clock, no logger, and no allocation in the steady state.
//
// A reader pushes an account's values into a [Builder], a [Classifier] turns
// the resulting [Account] into a [Result], and a [Model] holds the forests.
package classifier

import "time"

// Account holds what classification needs of one crawled account, and nothing
// else. A Builder makes it; its slices belong to that Builder until Clone.
type Account struct {
	UserID     string // text of user_data.id_str, else of user_data.id; may be empty
	ScreenName string // may be empty
	CreatedAt  Micros // when the account was opened
	CrawledAt  Micros // when the crawler read it

	Followers int64 // ≥ 0
	Statuses  int64 // ≥ 0

	Verified    bool
	HasURL      bool // url is not null
	HasLocation bool // location is not the empty string

	Tweets []Tweet  // in list order, which burst depends on
	Langs  []string // distinct languages; Langs[i] is what Tweet.Lang i+1 stands for
}

// Tweet holds what classification needs of one tweet.
type Tweet struct {
	At        Micros
	Favorites int64  // favorite_count; ≥ 0, and 0 on retweets, where it is not used
	Retweets  int64  // retweet_count; likewise
	Lang      uint32 // 1 + index into Account.Langs; 0 for missing, null, empty and "und"
	Kind      TweetKind
}

// TweetKind is a set of yes-or-no facts about a tweet.
type TweetKind uint8

// The facts about a tweet that attributes are made of. Reply, Mentions and
// Hashtags are set on own tweets only, where they are used.
const (
	Retweet  TweetKind = 1 << iota // has a retweeted_status key, whatever its value
	Reply                          // in_reply_to_status_id is not null
	Mentions                       // at least one of entities.user_mentions
	Hashtags                       // at least one of entities.hashtags
)

// Micros is a moment in microseconds since 1970-01-01 00:00:00 UTC, within the
// years 1 to 9999.
type Micros int64

// The first and the last moment that Micros may hold, those of the reference's
// own time type.
const (
	MinMicros Micros = -62135596800_000000
	MaxMicros Micros = 253402300799_999999
)

// Time gives the moment as a time.Time in UTC.
func (m Micros) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// seconds gives float64 POSIX seconds, rounded once, as the reference has them.
func (m Micros) seconds() float64 { return float64(m) / 1e6 }

// Clone gives a copy that shares no memory with its Builder.
func (a *Account) Clone() *Account {
	c := *a
	c.Tweets = append([]Tweet(nil), a.Tweets...)
	c.Langs = append([]string(nil), a.Langs...)
	return &c
}
