package pickle

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxLong bounds a binary long in bytes: far more than any id or count has,
// and little enough that its decimal digits are quickly found.
const maxLong = 256

// extraRef is the text from start to the end of the extra texts.
func (m *machine) extraRef(kind Kind, start int) ref {
	return ref{kind: kind, bits: uint64(len(m.data) + start), n: uint32(len(m.extra) - start)}
}

// readLine gives the text up to the next line feed, and where it starts.
func (m *machine) readLine() (line []byte, start int, err error) {
	start = m.pos
	n := bytes.IndexByte(m.data[m.pos:], '\n')
	if n < 0 {
		return nil, 0, malformed("a line has no end")
	}
	m.pos += n + 1
	return m.data[start : start+n], start, nil
}

// lineIndex reads a memo index as text.
func (m *machine) lineIndex() (uint64, error) {
	line, _, err := m.readLine()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(string(line[:min(len(line), 21)]), 10, 64)
	if err != nil {
		return 0, malformed("memo entry %q", short(line))
	}
	return v, nil
}

// lineGlobal reads a global's module and name as text.
func (m *machine) lineGlobal() (ref, error) {
	module, _, err := m.readLine()
	if err != nil {
		return ref{}, err
	}
	name, _, err := m.readLine()
	if err != nil {
		return ref{}, err
	}
	return m.global(module, name)
}

// line does the opcodes that carry a value as a line of text.
func (m *machine) line(op byte) error {
	line, start, err := m.readLine()
	if err != nil {
		return err
	}
	switch op {
	case opFloat:
		if len(line) > 1000 {
			return limit("a number of %d characters", len(line))
		}
		v, err := strconv.ParseFloat(string(line), 64)
		if err != nil && !math.IsInf(v, 0) {
			return malformed("number %q", short(line))
		}
		return m.push(ref{kind: Float, bits: math.Float64bits(v)})
	case opString:
		return m.quoted(line, start)
	case opUnicode:
		return m.unicode(line, start)
	}
	if op == opInt && (string(line) == "00" || string(line) == "01") { // how protocol 1 writes booleans
		return m.push(ref{kind: Bool, bits: uint64(line[1] - '0')})
	}
	line = bytes.TrimSuffix(line, []byte("L"))
	if v, err := strconv.ParseInt(string(line[:min(len(line), 21)]), 10, 64); err == nil && len(line) <= 20 {
		return m.push(integer(v))
	}
	digits := bytes.TrimPrefix(line, []byte("-"))
	if len(digits) == 0 {
		return malformed("number %q", short(line))
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return malformed("number %q", short(line))
		}
	}
	return m.push(ref{kind: BigInt, bits: uint64(start), n: uint32(len(line))})
}

// long does LONG1 and LONG4: a little-endian two's complement number.
func (m *machine) long(size int) error {
	n, err := m.length(size)
	if err != nil {
		return err
	}
	b := m.data[m.pos : m.pos+n]
	m.pos += n
	if n > maxLong {
		return limit("an integer of %d bytes", n)
	}
	negative := n > 0 && b[n-1]&0x80 != 0
	if n <= 8 {
		var v uint64
		if negative {
			v = math.MaxUint64
		}
		for i := n - 1; i >= 0; i-- {
			v = v<<8 | uint64(b[i])
		}
		return m.push(integer(int64(v)))
	}
	reversed := make([]byte, n)
	for i, c := range b {
		reversed[n-1-i] = c
	}
	v := new(big.Int).SetBytes(reversed)
	if negative {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	}
	if v.IsInt64() {
		return m.push(integer(v.Int64()))
	}
	digits := v.String()
	if m.extra, err = reserve(&m.memory, m.extra, len(digits), 1); err != nil {
		return err
	}
	start := len(m.extra)
	m.extra = append(m.extra, digits...)
	return m.push(m.extraRef(BigInt, start))
}

// quoted pushes Python 2's str, which stands there as its repr.
func (m *machine) quoted(line []byte, start int) error {
	line = bytes.TrimRight(line, " \t\r")
	n := len(line)
	if n < 2 || line[0] != line[n-1] || line[0] != '\'' && line[0] != '"' {
		return malformed("a string without its quotes")
	}
	line = line[1 : n-1]
	if bytes.IndexByte(line, '\\') < 0 {
		return m.push(ref{kind: Bytes, bits: uint64(start + 1), n: uint32(len(line))})
	}
	var err error
	if m.extra, err = reserve(&m.memory, m.extra, len(line), 1); err != nil {
		return err
	}
	at := len(m.extra)
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c != '\\' {
			m.extra = append(m.extra, c)
			continue
		}
		i++
		if i == len(line) {
			return malformed("a string ends within an escape")
		}
		switch c = line[i]; c {
		case '\\', '\'', '"':
		case 'n':
			c = '\n'
		case 't':
			c = '\t'
		case 'r':
			c = '\r'
		case 'x':
			v, ok := hex(line[i+1:], 2)
			if !ok {
				return malformed(`a string with a bad \x`)
			}
			c, i = byte(v), i+2
		default: // repr writes no other
			return malformed(`a string with a bad \%c`, c)
		}
		m.extra = append(m.extra, c)
	}
	return m.push(m.extraRef(Bytes, at))
}

// unicode pushes text in the encoding raw-unicode-escape: \uXXXX, \UXXXXXXXX,
// and latin1 for the rest. Surrogate pairs, which narrow builds of Python 2
// write, become one character; lone ones U+FFFD.
func (m *machine) unicode(line []byte, start int) error {
	plain := true
	for _, c := range line {
		plain = plain && c != '\\' && c < utf8.RuneSelf
	}
	if plain {
		return m.push(ref{kind: String, bits: uint64(start), n: uint32(len(line))})
	}
	var err error
	if m.extra, err = reserve(&m.memory, m.extra, 2*len(line), 1); err != nil {
		return err
	}
	at := len(m.extra)
	for i := 0; i < len(line); i++ {
		r, n := escaped(line[i:])
		switch {
		case n == 0 && line[i] == '\\' && i+1 < len(line) && line[i+1] == '\\':
			m.extra = append(m.extra, '\\', '\\')
			i++
			continue
		case n == 0:
			r, n = rune(line[i]), 1
		case r < 0:
			return malformed(`text with a bad \u`)
		}
		i += n - 1
		if utf16.IsSurrogate(r) {
			low, k := escaped(line[i+1:])
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				i += k
			}
		}
		m.extra = utf8.AppendRune(m.extra, r)
	}
	return m.push(m.extraRef(String, at))
}

// escaped reads a \u or \U at the start of s and gives how long it is: 0 if
// there is none. The rune is -1 if it is no character.
func escaped(s []byte) (rune, int) {
	if len(s) < 2 || s[0] != '\\' || s[1] != 'u' && s[1] != 'U' {
		return 0, 0
	}
	digits := 4
	if s[1] == 'U' {
		digits = 8
	}
	v, ok := hex(s[2:], digits)
	if !ok || v > utf8.MaxRune {
		return -1, 2
	}
	return rune(v), 2 + digits
}

func hex(s []byte, n int) (uint32, bool) {
	if len(s) < n {
		return 0, false
	}
	var v uint32
	for _, c := range s[:n] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | uint32(c)
	}
	return v, true
}
