package mongo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"botwatch/classifier"
	"botwatch/store"
)

// documentStart is a moment with microseconds, documentMillis what is kept of it.
var (
	documentStart  = time.Date(2020, 5, 20, 9, 18, 42, 123456000, time.UTC)
	documentMillis = documentStart.Truncate(time.Millisecond)
	documentSlugs  = [classifier.NumClasses]string{"automated_dormant", "organic", "automated_amplified", "unheard", "liked_only", "reply_heavy"}
	documentID     = store.StringID("813286")
	documentIDRaw  = bsoncore.AppendString(nil, "813286")
	documentRef    = store.SourceRef{Version: store.Version{Epoch: 3, Seq: 1<<63 + 7}, Via: "stream"}
)

func atMicros(t time.Time) classifier.Micros { return classifier.Micros(t.UnixMicro()) }

// everything is a prediction with all fields but ExpiresAt.
func everything() *store.Prediction {
	p := &store.Prediction{
		ID: documentID, Platform: store.Platform, UserID: "813286", ScreenName: "a \"name\"\\ of\x00\u2028 <many> 日本",
		Status: store.StatusClassified, Class: 4, Slug: documentSlugs[3], Support: classifier.SupportWeak, Slugs: &documentSlugs,
		Scores: [classifier.NumClasses]float64{0, 0.25, 1.0 / 3, 0.9, 0.1, 1e-9}, Margin: 0.9 - 1.0/3, Base: 1.0 / 7,
		Reasons: []classifier.Reason{
			{Attribute: classifier.Age, Value: 1826, Contribution: 0.5},
			{Attribute: classifier.Popularity, Value: -10, Contribution: -1.0 / 3},
		},
		HasAttributes: true,
		Basis:         classifier.Basis{Tweets: 20, OwnTweets: 3, FirstAt: atMicros(documentStart), LastAt: atMicros(documentStart) + 1000},
		Flags:         classifier.FlagFewTweets | classifier.FlagTie | classifier.FlagAfterTraining,
		OutOfRange:    1<<classifier.Age | 1<<classifier.Burst, Stale: true,
		Error:  &classifier.FieldError{Code: classifier.CodeBadTime, Field: "tweets[3].created_at", Message: `is "ü"; want a time`},
		Model:  store.ModelRef{Name: "published", Digest: "sha256:abc"},
		Source: documentRef,
		History: []store.HistoryEntry{
			{Class: documentSlugs[3], Support: "weak", Model: "sha256:abc", At: documentStart},
			{Class: "", Support: "none", Model: "sha256:older", At: documentStart.Add(-time.Hour)},
		},
		ClassChangedAt: documentStart, ClassifiedAt: documentStart.Add(time.Minute),
	}
	p.Source.CrawledAt, p.Source.Fingerprint = atMicros(documentStart), "sha256:def"
	for i := range p.Attributes {
		p.Attributes[i] = float64(i) + 1.0/3
	}
	return p
}

// predictions are one of each kind.
func predictions() map[string]*store.Prediction {
	insufficient := &store.Prediction{
		ID: documentID, Platform: store.Platform, UserID: "1", Status: store.StatusInsufficient, Flags: classifier.FlagFewerThanTwo,
		Basis: classifier.Basis{Tweets: 1, FirstAt: atMicros(documentStart), LastAt: atMicros(documentStart)},
		Model: store.ModelRef{Name: "m", Digest: "sha256:m"}, Source: documentRef, ClassifiedAt: documentStart,
	}
	fault := store.NewFault(documentID, nil, &classifier.FieldError{Code: classifier.CodeMissing, Field: "tweets", Message: "is missing"}, store.ModelRef{})
	fault.Source, fault.ClassifiedAt = documentRef, documentStart
	tombstone := store.NewTombstone(documentID, "scan", documentStart)
	tombstone.Source.Version = documentRef.Version
	early := everything()
	early.Source.CrawledAt, early.Basis.FirstAt = -1, classifier.MinMicros
	early.Source.Version = store.Version{Epoch: math.MaxInt64, Seq: math.MaxUint64}
	early.Basis.Tweets = math.MaxInt32 + 1
	zero := &store.Prediction{ID: documentID, Status: store.StatusInsufficient, Source: store.SourceRef{Via: "stream"}}
	return map[string]*store.Prediction{
		"full": everything(), "insufficient": insufficient, "fault": fault, "tombstone": tombstone, "early": early, "zero": zero,
	}
}

