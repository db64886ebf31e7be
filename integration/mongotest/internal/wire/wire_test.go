package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

// The messages here are built by the Go driver's own encoder, and by hand only
// where that could not build what is wrong with them.

type section func([]byte) []byte

func body(d []byte) section {
	return func(b []byte) []byte {
		return append(wiremessage.AppendMsgSectionType(b, wiremessage.SingleDocument), d...)
	}
}

func sequence(name string, docs ...value.Doc) section {
	return func(b []byte) []byte {
		b = wiremessage.AppendMsgSectionType(b, wiremessage.DocumentSequence)
		size := 4 + len(name) + 1
		for _, d := range docs {
			size += len(d)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(size))
		b = append(append(b, name...), 0)
		for _, d := range docs {
			b = append(b, d...)
		}
		return b
	}
}

func raw(s string) section { return func(b []byte) []byte { return append(b, s...) } }

const (
	requestID  = 7
	responseTo = 11

	opQuery wiremessage.OpCode = 2004 // the driver's own name for it is deprecated
)

func framed(code wiremessage.OpCode, payload []byte) []byte {
	b := wiremessage.AppendHeader(nil, int32(16+len(payload)), requestID, responseTo, code)
	return append(b, payload...)
}

func payload(flags wiremessage.MsgFlag, sections ...section) []byte {
	b := wiremessage.AppendMsgFlags(nil, flags)
	for _, s := range sections {
		b = s(b)
	}
	return b
}

func msg(flags wiremessage.MsgFlag, sections ...section) []byte {
	return framed(wiremessage.OpMsg, payload(flags, sections...))
}

// summed appends the checksum of a message that has room for it in its length.
func summed(sections ...section) []byte {
	b := framed(wiremessage.OpMsg, append(payload(wiremessage.ChecksumPresent, sections...), 0, 0, 0, 0))
	end := len(b) - 4
	binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func compressed(t testing.TB, id wiremessage.CompressorID, code wiremessage.OpCode, size int, plain []byte) []byte {
	t.Helper()
	c, err := driver.CompressPayload(plain, driver.CompressionOpts{Compressor: id, ZlibLevel: 6, ZstdLevel: 6})
	if err != nil {
		t.Fatal(err)
	}
	return packed(id, code, size, c)
}

func packed(id wiremessage.CompressorID, code wiremessage.OpCode, size int, c []byte) []byte {
	b := wiremessage.AppendCompressedOriginalOpCode(nil, code)
	b = wiremessage.AppendCompressedUncompressedSize(b, int32(size))
	b = wiremessage.AppendCompressedCompressorID(b, id)
	return framed(wiremessage.OpCompressed, wiremessage.AppendCompressedCompressedMessage(b, c))
}

func query(docs ...value.Doc) []byte {
	b := wiremessage.AppendQueryFlags(nil, wiremessage.SecondaryOK)
	b = wiremessage.AppendQueryFullCollectionName(b, "admin.$cmd")
	b = wiremessage.AppendQueryNumberToSkip(b, 2)
	b = wiremessage.AppendQueryNumberToReturn(b, -1)
	for _, d := range docs {
		b = append(b, d...)
	}
	return b
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0x20
	return b
}

var (
	ping  = value.D("ping", 1, "$db", "admin")
	one   = value.D("_id", 1)
	two   = value.D("_id", "two", "a", value.Array(value.Null(), value.Double(2)))
	empty = value.D()
	broke = value.Doc("\x09\x00\x00\x00\x08a\x00\x02\x00") // a boolean is 2
	text  = value.D("insert", "c", "text", string(bytes.Repeat([]byte("all work and no play "), 4000)))
)

// docs compares documents as bytes, of which there may be many.
var docs = cmp.Comparer(func(a, b value.Doc) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) })

func message(m wire.Message) *wire.Message {
	m.RequestID, m.ResponseTo = requestID, responseTo
	if m.OpCode == 0 {
		m.OpCode = wire.OpMsg
	}
	return &m
}

