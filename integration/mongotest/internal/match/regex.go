package match

import (
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// pattern is a regular expression.
type pattern struct {
	compiled *regexp.Regexp
	value    value.Value // the BSON value that equals it
	prefix   string      // what all texts begin with that match it
	anchored bool        // there is such a prefix, and no flag that undoes it
}

// newPattern compiles a regular expression, or a string that is one; given
// options replace its own.
func newPattern(v value.Value, options string, given bool) (test, error) {
	var source, own string
	switch v.Type {
	case bson.TypeRegex:
		if source, own = v.Regex(); given && own != "" {
			return nil, fault.New(51075, "options set in both $regex and $options")
		}
	case bson.TypeString, bson.TypeSymbol:
		source, _ = value.Text(v)
	default:
		return nil, fault.New(fault.BadValue, "$regex has to be a string")
	}
	if !given {
		options = own
	}
	if strings.ContainsRune(source, 0) || strings.ContainsRune(options, 0) {
		return nil, fault.New(fault.BadValue, "Regular expression cannot contain an embedded null byte")
	}
	re, err := expr.CompileRegex(source, options)
	if err != nil {
		return nil, err
	}
	equal := value.Value{Type: bson.TypeRegex, Value: []byte(source + "\x00" + options + "\x00")}
	p := &pattern{compiled: re, value: equal}
	if options == "" || options == "s" {
		p.prefix, p.anchored = prefix(source)
	}
	return p, nil
}

// prefix gives the text that all begin with that an anchored pattern matches.
func prefix(source string) (text string, ok bool) {
	if !strings.HasPrefix(source, "^") || strings.Contains(source, "|") {
		return "", false
	}
	var b strings.Builder
	last := 0 // where the last literal begins in the text
	rest := source[1:]
	for rest != "" {
		r := rest[0]
		switch {
		case strings.IndexByte("?*{", r) >= 0: // the last literal may be absent
			text = b.String()[:last]
			return text, text != ""
		case strings.IndexByte(`.+[]()}^$\`, r) >= 0:
			return b.String(), b.Len() > 0
		}
		last = b.Len()
		n := 1
		for n < len(rest) && rest[n]&0xc0 == 0x80 { // one character of UTF-8
			n++
		}
		b.WriteString(rest[:n])
		rest = rest[n:]
	}
	return b.String(), b.Len() > 0
}
