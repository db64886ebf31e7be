package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"botwatch/classifier"
	"botwatch/store"
	"botwatch/store/sqlite"
)

const benchBatch = 250

// benchAccounts gives n accounts of 6 to 14 KB with random ids, from the first on.
func benchAccounts(first, n int) []store.Account {
	text := strings.Repeat(`{"created_at":"2020-05-20 09:18:42","lang":"en","retweet_count":0,"favorite_count":3},`, 200)
	accounts := make([]store.Account, n)
	for i := range accounts {
		r := rand.New(rand.NewPCG(uint64(first+i), 1))
		accounts[i] = store.Account{ID: store.StringID(fmt.Sprint(r.Int64())), Doc: []byte(text[:6000+r.IntN(8000)])}
	}
	return accounts
}

// benchPrediction is a document of some 2.5 KB.
func benchPrediction(id store.ID, seq uint64) *store.Prediction {
	slugs := [classifier.NumClasses]string{"automated_dormant", "organic", "automated_amplified", "unheard", "liked_only", "reply_heavy"}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p := &store.Prediction{
		ID: id, Platform: "twitter", UserID: "813286123", ScreenName: "some_body", Status: store.StatusClassified,
		Class: int(seq%6) + 1, Slug: slugs[seq%6], Support: classifier.SupportStrong, Slugs: &slugs,
		Scores: [classifier.NumClasses]float64{0, 0.1, 0.2, 0.9, 0.25, 0}, Margin: 0.65, Base: 0.3312345678,
		HasAttributes: true, Basis: classifier.Basis{Tweets: 20, OwnTweets: 12, FirstAt: 1589966322000000, LastAt: 1589966322000000},
		Model: store.ModelRef{Name: "published", Digest: strings.Repeat("0123456789abcdef", 4)},
		Source: store.SourceRef{
			Version: store.Version{Epoch: 1, Seq: seq}, CrawledAt: 1589966322000000,
			Fingerprint: strings.Repeat("fedcba9876543210", 4), Via: "stream",
		},
		History:        []store.HistoryEntry{{Class: slugs[seq%6], Support: "strong", Model: strings.Repeat("0123456789abcdef", 4), At: now}},
		ClassChangedAt: now, ClassifiedAt: now,
	}
	for a := range classifier.Attribute(len(p.Attributes)) {
		p.Attributes[a] = 0.123456789012345 * float64(a+1)
		if a < 18 {
			p.Reasons = append(p.Reasons, classifier.Reason{Attribute: a, Value: p.Attributes[a], Contribution: 0.0123456789})
		}
	}
	return p
}

func BenchmarkPutAccounts(b *testing.B) {
	s := open(b, dbPath(b), sqlite.Options{})
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		accounts := benchAccounts(i*benchBatch, benchBatch)
		b.StartTimer()
		check(b, s.PutAccounts(b.Context(), accounts))
	}
	b.ReportMetric(float64(b.N*benchBatch)/b.Elapsed().Seconds(), "accounts/s")
}

func BenchmarkStream(b *testing.B) {
	s := open(b, dbPath(b), sqlite.Options{})
	from := head(b, s).Position
	const n = 20000
	for i := 0; i < n; i += 1000 {
		check(b, s.PutAccounts(b.Context(), benchAccounts(i, 1000)))
	}
	bytes := 0
	for b.Loop() {
		f := stream(b, s, from)
		for read := 0; read < n; {
			batch, err := f.Next(b.Context())
			check(b, err)
			read += len(batch.Changes)
			for _, c := range batch.Changes {
				bytes += len(c.Doc)
			}
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "accounts/s")
	b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
}

// BenchmarkWrite looks the stamps of new accounts up and writes their predictions.
func BenchmarkWrite(b *testing.B) {
	s := open(b, dbPath(b), sqlite.Options{})
	b.ReportMetric(float64(len(benchPrediction(store.StringID("813286"), 1).AppendJSON(nil))), "B/doc")
	seq := uint64(0)
	for b.Loop() {
		b.StopTimer()
		writes := make([]store.Write, benchBatch)
		ids := make([]store.ID, benchBatch)
		for i := range writes {
			seq++
			ids[i] = store.StringID(fmt.Sprint(rand.New(rand.NewPCG(seq, 1)).Int64()))
			p := benchPrediction(ids[i], seq)
			writes[i] = store.Write{ID: ids[i], Version: p.Source.Version, Kind: store.Replace, Prediction: p}
		}
		b.StartTimer()
		_, err := s.Stamps(b.Context(), ids)
		check(b, err)
		_, err = s.Write(b.Context(), writes)
		check(b, err)
	}
	b.ReportMetric(float64(b.N*benchBatch)/b.Elapsed().Seconds(), "accounts/s")
}
