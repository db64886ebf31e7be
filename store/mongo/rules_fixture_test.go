package mongo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/classifier"
	"botwatch/internal/fixture"
	"botwatch/store"
)

func model(t *testing.T) *classifier.Model { return fixture.Model(t, false) }

func quiet() *logrus.Logger { return fixture.Quiet() }

func tweet() bson.D {
	return bson.D{
		{Key: "created_at", Value: "2020-05-19 01:00:01"}, {Key: "retweet_count", Value: 0}, {Key: "favorite_count", Value: 1},
		{Key: "lang", Value: "en"}, {Key: "entities", Value: bson.D{{Key: "hashtags", Value: bson.A{}}, {Key: "user_mentions", Value: bson.A{}}}},
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v; want %v", err, want)
	}
}

var slugs = [classifier.NumClasses]string{"a", "b", "c", "d", "e", "f"}

// healthy is a classified prediction.
func healthy(id store.ID, v store.Version) *store.Prediction {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &store.Prediction{
		ID: id, Platform: store.Platform, Status: store.StatusClassified, Class: 4, Slug: "d", Support: classifier.SupportWeak, Slugs: &slugs,
		Model:        store.ModelRef{Name: "m", Digest: "sha256:m"},
		Source:       store.SourceRef{Version: v, Fingerprint: "sha256:f", Via: "stream"},
		ClassifiedAt: at, ClassChangedAt: at,
	}
}

func replace(id store.ID, v store.Version) store.Write {
	return store.Write{ID: id, Version: v, Kind: store.Replace, Prediction: healthy(id, v)}
}

func touch(id store.ID, v store.Version) store.Write {
	return store.Write{ID: id, Version: v, Kind: store.Touch}
}

func remove(id store.ID, v store.Version) store.Write {
	return store.Write{ID: id, Version: v, Kind: store.Remove, Prediction: store.NewTombstone(id, "stream", time.Now().Add(24*time.Hour))}
}

func fault(id store.ID, v store.Version) store.Write {
	why := &classifier.FieldError{Code: classifier.CodeMissing, Field: "tweets", Message: "is missing"}
	p := store.NewFault(id, nil, why, store.ModelRef{Name: "m", Digest: "sha256:m"})
	p.ClassifiedAt = time.Now().UTC()
	return store.Write{ID: id, Version: v, Kind: store.Fault, Prediction: p, Letter: &store.Letter{
		ID: id, Reason: string(why.Code), Field: why.Field, Error: why.Message, Attempts: 1, FirstSeen: time.Now(), LastSeen: time.Now(), Model: "sha256:m", Version: v,
	}}
}

// write does one write, and gives its outcome.
func write(t *testing.T, s store.Sink, w store.Write) store.Outcome {
	t.Helper()
	out, err := s.Write(t.Context(), []store.Write{w})
	check(t, err)
	return out[0]
}