func TestRead(t *testing.T) {
	plain := payload(0, body(text), sequence("documents", one, two))
	tests := []struct {
		rule string
		in   []byte
		want *wire.Message
	}{
		{"one body", msg(0, body(ping)), message(wire.Message{Body: ping})},
		{"an empty body", msg(0, body(empty)), message(wire.Message{Body: empty})},
		{"flags", msg(wiremessage.MoreToCome|wiremessage.ExhaustAllowed, body(ping)),
			message(wire.Message{Body: ping, Flags: wire.MoreToCome | wire.ExhaustAllowed})},
		{"optional flags that are unknown are let by", msg(1<<17|1<<31, body(ping)), message(wire.Message{Body: ping, Flags: 1<<17 | 1<<31})},
		{"a sequence", msg(0, body(ping), sequence("documents", one, two, empty)),
			message(wire.Message{Body: ping, Sequences: []wire.Sequence{{Name: "documents", Docs: []value.Doc{one, two, empty}}}})},
		{"two sequences, the body between them", msg(0, sequence("ops", one), body(ping), sequence("nsInfo", two)),
			message(wire.Message{Body: ping, Sequences: []wire.Sequence{{Name: "ops", Docs: []value.Doc{one}}, {Name: "nsInfo", Docs: []value.Doc{two}}}})},
		{"an empty sequence", msg(0, body(ping), sequence("documents")),
			message(wire.Message{Body: ping, Sequences: []wire.Sequence{{Name: "documents", Docs: []value.Doc{}}}})},
		{"a checksum", summed(body(ping), sequence("documents", two)),
			message(wire.Message{Body: ping, Flags: wire.ChecksumPresent, Sequences: []wire.Sequence{{Name: "documents", Docs: []value.Doc{two}}}})},
		{"OP_QUERY", framed(opQuery, query(ping)),
			message(wire.Message{OpCode: wire.OpQuery, FullCollection: "admin.$cmd", QueryFlags: 4, NumberToSkip: 2, NumberToReturn: -1, Body: ping})},
		{"OP_QUERY with a selector", framed(opQuery, query(ping, one)),
			message(wire.Message{OpCode: wire.OpQuery, FullCollection: "admin.$cmd", QueryFlags: 4, NumberToSkip: 2, NumberToReturn: -1, Body: ping, Selector: one})},
		{"OP_QUERY in OP_COMPRESSED", compressed(t, wiremessage.CompressorZLib, opQuery, len(query(ping)), query(ping)),
			message(wire.Message{OpCode: wire.OpQuery, FullCollection: "admin.$cmd", QueryFlags: 4, NumberToSkip: 2, NumberToReturn: -1, Body: ping, Compressor: wire.Zlib})},
	}
	for id := wiremessage.CompressorNoOp; id <= wiremessage.CompressorZstd; id++ {
		want := message(wire.Message{Body: text, Compressor: byte(id), Sequences: []wire.Sequence{{Name: "documents", Docs: []value.Doc{one, two}}}})
		inner := summed(body(text))[16:]
		tests = append(tests, struct {
			rule string
			in   []byte
			want *wire.Message
		}{id.String(), compressed(t, id, wiremessage.OpMsg, len(plain), plain), want}, struct {
			rule string
			in   []byte
			want *wire.Message
		}{"the checksum within " + id.String() + " is that of the message as it was", compressed(t, id, wiremessage.OpMsg, len(inner), inner),
			message(wire.Message{Body: text, Compressor: byte(id), Flags: wire.ChecksumPresent})})
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			// Twice, so that a reader keeps its place; and as the bytes come singly.
			for _, in := range []io.Reader{bytes.NewReader(append(bytes.Clone(test.in), test.in...)), io.MultiReader(oneByte(test.in), oneByte(test.in))} {
				r := wire.NewReader(in, wire.MaxMessage)
				for range 2 {
					got, err := r.Read()
					if err != nil {
						t.Fatal(err)
					}
					if d := cmp.Diff(test.want, got, docs); d != "" {
						t.Error(d)
					}
				}
				if _, err := r.Read(); err != io.EOF { //nolint:errorlint // exactly
					t.Errorf("at the end: %v, want io.EOF", err)
				}
			}
		})
	}
}

