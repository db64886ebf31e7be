package pickle

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync/atomic"
	"unicode/utf8"

	"botwatch/classifier"
)

// The tags of the globals in account pickles.
const (
	tagDatetime Tag = 1 + iota
	tagTimezone
	tagTimedelta
	tagFixedOffset
	tagInt64
)

// AccountOptions gives the options for pickles that hold accounts: datetimes
// and their zones, and pymongo's Int64.
func AccountOptions() Options {
	return Options{Globals: map[string]Tag{
		"datetime datetime":        tagDatetime,
		"datetime timezone":        tagTimezone,
		"datetime timedelta":       tagTimedelta,
		"bson.tz_util FixedOffset": tagFixedOffset,
		"bson.int64 Int64":         tagInt64,
	}}
}

// An account takes as many steps as it has values and keys. Values that the
// pickle shares count each time, which is all that these limits are there for:
// without sharing, an account has fewer than the pickle has bytes.
const (
	minAccountSteps = 1 << 20 // an account may take these, or the pickle's length if that is more
	minUploadSteps  = 1 << 27 // all may take these and 16 times the pickle's length
)

// Upload is a pickled dict from user keys to accounts. It is safe for
// concurrent use.
type Upload struct {
	dict         Value
	accountSteps int64
	steps        atomic.Int64 // left for the whole upload
}

// ErrNotUpload is a pickle of something else than a dict of accounts.
var ErrNotUpload = errors.New("not an upload")

// DecodeUpload reads a pickled upload. The error wraps an *Error or
// ErrNotUpload. The Upload refers to data, which must not change meanwhile.
func DecodeUpload(data []byte) (*Upload, error) {
	v, err := Decode(data, AccountOptions())
	if err != nil {
		return nil, err
	}
	return NewUpload(v)
}

// NewUpload takes a value decoded with AccountOptions as an upload.
func NewUpload(v Value) (*Upload, error) {
	if v.Kind() != Dict {
		return nil, fmt.Errorf("the pickle holds a %v; want a dict from user keys to accounts: %w", v.Kind(), ErrNotUpload)
	}
	size := int64(len(v.doc.data))
	u := &Upload{dict: v, accountSteps: max(size, minAccountSteps)}
	u.steps.Store(16*size + minUploadSteps)
	return u, nil
}

// Len gives the number of accounts.
func (u *Upload) Len() int { return u.dict.Len() }

// All gives the accounts with their keys, in the pickle's order. A key is text
// or an integer; what has another one gets "#" and its position, from 0, and
// its Push fails.
func (u *Upload) All() iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) {
		for i := range u.dict.Len() {
			k, v := u.dict.Pair(i)
			key, kind := keyText(k)
			if kind == Invalid {
				key = "#" + strconv.Itoa(i)
			}
			if !yield(key, Entry{upload: u, account: v, keyKind: kind}) {
				return
			}
		}
	}
}

// keyText gives a user key as text, and whether it is a String or an Int; it is
// Invalid if neither.
func keyText(k Value) (string, Kind) {
	if k.Kind() == Object && k.Tag() == tagInt64 {
		k = k.Args().Index(0)
	}
	switch k.Kind() {
	case String, Bytes:
		return string(validUTF8(k.Text())), String
	case BigInt:
		return string(k.Text()), Int
	case Int:
		return strconv.FormatInt(k.Int(), 10), Int
	}
	return "", Invalid
}

// Entry is one account of an upload.
type Entry struct {
	upload  *Upload
	account Value
	keyKind Kind
}

// IntKey says whether the user key is an integer, whatever its size.
func (e Entry) IntKey() bool { return e.keyKind == Int }

// Value gives the account as it was decoded.
func (e Entry) Value() Value { return e.account }

// Push pushes the account into b, which Reset has made ready. What is wrong
// with it, b's Finish says.
func (e Entry) Push(b *classifier.Builder) {
	if e.keyKind == Invalid {
		b.Fail(classifier.CodeWrongType, "the user key is neither text nor an integer")
	}
	quota := min(e.upload.accountSteps, e.upload.steps.Load())
	p := pusher{b: b, steps: quota}
	p.value(e.account)
	e.upload.steps.Add(p.steps - quota)
}

// Push pushes an account decoded with AccountOptions into b, which Reset has
// made ready. What is wrong with it, b's Finish says. The time it takes is
// bounded by the length of the pickle, or a tenth of a second.
func Push(v Value, b *classifier.Builder) {
	p := pusher{b: b, steps: minAccountSteps}
	if v.doc != nil {
		p.steps = max(p.steps, int64(len(v.doc.data)))
	}
	p.value(v)
}

// pusher walks an account. The Builder opens only what it knows, so the depth
// of the walk is the Builder's; the steps bound its length.
type pusher struct {
	b     *classifier.Builder
	steps int64
}

// step counts one value or key, long texts for more, and reports whether the
// walk may go on.
func (p *pusher) step(v Value) bool {
	cost := 1 + int64(len(v.Text()))/32
	if p.steps < cost {
		p.b.Fail(classifier.CodeTooLarge, "the account repeats shared values beyond the limit")
		return false
	}
	p.steps -= cost
	return true
}

// value pushes v and reports whether the walk may go on.
func (p *pusher) value(v Value) bool {
	if !p.step(v) {
		return false
	}
	switch v.Kind() {
	case None:
		p.b.Null()
	case Bool:
		p.b.Bool(v.Bool())
	case Int:
		p.b.Int(v.Int())
	case BigInt:
		p.b.Number(v.Text())
	case Float:
		p.b.Float(v.Float())
	case String, Bytes:
		p.b.String(validUTF8(v.Text()))
	case Dict:
		return p.dict(v)
	case List, Tuple, Set:
		if !p.b.BeginArray() {
			return true
		}
		for i := range v.Len() {
			if !p.value(v.Index(i)) {
				return false
			}
		}
		p.b.EndArray()
	case Object:
		p.object(v)
	default:
		p.opaque()
	}
	return true
}

func (p *pusher) dict(v Value) bool {
	if !p.b.BeginObject() {
		return true
	}
	for i := range v.Len() {
		key, val := v.Pair(i)
		if !p.step(key) {
			return false
		}
		if key.IsText() && p.b.Key(key.Text()) && !p.value(val) {
			return false
		}
	}
	p.b.EndObject()
	return true
}

func (p *pusher) object(v Value) {
	switch v.Tag() {
	case tagInt64:
		switch n := v.Args().Index(0); n.Kind() {
		case Int:
			p.b.Int(n.Int())
			return
		case BigInt: // a damaged one: no Int64 holds it
			p.b.Number(n.Text())
			return
		}
	case tagDatetime:
		at, err := moment(v)
		if err != nil {
			p.b.Fail(classifier.CodeBadTime, err.Error())
			return
		}
		p.b.Time(at)
		return
	}
	p.opaque()
}

// opaque pushes a value that is there but has no meaning in an account, as an
// empty object.
func (p *pusher) opaque() {
	if p.b.BeginObject() {
		p.b.EndObject()
	}
}

// validUTF8 replaces what is no UTF-8 by U+FFFD, as JSON readers do: Python
// pickles lone surrogates too.
func validUTF8(s []byte) []byte {
	if utf8.Valid(s) {
		return s
	}
	return bytes.ToValidUTF8(s, []byte("\uFFFD"))
}
