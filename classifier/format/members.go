package format

import (
	"bytes"

	"botwatch/classifier"
)

// members walks the members of the object that doc begins with, without
// checking what is in them, and stops where f answers false. A key comes as it
// is written, without its quotes; a value that doc cuts off comes as far as it
// goes, and is not whole. It reports whether doc ended before the object did.
func members(doc []byte, f func(key, value []byte, whole bool) bool) (cut bool) {
	i := 1 // behind the bracket
	for {
		i = skipSpace(doc, i)
		if i < len(doc) && doc[i] == ',' {
			i = skipSpace(doc, i+1)
		}
		if i >= len(doc) {
			return true
		}
		if doc[i] != '"' {
			return false // the end, or broken
		}
		end, ok := stringEnd(doc, i)
		if !ok {
			return true
		}
		key := doc[i+1 : end-1]
		i = skipSpace(doc, end)
		if i < len(doc) && doc[i] != ':' {
			return false
		}
		i = skipSpace(doc, i+1)
		if i >= len(doc) {
			return true
		}
		end, ok = valueEnd(doc, i)
		if end == i { // broken: no value
			return false
		}
		if !f(key, doc[i:end], ok) {
			return false
		}
		if !ok {
			return true
		}
		i = end
	}
}

func skipSpace(doc []byte, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\n' || doc[i] == '\r' || doc[i] == '\t') {
		i++
	}
	return i
}

// stringEnd gives the index behind the string that begins at i, and whether it
// ends within doc.
func stringEnd(doc []byte, i int) (int, bool) {
	for i++; i < len(doc); i++ {
		n := bytes.IndexByte(doc[i:], '"')
		if n < 0 {
			break
		}
		i += n
		slashes := 0
		for doc[i-1-slashes] == '\\' { // the opening quote stops it
			slashes++
		}
		if slashes&1 == 0 {
			return i + 1, true
		}
	}
	return len(doc), false
}

// valueEnd gives the index behind the value that begins at i, and whether it is
// sure to end there: a number at the end of doc may go on.
func valueEnd(doc []byte, i int) (int, bool) {
	switch doc[i] {
	case '{', '[':
		var b brackets
		n, ok := b.end(doc[i:])
		return i + n, ok
	case '"':
		return stringEnd(doc, i)
	}
	if n := bytes.IndexAny(doc[i:min(len(doc), i+maxScalar)], ",}] \t\r\n"); n >= 0 {
		return i + n, true
	}
	return len(doc), false
}

// maxScalar bounds numbers and literals where they are not checked.
const maxScalar = 1 << 20

// is reports whether a key as it is written is one of the names.
func is(key []byte, names ...string) bool {
	for _, name := range names {
		if string(key) == name {
			return true
		}
	}
	return false
}

// A shape is what an object is, as far as its keys tell.
type shape uint8

const (
	shapeUnknown shape = iota
	shapeAccount       // an account, alone or wrapped
	shapeTweet         // a tweet of a raw timeline, with its user
	shapeUpload        // a map from user keys to accounts
)

// maxMembers is the number of members after which an object that nothing tells
// is taken for a map.
const maxMembers = 1000

// shapeOf tells what the object is that doc begins with. cut says that doc ends
// too early to tell. A map is known by its first member that is an account.
func shapeOf(doc []byte) (s shape, cut bool) {
	wrapped, crawled, count := false, false, 0
	cut = members(doc, func(key, value []byte, whole bool) bool {
		count++
		object := value[0] == '{'
		switch {
		case object && is(key, "account"):
			wrapped = true
		case object && hasAccountKeys(value):
			s = shapeUpload
		case is(key, "user_data", "tweets"):
			if whole || !object { // else it may yet turn out to be a user key
				s = shapeAccount
			}
		case object && is(key, "user"):
			s = shapeTweet
		case is(key, "crawled_at"):
			crawled = true // accounts have it, and tweets may
		}
		return s == shapeUnknown && count < maxMembers
	})
	switch {
	case s != shapeUnknown:
		return s, false
	case wrapped && !cut, crawled && !cut:
		return shapeAccount, false
	}
	return s, cut
}

func hasAccountKeys(doc []byte) (found bool) {
	members(doc, func(key, _ []byte, _ bool) bool {
		found = is(key, "user_data", "tweets")
		return !found
	})
	return found
}

// CrawledAt gives the time in the member crawled_at of an account, the last one
// where there are several, at the speed of a search: of the rest of doc nothing
// is checked. It answers false where there is none that can be read.
func CrawledAt(doc []byte) (at classifier.Micros, ok bool) {
	start := skipSpace(doc, 0)
	if start == len(doc) || doc[start] != '{' {
		return 0, false
	}
	var text []byte
	members(doc[start:], func(key, value []byte, _ bool) bool {
		var buf [32]byte
		if string(key) == "crawled_at" || bytes.IndexByte(key, '\\') >= 0 && validText(key) && string(unescape(key, buf[:0])) == "crawled_at" {
			text = value
		}
		return true
	})
	if text == nil {
		return 0, false
	}
	// A timeline's tweet is the smallest thing with a crawled_at.
	var b classifier.Builder
	b.ResetTimelineTweet()
	b.BeginObject()
	b.Key([]byte("crawled_at"))
	d := decoder{scanner: scanner{doc: text}, b: &b}
	if d.value(0, 1) == bad {
		return 0, false
	}
	b.EndObject()
	account, ok, _ := b.FinishTweet()
	return account.CrawledAt, ok
}

// validText checks the content of a string, without its quotes.
func validText(raw []byte) bool {
	quoted := append(append(make([]byte, 0, len(raw)+1), raw...), '"')
	s := scanner{doc: quoted}
	return s.text(0) == len(quoted)
}
