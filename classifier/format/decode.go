package format

import (
	"fmt"

	"botwatch/classifier"
)

// DecodeJSON pushes the account that doc holds, one JSON object, into a Builder
// that has been reset for it; the caller finishes the Builder. It accepts what
// encoding/json accepts and nothing else, in the parts that are not needed too,
// and reads strings as encoding/json does: bytes that are not UTF-8 and lone
// surrogates become U+FFFD.
//
// The error is a *classifier.FieldError of CodeSyntax or CodeTooDeep, whose
// message gives the byte within doc. It counts for more than what Finish says:
// the whole document is checked even when a field before was at fault.
// It keeps no reference to doc.
func DecodeJSON(doc []byte, b *classifier.Builder) error {
	d := decoder{scanner: scanner{doc: doc}, b: b}
	i := d.value(d.space(0), 0)
	if i != bad {
		i = d.end(i)
	}
	if i == bad {
		return d.err
	}
	return nil
}

// A decoder is a scanner that pushes what it passes into a Builder, and skips
// what the Builder does not want.
type decoder struct {
	scanner
	b       *classifier.Builder
	checked [8][]byte // objects that were skipped, by the length of their key
	buf     [128]byte // for strings with escapes
}

// maxRepeat bounds the objects that are remembered, so that none can nest
// deep enough for the limit of depth to matter where it is met again.
const maxRepeat = 8 << 10

// value pushes the value that begins at i. The Builder bounds the recursion:
// it opens only the few containers that it knows.
func (d *decoder) value(i, depth int) int {
	doc := d.doc
	if uint(i) >= uint(len(doc)) {
		return d.fail(i)
	}
	switch doc[i] {
	case '"':
		end := d.text(i + 1)
		if end != bad {
			d.b.String(unquote(doc[i+1:end-1], d.buf[:0]))
		}
		return end
	case '{':
		if !d.b.BeginObject() {
			return d.skip(i, depth)
		}
		return d.object(i, depth+1)
	case '[':
		if !d.b.BeginArray() {
			return d.skip(i, depth)
		}
		return d.array(i, depth+1)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		end := d.number(i)
		if end != bad {
			d.b.Number(doc[i:end])
		}
		return end
	}
	end := d.literal(i)
	if end != bad {
		if doc[i] == 'n' {
			d.b.Null()
		} else {
			d.b.Bool(doc[i] == 't')
		}
	}
	return end
}

// object pushes the members of the object that begins at i.
func (d *decoder) object(i, depth int) int {
	doc := d.doc
	i = d.space(i + 1)
	if uint(i) < uint(len(doc)) && doc[i] == '}' {
		d.b.EndObject()
		return i + 1
	}
	for {
		if uint(i) >= uint(len(doc)) || doc[i] != '"' {
			return d.fail(i)
		}
		end := d.text(i + 1)
		if end == bad {
			return bad
		}
		wanted := d.b.Key(unescape(doc[i+1:end-1], d.buf[:0]))
		keyLen := end - i
		if i = d.colon(end); i == bad {
			return bad
		}
		if wanted {
			i = d.value(i, depth)
		} else {
			i = d.skipMember(i, depth, keyLen)
		}
		if i == bad {
			return bad
		}
		i = d.space(i)
		switch {
		case uint(i) >= uint(len(doc)):
			return d.fail(i)
		case doc[i] == ',':
			i = d.space(i + 1)
		case doc[i] == '}':
			d.b.EndObject()
			return i + 1
		default:
			return d.fail(i)
		}
	}
}

// skipMember skips the value at i of a member whose key is keyLen bytes long.
// Crawled tweets repeat their author, a third of all bytes: what equals an
// object that has been checked need not be checked again.
func (d *decoder) skipMember(i, depth, keyLen int) int {
	doc := d.doc
	if uint(i) >= uint(len(doc)) || doc[i] != '{' {
		return d.skip(i, depth)
	}
	checked := &d.checked[uint(keyLen)%uint(len(d.checked))]
	if n := len(*checked); n > 0 && n <= len(doc)-i && string(doc[i:i+n]) == string(*checked) {
		return i + n
	}
	end := d.skip(i, depth)
	if end != bad && end-i <= maxRepeat {
		*checked = doc[i:end]
	}
	return end
}

// array pushes the elements of the array that begins at i.
func (d *decoder) array(i, depth int) int {
	doc := d.doc
	i = d.space(i + 1)
	if uint(i) < uint(len(doc)) && doc[i] == ']' {
		d.b.EndArray()
		return i + 1
	}
	for {
		if i = d.value(i, depth); i == bad {
			return bad
		}
		i = d.space(i)
		switch {
		case uint(i) >= uint(len(doc)):
			return d.fail(i)
		case doc[i] == ',':
			i = d.space(i + 1)
		case doc[i] == ']':
			d.b.EndArray()
			return i + 1
		default:
			return d.fail(i)
		}
	}
}

// end checks that only white space follows.
func (s *scanner) end(i int) int {
	if i = s.space(i); i < len(s.doc) {
		return s.failText(i, fmt.Sprintf("unexpected %q after the end of the value", s.doc[i]))
	}
	return i
}

// fail keeps the fault that the byte at i cannot stand there.
func (s *scanner) fail(i int) int {
	if i >= len(s.doc) {
		return s.failText(len(s.doc), "it ends too early")
	}
	return s.failText(i, fmt.Sprintf("unexpected %q", s.doc[i]))
}

func (s *scanner) failText(i int, what string) int {
	if s.err == nil {
		s.err = &classifier.FieldError{
			Code:    classifier.CodeSyntax,
			Message: fmt.Sprintf("is not JSON: %s at byte %d", what, i),
		}
	}
	return bad
}

func (s *scanner) tooDeep(i int) int {
	if s.err == nil {
		s.err = &classifier.FieldError{
			Code:    classifier.CodeTooDeep,
			Message: fmt.Sprintf("nests deeper than %d objects and arrays at byte %d", maxDepth, i),
		}
	}
	return bad
}