// inMillis gives a prediction as a document keeps it.
func inMillis(p *store.Prediction) *store.Prediction {
	q := *p
	for _, t := range []*time.Time{&q.ClassChangedAt, &q.ClassifiedAt, &q.ExpiresAt} {
		*t = t.Truncate(time.Millisecond)
	}
	for _, m := range []*classifier.Micros{&q.Basis.FirstAt, &q.Basis.LastAt, &q.Source.CrawledAt} {
		*m = storedMicros(*m)
	}
	q.History = nil
	for _, h := range p.History {
		h.At = h.At.Truncate(time.Millisecond)
		q.History = append(q.History, h)
	}
	return &q
}

func encode(p *store.Prediction) bson.Raw {
	return appendPrediction(nil, byte(bsoncore.TypeString), documentIDRaw, p)
}

func TestPredictionDocument(t *testing.T) {
	for name, p := range predictions() {
		t.Run(name, func(t *testing.T) {
			doc := encode(p)
			if err := doc.Validate(); err != nil {
				t.Fatal(err)
			}
			if after := appendPrediction([]byte("before"), byte(bsoncore.TypeString), documentIDRaw, p); !bytes.Equal(after, append([]byte("before"), doc...)) {
				t.Error("another document after other bytes")
			}
			got, id, err := readPrediction(doc)
			if err != nil {
				t.Fatal(err)
			}
			if id.Type != bson.TypeString || !bytes.Equal(id.Value, documentIDRaw) {
				t.Errorf("_id: %v", id)
			}
			got.ID = documentID
			if diff := cmp.Diff(inMillis(p), &got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("came back (-want +got):\n%s", diff)
			}
			if !isOurs(doc) {
				t.Error("it is not ours")
			}
		})
	}
}

// The _id's type and bytes are the caller's, and come back as they were.
func TestPredictionDocumentKeepsTheID(t *testing.T) {
	for kind, value := range map[bsoncore.Type][]byte{
		bsoncore.TypeObjectID:         []byte("twelve bytes"),
		bsoncore.TypeInt64:            bsoncore.AppendInt64(nil, 1),
		bsoncore.TypeBinary:           bsoncore.AppendBinary(nil, 4, []byte("sixteen bytes of")),
		bsoncore.TypeEmbeddedDocument: bsoncore.BuildDocument(nil, bsoncore.AppendInt32Element(nil, "a", 1)),
		bsoncore.TypeMinKey:           nil,
	} {
		_, id, err := readPrediction(appendPrediction(nil, byte(kind), value, everything()))
		if err != nil || id.Type != bson.Type(kind) || !bytes.Equal(id.Value, value) {
			t.Errorf("%v: %v (%v)", kind, id, err)
		}
	}
}

// The BSON document is the JSON one: the same fields, order and values.
func TestPredictionDocumentIsTheJSONOne(t *testing.T) {
	for name, p := range predictions() {
		t.Run(name, func(t *testing.T) {
			doc := encode(p)
			dec := json.NewDecoder(bytes.NewReader(inMillis(p).AppendJSON(nil)))
			dec.UseNumber()
			want, got := listJSON(t, dec), listBSON(t, bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument, Data: doc})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("fields (-JSON +BSON):\n%s", diff)
			}
		})
	}
}

// listJSON flattens a value into lines, in order.
func listJSON(t *testing.T, dec *json.Decoder) []string {
	t.Helper()
	token, err := dec.Token()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	switch token := token.(type) {
	case json.Delim:
		list = append(list, token.String())
		for dec.More() {
			if token == '{' {
				key, _ := dec.Token()
				list = append(list, fmt.Sprintf("key %s", key))
			}
			list = append(list, listJSON(t, dec)...)
		}
		if _, err := dec.Token(); err != nil {
			t.Fatal(err)
		}
		return append(list, "end")
	case json.Number:
		f, _ := token.Float64()
		return []string{fmt.Sprintf("number %v", f)}
	case string:
		return []string{"text " + token}
	}
	return []string{fmt.Sprint(token)}
}

