package expr

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func init() {
	add(0, -1, map[string]function{"$mergeObjects": func(_ *scope, _ string, args []value.Value) (value.Value, error) {
		if len(args) == 1 && args[0].Type == bson.TypeArray {
			args = value.Items(args[0])
		}
		merged := value.D()
		for _, v := range args {
			var err error
			if merged, err = MergeObjects(merged, v); err != nil {
				return v, err
			}
		}
		return value.Document(merged), nil
	}})
	add(1, 1, map[string]function{"$objectToArray": objectToArray, "$arrayToObject": arrayToObject})
	operators["$getField"] = compileGetField
	operators["$setField"], operators["$unsetField"] = compileSetField, compileSetField
}

// MergeObjects puts the fields of a document over those of another, as
// $mergeObjects does; null and what is missing have none.
func MergeObjects(over value.Doc, v value.Value) (value.Doc, error) {
	switch {
	case value.Nullish(v):
		return over, nil
	case v.Type != bson.TypeEmbeddedDocument:
		return nil, fault.New(40400, "$mergeObjects requires object inputs, but input %v is of type %s", v, typeName(v))
	}
	if len(over) <= 5 {
		return value.Doc(v.Value), checkSize(len(v.Value))
	}
	b := value.NewBuilder(nil)
	from := value.Doc(v.Value)
	if err := checkSize(len(over) + len(from)); err != nil {
		return nil, err
	}
	latest := map[string]value.Value{}
	for name, field := range value.Elements(from) {
		latest[name] = field
	}
	had := map[string]bool{}
	for name, field := range value.Elements(over) {
		if had[name] = true; latest[name].Type != 0 {
			field = latest[name]
		}
		b.Append(name, field)
	}
	for name := range value.Elements(from) {
		if !had[name] {
			had[name] = true
			b.Append(name, latest[name])
		}
	}
	return b.Doc(), nil
}

func objectToArray(_ *scope, name string, args []value.Value) (value.Value, error) {
	switch {
	case value.Nullish(args[0]):
		return value.Null(), nil
	case args[0].Type != bson.TypeEmbeddedDocument:
		return args[0], fault.New(40390, "%s requires a document input, found: %s", name, typeName(args[0]))
	}
	var pairs []value.Value
	for field, v := range value.Elements(value.Doc(args[0].Value)) {
		pairs = append(pairs, value.Document(value.D("k", field, "v", v)))
	}
	return array(pairs)
}

func arrayToObject(_ *scope, name string, args []value.Value) (value.Value, error) {
	if value.Nullish(args[0]) {
		return value.Null(), nil
	}
	pairs, err := items(args[0], 40386, "%s requires an array input, found: %s", name)
	if err != nil {
		return args[0], err
	}
	var names []string
	values := map[string]value.Value{}
	kind := bson.Type(0)
	for _, pair := range pairs {
		if kind == 0 {
			kind = pair.Type
		}
		k, v, err := keyValue(name, pair, kind)
		if err != nil {
			return pair, err
		}
		if strings.IndexByte(k, 0) >= 0 {
			return pair, fault.New(4940401, "Key field cannot contain an embedded null byte")
		}
		if _, ok := values[k]; !ok {
			names = append(names, k)
		}
		values[k] = v
	}
	b := value.NewBuilder(nil)
	for _, k := range names {
		b.Append(k, values[k])
	}
	return value.Document(b.Doc()), checkSize(b.Len())
}

