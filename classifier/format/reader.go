// Package format reads files and uploads as accounts, and writes accounts in
// the upload format. It knows inputs by their content:
//
//   - an upload, one JSON object from user keys to accounts; or a single account
//     (also wrapped, {"account": …}); or a JSON array of accounts
//   - NDJSON: one account a line, itself, wrapped, or as the only entry of a map
//   - raw v1.1 timelines, a JSON array or NDJSON of tweets with their users,
//     which are grouped by user
//   - a pickled upload
//
// each plain or gzip. An account that is broken keeps its row and costs no
// other; what ends an input early (it is cut off, no JSON, unreadable) is an
// error after the accounts before it.
//
// JSON is found at two levels. A [Reader] cuts the input into frames, one an
// account, with a search for brackets that checks nothing else; [Frame.Decode]
// checks and decodes, in as many goroutines as there are ([Each]). So memory
// holds a few accounts at a time, whatever the size of the input. Timelines
// cannot be streamed: of them, their tweets are held in 32 bytes each.
package format

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"

	"botwatch/classifier"
)

// Options adjust a Reader. The zero value is ready.
type Options struct {
	// CrawledAt is when raw timelines were crawled that do not say so. 0: unknown,
	// and their accounts are faulty for lack of it.
	CrawledAt classifier.Micros
	// MaxAccount bounds the JSON of one account in bytes; a larger one is faulty
	// and passed over. 0: DefaultMaxAccount.
	MaxAccount int
	// MaxTimelines bounds the bytes held of raw timelines; more is an error.
	// 0: DefaultMaxTimelines.
	MaxTimelines int
}

// What Options hold where they are 0, and the largest pickle, which cannot be
// streamed. In bytes.
const (
	DefaultMaxAccount   = 64 << 20
	DefaultMaxTimelines = 256 << 20
	MaxPickle           = 64 << 20
)

// blockSize is how much is read and cut at a time. Some accounts fit into it,
// and it fits into a processor's cache, where a decoder finds it again.
const blockSize = 1 << 20

// headSize is how much is looked at to know NDJSON by.
const headSize = 1 << 20

// A Reader cuts an input into frames. It is not safe for concurrent use; Each
// shares one among goroutines.
type Reader struct {
	src     io.Reader
	opts    Options
	block   int
	framer  framer
	carry   []byte // read and not cut; the first taken bytes are in a batch by now
	taken   int
	eof     bool
	readErr error // what ended src, if not its end

	settled  bool      // whether the input holds accounts or timelines is known
	timeline *timeline // nil where it holds accounts
	ready    []Frame   // frames that were not cut from JSON: give these first
	done     error     // given once ready is empty

	own  batch // for Next
	next int
}

// A batch is a stretch of the input and the frames that were cut from it.
type batch struct {
	buf    []byte
	frames []Frame
}

// Open finds out what r holds, by reading its beginning. The error is a
// *classifier.FieldError if r holds nothing that can be read (CodeSyntax) or a
// pickle that is too large (CodeTooLarge), else the one of r.
func Open(r io.Reader, o Options) (*Reader, error) {
	if o.MaxAccount <= 0 {
		o.MaxAccount = DefaultMaxAccount
	}
	if o.MaxTimelines <= 0 {
		o.MaxTimelines = DefaultMaxTimelines
	}
	// No bufio beyond the first bytes: blocks are larger.
	head := bufio.NewReaderSize(r, 512)
	magic, _ := head.Peek(len(gzipMagic))
	src := io.Reader(head)
	if bytes.Equal(magic, gzipMagic) {
		z, err := gzip.NewReader(bufio.NewReaderSize(head, 64<<10))
		if err != nil {
			return nil, fmt.Errorf("unpack gzip: %w", err)
		}
		src = unpacker{z}
	}
	rd := &Reader{src: src, opts: o, block: blockSize}
	rd.framer = framer{max: o.MaxAccount, line: 1}
	if err := rd.start(); err != nil {
		return nil, err
	}
	return rd, nil
}

// unpacker names the step at which a damaged archive fails.
type unpacker struct{ src io.Reader }

func (u unpacker) Read(p []byte) (int, error) {
	n, err := u.src.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("unpack gzip: %w", err)
	}
	return n, err
}