// listBSON flattens a value in the same way, dates and timestamps as JSON has them.
func listBSON(t *testing.T, v bsoncore.Value) []string {
	t.Helper()
	switch v.Type {
	case bsoncore.TypeEmbeddedDocument, bsoncore.TypeArray:
		list := []string{map[bsoncore.Type]string{bsoncore.TypeEmbeddedDocument: "{", bsoncore.TypeArray: "["}[v.Type]}
		elements, err := bsoncore.Document(v.Data).Elements()
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range elements {
			if v.Type == bsoncore.TypeEmbeddedDocument {
				list = append(list, "key "+e.Key())
			} else if e.Key() != fmt.Sprint(i) {
				t.Errorf("index %q, want %d", e.Key(), i)
			}
			list = append(list, listBSON(t, e.Value())...)
		}
		return append(list, "end")
	case bsoncore.TypeDateTime:
		return []string{"text " + time.UnixMilli(v.DateTime()).UTC().Format(store.TimeFormat)}
	case bsoncore.TypeTimestamp:
		high, low := v.Timestamp()
		return []string{fmt.Sprintf("text %d", uint64(high)<<32|uint64(low))}
	case bsoncore.TypeString:
		return []string{"text " + v.StringValue()}
	case bsoncore.TypeBoolean:
		return []string{fmt.Sprint(v.Boolean())}
	}
	f, ok := v.AsFloat64OK()
	if !ok {
		t.Errorf("unexpected %v", v.Type)
	}
	return []string{fmt.Sprintf("number %v", f)}
}

