package store_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"botwatch/classifier"
	"botwatch/store"
)

var slugs = [classifier.NumClasses]string{"automated_dormant", "organic", "automated_amplified", "unheard", "liked_only", "reply_heavy"}

// documented is a prediction as the documentation shows it, and its document.
func documented() (*store.Prediction, string) {
	at := time.Date(2020, 5, 20, 9, 18, 42, 0, time.UTC)
	p := &store.Prediction{
		ID: store.StringID("813286"), Platform: store.Platform, UserID: "813286", ScreenName: "BarackObama",
		Status: store.StatusClassified, Class: 4, Slug: "unheard", Support: classifier.SupportStrong, Slugs: &slugs,
		Scores: [classifier.NumClasses]float64{0, 0, 0, 1, 0.1, 0}, Margin: 0.9, Base: 0.33,
		Reasons: []classifier.Reason{{Attribute: classifier.Age, Value: 4800, Contribution: 0.67}},
		Basis:   classifier.Basis{Tweets: 100, OwnTweets: 90, FirstAt: classifier.Micros(at.UnixMicro() - 1), LastAt: classifier.Micros(at.UnixMicro())},
		Flags:   classifier.FlagNoOwnTweets, OutOfRange: 1 << classifier.Age,
		Model:  store.ModelRef{Name: "published", Digest: "sha256:ab"},
		Source: store.SourceRef{Version: store.Version{Epoch: 2, Seq: math.MaxUint64}, CrawledAt: classifier.Micros(at.UnixMicro()), Fingerprint: "cd", Via: "stream"},
		History: []store.HistoryEntry{
			{Class: "unheard", Support: "strong", Model: "sha256:ab", At: at},
		},
		ClassChangedAt: at, ClassifiedAt: at.Add(time.Microsecond),
	}
	text := `{"_id":"813286","platform":"twitter","user_id":"813286","screen_name":"BarackObama","status":"classified",
"prediction":4,"class":"unheard","support":"strong",
"scores":{"automated_dormant":0,"organic":0,"automated_amplified":0,"unheard":1,"liked_only":0.1,"reply_heavy":0},"margin":0.9,"base":0.33,
"reasons":[{"attribute":"age","value":4800,"contribution":0.67}],
"basis":{"tweets":100,"own_tweets":90,"first_at":"2020-05-20T09:18:41.999999Z","last_at":"2020-05-20T09:18:42.000000Z"},
"flags":["no_own_tweets"],"out_of_range":["age"],"stale":false,"model":{"name":"published","digest":"sha256:ab"},
"source":{"epoch":2,"seq":"18446744073709551615","crawled_at":"2020-05-20T09:18:42.000000Z","fingerprint":"cd","via":"stream"},
"history":[{"class":"unheard","support":"strong","model":"sha256:ab","at":"2020-05-20T09:18:42.000000Z"}],
"class_changed_at":"2020-05-20T09:18:42.000000Z","classified_at":"2020-05-20T09:18:42.000001Z"}`
	return p, strings.ReplaceAll(text, "\n", "")
}

func TestPredictionDocument(t *testing.T) {
	p, want := documented()
	if diff := cmp.Diff(want, string(p.AppendJSON(nil))); diff != "" {
		t.Errorf("AppendJSON (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(p)
	if err != nil || string(text) != want {
		t.Errorf("json.Marshal: %s (%v)", text, err)
	}
	if got := string(p.AppendJSON([]byte("x"))); got != "x"+want {
		t.Errorf("AppendJSON after x: %s", got)
	}
}

func TestTombstoneDocument(t *testing.T) {
	p, _ := documented()
	p.Status, p.ExpiresAt = store.StatusDeleted, time.Date(2020, 5, 21, 11, 0, 0, 0, time.FixedZone("", 7200))
	want := `{"_id":"813286","status":"deleted","source":{"epoch":2,"seq":"18446744073709551615","via":"stream"},"expires_at":"2020-05-21T09:00:00.000000Z"}`
	if diff := cmp.Diff(want, string(p.AppendJSON(nil))); diff != "" {
		t.Errorf("AppendJSON (-want +got):\n%s", diff)
	}
}

// What is written is JSON, reads back as what it was, and is written the same
// again, whatever is in the texts.
func TestPredictionRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		p := drawPrediction(random)
		text := p.AppendJSON(nil)
		if !json.Valid(text) {
			t.Fatalf("no JSON: %s", text)
		}
		var back store.Prediction
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if diff := cmp.Diff(asUTF8All(p), &back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("came back (-want +got):\n%s", diff)
		}
		if again := back.AppendJSON(nil); !bytes.Equal(again, text) {
			t.Fatalf("written again:\n%s\nbefore:\n%s", again, text)
		}
	}
}

