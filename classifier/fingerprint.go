package classifier

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// FingerprintVersion opens the canonical form that fingerprints are made over.
const FingerprintVersion = "botwatch-account/1\n"

// Fingerprint gives "sha256:" and the SHA-256 of the account's canonical form,
// so that anybody can verify which state of an account a result was made from.
// buf is working memory and may be nil; it is returned for the next call.
//
// The canonical form is FingerprintVersion and, all integers being 8 bytes in
// little-endian two's complement, and all texts their length in bytes (an
// integer) and their UTF-8 bytes:
//
//	user id (text), screen name (text), created_at and crawled_at (microseconds
//	since 1970 UTC), followers_count, statuses_count, then one byte: 1 verified
//	+ 2 url is not null + 4 location is not empty; the number of tweets; and of
//	each tweet, in list order: created_at (microseconds), one byte: 1 retweet
//	+ 2 reply + 4 mentions + 8 hashtags, favorite_count, retweet_count, lang
//	(text; empty for missing, null and "und").
//
// Of a retweet only created_at and lang count: the rest is 0, its byte is 1.
func (a *Account) Fingerprint(buf []byte) (fingerprint string, _ []byte) {
	buf = append(buf[:0], FingerprintVersion...)
	num := func(v int64) { buf = binary.LittleEndian.AppendUint64(buf, uint64(v)) }
	text := func(s string) {
		num(int64(len(s)))
		buf = append(buf, s...)
	}
	text(a.UserID)
	text(a.ScreenName)
	num(int64(a.CreatedAt))
	num(int64(a.CrawledAt))
	num(a.Followers)
	num(a.Statuses)
	var facts byte
	if a.Verified {
		facts |= 1
	}
	if a.HasURL {
		facts |= 2
	}
	if a.HasLocation {
		facts |= 4
	}
	buf = append(buf, facts)
	num(int64(len(a.Tweets)))
	for i := range a.Tweets {
		t := &a.Tweets[i]
		num(int64(t.At))
		buf = append(buf, byte(t.Kind))
		num(t.Favorites)
		num(t.Retweets)
		if t.Lang == 0 {
			num(0)
		} else {
			text(a.Langs[t.Lang-1])
		}
	}
	sum := sha256.Sum256(buf)
	const prefix = "sha256:"
	out := make([]byte, len(prefix)+2*len(sum))
	copy(out, prefix)
	hex.Encode(out[len(prefix):], sum[:])
	return string(out), buf
}
