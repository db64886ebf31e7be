package mongo

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"botwatch/classifier"
	"botwatch/store"
)

// errMalformed: bytes that are no BSON.
var errMalformed = errors.New("the bytes are no BSON document")

// stampFields are what a stamp is made of, but for history. An error's code
// tells that there is one.
var stampFields = []string{
	"status", "class", "support", "stale", "error.code", "model.digest",
	"source.epoch", "source.seq", "source.crawled_at", "source.fingerprint", "classified_at", "class_changed_at",
}

// stampProjection asks for what readStamp reads, history included.
func stampProjection() bson.D { return append(walkProjection(), bson.E{Key: "history", Value: 1}) }

// walkProjection asks for what readStamp reads without history.
func walkProjection() bson.D {
	fields := make(bson.D, 0, len(stampFields)+1)
	for _, name := range stampFields {
		fields = append(fields, bson.E{Key: name, Value: 1})
	}
	return fields
}

// isOurs says whether a document is a prediction of ours, whole or projected for
// a stamp: it has a status and a version, of their types.
func isOurs(doc bson.Raw) bool { return checkOurs(doc) == nil }

// checkOurs says what a document lacks to be a prediction of ours, with
// store.ErrForeign, or errMalformed.
func checkOurs(doc bson.Raw) error {
	var r valueReader
	var status, epoch, seq bool
	r.fields(doc, func(key []byte, v bsoncore.Value) {
		switch {
		case string(key) == "status":
			status = v.Type == bsoncore.TypeString
		case string(key) == "source" && v.Type == bsoncore.TypeEmbeddedDocument:
			r.fields(v.Data, func(key []byte, v bsoncore.Value) {
				switch string(key) {
				case "epoch":
					_, epoch = wholeNumber(v)
				case "seq":
					seq = v.Type == bsoncore.TypeTimestamp
				}
			})
		}
	})
	lacking := ""
	switch {
	case r.err != nil:
		return r.err
	case !status:
		lacking = "status that is a string"
	case !epoch:
		lacking = "source.epoch that is a whole number"
	case !seq:
		lacking = "source.seq that is a timestamp"
	default:
		return nil
	}
	return fmt.Errorf("no %s: %w", lacking, store.ErrForeign)
}

// readPrediction reads what appendPrediction appends, and gives the document's
// _id for the caller to make p.ID of. Fields that it does not know are passed
// over, null is none. A document of another program is store.ErrForeign; a value
// that no prediction can have is an error too.
func readPrediction(doc bson.Raw) (p store.Prediction, id bson.RawValue, err error) {
	if err := checkOurs(doc); err != nil {
		return p, id, fmt.Errorf("read prediction: %w", err)
	}
	var r valueReader
	r.fields(doc, func(key []byte, v bsoncore.Value) {
		switch string(key) {
		case "_id":
			id = idValue(v)
		case "platform":
			p.Platform = r.text(v)
		case "user_id":
			p.UserID = r.text(v)
		case "screen_name":
			p.ScreenName = r.text(v)
		case "status":
			p.Status = r.status(v)
		case "prediction":
			if p.Class = r.int(v); p.Class < 1 || p.Class > classifier.NumClasses {
				r.fail("is %d; want 1 to %d", p.Class, classifier.NumClasses)
			}
		case "class":
			p.Slug = r.text(v)
		case "support":
			p.Support = parse(&r, v, classifier.ParseSupport)
		case "scores":
			r.scores(v, &p)
		case "margin":
			p.Margin = r.float(v)
		case "base":
			p.Base = r.float(v)
		case "reasons":
			r.array(v, func(v bsoncore.Value) { p.Reasons = append(p.Reasons, r.reason(v)) })
		case "attributes":
			r.document(v, func(key []byte, v bsoncore.Value) {
				a, ok := classifier.ParseAttribute(string(key))
				if !ok {
					r.fail("no such attribute")
					return
				}
				p.Attributes[a], p.HasAttributes = r.float(v), true
			})
		case "basis":
			p.Basis = r.basis(v)
		case "flags":
			r.array(v, func(v bsoncore.Value) { p.Flags |= parse(&r, v, classifier.ParseFlag) })
		case "out_of_range":
			r.array(v, func(v bsoncore.Value) { p.OutOfRange |= 1 << parse(&r, v, classifier.ParseAttribute) })
		case "stale":
			p.Stale = r.bool(v)
		case "error":
			p.Error = r.fault(v)
		case "model":
			r.document(v, func(key []byte, v bsoncore.Value) {
				switch string(key) {
				case "name":
					p.Model.Name = r.text(v)
				case "digest":
					p.Model.Digest = r.text(v)
				}
			})
		case "source":
			p.Source = r.source(v)
		case "history":
			p.History = r.history(v)
		case "class_changed_at":
			p.ClassChangedAt = r.time(v)
		case "classified_at":
			p.ClassifiedAt = r.time(v)
		case "expires_at":
			p.ExpiresAt = r.time(v)
		}
	})
	if r.err == nil && id.Type == 0 {
		r.fail("no _id")
	}
	if r.err != nil {
		return store.Prediction{}, bson.RawValue{}, fmt.Errorf("read prediction: %w", r.err)
	}
	return p, id, nil
}