// The reader takes a document that any other program wrote the same values in.
func TestPredictionReadsOtherJSON(t *testing.T) {
	p, text := documented()
	var spread bytes.Buffer
	if err := json.Indent(&spread, []byte(strings.Replace(text, "{", `{"a_later_field": {"x": [1]}, `, 1)), "", "\t"); err != nil {
		t.Fatal(err)
	}
	var back store.Prediction
	if err := json.Unmarshal(spread.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, &back); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

func TestPredictionRefusesWhatItCannotRead(t *testing.T) {
	_, good := documented()
	for _, test := range []struct{ name, old, new string }{
		{"support", `"support":"strong"`, `"support":"firm"`},
		{"reason", `"attribute":"age"`, `"attribute":"mood"`},
		{"flag", `"no_own_tweets"`, `"no_such_flag"`},
		{"attribute out of range", `"out_of_range":["age"]`, `"out_of_range":["mood"]`},
		{"score", `"organic":0`, `"organic":"0"`},
		{"five scores", `"organic":0,`, ``},
		{"no scores", `"scores":{"automated_dormant":0,"organic":0,"automated_amplified":0,"unheard":1,"liked_only":0.1,"reply_heavy":0}`, `"scores":null`},
		{"a list of scores", `"scores":{"automated_dormant":0,"organic":0,"automated_amplified":0,"unheard":1,"liked_only":0.1,"reply_heavy":0}`, `"scores":[1,2,3,4,5,6]`},
		{"a seventh score", `"organic":0`, `"organic":0,"seventh":0`},
		{"scores", `"scores":{"automated_dormant":0,`, `"scores":{"automated_dormant":[],`},
		{"id", `"_id":"813286"`, `"_id":[]`},
		{"seq", `"seq":"18446744073709551615"`, `"seq":"18446744073709551616"`},
		{"time", `"last_at":"2020-05-20T`, `"last_at":"2020-05-20`},
		{"end", `}`, ``},
	} {
		text := strings.Replace(good, test.old, test.new, 1)
		if text == good {
			t.Fatalf("%s: nothing replaced", test.name)
		}
		if err := json.Unmarshal([]byte(text), new(store.Prediction)); err == nil {
			t.Errorf("%s: no error", test.name)
		}
	}
}

// drawPrediction draws a document of any status, with hostile texts.
func drawPrediction(random *rand.Rand) *store.Prediction {
	id := []store.ID{store.StringID(asUTF8(hostile(random))), store.IntID(int64(random.Uint64())), store.FloatID(random.NormFloat64()), store.BytesID([]byte(hostile(random)))}
	micros := func() classifier.Micros {
		switch random.IntN(8) {
		case 0:
			return classifier.MinMicros
		case 1:
			return classifier.MaxMicros
		}
		return classifier.Micros(random.Int64N(2e15))
	}
	version := store.Version{Epoch: random.Int64N(9), Seq: random.Uint64()}
	p := &store.Prediction{ID: id[random.IntN(len(id))], Source: store.SourceRef{Version: version, Via: "scan"}}
	if random.IntN(8) == 0 {
		p.Status, p.ExpiresAt = store.StatusDeleted, micros().Time()
		return p
	}
	p.Platform, p.UserID, p.ScreenName = store.Platform, hostile(random), hostile(random)
	p.Model = store.ModelRef{Name: hostile(random), Digest: hostile(random)}
	p.Source.CrawledAt, p.Source.Fingerprint = micros(), hostile(random)
	p.ClassifiedAt, p.Stale = micros().Time(), random.IntN(2) == 0
	if random.IntN(2) == 0 {
		p.Error = &classifier.FieldError{Code: classifier.CodeBadTime, Field: hostile(random), Message: hostile(random)}
	}
	for range random.IntN(3) {
		p.History = append(p.History, store.HistoryEntry{Class: hostile(random), Support: "weak", Model: hostile(random), At: micros().Time()})
	}
	if random.IntN(2) == 0 {
		p.ClassChangedAt = classifier.Micros(1 + random.Int64N(2e15)).Time()
	}
	p.Flags = classifier.Flags(random.IntN(256))
	if random.IntN(4) == 0 {
		p.Status = store.StatusError
		return p
	}
	p.Status = store.StatusInsufficient
	p.Basis = classifier.Basis{Tweets: random.IntN(3), OwnTweets: random.IntN(9)}
	if p.Basis.Tweets > 0 {
		p.Basis.FirstAt, p.Basis.LastAt = micros(), micros()
	}
	if random.IntN(2) == 0 {
		return p
	}
	p.Status, p.Class = store.StatusClassified, 1+random.IntN(classifier.NumClasses)
	p.Slug, p.Slugs, p.Support = slugs[p.Class-1], &slugs, classifier.Support(random.IntN(3))
	number := func() float64 {
		switch random.IntN(6) {
		case 0:
			return 0
		case 1:
			return -10
		case 2:
			return math.MaxFloat64 * (random.Float64() - 0.5)
		case 3:
			return float64(random.Int64() - 1<<62)
		}
		return random.NormFloat64()
	}
	for i := range p.Scores {
		p.Scores[i] = random.Float64()
	}
	p.Margin, p.Base, p.HasAttributes = number(), number(), true
	for i := range p.Attributes {
		p.Attributes[i] = number()
		if random.IntN(3) == 0 {
			p.Reasons = append(p.Reasons, classifier.Reason{Attribute: classifier.Attribute(i), Value: number(), Contribution: number()})
		}
	}
	p.OutOfRange = classifier.AttributeSet(random.IntN(1 << classifier.NumAttributes))
	return p
}

// asUTF8All gives the prediction with its texts as JSON can hold them.
func asUTF8All(p *store.Prediction) *store.Prediction {
	q := *p
	for _, s := range []*string{&q.UserID, &q.ScreenName, &q.Model.Name, &q.Model.Digest, &q.Source.Fingerprint} {
		*s = asUTF8(*s)
	}
	if p.Error != nil {
		q.Error = &classifier.FieldError{Code: p.Error.Code, Field: asUTF8(p.Error.Field), Message: asUTF8(p.Error.Message)}
	}
	q.History = nil
	for _, h := range p.History {
		h.Class, h.Model = asUTF8(h.Class), asUTF8(h.Model)
		q.History = append(q.History, h)
	}
	return &q
}
