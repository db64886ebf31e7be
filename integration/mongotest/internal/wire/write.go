package wire

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"net"
)

// Writer writes replies to a connection. It is not safe for concurrent use. An
// error leaves the connection with half a message: it is to be closed.
//
// Every message goes out in one call: small ones in one Write, others as
// net.Buffers, which is one writev where w is a *net.TCPConn (a wrapper around
// it gets one Write for each part). Documents are not copied and not kept.
type Writer struct {
	w     io.Writer
	small []byte // what fits one Write, and the heads of longer ones
	raw   []byte // what is to be compressed
	parts [3][]byte
}

// smallMessage is up to where a copy costs less than a second buffer.
const smallMessage = 16 << 10

// keptBuffer is up to where a writer keeps a buffer for the next message.
const keptBuffer = 1 << 20

// NewWriter makes a writer.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// WriteMessage writes an OP_MSG of a body, with m's RequestID, ResponseTo and
// Flags (where checksum alone decides about ChecksumPresent).
func (w *Writer) WriteMessage(m *Message, checksum bool) error {
	if err := writable(m); err != nil {
		return err
	}
	size, flags := headerSize+5+len(m.Body), m.Flags&^ChecksumPresent
	if checksum {
		size, flags = size+4, flags|ChecksumPresent
	}
	head := appendHeader(w.small[:0], size, m, OpMsg)
	head = append(binary.LittleEndian.AppendUint32(head, uint32(flags)), 0)
	var tail []byte
	if checksum {
		sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, m.Body)
		tail = binary.LittleEndian.AppendUint32(nil, sum)
	}
	return w.send(head, m.Body, tail)
}

// WriteReply writes an OP_REPLY of one document, the answer to an OP_QUERY.
func (w *Writer) WriteReply(m *Message) error {
	if err := writable(m); err != nil {
		return err
	}
	const awaitCapable = 8
	head := appendHeader(w.small[:0], headerSize+20+len(m.Body), m, OpReply)
	head = binary.LittleEndian.AppendUint32(head, awaitCapable)
	head = binary.LittleEndian.AppendUint64(head, 0) // cursorID
	head = binary.LittleEndian.AppendUint32(head, 0) // startingFrom
	head = binary.LittleEndian.AppendUint32(head, 1) // numberReturned
	return w.send(head, m.Body, nil)
}

// WriteCompressed writes an OP_MSG of a body within an OP_COMPRESSED; with
// None it is WriteMessage without a checksum.
func (w *Writer) WriteCompressed(m *Message, compressor byte) error {
	if compressor == None {
		return w.WriteMessage(m, false)
	}
	if err := writable(m); err != nil {
		return err
	}
	raw := binary.LittleEndian.AppendUint32(w.raw[:0], uint32(m.Flags&^ChecksumPresent))
	raw = append(append(raw, 0), m.Body...)
	head := appendHeader(w.small[:0], 0, m, OpCompressed)
	head = binary.LittleEndian.AppendUint32(head, uint32(OpMsg))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(raw)))
	all, err := compress(append(head, compressor), compressor, raw)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(all, uint32(len(all)))
	if w.raw = raw; cap(raw) > keptBuffer {
		w.raw = nil
	}
	if w.small = all; cap(all) > keptBuffer {
		w.small = nil
	}
	_, err = w.w.Write(all)
	return err
}

func (w *Writer) send(head, body, tail []byte) error {
	defer func() { clear(w.parts[:]) }()
	if len(head)+len(body) <= smallMessage {
		w.small = append(append(head, body...), tail...)
		_, err := w.w.Write(w.small)
		return err
	}
	w.small = head
	w.parts = [3][]byte{head, body, tail}
	parts := net.Buffers(w.parts[:])
	if tail == nil {
		parts = parts[:2]
	}
	_, err := parts.WriteTo(w.w)
	return err
}

func appendHeader(b []byte, size int, m *Message, code OpCode) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint32(b, uint32(m.RequestID))
	b = binary.LittleEndian.AppendUint32(b, uint32(m.ResponseTo))
	return binary.LittleEndian.AppendUint32(b, uint32(code))
}

func writable(m *Message) error {
	if len(m.Sequences) > 0 {
		return errors.New("write message: a reply has no document sequences")
	}
	if len(m.Body) < 5 || len(m.Body) > math.MaxInt32-64 {
		return errors.New("write message: a reply has one document")
	}
	return nil
}
