package format

import (
	"bytes"
	"fmt"

	"botwatch/classifier"
)

// A framer cuts JSON into frames. It knows where it is in the outermost object
// or array and passes over accounts by their brackets, or by lines.
type framer struct {
	max   int // bytes of an account
	lines bool
	place state

	offset  int64 // of the coming byte, with its line and the frames before it
	line    int
	index   int
	hungry  bool     // nothing more can be cut without more bytes
	within  brackets // of the account that has begun
	seen    int      // bytes of that account or line that were searched
	passing bool     // that account is too large, and its row is given
	oneLine bool     // the last document was an account on a line of its own
	tried   int      // bytes that did not tell what the coming document is
}

// state is where in its input a framer is.
type state uint8

const (
	betweenDocuments state = iota
	uploadStart            // behind an opening brace
	uploadNext             // behind an entry
	uploadKey              // behind a comma
	arrayStart
	arrayNext
	arrayItem
)

// maxFrames bounds a batch of accounts that are hardly any bytes.
const maxFrames = 1 << 14

// pass counts bytes that are done with.
func (f *framer) pass(done []byte) {
	f.offset += int64(len(done))
	f.line += bytes.Count(done, []byte("\n"))
}

// cut appends the frames in bt.buf to bt.frames and gives the number of bytes
// that are done with; the rest must come again, with more behind it. An error
// comes with the frames before it.
func (f *framer) cut(bt *batch, eof bool) (done int, err error) {
	f.hungry = false
	buf := bt.buf
	for !f.hungry && err == nil && done < len(buf) && len(bt.frames) < maxFrames {
		n := 0
		switch {
		case f.passing:
			n = f.passOver(buf[done:])
		case f.lines:
			n = f.cutLine(buf[done:], bt, eof)
		default:
			n, err = f.cutDocument(buf[done:], bt, eof)
		}
		f.pass(buf[done : done+n])
		done += n
	}
	if eof && err == nil && (f.hungry || done == len(buf) && (f.passing && !f.lines || f.place != betweenDocuments)) {
		f.pass(buf[done:])
		err = f.cutOff(buf[done:])
		done = len(buf)
	}
	return done, err
}

// cutOff says that the input ends where it must not.
func (f *framer) cutOff(rest []byte) error {
	inside := ""
	if len(rest) > 0 && rest[0] == '"' && (f.place == uploadKey || f.place == uploadStart) {
		if end, ok := stringEnd(rest, 0); ok {
			inside = fmt.Sprintf(" inside the account %.80s", rest[:end])
		}
	}
	return &classifier.FieldError{
		Code:    classifier.CodeSyntax,
		Message: fmt.Sprintf("the input is cut off: it ends at byte %d in line %d%s; accounts before it: %d", f.offset, f.line, inside, f.index),
	}
}

// more asks for more bytes.
func (f *framer) more() int {
	f.hungry = true
	return 0
}

func (f *framer) emit(bt *batch, at int, before []byte, fr Frame) {
	fr.Place = Place{
		Offset: f.offset + int64(at),
		Line:   f.line + bytes.Count(before[:at], []byte("\n")),
		Index:  f.index,
	}
	f.index++
	bt.frames = append(bt.frames, fr)
}

func (f *framer) tooLarge() *classifier.FieldError {
	return &classifier.FieldError{
		Code:    classifier.CodeTooLarge,
		Message: fmt.Sprintf("is larger than %d bytes, the limit for one account", f.max),
	}
}

// endless says that a user key, or an account that is no object, goes on beyond
// the limit: nothing behind it can be found.
func (f *framer) endless() error {
	return &classifier.FieldError{
		Code:    classifier.CodeTooLarge,
		Message: fmt.Sprintf("the input is broken at byte %d in line %d: a text larger than %d bytes, the limit for one account", f.offset, f.line, f.max),
	}
}

// enough of an account that is too large is kept to find its name.
const enough = 64 << 10

// cutLine takes a line.
func (f *framer) cutLine(buf []byte, bt *batch, eof bool) int {
	n := bytes.IndexByte(buf[f.seen:], '\n')
	switch {
	case n >= 0:
		n += f.seen + 1
	case eof:
		n = len(buf)
	case len(buf) > f.max:
		f.emit(bt, 0, buf, Frame{text: buf[:min(enough, len(buf))], fault: f.tooLarge()})
		f.passing, f.seen = true, 0
		return len(buf)
	default:
		f.seen = len(buf)
		return f.more()
	}
	f.seen = 0
	at := skipSpace(buf[:n], 0)
	text := bytes.TrimRight(buf[at:n], " \t\r\n")
	switch {
	case len(text) > f.max:
		f.emit(bt, at, buf, Frame{text: text[:min(enough, len(text))], fault: f.tooLarge()})
	case len(text) > 0:
		f.emit(bt, at, buf, Frame{text: text})
	}
	return n
}

