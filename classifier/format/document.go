package format

import (
	"fmt"

	"botwatch/classifier"
)

// A document is a JSON object that holds one account in one of these ways:
//
//	{"user_data": …, "tweets": …, "crawled_at": …, "_id": …}   the account itself
//	{"account": {…}, "_id": …}                                 wrapped
//	{"key": {…}}                                               as the only entry of a map
//
// which it is may show only at its end, so its root is read once: the members
// of an account are pushed as they come, and what else could hold one is kept.
type document struct {
	account []byte // the account's own JSON; nil where there is none
	id      identity
}

// decodeDocument pushes the account that doc holds into b. The error is
// DecodeJSON's. What names the account comes with an error too, if it came
// before the fault.
func decodeDocument(doc []byte, b *classifier.Builder) (document, error) {
	b.Reset()
	r := root{decoder: decoder{scanner: scanner{doc: doc}, b: b}}
	i := r.space(0)
	if uint(i) >= uint(len(doc)) || doc[i] != '{' {
		return document{}, DecodeJSON(doc, b)
	}
	start := i
	i = r.members(i)
	end := i
	if i != bad {
		i = r.end(i)
	}
	id := r.identity()
	if i == bad {
		return document{id: id}, r.err
	}
	switch {
	case r.isAccount: // what is wrapped beside it does not count
	case r.wrapped != nil:
		inner, err := decodeWrapped(r.wrapped, b)
		if id.json == nil {
			id = inner.id
		}
		return document{account: r.wrapped, id: id}, err
	case r.count == 1 && r.last != nil:
		_, err := decodeWrapped(r.last, b)
		id, _ = named(r.lastKey)
		return document{account: r.last, id: id}, err
	case r.count > 1 && r.objects == r.count:
		b.Fail(classifier.CodeWrongType, fmt.Sprintf("is a map of %d entries; want one account", r.count))
	}
	if !r.begun {
		b.BeginObject()
	}
	b.EndObject()
	return document{account: doc[start:end], id: id}, nil
}

// decodeWrapped pushes the account itself and nothing that it may wrap.
func decodeWrapped(doc []byte, b *classifier.Builder) (document, error) {
	b.Reset()
	r := root{decoder: decoder{scanner: scanner{doc: doc}, b: b}, inner: true}
	if r.members(0) == bad {
		return document{}, r.err
	}
	if !r.begun {
		b.BeginObject()
	}
	b.EndObject()
	return document{account: doc, id: r.identity()}, nil
}

// root reads the members of a document.
type root struct {
	decoder
	inner     bool // nothing can be wrapped in it
	begun     bool // the Builder has been given the account's beginning
	isAccount bool
	wrapped   []byte // the value of "account", if that is an object
	last      []byte // the last other member that is an object, with its key
	lastKey   []byte
	count     int // of members, and of those that are objects and may be accounts
	objects   int
	ids       [len(idKeys)][]byte
}

func (r *root) members(i int) int {
	doc := r.doc
	i = r.space(i + 1)
	if uint(i) < uint(len(doc)) && doc[i] == '}' {
		return i + 1
	}
	for {
		if uint(i) >= uint(len(doc)) || doc[i] != '"' {
			return r.fail(i)
		}
		end := r.text(i + 1)
		if end == bad {
			return bad
		}
		key := doc[i+1 : end-1]
		if i = r.colon(end); i == bad {
			return bad
		}
		if i = r.member(key, i); i == bad {
			return bad
		}
		i = r.space(i)
		switch {
		case uint(i) >= uint(len(doc)):
			return r.fail(i)
		case doc[i] == ',':
			i = r.space(i + 1)
		case doc[i] == '}':
			return i + 1
		default:
			return r.fail(i)
		}
	}
}

// member reads the member of that raw key whose value begins at i.
func (r *root) member(raw []byte, i int) int {
	r.count++
	key := unescape(raw, r.buf[:0])
	switch string(key) {
	case "user_data", "tweets", "crawled_at":
		r.isAccount = r.isAccount || string(key) != "crawled_at"
		if !r.begun {
			r.begun = true
			r.b.BeginObject()
		}
		if r.b.Key(key) {
			return r.value(i, 1)
		}
		return r.skip(i, 1)
	}
	id := -1
	for n, name := range idKeys {
		if string(key) == name {
			id = n
		}
	}
	wraps := string(key) == "account" && !r.inner
	end := r.skip(i, 1)
	if end == bad {
		return bad
	}
	value := r.doc[i:end]
	switch {
	case id >= 0:
		r.ids[id] = value
	case value[0] != '{':
	case wraps:
		r.wrapped = value
	default:
		r.last, r.lastKey = value, raw
		r.objects++
	}
	return end
}

func (r *root) identity() identity {
	for _, raw := range r.ids {
		if id, ok := identify(raw); ok {
			return id
		}
	}
	return identity{}
}
