package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// Reader reads messages from a connection. It is not safe for concurrent use.
type Reader struct {
	r      *bufio.Reader
	max    int
	header [headerSize]byte
}

// NewReader makes a reader of messages that are at most max bytes long, with
// their header, and before and after compression.
func NewReader(r io.Reader, max int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 32<<10), max: max}
}

// Read reads the next message. Its errors are
//   - io.EOF: the connection ended between messages,
//   - io.ErrUnexpectedEOF: it ended within one,
//   - an ErrMalformed: close the connection,
//   - a *fault.Error: the message is whole but says nothing that can be done.
//     It comes with a Message that has all but documents, so that the error can
//     be answered (unless MoreToCome wants no answer), and reading goes on,
//   - others are the connection's own.
func (r *Reader) Read() (*Message, error) {
	if _, err := io.ReadFull(r.r, r.header[:]); err != nil {
		return nil, err
	}
	length := int32(binary.LittleEndian.Uint32(r.header[:]))
	if length < headerSize || int64(length) > int64(r.max) {
		return nil, malformed("its length is %d, where %d to %d are allowed", length, headerSize, r.max)
	}
	m := &Message{
		RequestID:  int32(binary.LittleEndian.Uint32(r.header[4:])),
		ResponseTo: int32(binary.LittleEndian.Uint32(r.header[8:])),
		OpCode:     OpCode(binary.LittleEndian.Uint32(r.header[12:])),
	}
	switch m.OpCode {
	case OpMsg, OpQuery, OpCompressed:
	default: // before its bytes are waited for
		return nil, malformed("%v is not offered", m.OpCode)
	}
	b, err := readBody(r.r, int(length)-headerSize)
	if err != nil {
		return nil, err
	}
	if m.OpCode == OpCompressed {
		if b, err = m.decompress(b, r.max-headerSize); err != nil {
			return nil, err
		}
		// A checksum covers the message as it was before.
		binary.LittleEndian.PutUint32(r.header[:], uint32(headerSize+len(b)))
		binary.LittleEndian.PutUint32(r.header[12:], uint32(m.OpCode))
	}
	if m.OpCode == OpQuery {
		err = m.parseQuery(b)
	} else {
		err = m.parseMsg(r.header[:], b)
	}
	if err == nil {
		return m, nil
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		m.Body, m.Sequences, m.Selector = nil, nil, nil
		return m, err
	}
	return nil, err
}

// firstStep is what a length alone can make us allocate.
const firstStep = 256 << 10