// passOver looks for the end of an account that is too large.
func (f *framer) passOver(buf []byte) int {
	if f.lines {
		if n := bytes.IndexByte(buf, '\n'); n >= 0 {
			f.passing = false
			return n + 1
		}
		return len(buf)
	}
	n, ok := f.within.end(buf)
	if ok {
		f.passing, f.within = false, brackets{}
	}
	return n
}

// cutDocument takes a step: white space, a punctuation mark, an account.
func (f *framer) cutDocument(buf []byte, bt *batch, eof bool) (int, error) {
	i := skipSpace(buf, 0)
	if i > 0 {
		return i, nil
	}
	c := buf[0]
	switch f.place {
	case betweenDocuments:
		switch {
		case c == '[':
			f.place = arrayStart
			return 1, nil
		case c != '{':
			return 0, f.unexpected(buf, 0, "another account or the end of the input")
		case f.oneLine: // and one that holds no upload: lines follow
			f.lines = true
			return 0, nil
		}
		if f.seen == 0 {
			if len(buf) < 2*f.tried && len(buf) <= f.max && !eof {
				return f.more(), nil
			}
			s, cut := shapeOf(buf)
			if cut && !eof && len(buf) <= f.max {
				f.tried = len(buf)
				return f.more(), nil
			}
			f.tried = 0
			if s == shapeUpload || s == shapeUnknown {
				f.place = uploadStart
				return 1, nil
			}
		}
		return f.cutValue(buf, 0, nil, bt, eof)
	case uploadStart, arrayStart, uploadNext, arrayNext:
		inUpload := f.place == uploadStart || f.place == uploadNext
		shut := byte(']')
		if inUpload {
			shut = '}'
		}
		switch {
		case c == shut:
			f.place = betweenDocuments
			return 1, nil
		case f.place == uploadStart || f.place == arrayStart:
		case c != ',':
			return 0, f.unexpected(buf, 0, fmt.Sprintf("',' or %q between accounts", shut))
		case inUpload:
			f.place = uploadKey
			return 1, nil
		default:
			f.place = arrayItem
			return 1, nil
		}
		if !inUpload {
			return f.cutValue(buf, 0, nil, bt, eof)
		}
		return f.cutEntry(buf, bt, eof)
	case uploadKey:
		return f.cutEntry(buf, bt, eof)
	}
	return f.cutValue(buf, 0, nil, bt, eof)
}

// cutEntry takes a user key and its account.
func (f *framer) cutEntry(buf []byte, bt *batch, eof bool) (int, error) {
	if buf[0] != '"' {
		return 0, f.unexpected(buf, 0, "a user key in quotes")
	}
	end, ok := stringEnd(buf, 0)
	i := skipSpace(buf, end)
	if ok && i < len(buf) && buf[i] != ':' {
		return 0, f.unexpected(buf, i, "':' after a user key")
	}
	i = skipSpace(buf, i+1)
	if i >= len(buf) {
		if len(buf) > f.max {
			return 0, f.endless()
		}
		return f.more(), nil
	}
	return f.cutValue(buf, i, buf[:end], bt, eof)
}

// cutValue takes the value at index i of buf, an account.
func (f *framer) cutValue(buf []byte, i int, key []byte, bt *batch, eof bool) (int, error) {
	end, ok := 0, false
	switch buf[i] {
	case '{', '[':
		f.seen = max(f.seen, i)
		end, ok = f.within.end(buf[f.seen:])
		end += f.seen
		f.seen = end
	case ',', ':', '}', ']':
		return 0, f.unexpected(buf, i, "an account")
	default:
		if end, ok = valueEnd(buf, i); !ok && len(buf) > f.max {
			return 0, f.endless()
		}
	}
	switch {
	case ok && end-i <= f.max:
		f.emit(bt, i, buf, Frame{key: key, text: buf[i:end]})
	case ok || end-i > f.max:
		f.emit(bt, i, buf, Frame{key: key, text: buf[i:min(end, i+enough)], fault: f.tooLarge()})
		f.passing = !ok
	default:
		return f.more(), nil
	}
	switch f.place {
	case uploadStart, uploadKey:
		f.place = uploadNext
	case arrayStart, arrayItem:
		f.place = arrayNext
	case betweenDocuments:
		rest := bytes.TrimLeft(buf[end:], " \t\r")
		f.oneLine = ok && bytes.IndexByte(buf[:end], '\n') < 0 && len(rest) > 0 && rest[0] == '\n'
	}
	f.seen = 0
	if ok {
		f.within = brackets{}
	}
	return end, nil
}

func (f *framer) unexpected(buf []byte, i int, want string) error {
	f.pass(buf[:i])
	return &classifier.FieldError{
		Code:    classifier.CodeSyntax,
		Message: fmt.Sprintf("the input is broken at byte %d in line %d: found %q, want %s", f.offset, f.line, buf[i], want),
	}
}
