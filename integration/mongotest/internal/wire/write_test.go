package wire_test

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"

	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

var big = value.D("ok", 1.0, "data", value.Binary(0, bytes.Repeat([]byte("0123456789abcdef"), 1<<20-8)))

// reply takes a written message apart with the driver's own decoder.
func reply(t testing.TB, b []byte, code wiremessage.OpCode) []byte {
	t.Helper()
	size, id, to, got, rest, ok := wiremessage.ReadHeader(b)
	if !ok || int(size) != len(b) || id != requestID || to != responseTo || got != code {
		t.Fatalf("the header is %d %d %d %v, for %d bytes", size, id, to, got, len(b))
	}
	return rest
}

func msgReply(t testing.TB, rest []byte, flags wiremessage.MsgFlag, want value.Doc) []byte {
	t.Helper()
	got, rest, ok := wiremessage.ReadMsgFlags(rest)
	if !ok || got != flags {
		t.Fatalf("the flags are %b, want %b", got, flags)
	}
	kind, rest, ok := wiremessage.ReadMsgSectionType(rest)
	if !ok || kind != wiremessage.SingleDocument {
		t.Fatalf("the section is of kind %d", kind)
	}
	d, rest, ok := wiremessage.ReadMsgSectionSingleDocument(rest)
	if !ok || !bytes.Equal(d, want) {
		t.Fatal("the document is another one")
	}
	return rest
}

func TestWriteMessage(t *testing.T) {
	var buf bytes.Buffer
	w := wire.NewWriter(&buf)
	for _, d := range []value.Doc{ping, big, text, empty} {
		for _, flags := range []wire.Flags{0, wire.MoreToCome, wire.ChecksumPresent} {
			m := message(wire.Message{Body: d, Flags: flags})
			buf.Reset()
			if err := w.WriteMessage(m, false); err != nil {
				t.Fatal(err)
			}
			want := wiremessage.MsgFlag(flags) &^ wiremessage.ChecksumPresent
			if rest := msgReply(t, reply(t, buf.Bytes(), wiremessage.OpMsg), want, d); len(rest) > 0 {
				t.Errorf("%d bytes behind the message", len(rest))
			}

			buf.Reset()
			if err := w.WriteMessage(m, true); err != nil {
				t.Fatal(err)
			}
			b := buf.Bytes()
			rest := msgReply(t, reply(t, b, wiremessage.OpMsg), want|wiremessage.ChecksumPresent, d)
			sum, rest, ok := wiremessage.ReadMsgChecksum(rest)
			if !ok || len(rest) > 0 || sum != crc32.Checksum(b[:len(b)-4], crc32.MakeTable(crc32.Castagnoli)) {
				t.Errorf("the checksum is %08x, with %d bytes behind it", sum, len(rest))
			}
			if got, err := wire.NewReader(&buf, wire.MaxMessage).Read(); err != nil || !bytes.Equal(got.Body, d) {
				t.Errorf("read again: %v", err)
			}
		}
	}
}

func TestWriteReply(t *testing.T) {
	for _, d := range []value.Doc{ping, big} {
		var buf bytes.Buffer
		if err := wire.NewWriter(&buf).WriteReply(message(wire.Message{Body: d})); err != nil {
			t.Fatal(err)
		}
		rest := reply(t, buf.Bytes(), wiremessage.OpReply)
		flags, rest, _ := wiremessage.ReadReplyFlags(rest)
		cursor, rest, _ := wiremessage.ReadReplyCursorID(rest)
		from, rest, _ := wiremessage.ReadReplyStartingFrom(rest)
		number, rest, _ := wiremessage.ReadReplyNumberReturned(rest)
		docs, rest, ok := wiremessage.ReadReplyDocuments(rest)
		if flags != wiremessage.AwaitCapable || cursor != 0 || from != 0 || number != 1 || !ok || len(rest) > 0 || len(docs) != 1 {
			t.Fatalf("flags %v, cursor %d, from %d, %d documents (%d), %d bytes left", flags, cursor, from, number, len(docs), len(rest))
		}
		if !bytes.Equal(docs[0], d) {
			t.Error("the document is another one")
		}
	}
}

