package format

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// hexValue gives the value of a hexadecimal digit, and -1 for other bytes.
var hexValue = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range 10 {
		t['0'+i] = int8(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = int8(10+i), int8(10+i)
	}
	return t
}()

// unquote gives the text of a checked JSON string, without its quotes, as
// encoding/json reads it: invalid UTF-8 and lone surrogates become U+FFFD.
// The text is raw itself where nothing in it changes, else it is appended to buf.
func unquote(raw, buf []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return raw
	}
	return appendUnquoted(buf, raw)
}

// unescape is unquote for keys: the keys that are wanted are ASCII, so a key
// without an escape need not be looked at for its encoding.
func unescape(raw, buf []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	return appendUnquoted(buf, raw)
}

func appendUnquoted(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '\\':
			i++
			if raw[i] != 'u' {
				dst = append(dst, escaped(raw[i]))
				i++
				continue
			}
			r := hex4(raw[i+1:])
			i += 5
			if utf16.IsSurrogate(r) {
				low := rune(utf8.RuneError)
				if i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
					low = hex4(raw[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst
}

// escaped gives the byte that a backslash and c stand for.
func escaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// hex4 gives the value of the four hexadecimal digits that s begins with.
func hex4(s []byte) rune {
	return rune(hexValue[s[0]])<<12 | rune(hexValue[s[1]])<<8 | rune(hexValue[s[2]])<<4 | rune(hexValue[s[3]])
}