// keyValue reads ["k", v] or {k: "k", v: v}; all pairs are of one kind.
func keyValue(name string, pair value.Value, kind bson.Type) (k string, v value.Value, err error) {
	var key value.Value
	array := false
	switch {
	case pair.Type == bson.TypeArray && kind == pair.Type:
		parts := value.Items(pair)
		if len(parts) != 2 {
			return "", v, fault.New(40397, "%s requires an array of size 2 arrays, found array of size: %d", name, len(parts))
		}
		key, v, array = parts[0], parts[1], true
	case pair.Type == bson.TypeEmbeddedDocument && kind == pair.Type:
		n := 0
		for range value.Elements(value.Doc(pair.Value)) {
			n++
		}
		if n != 2 {
			return "", v, fault.New(40392, "%s requires an object keys of 'k' and 'v'. Found incorrect number of keys:%d", name, n)
		}
		key, v = value.Get(value.Doc(pair.Value), "k"), value.Get(value.Doc(pair.Value), "v")
		if key.Type == 0 || v.Type == 0 {
			return "", v, fault.New(40393, "%s requires an object with keys 'k' and 'v'. Missing either or both keys from: %v", name, pair)
		}
	case kind == bson.TypeArray:
		return "", v, fault.New(40396, "%s requires a consistent input format. Elements must all be arrays or all be objects. Array was detected, now found: %s", name, typeName(pair))
	case kind == bson.TypeEmbeddedDocument:
		return "", v, fault.New(40391, "%s requires a consistent input format. Elements must all be arrays or all be objects. Object was detected, now found: %s", name, typeName(pair))
	default:
		return "", v, fault.New(40398, "Unrecognised input type format for %s: %s", name, typeName(pair))
	}
	k, ok := value.Text(key)
	switch {
	case !ok && array:
		return "", v, fault.New(40395, "%s requires an array of key-value pairs, where the key must be of type string. Found key type: %s", name, typeName(key))
	case !ok:
		return "", v, fault.New(40394, "%s requires an object with keys 'k' and 'v', where the value of 'k' must be of type string. Found type: %s", name, typeName(key))
	}
	return k, v, nil
}

// constantName gives a field's name that must be written out.
func (c *compiler) constantName(name string, v value.Value, code fault.Code) (string, error) {
	n, err := c.compile(v)
	if err != nil {
		return "", err
	}
	fixed, ok := n.(constant)
	text, isText := value.Text(value.Value(fixed))
	if !ok || !isText {
		return "", fault.New(code, "%s requires 'field' to evaluate to a constant String", name)
	}
	return text, nil
}

func compileGetField(c *compiler, name string, v value.Value) (node, error) {
	field, input := v, value.String("$$CURRENT")
	if v.Type == bson.TypeEmbeddedDocument && !strings.HasPrefix(firstName(v), "$") {
		p := named{3041701, 3041701, []string{"field", "input"}, []fault.Code{3041702, 3041703}}
		values, err := p.read(name, v)
		if err != nil {
			return nil, err
		}
		field, input = values[0], values[1]
	}
	n, err := c.compile(field)
	if err != nil {
		return nil, err
	}
	if fixed, ok := n.(constant); ok {
		if _, text := value.Text(value.Value(fixed)); !text {
			return nil, fault.New(5654602, "%s requires 'field' to evaluate to a String", name)
		}
	}
	from, err := c.compile(input)
	return &call{name, []node{n, from}, getField}, err
}

func firstName(v value.Value) string {
	for name := range value.Elements(value.Doc(v.Value)) {
		return name
	}
	return ""
}

func getField(_ *scope, name string, args []value.Value) (value.Value, error) {
	field, ok := value.Text(args[0])
	switch {
	case !ok:
		return args[0], fault.New(3041704, "%s requires 'field' to evaluate to type String, but got %s", name, typeName(args[0]))
	case args[1].Type == bson.TypeEmbeddedDocument:
		return value.Get(value.Doc(args[1].Value), field), nil
	case value.Nullish(args[1]) && args[1].Type != 0:
		return value.Null(), nil
	}
	return value.Value{}, nil
}

// compileSetField compiles $setField and $unsetField, which sets to
// what is missing.
func compileSetField(c *compiler, name string, v value.Value) (node, error) {
	p := named{4161100, 4161101, []string{"field", "input", "value"}, []fault.Code{4161102, 4161109, 4161103}}
	if name == "$unsetField" {
		p.names, p.missing = p.names[:2], p.missing[:2]
	}
	values, err := p.read(name, v)
	if err != nil {
		return nil, err
	}
	field, err := c.constantName(name, values[0], 4161106)
	if err != nil {
		return nil, err
	}
	args, err := c.compileAll(values[1:])
	if err != nil {
		return nil, err
	}
	return &call{name, args, func(_ *scope, name string, args []value.Value) (value.Value, error) {
		switch {
		case value.Nullish(args[0]):
			return value.Null(), nil
		case args[0].Type != bson.TypeEmbeddedDocument:
			return args[0], fault.New(4161105, "%s requires 'input' to evaluate to type Object", name)
		}
		var set value.Value
		if len(args) == 2 {
			set = args[1]
		}
		b := value.NewBuilder(nil)
		done := false
		for at, v := range value.Elements(value.Doc(args[0].Value)) {
			if at == field {
				v, done = set, true
			}
			b.Append(at, v)
		}
		if !done {
			b.Append(field, set)
		}
		return value.Document(b.Doc()), checkSize(b.Len())
	}}, nil
}