func TestWriteCompressed(t *testing.T) {
	var buf bytes.Buffer
	w := wire.NewWriter(&buf)
	for _, name := range []string{"snappy", "zlib", "zstd", "noop"} {
		id, ok := wire.Compressor(name)
		if ok != (name != "noop") {
			t.Errorf("Compressor(%q) is %v", name, ok)
		}
		for _, d := range []value.Doc{text, big, empty, ping} {
			buf.Reset()
			if err := w.WriteCompressed(message(wire.Message{Body: d, Flags: wire.MoreToCome | wire.ChecksumPresent}), id); err != nil {
				t.Fatal(err)
			}
			again, err := wire.NewReader(bytes.NewReader(buf.Bytes()), wire.MaxMessage).Read()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(message(wire.Message{Body: d, Flags: wire.MoreToCome, Compressor: id}), again, docs); d != "" {
				t.Error(d)
			}
			if id == wire.None {
				msgReply(t, reply(t, buf.Bytes(), wiremessage.OpMsg), wiremessage.MoreToCome, d)
				continue
			}
			rest := reply(t, buf.Bytes(), wiremessage.OpCompressed)
			code, rest, _ := wiremessage.ReadCompressedOriginalOpCode(rest)
			size, rest, _ := wiremessage.ReadCompressedUncompressedSize(rest)
			got, rest, _ := wiremessage.ReadCompressedCompressorID(rest)
			if code != wiremessage.OpMsg || byte(got) != id {
				t.Fatalf("%v by %v", code, got)
			}
			plain, err := driver.DecompressPayload(rest, driver.CompressionOpts{Compressor: got, UncompressedSize: size})
			if err != nil || len(plain) != int(size) {
				t.Fatalf("%s: %v, %d bytes of %d", name, err, len(plain), size)
			}
			if rest := msgReply(t, plain, wiremessage.MoreToCome, d); len(rest) > 0 {
				t.Errorf("%d bytes behind the message", len(rest))
			}
		}
	}
}

func TestWriteErrors(t *testing.T) {
	w := wire.NewWriter(io.Discard)
	for rule, m := range map[string]*wire.Message{
		"no body":    {},
		"a sequence": {Body: ping, Sequences: []wire.Sequence{{Name: "a"}}},
	} {
		for _, err := range []error{w.WriteMessage(m, false), w.WriteReply(m), w.WriteCompressed(m, wire.Zstd)} {
			if err == nil {
				t.Errorf("%s: no error", rule)
			}
		}
	}
	if err := w.WriteCompressed(&wire.Message{Body: ping}, 9); err == nil {
		t.Error("an unknown compressor: no error")
	}
	reset := errors.New("reset")
	w = wire.NewWriter(failing{reset})
	for _, d := range []value.Doc{ping, big} {
		m := &wire.Message{Body: d}
		for _, err := range []error{w.WriteMessage(m, true), w.WriteReply(m), w.WriteCompressed(m, wire.Snappy)} {
			if !errors.Is(err, reset) {
				t.Errorf("a connection's own error: %v", err)
			}
		}
	}
}

// TestWriteAllocations: a reply of 16 MB is not copied.
func TestWriteAllocations(t *testing.T) {
	m := message(wire.Message{Body: big})
	w := wire.NewWriter(io.Discard)
	got := allocated(func() {
		if err := w.WriteMessage(m, true); err != nil {
			t.Error(err)
		}
	})
	if got > 1<<10 {
		t.Errorf("%d bytes are allocated for a reply of %d", got, len(big))
	}
}

// BenchmarkTCP writes replies through a socket to the Reader.
func BenchmarkTCP(b *testing.B) {
	for name, d := range map[string]value.Doc{"16MB": big, "20B": one} {
		b.Run(name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			done := make(chan error, 1)
			go func() {
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					done <- err
					return
				}
				w, m := wire.NewWriter(c), message(wire.Message{Body: d})
				for range b.N {
					if err = w.WriteMessage(m, false); err != nil {
						break
					}
				}
				done <- errors.Join(err, c.Close())
			}()
			c, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			r := wire.NewReader(c, wire.MaxMessage)
			b.SetBytes(int64(len(d)))
			b.ReportAllocs()
			for range b.N {
				if _, err := r.Read(); err != nil {
					b.Fatal(err)
				}
			}
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}
