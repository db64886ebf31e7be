package mongo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"botwatch/store"
)

// with gives a document in which path has another value, nothing for none.
func with(t *testing.T, doc bson.Raw, path string, value any) bson.Raw {
	t.Helper()
	var d bson.D
	if err := bson.Unmarshal(doc, &d); err != nil {
		t.Fatal(err)
	}
	names := strings.Split(path, ".")
	var set func(d bson.D, names []string) bson.D
	set = func(d bson.D, names []string) bson.D {
		for i := range d {
			if d[i].Key != names[0] {
				continue
			}
			if len(names) > 1 {
				d[i].Value = set(d[i].Value.(bson.D), names[1:])
			} else if value == nil {
				return append(d[:i:i], d[i+1:]...)
			} else {
				d[i].Value = value
			}
			return d
		}
		return append(d, bson.E{Key: names[0], Value: value})
	}
	changed, err := bson.Marshal(set(d, names))
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func TestForeignDocumentsAreRefused(t *testing.T) {
	good := encode(everything())
	foreign := map[string]bson.Raw{
		"an empty document": bsoncore.BuildDocument(nil), "no status": with(t, good, "status", nil), "another status": with(t, good, "status", 1),
		"no source": with(t, good, "source", nil), "another source": with(t, good, "source", "web"), "a list of sources": with(t, good, "source", bson.A{}),
		"no epoch": with(t, good, "source.epoch", nil), "another epoch": with(t, good, "source.epoch", "3"), "half an epoch": with(t, good, "source.epoch", 1.5),
		"no seq": with(t, good, "source.seq", nil), "another seq": with(t, good, "source.seq", int64(3)), "null": with(t, good, "source.seq", bson.Null{}),
	}
	for name, doc := range foreign {
		_, _, err := readPrediction(doc)
		_, errStamp := readStamp(doc, true)
		if !errors.Is(err, store.ErrForeign) || !errors.Is(errStamp, store.ErrForeign) || isOurs(doc) {
			t.Errorf("%s: %v, %v, ours: %v", name, err, errStamp, isOurs(doc))
		}
	}
	if !isOurs(with(t, good, "source.epoch", int32(3))) || !isOurs(with(t, good, "source.epoch", 3.0)) {
		t.Error("an epoch that a JSON tool has stored anew is not ours")
	}
}

func TestReadPredictionRefusesWhatItCannotRead(t *testing.T) {
	good := encode(everything())
	for _, test := range []struct {
		path  string
		value any
		want  string
	}{
		{"_id", nil, "no _id"},
		{"status", "asleep", `status: unknown "asleep"`},
		{"support", "firm", `support: unknown "firm"`},
		{"prediction", 7, "prediction: is 7; want 1 to 6"},
		{"prediction", 0, "prediction: is 0; want 1 to 6"},
		{"prediction", "4", "prediction: is of type string; want a whole number"},
		{"prediction", 3.5, "prediction: is of type double; want a whole number"},
		{"screen_name", 5, "screen_name: is of type 32-bit integer; want a string"},
		{"scores.organic", "0", "scores: organic: is of type string; want a number"},
		{"scores.organic", nil, "scores: 5 numbers; want 6"},
		{"scores.seventh", 0.5, "scores: 7 numbers; want 6"},
		{"scores", bson.A{1, 2, 3, 4, 5, 6}, "scores: is of type array; want a document"},
		{"margin", math.NaN(), "margin: is NaN; want a finite number"},
		{"base", math.Inf(1), "base: is +Inf; want a finite number"},
		{"reasons", bson.A{bson.D{{Key: "attribute", Value: "mood"}}}, `reasons: 0: attribute: unknown "mood"`},
		{"reasons", bson.A{bson.D{}}, "reasons: 0: no attribute"},
		{"reasons", bson.A{5}, "reasons: 0: is of type 32-bit integer; want a document"},
		{"attributes.mood", 1.0, "attributes: mood: no such attribute"},
		{"basis.first_at", "2020-05-20", "basis: first_at: is of type string; want a date"},
		{"classified_at", bson.DateTime(math.MaxInt64), "classified_at: lies outside the years 1 to 9999"},
		{"classified_at", bson.DateTime(math.MinInt64), "classified_at: lies outside the years 1 to 9999"},
		{"flags", bson.A{"no_such_flag"}, `flags: 0: unknown "no_such_flag"`},
		{"flags", "tie", "flags: is of type string; want an array"},
		{"out_of_range", bson.A{"mood"}, `out_of_range: 0: unknown "mood"`},
		{"stale", 1, "stale: is of type 32-bit integer; want true or false"},
		{"error", "no", "error: is of type string; want a document"},
		{"model.digest", 1, "model: digest: is of type 32-bit integer; want a string"},
		{"history", bson.D{}, "history: is of type embedded document; want an array"},
		{"history", bson.A{bson.D{{Key: "at", Value: 5}}}, "history: 0: at: is of type 32-bit integer; want a date"},
	} {
		_, _, err := readPrediction(with(t, good, test.path, test.value))
		if err == nil || err.Error() != "read prediction: "+test.want {
			t.Errorf("%s = %v: %v, want %s", test.path, test.value, err, test.want)
		}
	}
}

// Later versions may add fields, and tools change what equals what.
func TestReadPredictionIsTolerant(t *testing.T) {
	good := encode(everything())
	for path, value := range map[string]any{
		"later": bson.D{{Key: "x", Value: bson.A{1, nil}}}, "source.later": bson.MinKey{}, "model.later": bson.Regex{Pattern: "a"}, "basis.later": "x",
		"prediction": 4.0, "basis.tweets": int64(20), "source.epoch": 3.0, "scores.automated_dormant": int32(0), "expires_at": bson.Null{},
	} {
		got, _, err := readPrediction(with(t, good, path, value))
		got.ID = documentID
		if diff := cmp.Diff(inMillis(everything()), &got); err != nil || diff != "" {
			t.Errorf("%s = %v: %v (-want +got):\n%s", path, value, err, diff)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	p := everything()
	for i := range 3 * store.MaxHistory {
		p.History = append(p.History, store.HistoryEntry{Model: fmt.Sprint(i)})
	}
	got, _, err := readPrediction(encode(p))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inMillis(p).History[:store.MaxHistory], got.History); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// readAll reads bytes as whatever they may be.
func readAll(doc []byte) (ok bool) {
	_, _, err := readPrediction(doc)
	_, errStamp := readStamp(doc, true)
	_, _, errLetter := readLetter(doc)
	_, errCheckpoint := readCheckpoint(doc)
	isOurs(doc)
	return err == nil || errStamp == nil || errLetter == nil || errCheckpoint == nil
}

func TestTruncatedDocumentsAreErrors(t *testing.T) {
	for name, doc := range documents() {
		for n := range doc {
			if readAll(doc[:n]) {
				t.Fatalf("%s: its first %d bytes were read", name, n)
			}
			// The same with lengths that agree.
			cut := append(bytes.Clone(doc[:n]), 0)
			if n >= 4 {
				readAll(bsoncore.UpdateLength(cut, 0, int32(len(cut))))
			}
		}
		if readAll(append(bytes.Clone(doc), 0)) {
			t.Errorf("%s: read with a byte after its end", name)
		}
		for i := range doc {
			for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
				hurt := bytes.Clone(doc)
				hurt[i] = b
				readAll(hurt)
				rewritten(t, hurt)
			}
		}
	}
}

func documents() map[string][]byte {
	docs := map[string][]byte{
		"letter":     appendLetter(nil, byte(bsoncore.TypeString), documentIDRaw, someLetter()),
		"checkpoint": appendCheckpoint(nil, someCheckpoint()),
	}
	for name, p := range predictions() {
		docs[name] = encode(p)
	}
	return docs
}

// rewritten checks that what can be read can be written, and is then read the
// same.
func rewritten(t *testing.T, doc []byte) {
	p, id, err := readPrediction(doc)
	if err != nil {
		return
	}
	first := appendPrediction(nil, byte(id.Type), id.Value, &p)
	again, id, err := readPrediction(first)
	if err != nil {
		t.Fatalf("written again: %v", err)
	}
	if second := appendPrediction(nil, byte(id.Type), id.Value, &again); !bytes.Equal(first, second) {
		t.Fatalf("written twice:\n%v\n%v", bson.Raw(first), bson.Raw(second))
	}
	if !json.Valid(p.AppendJSON(nil)) {
		t.Fatal("its JSON form is none")
	}
}
