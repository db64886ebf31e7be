package expr

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func init() {
	add(0, -1, map[string]function{"$concat": concat})
	add(1, 1, map[string]function{"$toLower": changeCase, "$toUpper": changeCase, "$strLenCP": textLength, "$strLenBytes": textLength})
	add(2, 2, map[string]function{"$split": split, "$strcasecmp": compareCase})
	add(3, 3, map[string]function{"$substrCP": substring, "$substrBytes": substringBytes, "$substr": substringBytes})
	add(2, 4, map[string]function{"$indexOfCP": indexOf})
	trimming := named{50696, 50694, []string{"input", "chars"}, []fault.Code{50695, 0}}
	for _, name := range []string{"$trim", "$ltrim", "$rtrim"} {
		operators[name] = func(c *compiler, name string, v value.Value) (node, error) {
			values, err := trimming.read(name, v)
			if err != nil {
				return nil, err
			}
			args, err := c.compileAll(values)
			return &call{name, args, trimmer(values[1].Type != 0)}, err
		}
	}
	addNamed(named{51751, 51750, []string{"input", "find", "replacement"}, []fault.Code{51749, 51748, 51747}},
		map[string]function{"$replaceOne": replace, "$replaceAll": replace})
	addNamed(named{51103, 31024, []string{"input", "regex", "options"}, []fault.Code{31022, 31023, 0}},
		map[string]function{"$regexMatch": regexMatch})
}

func concat(_ *scope, name string, args []value.Value) (value.Value, error) {
	var b strings.Builder
	for _, v := range args {
		text, ok := value.Text(v)
		switch {
		case ok:
			if err := checkSize(b.Len() + len(text)); err != nil {
				return v, err
			}
			b.WriteString(text)
		case value.Nullish(v): // what follows is not looked at
			return value.Null(), nil
		default:
			return v, fault.New(16702, "%s only supports strings, not %s", name, typeName(v))
		}
	}
	return value.String(b.String()), nil
}

// coerce gives what counts as a text: null is the empty one.
func coerce(v value.Value) (string, error) {
	switch v.Type {
	case 0, bson.TypeNull, bson.TypeUndefined:
		return "", nil
	case bson.TypeString, bson.TypeSymbol, bson.TypeJavaScript:
		return string(v.Value[4 : len(v.Value)-1]), nil
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128, bson.TypeDateTime, bson.TypeTimestamp:
		return format(v)
	}
	return "", fault.New(16007, "can't convert from BSON type %s to String", typeName(v))
}

// changeCase changes ASCII letters alone, as the manual has it.
func changeCase(_ *scope, name string, args []value.Value) (value.Value, error) {
	text, err := coerce(args[0])
	if err != nil {
		return args[0], err
	}
	return value.String(mapCase(text, name == "$toUpper")), nil
}

func mapCase(text string, upper bool) string {
	b := []byte(text)
	for i, c := range b {
		if upper && c >= 'a' && c <= 'z' || !upper && c >= 'A' && c <= 'Z' {
			b[i] = c ^ 0x20
		}
	}
	return string(b)
}

func compareCase(_ *scope, _ string, args []value.Value) (value.Value, error) {
	a, err := coerce(args[0])
	if err != nil {
		return args[0], err
	}
	b, err := coerce(args[1])
	if err != nil {
		return args[1], err
	}
	return value.Int32(int32(strings.Compare(mapCase(a, true), mapCase(b, true)))), nil
}

func textLength(_ *scope, name string, args []value.Value) (value.Value, error) {
	text, ok := value.Text(args[0])
	switch {
	case !ok && name == "$strLenCP":
		return args[0], fault.New(34471, "%s requires a string argument, found: %s", name, typeName(args[0]))
	case !ok:
		return args[0], fault.New(34473, "%s requires a string argument, found: %s", name, typeName(args[0]))
	case name == "$strLenCP":
		return value.Int32(int32(utf8.RuneCountInString(text))), nil
	}
	return value.Int32(int32(len(text))), nil
}

func split(_ *scope, name string, args []value.Value) (value.Value, error) {
	if anyNull(args) {
		return value.Null(), nil
	}
	text, ok := value.Text(args[0])
	separator, ok2 := value.Text(args[1])
	switch {
	case !ok:
		return args[0], fault.New(40085, "%s requires an expression that evaluates to a string as a first argument, found: %s", name, typeName(args[0]))
	case !ok2:
		return args[0], fault.New(40086, "%s requires an expression that evaluates to a string as a second argument, found: %s", name, typeName(args[1]))
	case separator == "":
		return args[0], fault.New(40087, "%s requires a non-empty separator", name)
	}
	var list []value.Value
	for part := range strings.SplitSeq(text, separator) {
		list = append(list, value.String(part))
	}
	return array(list)
}

func substring(_ *scope, name string, args []value.Value) (value.Value, error) {
	text, err := coerce(args[0])
	if err != nil {
		return args[0], err
	}
	from, err := whole32(args[1], 34450, 34451, name)
	if err != nil {
		return args[0], err
	}
	count, err := whole32(args[2], 34452, 34453, name)
	switch {
	case err != nil:
		return args[0], err
	case count < 0:
		return args[0], fault.New(34454, "%s: length must be a nonnegative integer.", name)
	case from < 0:
		return args[0], fault.New(34455, "%s: the starting index must be nonnegative integer.", name)
	}
	runes := []rune(text)
	from = min(from, int64(len(runes)))
	return value.String(string(runes[from:min(int64(len(runes)), from+count)])), nil
}