type oneByteReader struct{ io.Reader }

func (r oneByteReader) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

func oneByte(b []byte) io.Reader { return oneByteReader{bytes.NewReader(b)} }

// TestMalformed: what ends the connection.
func TestMalformed(t *testing.T) {
	plain := payload(0, body(text))
	pack := func(id wiremessage.CompressorID, size int) []byte {
		return compressed(t, id, wiremessage.OpMsg, size, plain)
	}
	zeros := packed(wiremessage.CompressorZstd, wiremessage.OpMsg, 40_000_000, bytes.Repeat([]byte{0}, 30))
	tests := []struct {
		rule string
		in   []byte
	}{
		{"a length below that of the header", wiremessage.AppendHeader(nil, 15, 1, 0, wiremessage.OpMsg)},
		{"a negative length", wiremessage.AppendHeader(nil, -1, 1, 0, wiremessage.OpMsg)},
		{"a length above the limit", wiremessage.AppendHeader(nil, wire.MaxMessage+1, 1, 0, wiremessage.OpMsg)},
		{"an unknown opcode", framed(4711, []byte(ping))},
		{"an opcode that is gone", framed(wiremessage.OpInsert, []byte(ping))},
		{"a reply", framed(wiremessage.OpReply, make([]byte, 20))},
		{"no flags", framed(wiremessage.OpMsg, []byte{0, 0})},
		{"an unknown required flag", msg(1<<2, body(ping))},
		{"the highest required flag", msg(1<<15, body(ping))},
		{"a checksum of changed bytes", flip(summed(body(ping)), 40)},
		{"a checksum of a changed header", flip(summed(body(ping)), 4)},
		{"a changed checksum", flip(summed(body(ping)), -1)},
		{"no room for a checksum", msg(wiremessage.ChecksumPresent, raw("ab"))},
		{"a section of an unknown kind", msg(0, body(ping), raw("\x02\x05\x00\x00\x00\x00"))},
		{"a section that is cut", msg(0, body(ping[:len(ping)-1]))},
		{"a section without a length", msg(0, raw("\x00\x05"))},
		{"a negative length of a section", msg(0, raw("\x01\xff\xff\xff\xff\x00"))},
		{"a sequence without a name", msg(0, body(ping), raw("\x01\x06\x00\x00\x00ab"))},
		{"a document that exceeds its sequence", msg(0, body(ping), raw("\x01\x0b\x00\x00\x00a\x00\x06\x00\x00\x00\x00"))},
		{"a document of length 0 in a sequence", msg(0, body(ping), raw("\x01\x0b\x00\x00\x00a\x00\x00\x00\x00\x00\x00"))},
		{"three sequences", msg(0, body(ping), sequence("a"), sequence("b"), sequence("c"))},
		{"a broken frame behind a document that would be refused", msg(0, body(broke), raw("\x03"))},
		{"OP_QUERY without flags", framed(opQuery, []byte{1})},
		{"OP_QUERY without an end of its name", framed(opQuery, query(ping)[:10])},
		{"OP_QUERY without numbers", framed(opQuery, query(ping)[:18])},
		{"OP_QUERY without a document", framed(opQuery, query())},
		{"OP_QUERY with three documents", framed(opQuery, query(ping, one, two))},
		{"OP_QUERY with bytes behind", framed(opQuery, append(query(ping), 0))},
		{"OP_COMPRESSED without its fields", framed(wiremessage.OpCompressed, make([]byte, 8))},
		{"OP_COMPRESSED within itself", compressed(t, wiremessage.CompressorSnappy, wiremessage.OpCompressed, len(plain), plain)},
		{"an unknown compressor", packed(9, wiremessage.OpMsg, len(plain), plain)},
		{"a negative size", pack(wiremessage.CompressorSnappy, -1)},
		{"a size above the limit", pack(wiremessage.CompressorZstd, wire.MaxMessage)},
		{"a size that the bytes cannot make", zeros},
		{"noop with another size", pack(wiremessage.CompressorNoOp, len(plain)-1)},
		{"snappy with a smaller size", pack(wiremessage.CompressorSnappy, len(plain)-1)},
		{"snappy with a larger size", pack(wiremessage.CompressorSnappy, len(plain)+1)},
		{"zlib with a smaller size", pack(wiremessage.CompressorZLib, len(plain)-1)},
		{"zlib with a larger size", pack(wiremessage.CompressorZLib, len(plain)+1)},
		{"zstd with a smaller size", pack(wiremessage.CompressorZstd, len(plain)-1)},
		{"zstd with a larger size", pack(wiremessage.CompressorZstd, len(plain)+1)},
		{"zlib with a wrong checksum", flip(pack(wiremessage.CompressorZLib, len(plain)), -1)},
		{"zlib of something else", packed(wiremessage.CompressorZLib, wiremessage.OpMsg, len(plain), plain)},
		{"snappy of something else", packed(wiremessage.CompressorSnappy, wiremessage.OpMsg, len(plain), plain)},
		{"zstd of something else", packed(wiremessage.CompressorZstd, wiremessage.OpMsg, len(plain), plain)},
		{"s2's extension of snappy", packed(wiremessage.CompressorSnappy, wiremessage.OpMsg, 8, []byte("\x08\x00a\x01\x00\x01\x00"))},
		{"nothing compressed", packed(wiremessage.CompressorZstd, wiremessage.OpMsg, 0, nil)},
	}
	for _, test := range tests {
		m, err := wire.NewReader(bytes.NewReader(test.in), wire.MaxMessage).Read()
		if !errors.Is(err, wire.ErrMalformed) || m != nil {
			t.Errorf("%s: %v, %v", test.rule, m, err)
		}
	}
}

