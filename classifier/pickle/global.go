package pickle

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A plain global is one by which old protocols write plain data; its number
// stands in the ref's n.
const (
	plainBytes = 1 + iota
	plainSet
	plainDict
	plainEncode
	plainReconstruct
	plainType
)

var plainGlobals = map[string]uint32{
	"_codecs encode":          plainEncode,
	"__builtin__ bytes":       plainBytes,
	"__builtin__ bytearray":   plainBytes,
	"__builtin__ set":         plainSet,
	"__builtin__ frozenset":   plainSet,
	"__builtin__ object":      plainType,
	"__builtin__ int":         plainType,
	"__builtin__ long":        plainType,
	"builtins bytes":          plainBytes,
	"builtins bytearray":      plainBytes,
	"builtins set":            plainSet,
	"builtins frozenset":      plainSet,
	"builtins object":         plainType,
	"builtins int":            plainType,
	"collections OrderedDict": plainDict,
	"copy_reg _reconstructor": plainReconstruct,
	"copyreg _reconstructor":  plainReconstruct,
}

// global gives the ref of an allowed global.
func (m *machine) global(module, name []byte) (ref, error) {
	if len(module)+len(name) > 1000 { // no key is that long; spare the copy
		return ref{}, fmt.Errorf("global %s.%s: %w", short(module), short(name), ErrRefused)
	}
	m.key = append(append(append(m.key[:0], module...), ' '), name...)
	if tag, ok := m.globals[string(m.key)]; ok {
		return ref{kind: Global, tag: tag}, nil
	}
	if p, ok := plainGlobals[string(m.key)]; ok {
		return ref{kind: Global, n: p}, nil
	}
	return ref{}, fmt.Errorf("global %s.%s: %w; it is none of those allowed", short(module), short(name), ErrRefused)
}

// short makes a foreign name fit for a message.
func short(s []byte) string {
	const limit = 120
	more := ""
	if len(s) > limit {
		s, more = s[:limit], "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '?'
		}
		return r
	}, string(s)) + more
}

// object does the opcodes that name globals, call them, and set state.
func (m *machine) object(op byte) error {
	switch op {
	case opGlobal:
		g, err := m.lineGlobal()
		if err != nil {
			return err
		}
		return m.push(g)
	case opStackGlobal:
		names, err := m.popN(2)
		if err != nil {
			return err
		}
		if names[0].kind != String || names[1].kind != String {
			return malformed("a global's name is no text")
		}
		g, err := m.global(m.text(names[0]), m.text(names[1]))
		if err != nil {
			return err
		}
		return m.push(g)
	case opBuild:
		return m.build()
	case opReduce, opNewObj:
		call, err := m.popN(2)
		if err != nil {
			return err
		}
		return m.call(call[0], call[1])
	case opNewObjEx:
		call, err := m.popN(3)
		if err != nil {
			return err
		}
		if call[2].kind != Dict || len(m.content(call[2])) > 0 {
			return fmt.Errorf("keyword arguments: %w", ErrRefused)
		}
		return m.call(call[0], call[1])
	}
	// INST and OBJ find the arguments above the mark.
	var class ref
	var err error
	if op == opInst {
		if class, err = m.lineGlobal(); err != nil {
			return err
		}
	}
	args, err := m.popMark()
	if err != nil {
		return err
	}
	if op == opObj {
		if len(args) == 0 {
			return malformed("no class")
		}
		class, args = args[0], args[1:]
	}
	tuple, err := m.newNode(Tuple, args, len(args))
	if err != nil {
		return err
	}
	return m.call(class, tuple)
}

// call notes that a global is called: it pushes an Object, or the plain value
// that the call stands for.
func (m *machine) call(g, args ref) error {
	if g.kind != Global {
		return fmt.Errorf("calls a %v: %w", g.kind, ErrRefused)
	}
	if args.kind != Tuple {
		return malformed("arguments are a %v", args.kind)
	}
	if g.n != 0 {
		return m.plain(g.n, m.content(args))
	}
	return m.construct(g, args)
}

func (m *machine) construct(g, args ref) error {
	r, err := m.newNode(Object, []ref{args}, 2) // room for the state
	if err != nil {
		return err
	}
	r.tag = g.tag
	return m.push(r)
}

// plain pushes the plain value that a call stands for.
func (m *machine) plain(p uint32, args []ref) error {
	switch {
	case p == plainBytes && len(args) == 0:
		return m.push(ref{kind: Bytes})
	case p == plainBytes && len(args) == 1 && args[0].kind == Bytes:
		return m.push(args[0])
	case (p == plainBytes || p == plainEncode) && len(args) == 2 && args[0].kind == String && args[1].kind == String:
		if name := string(m.text(args[1])); name == "latin1" || name == "latin-1" {
			return m.latin1(args[0])
		}
	case p == plainSet && len(args) == 0:
		return m.collect(Set, nil)
	case p == plainSet && len(args) == 1 && (args[0].kind == List || args[0].kind == Tuple || args[0].kind == Set):
		return m.collectFrom(Set, args[0])
	case p == plainDict && len(args) == 0:
		return m.collect(Dict, nil)
	case p == plainReconstruct && len(args) == 3 && args[0].kind == Global && args[0].n == 0 && args[1].kind == Global && args[1].n == plainType:
		class, given := args[0], args[2:]
		if given[0].kind == None {
			given = nil
		}
		args, err := m.newNode(Tuple, given, len(given))
		if err != nil {
			return err
		}
		return m.construct(class, args)
	}
	return fmt.Errorf("a call of %s with these arguments: %w", plainName(p), ErrRefused)
}

// collectFrom makes a container of another's content. Its length is set first,
// because making room may move the content.
func (m *machine) collectFrom(kind Kind, from ref) error {
	n := int(m.nodes[from.bits].n)
	r, err := m.newNode(kind, nil, n)
	if err != nil {
		return err
	}
	if err := m.fill(r, m.content(from)); err != nil {
		return err
	}
	return m.push(r)
}

func plainName(p uint32) string {
	return [...]string{"", "bytes", "set", "OrderedDict", "_codecs.encode", "_reconstructor", "a type"}[p]
}

// latin1 pushes the bytes whose latin1 text this is: the form of bytes in
// Python 3's pickles of protocols 0 to 2. It copies even ASCII, so that the
// bound on memory bounds the time that repeated calls take.
func (m *machine) latin1(text ref) error {
	s := m.text(text)
	var err error
	if m.extra, err = reserve(&m.memory, m.extra, len(s), 1); err != nil {
		return err
	}
	start := len(m.extra)
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r > 0xff {
			return malformed("text that latin1 cannot hold")
		}
		m.extra = append(m.extra, byte(r))
		s = s[n:]
	}
	return m.push(m.extraRef(Bytes, start))
}

// build sets an Object's state.
func (m *machine) build() error {
	state, err := m.popN(1)
	if err != nil {
		return err
	}
	top, err := m.top()
	if err != nil {
		return err
	}
	if top.kind != Object {
		return fmt.Errorf("sets the state of a %v: %w", top.kind, ErrRefused)
	}
	if m.nodes[top.bits].n > 1 {
		return fmt.Errorf("sets an object's state twice: %w", ErrRefused)
	}
	return m.fill(*top, state)
}
