// Package collation compares strings as a language does, where an operation or
// a collection says so, and all other values as package value does.
//
// The order is that of golang.org/x/text/collate: the same algorithm (UTS #10)
// and tailorings (CLDR) as in real servers, of another version than theirs.
package collation

import (
	"bytes"
	"cmp"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/text/collate"

	"botwatch/integration/mongotest/internal/value"
)

// Collation is how strings compare. A nil one is the simple collation: it
// compares them byte by byte. It may be used concurrently.
type Collation struct {
	doc       value.Doc
	identical bool      // strength 5: what is equal otherwise compares by bytes
	collators sync.Pool // of *collator
}

// collator has what a comparison needs and no two may use at once.
type collator struct {
	*collate.Collator
	buffer collate.Buffer
}

// Doc gives the collation with all its options, as listIndexes shows it; nil for
// the simple one.
func (c *Collation) Doc() value.Doc {
	if c == nil {
		return nil
	}
	return c.doc
}

// Equal says that two values compare as equal.
func (c *Collation) Equal(a, b value.Value) bool { return c.Compare(a, b) == 0 }

// Compare orders two values as value.Compare does, but for the strings in them.
func (c *Collation) Compare(a, b value.Value) int {
	if c == nil {
		return value.Compare(a, b)
	}
	if r := cmp.Compare(value.Rank(a.Type), value.Rank(b.Type)); r != 0 {
		return r
	}
	switch a.Type {
	case bson.TypeString, bson.TypeSymbol:
		if bytes.Equal(a.Value, b.Value) {
			return 0
		}
		return bytes.Compare(c.appendText(nil, text(a)), c.appendText(nil, text(b)))
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		return value.CompareFields(value.Doc(a.Value), value.Doc(b.Value), a.Type == bson.TypeEmbeddedDocument, c.Compare)
	}
	return value.Compare(a, b)
}

// Key gives a value's key as a text.
func (c *Collation) Key(v value.Value) string { return string(c.AppendKey(nil, v)) }

// AppendKey appends a value's key, as value.AppendKey does: equal values have
// equal ones, and they order as the values do.
func (c *Collation) AppendKey(b []byte, v value.Value) []byte {
	if c == nil {
		return value.AppendKey(b, v)
	}
	return c.appendPayload(append(b, value.Rank(v.Type)), v)
}

func (c *Collation) appendPayload(b []byte, v value.Value) []byte {
	switch v.Type {
	case bson.TypeString, bson.TypeSymbol:
		return c.appendText(b, text(v))
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		for rest := value.Fields(value.Doc(v.Value)); len(rest) > 0; {
			var name []byte
			var item value.Value
			name, item, rest = value.Next(rest)
			b = append(b, value.Rank(item.Type))
			if v.Type == bson.TypeEmbeddedDocument {
				b = value.AppendText(b, name)
			}
			b = c.appendPayload(b, item)
		}
		return append(b, 0)
	}
	return append(b, value.AppendKey(nil, v)[1:]...) // without the rank
}

func text(v value.Value) []byte { return v.Value[4 : len(v.Value)-1] }

// appendText appends a string's sort key, and the string itself where it counts.
func (c *Collation) appendText(b, s []byte) []byte {
	by := c.collators.Get().(*collator)
	b = value.AppendText(b, by.Key(&by.buffer, s))
	by.buffer.Reset()
	c.collators.Put(by)
	if c.identical {
		b = value.AppendText(b, s)
	}
	return b
}
