package classifier

// Tweet pushes a whole tweet as an element of tweets, and its language as text,
// in place of an object: for readers that know their values' types and need no
// more of the Builder. The reader answers for what the Builder would have checked:
// there was a created_at, and At lies within MinMicros and MaxMicros; and except
// for a retweet, of which nothing else counts, there were both counts, not
// negative, and both arrays of entities. What is not so has to be pushed as an
// object. t.Lang is not looked at, and no reference to lang is kept.
func (b *Builder) Tweet(t Tweet, lang []byte) {
	if b.err != nil || b.field != fTweetItem {
		return
	}
	if t.Kind&Retweet != 0 {
		t.Kind, t.Favorites, t.Retweets = Retweet, 0, 0
	}
	t.Lang = b.lang(lang)
	b.acc.Tweets = append(b.acc.Tweets, t)
}
