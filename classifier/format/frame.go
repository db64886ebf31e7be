package format

import (
	"fmt"

	"botwatch/classifier"
)

// Place says where an account stands in its input.
type Place struct {
	Offset int64 // bytes before it, after unpacking
	Line   int   // from 1
	Index  int   // accounts before it
}

// String gives the place as people count: line and byte.
func (p Place) String() string { return fmt.Sprintf("line %d, byte %d", p.Line, p.Offset) }

// Frame is one account of an input, found but not decoded. It stands for a row
// of the output whatever its fate. It is valid until the next call of Next, or
// until the function given to Each returns.
type Frame struct {
	Place

	// Key names the account: its key in an upload, else the text of its _id, id,
	// id_str or screen_name. It is empty where nothing names the account. Set by
	// Decode.
	Key string
	// KeyJSON is the same as it was written, in (extended) JSON: a string, a
	// number, an object; nil where nothing names the account. Set by Decode.
	KeyJSON []byte
	// Doc is the account's own JSON, without what it was wrapped in; nil where
	// the input is no JSON of accounts, or where it is not well-formed. Set by
	// Decode.
	Doc []byte

	key   []byte                    // in an upload: the key with its quotes
	text  []byte                    // the JSON, if there is any
	push  func(*classifier.Builder) // else what pushes the account
	ready *classifier.Account       // else the account
	fault *classifier.FieldError    // what is known to be wrong
}

// Decode reads the account, sets Key, KeyJSON and Doc, and may be called from
// any goroutine. A *classifier.FieldError says why an account cannot be used:
// where its JSON is broken, or which field is wrong. The Account comes with an
// error too, as far as it was read, and is valid until b is used again.
func (f *Frame) Decode(b *classifier.Builder) (account *classifier.Account, err error) {
	defer func() { // one account of foreign bytes must not end the process
		if p := recover(); p != nil {
			account, err = &classifier.Account{}, &classifier.FieldError{Code: classifier.CodePanic, Message: fmt.Sprint("reading the account: ", p)}
		}
	}()
	b.Reset()
	err = f.read(b)
	if account = f.ready; account == nil {
		var fault error
		account, fault = b.Finish()
		if err == nil {
			err = fault
		}
	}
	if f.Key == "" && f.KeyJSON == nil {
		for _, name := range []string{account.UserID, account.ScreenName} {
			if name != "" {
				f.Key, f.KeyJSON = name, appendString(nil, name)
				break
			}
		}
	}
	if f.fault != nil {
		err = f.fault
	}
	return account, err
}

func (f *Frame) read(b *classifier.Builder) error {
	switch {
	case f.ready != nil:
	case f.push != nil:
		f.push(b)
	case f.key != nil:
		key := scanner{doc: f.key}
		if key.text(1) != len(f.key) {
			return &classifier.FieldError{Code: classifier.CodeSyntax, Message: "the user key " + key.err.Message}
		}
		id, _ := named(f.key[1 : len(f.key)-1])
		f.Key, f.KeyJSON = id.text, id.json
		if f.fault != nil {
			return nil
		}
		if err := DecodeJSON(f.text, b); err != nil {
			return err
		}
		f.Doc = f.text
	default:
		d, err := decodeDocument(f.text, b)
		f.Key, f.KeyJSON = d.id.text, d.id.json
		if err != nil {
			return err
		}
		f.Doc = d.account
	}
	return nil
}
