package mongo

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"botwatch/classifier"
	"botwatch/store"
)

// The documents that the store keeps. A prediction has the fields of its JSON
// form (store.Prediction.AppendJSON), in the same order and with the same ones
// left out; a checkpoint and a letter those of theirs, but that a letter has its
// version's epoch and seq itself. Their values:
//
//   - A moment is a date. Dates count milliseconds, so that microseconds are cut
//     off, towards the past. What is compared with a stored moment must be cut
//     the same way: see storedMicros.
//   - A sequence number is a timestamp, its high 32 bits the seconds. In place of
//     an empty one at a document's top, a letter's, a server puts its own time;
//     but 0 is no change's.
//   - Counts are of 32 bits where they fit, epochs always of 64.
//   - What is no UTF-8 in a text becomes U+FFFD; U+0000 stays.
//
// To append a prediction or a letter allocates nothing but what dst grows by.

// appendPrediction appends p's document. Its _id is given as BSON has it, a type
// byte and a value; p.ID is not looked at. Of p.History the first
// store.MaxHistory entries are kept.
func appendPrediction(dst []byte, idKind byte, id []byte, p *store.Prediction) []byte {
	start := len(dst)
	dst = appendID(reserve(dst), idKind, id)
	if p.Status == store.StatusDeleted {
		dst = appendText(dst, "status", string(p.Status))
		dst = appendSource(dst, p)
		dst = appendTime(dst, "expires_at", p.ExpiresAt)
		return finish(dst, start)
	}
	dst = appendText(dst, "platform", p.Platform)
	dst = appendText(dst, "user_id", p.UserID)
	dst = appendText(dst, "screen_name", p.ScreenName)
	dst = appendText(dst, "status", string(p.Status))
	if p.Class != 0 {
		dst = appendInt(dst, "prediction", int64(p.Class))
		dst = appendText(dst, "class", p.Slug)
	}
	dst = appendText(dst, "support", p.Support.String())
	if p.Class != 0 && p.Slugs != nil {
		dst = appendScores(dst, p)
	}
	if p.HasAttributes {
		dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, "attributes")
		at := len(dst)
		dst = reserve(dst)
		for i, v := range p.Attributes {
			dst = bsoncore.AppendDoubleElement(dst, classifier.Attribute(i).String(), v)
		}
		dst = finish(dst, at)
	}
	if p.Status != store.StatusError {
		dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, "basis")
		at := len(dst)
		dst = appendInt(reserve(dst), "tweets", int64(p.Basis.Tweets))
		dst = appendInt(dst, "own_tweets", int64(p.Basis.OwnTweets))
		if p.Basis.Tweets > 0 {
			dst = appendMicros(dst, "first_at", p.Basis.FirstAt)
			dst = appendMicros(dst, "last_at", p.Basis.LastAt)
		}
		dst = finish(dst, at)
	}
	dst = appendFlags(dst, p.Flags)
	dst = appendOutOfRange(dst, p.OutOfRange)
	dst = bsoncore.AppendBooleanElement(dst, "stale", p.Stale)
	if p.Error != nil {
		dst = appendError(dst, p.Error)
	}
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, "model")
	at := len(dst)
	dst = appendText(reserve(dst), "name", p.Model.Name)
	dst = appendText(dst, "digest", p.Model.Digest)
	dst = finish(dst, at)
	dst = appendSource(dst, p)
	dst = appendHistory(dst, p.History)
	if !p.ClassChangedAt.IsZero() {
		dst = appendTime(dst, "class_changed_at", p.ClassChangedAt)
	}
	dst = appendTime(dst, "classified_at", p.ClassifiedAt)
	return finish(dst, start)
}

// appendScores appends scores, margin, base and reasons.
func appendScores(dst []byte, p *store.Prediction) []byte {
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, "scores")
	at := len(dst)
	dst = reserve(dst)
	for i, s := range p.Scores {
		dst = bsoncore.AppendDouble(appendHeader(dst, bsoncore.TypeDouble, p.Slugs[i]), s)
	}
	dst = finish(dst, at)
	dst = bsoncore.AppendDoubleElement(dst, "margin", p.Margin)
	dst = bsoncore.AppendDoubleElement(dst, "base", p.Base)
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeArray, "reasons")
	at = len(dst)
	dst = reserve(dst)
	for i, r := range p.Reasons {
		dst = appendIndex(dst, bsoncore.TypeEmbeddedDocument, i)
		one := len(dst)
		dst = appendText(reserve(dst), "attribute", r.Attribute.String())
		dst = bsoncore.AppendDoubleElement(dst, "value", r.Value)
		dst = bsoncore.AppendDoubleElement(dst, "contribution", r.Contribution)
		dst = finish(dst, one)
	}
	return finish(dst, at)
}

// flagNames are the names of the flags by bit; Flags.Names would allocate.
var flagNames = classifier.Flags(math.MaxUint16).Names()

func appendFlags(dst []byte, flags classifier.Flags) []byte {
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeArray, "flags")
	at, n := len(dst), 0
	dst = reserve(dst)
	for i, name := range flagNames {
		if flags&(1<<i) != 0 {
			dst = bsoncore.AppendString(appendIndex(dst, bsoncore.TypeString, n), name)
			n++
		}
	}
	return finish(dst, at)
}