func TestPredictionDocumentTypes(t *testing.T) {
	doc := encode(everything())
	for path, want := range map[string]bson.Type{
		"prediction": bson.TypeInt32, "basis.tweets": bson.TypeInt32, "margin": bson.TypeDouble, "scores.automated_dormant": bson.TypeDouble,
		"source.epoch": bson.TypeInt64, "source.seq": bson.TypeTimestamp, "source.crawled_at": bson.TypeDateTime,
		"classified_at": bson.TypeDateTime, "history.0.at": bson.TypeDateTime, "stale": bson.TypeBoolean,
	} {
		if got := doc.Lookup(strings.Split(path, ".")...).Type; got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	high, low := doc.Lookup("source", "seq").Timestamp()
	if high != 1<<31 || low != 7 {
		t.Errorf("source.seq: %d, %d", high, low)
	}
	if got := doc.Lookup("classified_at").Time(); !got.Equal(documentMillis.Add(time.Minute)) {
		t.Errorf("classified_at: %v", got)
	}
}

func TestStoredMicrosCutsTowardsThePast(t *testing.T) {
	for in, want := range map[classifier.Micros]classifier.Micros{
		0: 0, 1: 0, 999: 0, 1000: 1000, -1: -1000, -1000: -1000, -1001: -2000,
		classifier.MinMicros: classifier.MinMicros, classifier.MaxMicros: classifier.MaxMicros - 999,
	} {
		if got := storedMicros(in); got != want {
			t.Errorf("%d: %d, want %d", in, got, want)
		}
	}
}

func TestDocumentTexts(t *testing.T) {
	for in, want := range map[string]string{
		"a\xff\xfeb": "a\uFFFD\uFFFDb", "\xe6\x97": "\uFFFD\uFFFD", "\x00": "\x00", "a\x00\xffb\x00": "a\x00\uFFFDb\x00", "": "", "\uFFFD日": "\uFFFD日",
	} {
		p := everything()
		p.ScreenName, p.Error.Message, p.History[0].Model = in, in, in
		l := *someLetter()
		l.Error, l.Field = in, in
		got, _, err := readPrediction(encode(p))
		gotLetter, _, errLetter := readLetter(appendLetter(nil, byte(bsoncore.TypeString), documentIDRaw, &l))
		if err != nil || errLetter != nil {
			t.Errorf("%q: %v, %v", in, err, errLetter)
			continue
		}
		for _, got := range []string{got.ScreenName, got.Error.Message, got.History[0].Model, gotLetter.Error, gotLetter.Field} {
			if got != want {
				t.Errorf("%q became %q, want %q", in, got, want)
			}
		}
		var viaJSON store.Prediction
		if err := json.Unmarshal(p.AppendJSON(nil), &viaJSON); err != nil || viaJSON.ScreenName != want {
			t.Errorf("%q became %q in JSON (%v), want %q", in, viaJSON.ScreenName, err, want)
		}
	}
	p, slugs := everything(), documentSlugs
	slugs[1] = "a\x00b\xff"
	p.Slugs = &slugs
	if got, _, err := readPrediction(encode(p)); err != nil || got.Slugs[1] != "a\uFFFDb\uFFFD" {
		t.Errorf("a key with U+0000: %v (%v)", got.Slugs, err)
	}
}

func TestAppendPredictionAllocatesNothing(t *testing.T) {
	p := everything()
	p.ScreenName = "not \xff UTF-8"
	l := someLetter()
	buf := make([]byte, 0, 16<<10)
	if n := testing.AllocsPerRun(100, func() {
		buf = appendPrediction(buf[:0], byte(bsoncore.TypeString), documentIDRaw, p)
		buf = appendLetter(buf, byte(bsoncore.TypeString), documentIDRaw, l)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestStampDocument(t *testing.T) {
	for name, p := range predictions() {
		t.Run(name, func(t *testing.T) {
			m := inMillis(p)
			want := store.Stamp{
				Found: true, Version: m.Source.Version, Status: m.Status, Fingerprint: m.Source.Fingerprint, Model: m.Model.Digest, Class: m.Slug,
				Support: m.Support.String(), Stale: m.Stale, Faulty: m.Error != nil, CrawledAt: m.Source.CrawledAt,
				ClassifiedAt: m.ClassifiedAt, ClassChangedAt: m.ClassChangedAt, History: m.History,
			}
			if name == "tombstone" {
				want = store.Stamp{Found: true, Version: m.Source.Version, Status: m.Status}
			}
			whole := encode(p)
			for _, with := range []bool{true, false} {
				projection := walkProjection()
				if with {
					projection = stampProjection()
				} else {
					want.History = nil
				}
				for where, doc := range map[string]bson.Raw{"whole": whole, "projected": project(t, whole, projection)} {
					got, err := readStamp(doc, with)
					if err != nil {
						t.Fatalf("%s: %v", where, err)
					}
					if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("%s (-want +got):\n%s", where, diff)
					}
					if !isOurs(doc) {
						t.Errorf("%s: it is not ours", where)
					}
				}
			}
		})
	}
}

// project does an inclusion of paths of at most two names, as a server does it.
func project(t *testing.T, doc bson.Raw, projection bson.D) bson.Raw {
	t.Helper()
	wanted := map[string][]string{"_id": {""}}
	for _, e := range projection {
		outer, inner, _ := strings.Cut(e.Key, ".")
		wanted[outer] = append(wanted[outer], inner)
	}
	var pick func(doc bsoncore.Document, wanted map[string][]string) []byte
	pick = func(doc bsoncore.Document, wanted map[string][]string) []byte {
		elements, err := doc.Elements()
		if err != nil {
			t.Fatal(err)
		}
		var picked [][]byte
		for _, e := range elements {
			switch inner := wanted[e.Key()]; {
			case len(inner) == 0:
			case inner[0] == "":
				picked = append(picked, e)
			default:
				names := make(map[string][]string)
				for _, name := range inner {
					names[name] = []string{""}
				}
				picked = append(picked, bsoncore.AppendDocumentElement(nil, e.Key(), pick(e.Value().Document(), names)))
			}
		}
		return bsoncore.BuildDocument(nil, picked...)
	}
	return pick(bsoncore.Document(doc), wanted)
}

func someLetter() *store.Letter {
	return &store.Letter{
		ID: documentID, Reason: "bad_time", Field: "crawled_at", Error: "is \"ü\x00\"", Attempts: 2,
		FirstSeen: documentMillis, LastSeen: documentMillis.Add(time.Hour), Model: "sha256:abc", Version: documentRef.Version,
	}
}

func TestLetterDocument(t *testing.T) {
	bare := &store.Letter{ID: documentID}
	for _, l := range []*store.Letter{someLetter(), bare} {
		doc := bson.Raw(appendLetter(nil, byte(bsoncore.TypeString), documentIDRaw, l))
		if err := doc.Validate(); err != nil {
			t.Fatal(err)
		}
		got, id, err := readLetter(doc)
		if err != nil || !bytes.Equal(id.Value, documentIDRaw) {
			t.Fatalf("%v (%v)", id, err)
		}
		got.ID = documentID
		if diff := cmp.Diff(l, &got); diff != "" {
			t.Errorf("came back (-want +got):\n%s", diff)
		}
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		inJSON := listJSON(t, dec)
		if i := slices.Index(inJSON, "key version"); i < 0 {
			t.Fatal("the JSON form has no version")
		} else { // whose fields the document has itself
			inJSON = slices.Delete(slices.Delete(inJSON, i, i+2), len(inJSON)-4, len(inJSON)-3)
		}
		for i, line := range inJSON { // encoding/json writes times with as many digits as they need
			if at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(line, "text ")); err == nil {
				inJSON[i] = "text " + at.Format(store.TimeFormat)
			}
		}
		if diff := cmp.Diff(inJSON, listBSON(t, bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument, Data: doc})); diff != "" {
			t.Errorf("fields (-JSON +BSON):\n%s", diff)
		}
	}
}

func someCheckpoint() *store.Checkpoint {
	at := documentMillis
	return &store.Checkpoint{
		Schema: store.Schema, Identity: "uuid", Position: store.Position("\x00token\xff"), Seq: 1<<63 + 7, At: at,
		Owed: &store.Reconcile{Reason: "history lost", Since: at},
		Scans: map[string]store.Cursor{
			"backfill": {Phase: "keys", Position: store.Position("p"), Seen: 1 << 40, Removed: 2, Held: 3}, "rescore": {},
		},
		Breakers:    map[string]store.Breaker{"poison": {Reason: "ü", Since: at}},
		Jobs:        map[string]store.Job{"a.job": {LastStart: at, LastSuccess: at.Add(-time.Hour), LastError: "no"}, "$other": {}},
		HistoryLost: 5, Recoveries: 2,
	}
}

func TestCheckpointDocument(t *testing.T) {
	for _, c := range []*store.Checkpoint{someCheckpoint(), {}} {
		doc := bson.Raw(appendCheckpoint(nil, c))
		if err := doc.Validate(); err != nil {
			t.Fatal(err)
		}
		got, err := readCheckpoint(doc)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, &got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("came back (-want +got):\n%s", diff)
		}
		if !bytes.Equal(doc, appendCheckpoint(nil, c)) {
			t.Error("another document the second time")
		}
	}
	// Whatever a newer schema has made of the fields.
	newer := bsoncore.BuildDocument(nil, bsoncore.AppendInt32Element(nil, "seq", 1), bsoncore.AppendInt32Element(nil, "schema", store.Schema+1))
	if _, err := readCheckpoint(newer); !errors.Is(err, store.ErrNewerSchema) {
		t.Errorf("a newer schema: %v", err)
	}
}

func BenchmarkPredictionDocument(b *testing.B) {
	p := everything()
	doc := encode(p)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for buf := []byte(nil); b.Loop(); {
			buf = appendPrediction(buf[:0], byte(bsoncore.TypeString), documentIDRaw, p)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := readPrediction(doc); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stamp", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := readStamp(doc, true); err != nil {
				b.Fatal(err)
			}
		}
	})
}