// TestRefused: what is answered with an error, after which the next message is
// read.
func TestRefused(t *testing.T) {
	many := make([]value.Doc, wire.MaxSequence+1)
	for i := range many {
		many[i] = empty
	}
	tests := []struct {
		rule string
		in   []byte
		code fault.Code
	}{
		{"no body", msg(0, sequence("documents", one)), 40587},
		{"nothing at all", msg(0), 40587},
		{"two bodies", msg(0, body(ping), body(ping)), 40430},
		{"one name for two sequences", msg(0, body(ping), sequence("a", one), sequence("a", two)), 40431},
		{"one name for a field and a sequence", msg(0, body(ping), sequence("ping", one)), 40433},
		{"an invalid body", msg(0, body(broke)), fault.InvalidBSON},
		{"an invalid document in a sequence", msg(0, body(ping), sequence("a", one, broke)), fault.InvalidBSON},
		{"an invalid query", framed(opQuery, query(broke)), fault.InvalidBSON},
		{"an invalid selector", framed(opQuery, query(ping, broke)), fault.InvalidBSON},
		{"too many documents", msg(0, body(ping), sequence("documents", many...)), fault.InvalidLength},
		{"as many as may be", msg(0, body(ping), sequence("documents", many[1:]...)), 0},
	}
	for _, test := range tests {
		r := wire.NewReader(io.MultiReader(bytes.NewReader(test.in), bytes.NewReader(msg(0, body(one)))), wire.MaxMessage)
		m, err := r.Read()
		if test.code != 0 && (!fault.Is(err, test.code) || m == nil || m.RequestID != requestID || m.Body != nil || m.Sequences != nil) {
			t.Errorf("%s: %v, %v", test.rule, m, err)
		}
		if test.code == 0 && err != nil {
			t.Errorf("%s: %v", test.rule, err)
		}
		if m, err = r.Read(); err != nil || !bytes.Equal(m.Body, one) {
			t.Errorf("the message after %s: %v, %v", test.rule, m, err)
		}
	}
}