func appendOutOfRange(dst []byte, set classifier.AttributeSet) []byte {
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeArray, "out_of_range")
	at, n := len(dst), 0
	dst = reserve(dst)
	for i := range classifier.NumAttributes {
		if a := classifier.Attribute(i); set.Has(a) {
			dst = bsoncore.AppendString(appendIndex(dst, bsoncore.TypeString, n), a.String())
			n++
		}
	}
	return finish(dst, at)
}

// appendError appends the element error of a prediction at fault.
func appendError(dst []byte, e *classifier.FieldError) []byte {
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, "error")
	at := len(dst)
	dst = appendText(reserve(dst), "code", string(e.Code))
	dst = appendText(dst, "field", e.Field)
	dst = appendText(dst, "message", e.Message)
	return finish(dst, at)
}

func appendSource(dst []byte, p *store.Prediction) []byte {
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, "source")
	at := len(dst)
	dst = appendVersion(reserve(dst), p.Source.Version)
	if p.Status != store.StatusDeleted {
		if p.Source.CrawledAt != 0 {
			dst = appendMicros(dst, "crawled_at", p.Source.CrawledAt)
		}
		if p.Source.Fingerprint != "" {
			dst = appendText(dst, "fingerprint", p.Source.Fingerprint)
		}
	}
	dst = appendText(dst, "via", p.Source.Via)
	return finish(dst, at)
}

// appendVersion appends the elements epoch and seq.
func appendVersion(dst []byte, v store.Version) []byte {
	return appendSeq(bsoncore.AppendInt64Element(dst, "epoch", v.Epoch), v.Seq)
}

func appendSeq(dst []byte, seq uint64) []byte {
	return bsoncore.AppendTimestampElement(dst, "seq", uint32(seq>>32), uint32(seq))
}

func appendHistory(dst []byte, entries []store.HistoryEntry) []byte {
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeArray, "history")
	at := len(dst)
	dst = reserve(dst)
	for i, h := range entries[:min(len(entries), store.MaxHistory)] {
		dst = appendIndex(dst, bsoncore.TypeEmbeddedDocument, i)
		one := len(dst)
		dst = appendText(reserve(dst), "class", h.Class)
		dst = appendText(dst, "support", h.Support)
		dst = appendText(dst, "model", h.Model)
		dst = appendTime(dst, "at", h.At)
		dst = finish(dst, one)
	}
	return finish(dst, at)
}

// appendLetter appends l's document, its _id given as appendPrediction takes it.
func appendLetter(dst []byte, idKind byte, id []byte, l *store.Letter) []byte {
	start := len(dst)
	dst = appendID(reserve(dst), idKind, id)
	dst = appendText(dst, "reason", l.Reason)
	if l.Field != "" {
		dst = appendText(dst, "field", l.Field)
	}
	dst = appendText(dst, "error", l.Error)
	dst = appendInt(dst, "attempts", int64(l.Attempts))
	dst = appendTime(dst, "first_seen", l.FirstSeen)
	dst = appendTime(dst, "last_seen", l.LastSeen)
	dst = appendText(dst, "model", l.Model)
	return finish(appendVersion(dst, l.Version), start)
}

// storedMicros gives a moment as a document keeps it.
func storedMicros(m classifier.Micros) classifier.Micros {
	return classifier.Micros(m.Time().UnixMilli()) * 1000
}

func appendMicros(dst []byte, key string, m classifier.Micros) []byte {
	return appendTime(dst, key, m.Time())
}

func appendTime(dst []byte, key string, t time.Time) []byte {
	return bsoncore.AppendDateTimeElement(dst, key, t.UnixMilli())
}

func appendID(dst []byte, kind byte, id []byte) []byte {
	return append(bsoncore.AppendHeader(dst, bsoncore.Type(kind), "_id"), id...)
}

func appendInt(dst []byte, key string, n int64) []byte {
	if n == int64(int32(n)) {
		return bsoncore.AppendInt32Element(dst, key, int32(n))
	}
	return bsoncore.AppendInt64Element(dst, key, n)
}

// appendText appends a string element; what is no UTF-8 becomes U+FFFD, byte by
// byte, as in the JSON form.
func appendText(dst []byte, key, s string) []byte {
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeString, key)
	if utf8.ValidString(s) {
		return bsoncore.AppendString(dst, s)
	}
	at := len(dst)
	dst = reserve(dst)
	for _, r := range s {
		dst = utf8.AppendRune(dst, r)
	}
	dst = append(dst, 0)
	return bsoncore.UpdateLength(dst, int32(at), int32(len(dst)-at-4))
}

// appendHeader begins an element whose key may be any text. A key cannot hold
// U+0000: it becomes U+FFFD too.
func appendHeader(dst []byte, kind bsoncore.Type, key string) []byte {
	dst = append(dst, byte(kind))
	for _, r := range key {
		if r == 0 {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
	}
	return append(dst, 0)
}

// appendIndex begins an array's element.
func appendIndex(dst []byte, kind bsoncore.Type, i int) []byte {
	return append(strconv.AppendInt(append(dst, byte(kind)), int64(i), 10), 0)
}

// reserve makes room for a length.
func reserve(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// finish ends the document or array whose length's place was reserved at.
func finish(dst []byte, at int) []byte {
	dst = append(dst, 0)
	return bsoncore.UpdateLength(dst, int32(at), int32(len(dst)-at))
}
