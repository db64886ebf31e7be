package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
	"botwatch/integration/mongotest/internal/wire"
)

// FuzzRead: whatever comes is a message, or one of the errors that Read says;
// its memory is bounded by what came; and what was read can be written.
func FuzzRead(f *testing.F) {
	plain := payload(0, body(ping), sequence("documents", one, two))
	f.Add(append(bytes.Clone(msg(0, body(ping))), msg(0, body(ping), sequence("a", one), sequence("b"))...))
	f.Add(summed(body(ping)))
	f.Add(framed(opQuery, query(ping, one)))
	f.Add(wiremessage.AppendHeader(nil, wire.MaxMessage, 1, 0, wiremessage.OpMsg))
	for id := wiremessage.CompressorNoOp; id <= wiremessage.CompressorZstd; id++ {
		f.Add(compressed(f, id, wiremessage.OpMsg, len(plain), plain))
		f.Add(compressed(f, id, wiremessage.OpMsg, 48_000_000, plain))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := wire.NewReader(bytes.NewReader(in), wire.MaxMessage)
		for {
			m, err := r.Read()
			if err != nil {
				var refused *fault.Error
				if errors.As(err, &refused) && m != nil {
					continue
				}
				if m != nil || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, wire.ErrMalformed) {
					t.Fatalf("%v, %v", m, err)
				}
				break
			}
			docs := []value.Doc{m.Body}
			for _, s := range m.Sequences {
				docs = append(docs, s.Docs...)
			}
			for _, d := range docs {
				if n := binary.LittleEndian.Uint32(d); int(n) != len(d) || cap(d) != len(d) {
					t.Errorf("a document of %d bytes has %d, room for %d", n, len(d), cap(d))
				}
				_ = bson.Raw(d).String()
			}
			var buf bytes.Buffer
			if err := wire.NewWriter(&buf).WriteCompressed(&wire.Message{Body: m.Body, Flags: m.Flags}, m.Compressor); err != nil {
				t.Error(err)
			}
			if again, err := wire.NewReader(&buf, wire.MaxMessage+64).Read(); err != nil || !bytes.Equal(again.Body, m.Body) {
				t.Errorf("written and read again: %v", err)
			}
		}
		runtime.ReadMemStats(&after)
		// zstd's ratio is the highest; the writers' and the tools' own come on top.
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(96<<20+len(in)*40_000); got > limit {
			t.Errorf("%d bytes allocated for %d, of which one message may make 48 MB", got, len(in))
		}
	})
}
