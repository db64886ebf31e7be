// Package wire reads and writes messages of the MongoDB wire protocol, as a
// server does: requests in OP_MSG, OP_COMPRESSED and, for the legacy hello,
// OP_QUERY; replies in OP_MSG, OP_COMPRESSED and OP_REPLY. The formats are
// published in the manual, "MongoDB Wire Protocol", and in the specifications
// of OP_MSG and OP_COMPRESSED (mongodb/specifications, source/message and
// source/compression).
package wire

import (
	"errors"
	"fmt"
	"hash/crc32"

	"botwatch/integration/mongotest/internal/value"
)

// OpCode says what kind a message is of.
type OpCode int32

// The kinds of messages that occur.
const (
	OpReply      OpCode = 1
	OpQuery      OpCode = 2004
	OpCompressed OpCode = 2012
	OpMsg        OpCode = 2013
)

func (c OpCode) String() string {
	switch c {
	case OpReply:
		return "OP_REPLY"
	case OpQuery:
		return "OP_QUERY"
	case OpCompressed:
		return "OP_COMPRESSED"
	case OpMsg:
		return "OP_MSG"
	}
	return fmt.Sprintf("opcode %d", int32(c))
}

// Flags are those of OP_MSG. The lower 16 bits are required: who does not know
// one must refuse the message. The upper 16 are optional.
type Flags uint32

// The flags that are published.
const (
	ChecksumPresent Flags = 1 << 0
	MoreToCome      Flags = 1 << 1  // no reply is wanted, or another one follows by itself
	ExhaustAllowed  Flags = 1 << 16 // the client takes many replies to this one request
)

// The published numbers of compressors, as OP_COMPRESSED has them.
const (
	None   byte = 0
	Snappy byte = 1
	Zlib   byte = 2
	Zstd   byte = 3
)

// Compressor gives the number of a compressor by its name in a handshake.
func Compressor(name string) (id byte, ok bool) {
	switch name {
	case "snappy":
		return Snappy, true
	case "zlib":
		return Zlib, true
	case "zstd":
		return Zstd, true
	}
	return None, false
}

// MaxMessage is the longest message that is taken: the published
// maxMessageSizeBytes, and 16 KiB as room for a command's own fields.
const MaxMessage = 48_000_000 + 16<<10

// MaxSequence is how many documents a sequence holds at most: the published
// maxWriteBatchSize.
const MaxSequence = 100_000

const headerSize = 16

// ErrMalformed says that bytes are no message. What follows them cannot be
// told, or must not be believed: the connection is to be closed.
var ErrMalformed = errors.New("malformed message")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Message is one message. Its documents are valid, and share one buffer that
// belongs to this message alone: they never change, but who keeps one keeps
// all of the message in memory, 48 MB perhaps, and so clones what it stores.
type Message struct {
	RequestID  int32
	ResponseTo int32
	OpCode     OpCode // of the message itself, where it came compressed
	Flags      Flags  // of OP_MSG
	Body       value.Doc
	Sequences  []Sequence
	Compressor byte // that the sender used; None too where it came as "noop"

	// Of OP_QUERY, whose document is the Body.
	FullCollection string
	QueryFlags     uint32
	NumberToSkip   int32
	NumberToReturn int32
	Selector       value.Doc // returnFieldsSelector; nil where there is none
}

// Sequence is a document sequence (kind 1): documents that belong to the body
// as an array of that name would.
type Sequence struct {
	Name string
	Docs []value.Doc
}

// Sequence gives the documents of the sequence with that name.
func (m *Message) Sequence(name string) (docs []value.Doc, ok bool) {
	for _, s := range m.Sequences {
		if s.Name == name {
			return s.Docs, true
		}
	}
	return nil, false
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
