package pickle

// Kind says what a Value is.
type Kind uint8

// The kinds of values. Sets cover set and frozenset, Bytes cover bytes,
// bytearray and the str of Python 2, and a Dict keeps its order.
const (
	Invalid Kind = iota // the zero Value
	None
	Bool
	Int    // an integer that fits int64
	BigInt // any other integer
	Float
	String
	Bytes
	List
	Tuple
	Dict
	Set
	Global // a class or function of the allow-list
	Object // what a Global was called with
)

var kindNames = [...]string{"nothing", "None", "bool", "int", "int", "float", "str", "bytes", "list", "tuple", "dict", "set", "class", "object"}

// String gives the kind's name as Python has it; Invalid is "nothing".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Tag is what a caller's allow-list calls a global. Globals of one meaning,
// such as a class that moved, share a Tag.
type Tag uint8

// Value is one value of a decoded pickle. Its text stays where it was in the
// input, which must not change while Values are in use. Values are read-only
// and safe for concurrent use.
//
// Pickles share parts, and a list may even hold itself: a walk that follows
// whatever it finds may never end. Read Values by an expected structure, with
// a budget where that repeats.
//
// An accessor that does not fit the Kind gives zero.
type Value struct {
	doc *document
	ref ref
}

// ref is a value without its document. It holds no pointer, so that the
// garbage collector need not look at the values of a large pickle.
type ref struct {
	bits uint64 // number, offset of text, index of node
	n    uint32 // length of text in bytes
	kind Kind
	tag  Tag
}

// node is a container: a run of refs within the document's items. A Dict has
// keys and values in turn, an Object its arguments and, if there is one, its
// state.
type node struct {
	off, n, cap uint32
	depth       uint32 // of the nesting below, as far as known when it was filled
}

// document owns what the Values of one pickle refer to.
type document struct {
	data  []byte
	extra []byte // texts that had to be unescaped; offsets go on from data's
	nodes []node // node 0 is empty
	items []ref
}

func (d *document) text(r ref) []byte {
	off, end := int(r.bits), int(r.bits)+int(r.n)
	if off >= len(d.data) {
		off, end = off-len(d.data), end-len(d.data)
		return d.extra[off:end:end]
	}
	return d.data[off:end:end]
}

func (d *document) content(r ref) []ref {
	n := &d.nodes[r.bits]
	return d.items[n.off : n.off+n.n]
}

// Kind says what the value is.
func (v Value) Kind() Kind { return v.ref.kind }

// Bool gives a Bool's value.
func (v Value) Bool() bool { return v.ref.kind == Bool && v.ref.bits != 0 }

// Int gives an Int's value.
func (v Value) Int() int64 {
	if v.ref.kind != Int {
		return 0
	}
	return int64(v.ref.bits)
}

// Float gives a Float's value.
func (v Value) Float() float64 {
	if v.ref.kind != Float {
		return 0
	}
	return float(v.ref.bits)
}

// Text gives the content of a String (in UTF-8, unchecked) or of Bytes, or the
// decimal digits of a BigInt. The caller must not change it.
func (v Value) Text() []byte {
	switch v.ref.kind {
	case String, Bytes, BigInt:
		return v.doc.text(v.ref)
	}
	return nil
}

// IsText reports whether the value is a String or Bytes, which pickles of
// Python 2 use for one another.
func (v Value) IsText() bool { return v.ref.kind == String || v.ref.kind == Bytes }

// Len gives the number of elements of a List, a Tuple or a Set, or of pairs of
// a Dict.
func (v Value) Len() int {
	switch v.ref.kind {
	case List, Tuple, Set:
		return int(v.doc.nodes[v.ref.bits].n)
	case Dict:
		return int(v.doc.nodes[v.ref.bits].n) / 2
	}
	return 0
}

// Index gives element i of a List, a Tuple or a Set, or the zero Value where
// there is none.
func (v Value) Index(i int) Value {
	if v.ref.kind == Dict || i < 0 || i >= v.Len() {
		return Value{}
	}
	return Value{v.doc, v.doc.content(v.ref)[i]}
}

// Pair gives a Dict's key and value at position i, or zero Values where there
// are none. A key that was set twice occurs twice; the later one counts.
func (v Value) Pair(i int) (key, val Value) {
	if v.ref.kind != Dict || i < 0 || i >= v.Len() {
		return Value{}, Value{}
	}
	c := v.doc.content(v.ref)
	return Value{v.doc, c[2*i]}, Value{v.doc, c[2*i+1]}
}

// Get gives a Dict's value for a key that is text, or the zero Value where
// there is none. It looks at one pair after the other.
func (v Value) Get(key string) Value {
	if v.ref.kind != Dict {
		return Value{}
	}
	c := v.doc.content(v.ref)
	for i := len(c) - 2; i >= 0; i -= 2 {
		if k := (Value{v.doc, c[i]}); k.IsText() && string(k.Text()) == key {
			return Value{v.doc, c[i+1]}
		}
	}
	return Value{}
}

// Tag gives the tag of a Global or of an Object's Global.
func (v Value) Tag() Tag { return v.ref.tag }

// Args gives the Tuple of an Object's arguments.
func (v Value) Args() Value {
	if v.ref.kind != Object {
		return Value{}
	}
	return Value{v.doc, v.doc.content(v.ref)[0]}
}

// State gives what an Object was told to set its state to, or the zero Value.
func (v Value) State() Value {
	if v.ref.kind != Object {
		return Value{}
	}
	if c := v.doc.content(v.ref); len(c) > 1 {
		return Value{v.doc, c[1]}
	}
	return Value{}
}
