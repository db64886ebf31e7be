package mongo

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"botwatch/classifier"
	"botwatch/store"
)

// valueReader reads values that are expected to be of a type. It keeps the first
// error, which names the fields on the way to the value. What it gives shares no
// memory with the document.
type valueReader struct{ err error }

// fail records an error about the value at hand.
func (r *valueReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// fields calls each with a document's or an array's elements, but those that are
// null (an _id may be), until an error.
func (r *valueReader) fields(doc []byte, each func(key []byte, v bsoncore.Value)) {
	if r.err != nil {
		return
	}
	n, rest, ok := bsoncore.ReadLength(doc)
	if !ok || n < 5 || int(n) != len(doc) || doc[n-1] != 0 {
		r.err = errMalformed
		return
	}
	for rest = rest[:len(rest)-1]; len(rest) > 0; {
		kind := bsoncore.Type(rest[0])
		key, after, ok := bsoncore.ReadKeyBytes(rest[1:])
		if !ok {
			r.err = errMalformed
			return
		}
		v, after, ok := bsoncore.ReadValue(after, kind)
		if !ok {
			r.err = errMalformed
			return
		}
		rest = after
		if kind == bsoncore.TypeNull && string(key) != "_id" {
			continue
		}
		each(key, v)
		if r.err != nil {
			r.err = fmt.Errorf("%s: %w", bytes.ToValidUTF8(key, []byte("\uFFFD")), r.err)
			return
		}
	}
}

func (r *valueReader) document(v bsoncore.Value, each func(key []byte, v bsoncore.Value)) {
	if r.want(v, bsoncore.TypeEmbeddedDocument, "a document") {
		r.fields(v.Data, each)
	}
}

func (r *valueReader) array(v bsoncore.Value, each func(v bsoncore.Value)) {
	if r.want(v, bsoncore.TypeArray, "an array") {
		r.fields(v.Data, func(_ []byte, v bsoncore.Value) { each(v) })
	}
}

func (r *valueReader) want(v bsoncore.Value, kind bsoncore.Type, what string) bool {
	if v.Type != kind {
		r.fail("is of type %s; want %s", v.Type, what)
	}
	return r.err == nil
}

func (r *valueReader) text(v bsoncore.Value) string {
	if !r.want(v, bsoncore.TypeString, "a string") {
		return ""
	}
	s, ok := v.StringValueOK()
	if !ok {
		r.err = errMalformed
	}
	return s
}

func (r *valueReader) bytes(v bsoncore.Value) []byte {
	if !r.want(v, bsoncore.TypeBinary, "bytes") {
		return nil
	}
	_, b, ok := v.BinaryOK()
	if !ok {
		r.err = errMalformed
	}
	return bytes.Clone(b)
}

func (r *valueReader) bool(v bsoncore.Value) bool {
	if !r.want(v, bsoncore.TypeBoolean, "true or false") {
		return false
	}
	b, _ := v.BooleanOK()
	return b
}

// int reads a whole number of whatever numeric type, as JSON tools store them.
func (r *valueReader) int(v bsoncore.Value) int {
	n, ok := wholeNumber(v)
	if !ok {
		r.fail("is of type %s; want a whole number", v.Type)
	}
	return int(n)
}

func wholeNumber(v bsoncore.Value) (int64, bool) {
	switch v.Type {
	case bsoncore.TypeInt32:
		n, ok := v.Int32OK()
		return int64(n), ok
	case bsoncore.TypeInt64:
		return v.Int64OK()
	case bsoncore.TypeDouble:
		f, ok := v.DoubleOK()
		ok = ok && f == math.Trunc(f) && f >= -1<<63 && f < 1<<63
		if !ok {
			return 0, false
		}
		return int64(f), true
	}
	return 0, false
}

// float reads a finite number, since JSON knows no other.
func (r *valueReader) float(v bsoncore.Value) float64 {
	if v.Type != bsoncore.TypeDouble {
		n, ok := wholeNumber(v)
		if !ok {
			r.fail("is of type %s; want a number", v.Type)
		}
		return float64(n)
	}
	f, _ := v.DoubleOK()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		r.fail("is %v; want a finite number", f)
	}
	return f
}

func (r *valueReader) micros(v bsoncore.Value) classifier.Micros {
	if !r.want(v, bsoncore.TypeDateTime, "a date") {
		return 0
	}
	ms, _ := v.DateTimeOK()
	if ms < int64(classifier.MinMicros/1000) || ms > int64(classifier.MaxMicros/1000) {
		r.fail("lies outside the years 1 to 9999")
		return 0
	}
	return classifier.Micros(ms * 1000)
}

// time reads a moment in UTC; year 1's first is the zero time.
func (r *valueReader) time(v bsoncore.Value) time.Time {
	m := r.micros(v)
	if r.err != nil {
		return time.Time{}
	}
	return m.Time()
}

func (r *valueReader) seq(v bsoncore.Value) uint64 {
	if !r.want(v, bsoncore.TypeTimestamp, "a timestamp") {
		return 0
	}
	t, i, _ := v.TimestampOK()
	return uint64(t)<<32 | uint64(i)
}

func (r *valueReader) status(v bsoncore.Value) store.Status {
	return parse(r, v, func(name string) (store.Status, bool) {
		switch s := store.Status(name); s {
		case store.StatusClassified, store.StatusInsufficient, store.StatusError, store.StatusDeleted:
			return s, true
		}
		return "", false
	})
}

// parse reads a name.
func parse[T any](r *valueReader, v bsoncore.Value, known func(string) (T, bool)) (value T) {
	name := r.text(v)
	if r.err != nil {
		return value
	}
	value, ok := known(name)
	if !ok {
		r.fail("unknown %q", name)
	}
	return value
}

// idValue copies an _id.
func idValue(v bsoncore.Value) bson.RawValue {
	return bson.RawValue{Type: bson.Type(v.Type), Value: bytes.Clone(v.Data)}
}
