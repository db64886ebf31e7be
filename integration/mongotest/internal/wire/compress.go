package wire

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// How many bytes one compressed byte can make, by format: in snappy a copy of
// 64 bytes takes 3; DEFLATE makes 258 bytes of 2 bits; a zstd block of 128 KiB
// takes 4. A size beyond that is a lie, and nothing is allocated for it.
const (
	snappyRatio = 22
	zlibRatio   = 1032
	zstdRatio   = 128 << 10 / 4
)

// decompress reads what OP_COMPRESSED holds, and puts its opcode right.
func (m *Message) decompress(b []byte, limit int) ([]byte, error) {
	if len(b) < 9 {
		return nil, malformed("OP_COMPRESSED is truncated")
	}
	m.OpCode = OpCode(binary.LittleEndian.Uint32(b))
	size := int(int32(binary.LittleEndian.Uint32(b[4:])))
	m.Compressor = b[8]
	b = b[9:]
	if m.OpCode != OpMsg && m.OpCode != OpQuery {
		return nil, malformed("%v is not offered within OP_COMPRESSED", m.OpCode)
	}
	ratio := 1
	switch m.Compressor {
	case None:
	case Snappy:
		ratio = snappyRatio
	case Zlib:
		ratio = zlibRatio
	case Zstd:
		ratio = zstdRatio
	default:
		return nil, malformed("the compressor %d is unknown", m.Compressor)
	}
	if size < 0 || size > limit || int64(size) > int64(len(b))*int64(ratio) {
		return nil, malformed("%d compressed bytes cannot be %d, where %d are allowed", len(b), size, limit)
	}
	raw, err := decompressed(m.Compressor, b, size)
	if err != nil {
		return nil, malformed("decompress: %v", err)
	}
	if len(raw) != size {
		return nil, malformed("%d bytes were compressed, and not %d as it says", len(raw), size)
	}
	return raw, nil
}

func decompressed(compressor byte, b []byte, size int) ([]byte, error) {
	switch compressor {
	case Snappy:
		if n, err := snappy.DecodedLen(b); err != nil || n != size {
			return nil, fmt.Errorf("snappy has %d bytes, not %d (%v)", n, size, err)
		}
		return snappy.DecodeStrict(make([]byte, size), b)
	case Zlib:
		return inflate(b, size)
	case Zstd:
		return zstdDecoder().DecodeAll(b, make([]byte, 0, size))
	}
	return b, nil
}

var zlibReaders sync.Pool

func inflate(b []byte, size int) ([]byte, error) {
	src := bytes.NewReader(b)
	z, _ := zlibReaders.Get().(io.ReadCloser)
	if z == nil {
		var err error
		if z, err = zlib.NewReader(src); err != nil {
			return nil, err
		}
	} else if err := z.(zlib.Resetter).Reset(src, nil); err != nil {
		return nil, err
	}
	defer func() {
		// The pool is not to keep the message.
		_ = z.(zlib.Resetter).Reset(bytes.NewReader(emptyZlib), nil)
		zlibReaders.Put(z)
	}()
	raw := make([]byte, size)
	if _, err := io.ReadFull(z, raw); err != nil {
		return nil, err
	}
	var more [1]byte // reading on to the end verifies the checksum
	if n, err := io.ReadFull(z, more[:]); n > 0 || err != io.EOF {
		return nil, fmt.Errorf("zlib has more than %d bytes (%v)", size, err)
	}
	if src.Len() > 0 {
		return nil, fmt.Errorf("zlib is followed by %d bytes", src.Len())
	}
	return raw, nil
}

// emptyZlib is a stream of nothing.
var emptyZlib = []byte{0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01}

var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err) // options are constant
	}
	return d
})

var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		panic(err) // options are constant
	}
	return e
})

var zlibWriters sync.Pool

// compress appends the compressed form of b to dst.
func compress(dst []byte, compressor byte, b []byte) ([]byte, error) {
	switch compressor {
	case Snappy:
		start, most := len(dst), snappy.MaxEncodedLen(len(b))
		if most < 0 {
			return nil, fmt.Errorf("%d bytes are too many for snappy", len(b))
		}
		if cap(dst)-start < most {
			dst = append(make([]byte, 0, start+most), dst...)
		}
		return dst[:start+len(snappy.Encode(dst[start:start+most], b))], nil
	case Zlib:
		buf := bytes.NewBuffer(dst)
		z, _ := zlibWriters.Get().(*zlib.Writer)
		if z == nil {
			z, _ = zlib.NewWriterLevel(buf, zlib.BestSpeed)
		} else {
			z.Reset(buf)
		}
		defer func() {
			z.Reset(io.Discard)
			zlibWriters.Put(z)
		}()
		if _, err := z.Write(b); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		return buf.Bytes(), nil
	case Zstd:
		return zstdEncoder().EncodeAll(b, dst), nil
	}
	return nil, fmt.Errorf("the compressor %d is unknown", compressor)
}
