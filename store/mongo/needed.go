package mongo

import "go.mongodb.org/mongo-driver/v2/bson"

// neededFields gives what decode reads of an account as expressions for the
// server, so that the rest, nine tenths of a crawled account, need not travel:
// user_data, tweets and crawled_at, to be used as the projection of a find on
// accounts (prefix "$"), or as the new document in a pipeline whose events hold
// the account under a path (prefix "$fullDocument."). In a pipeline the caller
// sees to it that the account is there: from nothing they make an empty document.
//
// decode makes the same of what they leave as of the whole, whatever the account
// is like: the same Account, or the same fault at the same field. So what has not
// the shape that an account has stays whole: a projection by dotted paths would
// drop the scalars among tweets, and look for fields in an array's elements. And
// what counts only by being there, or by being empty, becomes true, or [true].
// The expressions are those of MongoDB 4.4 that others who speak its protocol
// have too, and walk the tweets once.
func neededFields(prefix string) bson.D {
	user, tweets := prefix+"user_data", prefix+"tweets"
	return bson.D{
		{Key: "user_data", Value: documentOr(user, pick(user, "id_str", "id", "screen_name", "created_at",
			"followers_count", "statuses_count", "verified", "url", "location"))},
		{Key: "tweets", Value: cond(isArray(tweets), bson.D{{Key: "$map", Value: bson.D{
			{Key: "input", Value: tweets},
			{Key: "as", Value: "t"},
			{Key: "in", Value: documentOr("$$t", neededOfTweet("$$t"))},
		}}}, tweets)},
		{Key: "crawled_at", Value: prefix + "crawled_at"},
	}
}

func neededOfTweet(tweet string) bson.D {
	entities, retweeted := tweet+".entities", tweet+".retweeted_status"
	return append(pick(tweet, "created_at", "lang", "in_reply_to_status_id", "retweet_count", "favorite_count"),
		bson.E{Key: "entities", Value: documentOr(entities, bson.D{
			{Key: "user_mentions", Value: whetherAny(entities + ".user_mentions")},
			{Key: "hashtags", Value: whetherAny(entities + ".hashtags")},
		})},
		// A null is there as well; what is missing stays so.
		bson.E{Key: "retweeted_status", Value: cond(isType(retweeted, "missing"), retweeted, true)})
}

// pick gives the fields of the document at a path that are there, as they are.
func pick(path string, names ...string) bson.D {
	d := make(bson.D, 0, len(names)+2)
	for _, name := range names {
		d = append(d, bson.E{Key: name, Value: path + "." + name})
	}
	return d
}

// documentOr gives what is left of the document at a path; of another value, all.
func documentOr(path string, left bson.D) bson.D { return cond(isType(path, "object"), left, path) }

// whetherAny leaves of an array whether anything is in it.
func whetherAny(path string) bson.D {
	return cond(isArray(path), cond(bson.D{{Key: "$eq", Value: bson.A{path, bson.A{}}}}, bson.A{}, bson.A{true}), path)
}

func cond(condition, then, otherwise any) bson.D {
	return bson.D{{Key: "$cond", Value: bson.A{condition, then, otherwise}}}
}

func isType(path, name string) bson.D {
	return bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$type", Value: path}}, name}}}
}

func isArray(path string) bson.D { return bson.D{{Key: "$isArray", Value: path}} }
