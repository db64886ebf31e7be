package format

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"botwatch/classifier"
	"botwatch/classifier/pickle"
)

// startPickle reads a pickle, whole, that begins with buf: an upload or a single
// account.
func (r *Reader) startPickle(buf []byte) error {
	for !r.eof && len(buf) <= MaxPickle {
		buf = r.read(buf, blockSize)
	}
	switch {
	case r.readErr != nil:
		return r.readErr
	case len(buf) > MaxPickle:
		return &classifier.FieldError{
			Code:    classifier.CodeTooLarge,
			Message: fmt.Sprintf("the pickle is larger than %d bytes, the limit: JSON may have any size", MaxPickle),
		}
	}
	r.done, r.settled = io.EOF, true
	value, err := pickle.Decode(buf, pickle.AccountOptions())
	if err != nil {
		return pickleFault(err)
	}
	if value.Kind() == pickle.Dict && has(value, "user_data", "tweets") {
		r.ready = []Frame{{Place: Place{Line: 1}, push: func(b *classifier.Builder) { pickle.Push(value, b) }}}
		return nil
	}
	upload, err := pickle.NewUpload(value)
	if err != nil {
		return pickleFault(err)
	}
	for key, entry := range upload.All() {
		n := len(r.ready)
		keyJSON := appendString(nil, key)
		if entry.IntKey() {
			keyJSON = []byte(key)
		}
		r.ready = append(r.ready, Frame{Place: Place{Line: 1, Index: n}, Key: key, KeyJSON: keyJSON, push: entry.Push})
	}
	return nil
}

// has reports whether a dict has one of the keys.
func has(dict pickle.Value, keys ...string) bool {
	for i := range dict.Len() {
		if key, _ := dict.Pair(i); key.IsText() && slices.Contains(keys, string(key.Text())) {
			return true
		}
	}
	return false
}

func pickleFault(err error) error {
	code := classifier.CodeSyntax
	if errors.Is(err, pickle.ErrLimit) {
		code = classifier.CodeTooLarge
	}
	return &classifier.FieldError{Code: code, Message: "the pickle cannot be read: " + err.Error()}
}
