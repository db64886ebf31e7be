package format

import (
	"strconv"
	"time"
	"unicode/utf8"

	"botwatch/classifier"
)

// AppendAccount appends an account in the upload format, one line of JSON with
// the needed fields alone. What classification knows only to be there (a url, a
// location, a mention, a hashtag, the tweet replied to) is a placeholder.
// DecodeJSON reads an equal account from it, as long as its texts are UTF-8
// and its languages are those of its tweets in the order of their first use,
// which is how a Builder makes them.
func AppendAccount(dst []byte, a *classifier.Account) []byte {
	dst = append(dst, `{"user_data": {`...)
	if a.UserID != "" {
		dst = append(dst, `"id_str": `...)
		dst = appendString(dst, a.UserID)
		dst = append(dst, ", "...)
	}
	dst = append(dst, `"screen_name": `...)
	dst = appendString(dst, a.ScreenName)
	dst = append(dst, `, "created_at": `...)
	dst = appendTime(dst, a.CreatedAt)
	dst = append(dst, `, "followers_count": `...)
	dst = strconv.AppendInt(dst, a.Followers, 10)
	dst = append(dst, `, "statuses_count": `...)
	dst = strconv.AppendInt(dst, a.Statuses, 10)
	dst = append(dst, `, "verified": `...)
	dst = strconv.AppendBool(dst, a.Verified)
	dst = append(dst, `, "url": `...)
	dst = append(dst, choose(a.HasURL, `"url"`, "null")...)
	dst = append(dst, `, "location": `...)
	dst = append(dst, choose(a.HasLocation, `"location"`, `""`)...)
	dst = append(dst, `}, "tweets": [`...)
	for i := range a.Tweets {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendTweet(dst, &a.Tweets[i], a.Langs)
	}
	dst = append(dst, `], "crawled_at": `...)
	dst = appendTime(dst, a.CrawledAt)
	return append(dst, '}')
}

func appendTweet(dst []byte, t *classifier.Tweet, langs []string) []byte {
	dst = append(dst, `{"created_at": `...)
	dst = appendTime(dst, t.At)
	dst = append(dst, `, "lang": `...)
	if t.Lang == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = appendString(dst, langs[t.Lang-1])
	}
	if t.Kind&classifier.Retweet != 0 {
		return append(dst, `, "retweeted_status": {}}`...)
	}
	dst = append(dst, `, "in_reply_to_status_id": `...)
	dst = append(dst, choose(t.Kind&classifier.Reply != 0, "1", "null")...)
	dst = append(dst, `, "retweet_count": `...)
	dst = strconv.AppendInt(dst, t.Retweets, 10)
	dst = append(dst, `, "favorite_count": `...)
	dst = strconv.AppendInt(dst, t.Favorites, 10)
	dst = append(dst, `, "entities": {"user_mentions": [`...)
	dst = append(dst, choose(t.Kind&classifier.Mentions != 0, "{}", "")...)
	dst = append(dst, `], "hashtags": [`...)
	dst = append(dst, choose(t.Kind&classifier.Hashtags != 0, "{}", "")...)
	return append(dst, "]}}"...)
}

func choose(which bool, yes, no string) string {
	if which {
		return yes
	}
	return no
}

// appendTime appends a time as the crawler writes it, with a fraction only
// where there is one.
func appendTime(dst []byte, at classifier.Micros) []byte {
	layout := `"` + time.DateTime + `.000000"`
	if at%1e6 == 0 {
		layout = `"` + time.DateTime + `"`
	}
	return at.Time().AppendFormat(dst, layout)
}

// appendString appends text as a JSON string; what is no UTF-8 becomes U+FFFD.
func appendString(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