func TestTruncated(t *testing.T) {
	whole := msg(0, body(text), sequence("documents", one, two))
	for n := 1; n < len(whole); n += 1 + n/20 {
		if _, err := wire.NewReader(bytes.NewReader(whole[:n]), wire.MaxMessage).Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes of %d: %v", n, len(whole), err)
		}
	}
	cut := errors.New("reset by peer")
	if _, err := wire.NewReader(io.MultiReader(bytes.NewReader(whole[:99]), failing{cut}), wire.MaxMessage).Read(); !errors.Is(err, cut) {
		t.Errorf("a connection's own error: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestLimit: the limit is of the whole message, and as it is uncompressed.
func TestLimit(t *testing.T) {
	plain := payload(0, body(text))
	for _, over := range []int{0, 1} {
		limit := 16 + len(plain) - over
		for _, in := range [][]byte{framed(wiremessage.OpMsg, plain), compressed(t, wiremessage.CompressorZstd, wiremessage.OpMsg, len(plain), plain)} {
			if _, err := wire.NewReader(bytes.NewReader(in), limit).Read(); errors.Is(err, wire.ErrMalformed) != (over > 0) {
				t.Errorf("%d bytes above the limit: %v", over, err)
			}
		}
	}
}

// TestHostile: what lengths and errors alone make us allocate.
func TestHostile(t *testing.T) {
	header := wiremessage.AppendHeader(nil, wire.MaxMessage, 1, 0, wiremessage.OpMsg)
	inputs := map[string][]byte{
		"48 MB, of which 10 bytes come": append(header, make([]byte, 10)...),
		"48 MB of 30 bytes of zstd":     packed(wiremessage.CompressorZstd, wiremessage.OpMsg, 48_000_000, make([]byte, 30)),
		"48 MB of 1 KB of zlib":         packed(wiremessage.CompressorZLib, wiremessage.OpMsg, 48_000_000, make([]byte, 1<<10)),
		"48 MB of 64 KB of snappy":      packed(wiremessage.CompressorSnappy, wiremessage.OpMsg, 48_000_000, make([]byte, 64<<10)),
	}
	deep := value.D(string(bytes.Repeat([]byte("\xff"), 1<<20)), value.Value{Type: 0x55})
	for range value.MaxDepth {
		deep = value.D("a", deep)
	}
	inputs["an error about a long name, deep down"] = msg(0, body(deep))
	for rule, in := range inputs {
		got := allocated(func() {
			if _, err := wire.NewReader(bytes.NewReader(in), wire.MaxMessage).Read(); err == nil {
				t.Errorf("%s: no error", rule)
			}
		})
		if got > uint64(1<<20+4*len(in)) {
			t.Errorf("%s: %d bytes are allocated", rule, got)
		}
	}
}

// allocated gives the bytes that f allocates, once what is kept for all is there.
func allocated(f func()) uint64 {
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestDocumentsAreApart(t *testing.T) {
	m, err := wire.NewReader(bytes.NewReader(msg(0, body(ping), sequence("a", one, two))), wire.MaxMessage).Read()
	if err != nil {
		t.Fatal(err)
	}
	_ = append(m.Body, "xxxxxxxx"...)
	_ = append(m.Sequences[0].Docs[0], "xxxxxxxx"...)
	if !bytes.Equal(m.Sequences[0].Docs[0], one) || !bytes.Equal(m.Sequences[0].Docs[1], two) {
		t.Error("what is appended to a document changes its neighbour")
	}
	if _, ok := m.Sequence("b"); ok {
		t.Error("a sequence that is not there")
	}
	if bson.Raw(m.Body).Validate() != nil {
		t.Error("the body is not valid")
	}
}