func substringBytes(_ *scope, name string, args []value.Value) (value.Value, error) {
	text, err := coerce(args[0])
	if err != nil {
		return args[0], err
	}
	if !value.IsNumber(args[1]) {
		return args[0], fault.New(16034, "%s: starting index must be a numeric type (is BSON type %s)", name, typeName(args[1]))
	}
	if !value.IsNumber(args[2]) {
		return args[0], fault.New(16035, "%s: length must be a numeric type (is BSON type %s)", name, typeName(args[2]))
	}
	start, _ := value.Float(args[1])
	length, _ := value.Float(args[2])
	if start < 0 || start != start {
		return args[0], fault.New(50752, "%s: starting index must be non-negative (got: %v)", name, args[1])
	}
	n := float64(len(text))
	from, to := int(min(start, n)), len(text)
	if length >= 0 { // a negative one is the rest
		to = int(min(float64(from)+length, n))
	}
	if from < len(text) && !utf8.RuneStart(text[from]) {
		return args[0], fault.New(28656, "%s: Invalid range, starting index is a UTF-8 continuation byte.", name)
	}
	if to < len(text) && !utf8.RuneStart(text[to]) {
		return args[0], fault.New(28657, "%s: Invalid range, ending index is in the middle of a UTF-8 character.", name)
	}
	return value.String(text[from:to]), nil
}

func indexOf(_ *scope, name string, args []value.Value) (value.Value, error) {
	if value.Nullish(args[0]) {
		return value.Null(), nil
	}
	text, ok := value.Text(args[0])
	if !ok {
		return args[0], fault.New(40093, "%s requires a string as the first argument, found: %s", name, typeName(args[0]))
	}
	token, ok := value.Text(args[1])
	if !ok {
		return args[0], fault.New(40094, "%s requires a string as the second argument, found: %s", name, typeName(args[1]))
	}
	runes := []rune(text)
	from, to, err := window(args[2:], len(runes), name)
	if err != nil || from > to {
		return value.Int32(-1), err
	}
	within := string(runes[from:to])
	at := strings.Index(within, token)
	if at >= 0 {
		at = from + utf8.RuneCountInString(within[:at])
	}
	return value.Int32(int32(at)), nil
}

// spaces are what is trimmed where no characters are given.
const spaces = "\x00 \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"

func trimmer(given bool) function {
	return func(_ *scope, name string, args []value.Value) (value.Value, error) {
		if value.Nullish(args[0]) || given && value.Nullish(args[1]) {
			return value.Null(), nil
		}
		text, ok := value.Text(args[0])
		if !ok {
			return args[0], fault.New(50699, "%s requires its input to be a string, got %v (of type %s) instead.", name, args[0], typeName(args[0]))
		}
		characters := spaces
		if given {
			if characters, ok = value.Text(args[1]); !ok {
				return args[0], fault.New(50700, "%s requires 'chars' to be a string, got %v (of type %s) instead.", name, args[1], typeName(args[1]))
			}
		}
		if name != "$rtrim" {
			text = strings.TrimLeft(text, characters)
		}
		if name != "$ltrim" {
			text = strings.TrimRight(text, characters)
		}
		return value.String(text), nil
	}
}

func replace(_ *scope, name string, args []value.Value) (value.Value, error) {
	var texts [3]string
	null := false
	for i, v := range args {
		var ok bool
		if texts[i], ok = value.Text(v); !ok && !value.Nullish(v) {
			return v, fault.New([]fault.Code{51746, 51745, 51744}[i], "%s requires that '%s' be a string, found: %v", name, []string{"input", "find", "replacement"}[i], v)
		}
		null = null || !ok
	}
	if null {
		return value.Null(), nil
	}
	count := 1
	if name == "$replaceAll" {
		count = strings.Count(texts[0], texts[1])
	}
	if err := checkSize(len(texts[0]) + count*len(texts[2])); err != nil {
		return args[0], err
	}
	return value.String(strings.Replace(texts[0], texts[1], texts[2], count)), nil
}

func regexMatch(_ *scope, name string, args []value.Value) (value.Value, error) {
	text, ok := value.Text(args[0])
	if !ok && !value.Nullish(args[0]) {
		return args[0], fault.New(51104, "%s needs 'input' to be of type string", name)
	}
	options, given := value.Text(args[2])
	if !given && !value.Nullish(args[2]) {
		return args[0], fault.New(51106, "%s needs 'options' to be of type string", name)
	}
	var re *regexp.Regexp
	var err error
	switch args[1].Type {
	case bson.TypeRegex:
		source, own := args[1].Regex()
		if own != "" && given {
			return args[0], fault.New(51107, "%s: found regex option(s) specified in both 'regex' and 'options' fields", name)
		}
		re, err = CompileRegex(source, own+options)
	case bson.TypeString:
		source, _ := value.Text(args[1])
		re, err = CompileRegex(source, options)
	case 0, bson.TypeNull, bson.TypeUndefined:
		ok = false
	default:
		return args[0], fault.New(51105, "%s needs 'regex' to be of type string or regex", name)
	}
	if err != nil {
		return args[0], err
	}
	return value.Bool(ok && re.MatchString(text)), nil
}