// start reads a block and decides what it is.
func (r *Reader) start() error {
	buf := r.read(nil, headSize)
	if bytes.HasPrefix(buf, utf8Mark) {
		r.framer.offset = int64(len(utf8Mark))
		buf = buf[len(utf8Mark):]
	}
	if isPickle(buf) {
		return r.startPickle(buf)
	}
	first := skipSpace(buf, 0)
	for first == len(buf) && !r.eof { // pages of white space
		r.framer.pass(buf)
		buf = r.read(buf[:0], headSize)
		first = skipSpace(buf, 0)
	}
	switch rest := buf[first:]; {
	case len(rest) == 0 && r.readErr != nil:
		return r.readErr
	case len(rest) == 0:
		return unreadable("the input is empty")
	case rest[0] != '{' && rest[0] != '[', len(rest) > 1 && rest[1] == 0:
		return unreadable("the input is %s", foreign(rest))
	}
	r.framer.pass(buf[:first])
	r.carry = buf[first:]
	r.framer.lines = buf[first] == '{' && isLines(r.carry)
	return nil
}

// read appends size bytes to buf, or what there is. An error of src ends the
// input, and waits in readErr until all before it has been given out.
func (r *Reader) read(buf []byte, size int) []byte {
	buf = slices.Grow(buf, size)
	n, err := io.ReadFull(r.src, buf[len(buf):len(buf)+size])
	if err != nil {
		r.eof = true
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			r.readErr = err
		}
	}
	return buf[:len(buf)+n]
}

// Next gives the next frame, or io.EOF after the last one. Another error ends
// the input early: a *classifier.FieldError where its content is at fault
// (CodeSyntax, CodeTooLarge), else what reading gave. The Frame is valid until
// the next call.
func (r *Reader) Next() (*Frame, error) {
	for r.next == len(r.own.frames) {
		r.next = 0
		if err := r.fill(&r.own); err != nil {
			r.own.frames = nil
			return nil, err
		}
	}
	r.next++
	return &r.own.frames[r.next-1], nil
}

// fill makes bt the next batch, of one frame or more. An error is for good.
func (r *Reader) fill(bt *batch) error {
	const most = 64
	for {
		if len(r.ready) > 0 {
			n := min(most, len(r.ready))
			bt.frames = r.ready[:n:n]
			r.ready = r.ready[n:]
			return nil
		}
		if r.done != nil {
			return r.done
		}
		bt.frames = bt.frames[:0]
		r.done = r.cut(bt)
		if !r.settled {
			r.settle(bt)
		}
		if r.timeline != nil {
			r.group(bt)
			continue
		}
		if len(bt.frames) > 0 {
			return nil
		}
	}
}

// cut reads on until there are frames. An error, io.EOF too, may come with some.
func (r *Reader) cut(bt *batch) error {
	if cap(bt.buf) > 8*blockSize { // one huge account must not hold its memory for ever
		bt.buf = nil
	}
	bt.buf = bt.buf[:0]
	fresh := false                  // some of the batch is from src
	size := r.block + r.framer.seen // what was searched must be there again
	for {
		piece := r.carry[r.taken:]
		piece = piece[:min(len(piece), size)]
		bt.buf = append(bt.buf, piece...)
		r.taken += len(piece)
		if r.taken == len(r.carry) && !r.eof {
			bt.buf = r.read(bt.buf, r.block)
			fresh = true
		}
		atEnd := r.eof && r.taken == len(r.carry)
		n, err := r.framer.cut(bt, atEnd)
		if err == nil && atEnd && n == len(bt.buf) {
			err = io.EOF
		}
		if err != nil && r.readErr != nil {
			err = fmt.Errorf("%w, after %d bytes", r.readErr, r.framer.offset)
		}
		if err != nil || len(bt.frames) > 0 {
			r.giveBack(bt.buf[n:], fresh)
			return err
		}
		bt.buf = bt.buf[:copy(bt.buf, bt.buf[n:])]
	}
}

// giveBack keeps the end of a batch that was not cut. Where the batch was taken
// from carry alone, the bytes are still there.
func (r *Reader) giveBack(rest []byte, fresh bool) {
	if !fresh {
		r.taken -= len(rest)
		return
	}
	if cap(r.carry) > 8*blockSize {
		r.carry = nil
	}
	r.carry = append(r.carry[:0], rest...)
	r.taken = 0
}

// settle finds out from the first frame that tells whether the input holds
// timelines. Frames before it are rows of their own, as they are.
func (r *Reader) settle(bt *batch) {
	for i := range bt.frames {
		f := &bt.frames[i]
		if f.key != nil {
			r.settled = true
			return
		}
		text := f.text[skipSpace(f.text, 0):]
		if len(text) == 0 || text[0] != '{' {
			continue
		}
		switch s, _ := shapeOf(text); s {
		case shapeUnknown:
			continue
		case shapeTweet:
			r.timeline = newTimeline(r.opts)
			for _, early := range bt.frames[:i] {
				early.text = bytes.Clone(early.text)
				r.ready = append(r.ready, early)
			}
			r.timeline.rows = f.Index
			bt.frames = bt.frames[i:]
		}
		r.settled = true
		return
	}
}