// readStamp reads the stamp of a stored prediction from its document, whole or
// as stampProjection and walkProjection leave it. The ID is the caller's to set.
// Its errors are those of readPrediction.
func readStamp(doc bson.Raw, withHistory bool) (store.Stamp, error) {
	if err := checkOurs(doc); err != nil {
		return store.Stamp{}, fmt.Errorf("read stamp: %w", err)
	}
	s := store.Stamp{Found: true}
	var r valueReader
	r.fields(doc, func(key []byte, v bsoncore.Value) {
		switch string(key) {
		case "status":
			s.Status = r.status(v)
		case "class":
			s.Class = r.text(v)
		case "support":
			s.Support = r.text(v)
		case "stale":
			s.Stale = r.bool(v)
		case "error":
			s.Faulty = true
		case "model":
			r.document(v, func(key []byte, v bsoncore.Value) {
				if string(key) == "digest" {
					s.Model = r.text(v)
				}
			})
		case "source":
			source := r.source(v)
			s.Version, s.CrawledAt, s.Fingerprint = source.Version, source.CrawledAt, source.Fingerprint
		case "classified_at":
			s.ClassifiedAt = r.time(v)
		case "class_changed_at":
			s.ClassChangedAt = r.time(v)
		case "history":
			if withHistory {
				s.History = r.history(v)
			}
		}
	})
	if r.err != nil {
		return store.Stamp{}, fmt.Errorf("read stamp: %w", r.err)
	}
	if s.Status == store.StatusDeleted {
		return store.Stamp{Found: true, Version: s.Version, Status: s.Status}, nil
	}
	return s, nil
}

// readLetter reads what appendLetter appends, and gives the _id as
// readPrediction does.
func readLetter(doc bson.Raw) (l store.Letter, id bson.RawValue, err error) {
	var r valueReader
	r.fields(doc, func(key []byte, v bsoncore.Value) {
		switch string(key) {
		case "_id":
			id = idValue(v)
		case "reason":
			l.Reason = r.text(v)
		case "field":
			l.Field = r.text(v)
		case "error":
			l.Error = r.text(v)
		case "attempts":
			l.Attempts = r.int(v)
		case "first_seen":
			l.FirstSeen = r.time(v)
		case "last_seen":
			l.LastSeen = r.time(v)
		case "model":
			l.Model = r.text(v)
		case "epoch":
			l.Version.Epoch = int64(r.int(v))
		case "seq":
			l.Version.Seq = r.seq(v)
		}
	})
	if r.err == nil && id.Type == 0 {
		r.fail("no _id")
	}
	if r.err != nil {
		return store.Letter{}, bson.RawValue{}, fmt.Errorf("read dead letter: %w", r.err)
	}
	return l, id, nil
}

func (r *valueReader) scores(v bsoncore.Value, p *store.Prediction) {
	p.Slugs = new([classifier.NumClasses]string)
	n := 0
	r.document(v, func(key []byte, v bsoncore.Value) {
		if n < classifier.NumClasses {
			p.Slugs[n], p.Scores[n] = string(key), r.float(v)
		}
		n++
	})
	if n != classifier.NumClasses {
		r.fail("%d numbers; want %d", n, classifier.NumClasses)
	}
}

func (r *valueReader) reason(v bsoncore.Value) (reason classifier.Reason) {
	named := false
	r.document(v, func(key []byte, v bsoncore.Value) {
		switch string(key) {
		case "attribute":
			reason.Attribute, named = parse(r, v, classifier.ParseAttribute), true
		case "value":
			reason.Value = r.float(v)
		case "contribution":
			reason.Contribution = r.float(v)
		}
	})
	if !named {
		r.fail("no attribute")
	}
	return reason
}

func (r *valueReader) basis(v bsoncore.Value) (b classifier.Basis) {
	r.document(v, func(key []byte, v bsoncore.Value) {
		switch string(key) {
		case "tweets":
			b.Tweets = r.int(v)
		case "own_tweets":
			b.OwnTweets = r.int(v)
		case "first_at":
			b.FirstAt = r.micros(v)
		case "last_at":
			b.LastAt = r.micros(v)
		}
	})
	return b
}

func (r *valueReader) fault(v bsoncore.Value) *classifier.FieldError {
	e := new(classifier.FieldError)
	r.document(v, func(key []byte, v bsoncore.Value) {
		switch string(key) {
		case "code":
			e.Code = classifier.ErrorCode(r.text(v))
		case "field":
			e.Field = r.text(v)
		case "message":
			e.Message = r.text(v)
		}
	})
	return e
}

func (r *valueReader) source(v bsoncore.Value) (s store.SourceRef) {
	r.document(v, func(key []byte, v bsoncore.Value) {
		switch string(key) {
		case "epoch":
			s.Epoch = int64(r.int(v))
		case "seq":
			s.Seq = r.seq(v)
		case "crawled_at":
			s.CrawledAt = r.micros(v)
		case "fingerprint":
			s.Fingerprint = r.text(v)
		case "via":
			s.Via = r.text(v)
		}
	})
	return s
}

// history reads the newest store.MaxHistory entries.
func (r *valueReader) history(v bsoncore.Value) (list []store.HistoryEntry) {
	r.array(v, func(v bsoncore.Value) {
		if len(list) == store.MaxHistory {
			return
		}
		var h store.HistoryEntry
		r.document(v, func(key []byte, v bsoncore.Value) {
			switch string(key) {
			case "class":
				h.Class = r.text(v)
			case "support":
				h.Support = r.text(v)
			case "model":
				h.Model = r.text(v)
			case "at":
				h.At = r.time(v)
			}
		})
		list = append(list, h)
	})
	return list
}
