package classifier_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"botwatch/classifier"
)

// TestBuilderTweet: tweets that are pushed whole are those pushed as objects.
func TestBuilderTweet(t *testing.T) {
	var want, got classifier.Builder
	_, err := build(t, &want, accountJSON(wholeUser, `{`+wholeTweet+`, "lang": "en", "in_reply_to_status_id": 5},
		{`+wholeTweet+`, "lang": "sv", "in_reply_to_status_id": 5, "retweeted_status": null}, {`+wholeTweet+`, "lang": "und"}, {`+wholeTweet+`, "lang": "en"}`))
	if err != nil {
		t.Fatal(err)
	}
	at, _ := classifier.ParseTime("2020-05-20 09:18:42")
	tweet := classifier.Tweet{At: at, Retweets: 3, Favorites: 4}
	got.Reset()
	got.BeginObject()
	got.Tweet(tweet, nil) // not among tweets
	if got.Key([]byte("tweets")) && got.BeginArray() {
		for _, v := range []struct {
			kind classifier.TweetKind
			lang string
		}{{classifier.Reply, "en"}, {classifier.Reply | classifier.Retweet, "sv"}, {0, "und"}, {0, "en"}} {
			tweet.Kind = v.kind
			got.Tweet(tweet, []byte(v.lang))
		}
		got.EndArray()
	}
	got.EndObject()
	wantAccount, _ := want.Finish()
	gotAccount, _ := got.Finish()
	if diff := cmp.Diff(wantAccount.Tweets, gotAccount.Tweets); diff != "" {
		t.Errorf("tweets (-objects +whole):\n%s", diff)
	}
	if diff := cmp.Diff(wantAccount.Langs, gotAccount.Langs); diff != "" {
		t.Errorf("languages (-objects +whole):\n%s", diff)
	}
}

// TestBuilderTweetAfterAFault: an account that is lost takes no memory.
func TestBuilderTweetAfterAFault(t *testing.T) {
	var b classifier.Builder
	b.Reset()
	b.BeginObject()
	b.Key([]byte("tweets"))
	b.BeginArray()
	b.Null()
	b.Tweet(classifier.Tweet{}, nil)
	b.EndArray()
	b.EndObject()
	account, err := b.Finish()
	want := error(&classifier.FieldError{Code: classifier.CodeWrongType, Field: "tweets[0]", Message: "want a tweet object"})
	if diff := cmp.Diff(want, err); diff != "" || len(account.Tweets) != 0 {
		t.Errorf("%d tweets, error (-want +got):\n%s", len(account.Tweets), diff)
	}
}
