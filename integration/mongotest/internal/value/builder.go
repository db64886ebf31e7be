package value

import (
	"encoding/binary"
	"strconv"
)

// Builder makes a document field by field. Names are not checked: a document
// may come to have one twice.
type Builder struct {
	buf   []byte
	start int
	open  []int // where embedded documents begin
}

// NewBuilder begins a document behind what buf holds.
func NewBuilder(buf []byte) *Builder {
	return &Builder{buf: append(buf, 0, 0, 0, 0), start: len(buf)}
}

// Append adds a field; nothing for a missing value.
func (b *Builder) Append(name string, v Value) *Builder {
	if v.Type == 0 {
		return b
	}
	b.head(byte(v.Type), name)
	b.buf = append(b.buf, v.Value...)
	return b
}

// Open begins an embedded document, or an array, that Close ends.
func (b *Builder) Open(name string, array bool) *Builder {
	t := byte(3)
	if array {
		t = 4
	}
	b.head(t, name)
	b.open = append(b.open, len(b.buf))
	b.buf = append(b.buf, 0, 0, 0, 0)
	return b
}

// Close ends what Open began.
func (b *Builder) Close() *Builder {
	at := b.open[len(b.open)-1]
	b.open = b.open[:len(b.open)-1]
	b.end(at)
	return b
}

// Len gives the number of bytes so far.
func (b *Builder) Len() int { return len(b.buf) - b.start }

// Doc ends the document and gives it.
func (b *Builder) Doc() Doc {
	b.end(b.start)
	return Doc(b.buf[b.start:])
}

func (b *Builder) head(t byte, name string) {
	b.buf = append(b.buf, t)
	b.buf = append(b.buf, name...)
	b.buf = append(b.buf, 0)
}

func (b *Builder) end(at int) {
	b.buf = append(b.buf, 0)
	binary.LittleEndian.PutUint32(b.buf[at:], uint32(len(b.buf)-at))
}

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)+1))
	return append(append(b, s...), 0)
}

// Index gives the name of an array's element.
func Index(i int) string { return strconv.Itoa(i) }

// D makes a document of names and values in turn: what is no Value becomes
// one, as Of does.
func D(pairs ...any) Doc {
	b := NewBuilder(nil)
	for i := 0; i < len(pairs); i += 2 {
		b.Append(pairs[i].(string), Of(pairs[i+1]))
	}
	return b.Doc()
}
