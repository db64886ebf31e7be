package expr

import (
	"regexp"
	"strings"

	"botwatch/integration/mongotest/internal/fault"
)

// CompileRegex compiles a regular expression as queries and expressions have it,
// in the syntax of PCRE with the options i, m, s, x and u. What Go's package
// regexp cannot do is not offered.
func CompileRegex(source, options string) (*regexp.Regexp, error) {
	flags, extended := "", false
	for _, o := range options {
		switch o {
		case 'i', 'm', 's':
			flags += string(o)
		case 'x':
			extended = true
		case 'u':
		default:
			return nil, fault.New(51108, "invalid flag in regex options: %s", options)
		}
	}
	translated, err := translate(source, extended, strings.Contains(flags, "m"))
	if err != nil {
		return nil, err
	}
	if flags != "" {
		translated = "(?" + flags + ")" + translated
	}
	re, err := regexp.Compile(translated)
	if err != nil {
		return nil, fault.New(51091, "Regular expression is invalid: %v", err)
	}
	return re, nil
}

// translate turns PCRE's syntax into Go's: white space and comments go under the
// option x, and $ may stand before a last line break.
func translate(source string, extended, multiline bool) (string, error) {
	var b strings.Builder
	class := false
	for i := 0; i < len(source); i++ {
		c := source[i]
		switch {
		case c == '\\' && i+1 < len(source):
			i++
			switch next := source[i]; {
			case next >= '1' && next <= '9' && !class, strings.IndexByte("kgGKRXNhHV", next) >= 0:
				return "", fault.NotOffered(`\%c in a regular expression`, next)
			case next == 'Z' && !class:
				b.WriteString(`(?:\n?\z)`)
			case next == 'e':
				b.WriteString(`\x1b`)
			default:
				b.WriteByte(c)
				b.WriteByte(next)
			}
			continue
		case class:
			class = c != ']'
			if c == '[' && i+1 < len(source) && source[i+1] == ':' { // [:alpha:]
				if end := strings.Index(source[i:], ":]"); end > 0 {
					b.WriteString(source[i : i+end+2])
					i += end + 1
					class = true
					continue
				}
			}
			if c == '[' {
				b.WriteByte('\\')
			}
		case c == '[':
			class = true
			b.WriteByte(c)
			for _, head := range []string{"^", "]"} { // a ] that comes first is itself
				if strings.HasPrefix(source[i+1:], head) {
					if head == "]" {
						b.WriteByte('\\')
					}
					b.WriteString(head)
					i++
				}
			}
			continue
		case extended && strings.IndexByte(" \t\r\n\f\v", c) >= 0:
			continue
		case extended && c == '#':
			for i+1 < len(source) && source[i] != '\n' {
				i++
			}
			continue
		case c == '$' && !multiline:
			b.WriteString(`(?:\n?\z)`)
			continue
		case c == '(' && strings.HasPrefix(source[i:], "(?"):
			if err := group(source[i:]); err != nil {
				return "", err
			}
			if end := strings.IndexByte(source[i:], ')'); strings.HasPrefix(source[i:], "(?#") && end > 0 {
				i += end
				continue
			}
		case c == '+' && i > 0 && strings.IndexByte("+*?}", source[i-1]) >= 0 && (i < 2 || source[i-2] != '\\'):
			return "", fault.NotOffered("possessive quantifiers in a regular expression")
		case c == '(' && strings.HasPrefix(source[i:], "(*"):
			return "", fault.NotOffered("verbs in a regular expression")
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// group refuses what Go has no groups for.
func group(s string) error {
	for _, head := range []string{"(?=", "(?!", "(?<=", "(?<!", "(?>", "(?|", "(?(", "(?R", "(?&", "(?P>", "(?P=", "(?'"} {
		if strings.HasPrefix(s, head) {
			return fault.NotOffered("%s…) in a regular expression", head)
		}
	}
	if len(s) > 2 && s[2] >= '0' && s[2] <= '9' {
		return fault.NotOffered("recursion in a regular expression")
	}
	return nil
}
