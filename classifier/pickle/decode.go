// Package pickle reads Python pickles of protocols 0 to 5 as data. It never
// runs anything: a pickle's calls become Objects that say what would have been
// called with what, and only for the globals that the caller allows; all
// others are refused by name.
//
// [Decode] reads any pickle; [DecodeUpload] reads one that holds accounts.
package pickle

import (
	"errors"
	"fmt"
)

// Options says what Decode accepts. The zero value allows plain data alone.
type Options struct {
	// Globals allows globals, each by its module, a space, and its name
	// ("datetime datetime"), and gives them a Tag. Those by which old
	// protocols write plain data need no entry: bytes and bytearray, set and
	// frozenset, collections.OrderedDict, _codecs.encode to latin1, and
	// copyreg._reconstructor.
	Globals map[string]Tag

	// MaxMemory bounds what decoding allocates, in bytes, the input not
	// counted. 0 means 24 times the input's length and 4 MiB: ordinary account
	// pickles take 3 times their length, the densest about 20 times.
	MaxMemory int

	// MaxDepth bounds how deep values nest. 0 means 100.
	MaxDepth int
}

// The sorts of faults, for errors.Is.
var (
	// ErrMalformed is a pickle that is cut short or makes no sense.
	ErrMalformed = errors.New("malformed pickle")
	// ErrRefused is a global that the caller does not allow, or something
	// that cannot be read as data: persistent ids, extension codes, buffers
	// outside the pickle.
	ErrRefused = errors.New("refused")
	// ErrLimit is a pickle beyond the limits of memory, depth or size.
	ErrLimit = errors.New("over the limit")
)

// Error says where decoding stopped and why.
type Error struct {
	Offset int    // of the opcode, in bytes from the start
	Op     string // the opcode's name as Python's pickletools has it
	Err    error  // what is wrong; wraps one of ErrMalformed, ErrRefused, ErrLimit
}

// Error gives the place and the reason.
func (e *Error) Error() string {
	return fmt.Sprintf("pickle: byte %d, %s: %v", e.Offset, e.Op, e.Err)
}

// Unwrap gives the reason.
func (e *Error) Unwrap() error { return e.Err }

// maxInput keeps every offset and length within a ref.
const maxInput = 1<<31 - 1

// Decode reads the first pickle in data; what follows it is ignored, as Python
// does. The error is an *Error. The Value refers to data.
//
// Beside data, it takes at most Options.MaxMemory bytes and time in proportion
// to that and to data.
func Decode(data []byte, opts Options) (Value, error) {
	if opts.MaxMemory == 0 {
		opts.MaxMemory = 24*len(data) + 4<<20
	}
	if opts.MaxDepth == 0 {
		opts.MaxDepth = 100
	}
	if len(data) > maxInput {
		return Value{}, &Error{Op: "START", Err: fmt.Errorf("%d bytes of input: %w of %d", len(data), ErrLimit, maxInput)}
	}
	m := machine{
		document: document{data: data},
		globals:  opts.Globals,
		maxDepth: uint32(min(max(opts.MaxDepth, 1), 1<<30)),
		memory:   memory{free: opts.MaxMemory},
	}
	top, err := m.run()
	if err != nil {
		op := "END"
		if m.at < len(data) {
			op = opName(data[m.at])
		}
		return Value{}, &Error{Offset: m.at, Op: op, Err: err}
	}
	doc := m.document // leaves stack and memo to the garbage collector
	return Value{&doc, top}, nil
}

// memory counts what may still be allocated, in bytes.
type memory struct{ free int }

// errMemory is ErrLimit for memory.
var errMemory = fmt.Errorf("the pickle needs too much memory: %w", ErrLimit)

// reserve makes room for n more elements of size bytes each. While the old
// array is being copied both exist; the bound holds even then.
func reserve[T any](m *memory, s []T, n, size int) ([]T, error) {
	if cap(s)-len(s) >= n {
		return s, nil
	}
	c := max(len(s)+n, cap(s)+cap(s)/2, 16)
	if c*size > m.free { // never grow by less: near the limit that would take for ever
		return nil, errMemory
	}
	m.free -= (c - cap(s)) * size
	grown := make([]T, len(s), c)
	copy(grown, s)
	return grown, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrMalformed)...)
}

func limit(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrLimit)...)
}