// readBody reads n bytes into a buffer of their own. The buffer grows as they
// come, to at most four times of what did.
func readBody(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, min(n, firstStep))
	for have := 0; ; {
		if _, err := io.ReadFull(r, b[have:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		have = len(b)
		if have == n {
			return b, nil
		}
		grown := make([]byte, min(n, 4*have))
		copy(grown, b)
		b = grown
	}
}

func (m *Message) parseMsg(header, b []byte) error {
	if len(b) < 4 {
		return malformed("OP_MSG has no flags")
	}
	m.Flags = Flags(binary.LittleEndian.Uint32(b))
	if unknown := m.Flags & 0xffff &^ (ChecksumPresent | MoreToCome); unknown != 0 {
		return malformed("OP_MSG has the unknown required flags 0x%x", uint32(unknown))
	}
	rest := b[4:]
	if m.Flags&ChecksumPresent != 0 {
		if len(rest) < 4 {
			return malformed("OP_MSG has no checksum")
		}
		end := len(b) - 4
		want := binary.LittleEndian.Uint32(b[end:])
		if got := crc32.Update(crc32.Checksum(header, castagnoli), castagnoli, b[:end]); got != want {
			return malformed("OP_MSG has the checksum %08x, and its bytes have %08x", want, got)
		}
		rest = b[4:end]
	}
	var refused error // what is wrong within the documents does not hide a broken frame
	for len(rest) > 0 {
		kind := rest[0]
		n, err := sized(rest[1:])
		if err != nil {
			return err
		}
		section := rest[1 : 1+n]
		rest = rest[1+n:]
		switch kind {
		case 0:
			if m.Body != nil {
				err = fault.New(40430, "an OP_MSG has one body, and this one has two")
			} else {
				m.Body, err = document(section)
			}
		case 1:
			err = m.parseSequence(section)
		default:
			return malformed("OP_MSG has a section of the unknown kind %d", kind)
		}
		if errors.Is(err, ErrMalformed) {
			return err
		}
		if refused == nil {
			refused = err
		}
	}
	if refused != nil {
		return refused
	}
	if m.Body == nil {
		return fault.New(40587, "an OP_MSG has one body, and this one has none")
	}
	for _, s := range m.Sequences {
		if !value.Missing(value.Get(m.Body, s.Name)) {
			return fault.New(40433, "%q is in the body and a document sequence", s.Name)
		}
	}
	return nil
}

// maxSequences is how many sequences a command has at most: bulkWrite has two.
const maxSequences = 2

func (m *Message) parseSequence(b []byte) error {
	b = b[4:]
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return malformed("a document sequence has no name")
	}
	s := Sequence{Name: string(b[:end])}
	if _, ok := m.Sequence(s.Name); ok {
		return fault.New(40431, "the document sequence %q comes twice", s.Name)
	}
	if len(m.Sequences) == maxSequences {
		return malformed("OP_MSG has more than %d document sequences", maxSequences)
	}
	b = b[end+1:]
	count := 0
	for rest := b; len(rest) > 0; count++ {
		n, err := sized(rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	if count > MaxSequence {
		return fault.New(fault.InvalidLength, "the document sequence %q has %d documents, more than %d", s.Name, count, MaxSequence)
	}
	s.Docs = make([]value.Doc, 0, count)
	for len(b) > 0 {
		n, _ := sized(b)
		d, err := document(b[:n])
		if err != nil {
			return err
		}
		s.Docs = append(s.Docs, d)
		b = b[n:]
	}
	m.Sequences = append(m.Sequences, s)
	return nil
}

func (m *Message) parseQuery(b []byte) error {
	if len(b) < 4 {
		return malformed("OP_QUERY has no flags")
	}
	m.QueryFlags = binary.LittleEndian.Uint32(b)
	b = b[4:]
	end := bytes.IndexByte(b, 0)
	if end < 0 || len(b) < end+1+8 {
		return malformed("OP_QUERY is truncated")
	}
	m.FullCollection = string(b[:end])
	b = b[end+1:]
	m.NumberToSkip = int32(binary.LittleEndian.Uint32(b))
	m.NumberToReturn = int32(binary.LittleEndian.Uint32(b[4:]))
	b = b[8:]
	n, err := sized(b)
	if err != nil {
		return err
	}
	query, selector := b[:n], b[n:]
	if len(selector) > 0 {
		if n, err = sized(selector); err != nil {
			return err
		}
		if n != len(selector) {
			return malformed("OP_QUERY has %d bytes behind its documents", len(selector)-n)
		}
		if m.Selector, err = document(selector); err != nil {
			return err
		}
	}
	m.Body, err = document(query)
	return err
}

// sized gives the length of what b begins with, by its first four bytes: a
// document's, or a document sequence's.
func sized(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, malformed("%d bytes are too few for a document", len(b))
	}
	n := int32(binary.LittleEndian.Uint32(b))
	if n < 5 || int64(n) > int64(len(b)) {
		return 0, malformed("a document is %d bytes long in a rest of %d", n, len(b))
	}
	return int(n), nil
}

func document(b []byte) (value.Doc, error) {
	if err := value.Validate(b); err != nil {
		return nil, fault.New(fault.InvalidBSON, "%v", err)
	}
	return value.Doc(b[:len(b):len(b)]), nil
}
