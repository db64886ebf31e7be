package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"botwatch/classifier"
	"botwatch/store"
)

// start is when everything in the suite's documents begins.
var start = time.Date(2020, 5, 20, 9, 18, 42, 123456000, time.UTC)

// crawled gives the crawl time of an account's version.
func crawled(version int) time.Time {
	return start.Truncate(time.Second).Add(time.Duration(version) * time.Hour)
}

// Doc is a synthetic account of two tweets in the upload format.
func Doc(screenName string, crawledAt time.Time) []byte {
	const layout = "2006-01-02 15:04:05"
	name, _ := json.Marshal(screenName)
	return fmt.Appendf(nil, `{"user_data": {"id_str": "813286", "screen_name": %s, "created_at": "Wed May 20 09:18:42 +0000 2015",`+
		` "followers_count": 3, "statuses_count": 7, "verified": false, "url": null, "location": ""},`+
		` "tweets": [%s, %[2]s], "crawled_at": %q}`,
		name, `{"created_at": "Wed May 20 09:18:42 +0000 2019", "lang": "en", "in_reply_to_status_id": null,`+
			` "retweet_count": 1, "favorite_count": 2, "entities": {"user_mentions": [], "hashtags": []}}`,
		crawledAt.UTC().Format(layout))
}

// nameOf is the screen name of an account's version.
func nameOf(id store.ID, version int) string { return fmt.Sprintf("%x.%d", string(id), version) }

// read gives the screen name and the crawl time in a document.
func (e *env) read(doc []byte) (string, classifier.Micros) {
	e.Helper()
	var b classifier.Builder
	e.must("Decode", e.s.Decode(doc, &b))
	a, err := b.Finish()
	e.must("Finish", err)
	return a.ScreenName, a.CrawledAt
}

// numbered gives n string ids.
func numbered(prefix string, n int) []store.ID {
	ids := make([]store.ID, n)
	for i := range ids {
		ids[i] = store.StringID(fmt.Sprintf("%s%04d", prefix, i))
	}
	return ids
}

var slugs = [classifier.NumClasses]string{"automated_dormant", "organic", "automated_amplified", "unheard", "liked_only", "reply_heavy"}

// base is a sequence number that a float64 cannot hold.
const base uint64 = 7_300_000_000_000_000_001

func version(epoch int64, seq uint64) store.Version {
	return store.Version{Epoch: epoch, Seq: base + seq}
}

// full is a classified prediction with a value in every field but ExpiresAt.
func full(id store.ID, v store.Version) *store.Prediction {
	p := &store.Prediction{
		ID: id, Platform: store.Platform, UserID: "813286", ScreenName: "a \"name\"\\ of\x00\u2028 <many> 日本",
		Status: store.StatusClassified, Class: 4, Slug: slugs[3], Support: classifier.SupportWeak, Slugs: &slugs,
		Scores: [classifier.NumClasses]float64{0, 0.25, 1.0 / 3, 0.9, 0.1, 1e-9}, Margin: 0.9 - 1.0/3, Base: 1.0 / 7,
		Reasons: []classifier.Reason{
			{Attribute: classifier.Age, Value: 1826, Contribution: 0.5},
			{Attribute: classifier.Popularity, Value: -10, Contribution: -1.0 / 3},
		},
		HasAttributes: true,
		Basis: classifier.Basis{
			Tweets: 20, OwnTweets: 3, FirstAt: classifier.Micros(start.UnixMicro()), LastAt: classifier.Micros(start.UnixMicro() + 1),
		},
		Flags: classifier.FlagFewTweets | classifier.FlagTie, OutOfRange: 1<<classifier.Age | 1<<classifier.Burst,
		Stale: true,
		Error: &classifier.FieldError{Code: classifier.CodeBadTime, Field: "tweets[3].created_at", Message: `is "ü"; want a time`},
		Model: store.ModelRef{Name: "published", Digest: "sha256:abc"},
		Source: store.SourceRef{
			Version: v, CrawledAt: classifier.Micros(start.UnixMicro()), Fingerprint: "sha256:def", Via: "stream",
		},
		History: []store.HistoryEntry{
			{Class: slugs[3], Support: "weak", Model: "sha256:abc", At: start},
			{Class: "", Support: "none", Model: "sha256:older", At: start.Add(-time.Hour)},
		},
		ClassChangedAt: start, ClassifiedAt: start.Add(time.Minute),
	}
	for i := range p.Attributes {
		p.Attributes[i] = float64(i) + 1.0/3
	}
	return p
}

// healthy is a prediction without an error.
func healthy(id store.ID, v store.Version) *store.Prediction {
	p := full(id, v)
	p.Stale, p.Error = false, nil
	return p
}

// faulty is the document of an account that could never be read.
func faulty(id store.ID, v store.Version) *store.Prediction {
	p := store.NewFault(id, nil, &classifier.FieldError{Code: classifier.CodeMissing, Field: "tweets", Message: "is missing"},
		store.ModelRef{Name: "other", Digest: "sha256:other"})
	p.Source = store.SourceRef{Version: v, Via: "scan"}
	p.ClassifiedAt = start.Add(time.Hour)
	return p
}

// tombstone is one that expires long after the test.
func tombstone(id store.ID, v store.Version) *store.Prediction {
	p := store.NewTombstone(id, "stream", time.Now().UTC().Add(24*time.Hour).Truncate(time.Microsecond))
	p.Source.Version = v
	return p
}

// letter is a letter as a pipeline first writes it.
func letter(id store.ID, v store.Version, at time.Time) *store.Letter {
	return &store.Letter{
		ID: id, Reason: "bad_time", Field: "crawled_at", Error: "is \"ü\x00\"", Attempts: 1,
		FirstSeen: at, LastSeen: at, Model: "sha256:abc", Version: v,
	}
}

// The writes of each kind.

func replace(id store.ID, v store.Version) store.Write {
	return store.Write{ID: id, Version: v, Kind: store.Replace, Prediction: healthy(id, v)}
}

func touch(id store.ID, v store.Version) store.Write {
	return store.Write{ID: id, Version: v, Kind: store.Touch}
}

func fault(id store.ID, v store.Version) store.Write {
	return store.Write{ID: id, Version: v, Kind: store.Fault, Prediction: faulty(id, v)}
}

func remove(id store.ID, v store.Version) store.Write {
	return store.Write{ID: id, Version: v, Kind: store.Remove, Prediction: tombstone(id, v)}
}

// text gives a document as JSON of one field a line, for differences to be read.
func text(p *store.Prediction) string {
	if p == nil {
		return "nothing"
	}
	var b bytes.Buffer
	if err := json.Indent(&b, p.AppendJSON(nil), "", "  "); err != nil {
		return err.Error()
	}
	return b.String()
}

// differ compares; nil and empty lists are the same.
func differ(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }
