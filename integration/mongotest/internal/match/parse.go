package match

import (
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

type parser struct{ env *expr.Env }

// query parses a document of paths and logical operators.
func (p *parser) query(doc value.Doc) (node, error) {
	var parts and
	for name, v := range value.Elements(doc) {
		n, err := p.clause(name, v)
		if err != nil {
			return nil, err
		}
		if n != nil {
			parts = append(parts, n)
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return parts, nil
}

// clause parses one field of a query; nil for what says nothing.
func (p *parser) clause(name string, v value.Value) (node, error) {
	if !strings.HasPrefix(name, "$") {
		return p.conditions(name, split(name), v)
	}
	switch name {
	case "$and", "$or", "$nor":
		parts, err := p.queries(name, v)
		switch {
		case err != nil:
			return nil, err
		case name == "$and":
			return and(parts), nil
		case name == "$or":
			return or(parts), nil
		}
		return not{or(parts)}, nil
	case "$expr":
		e, err := expr.Compile(v, p.env)
		if err != nil {
			return nil, err
		}
		return expression{e}, nil
	case "$comment":
		return nil, nil
	case "$alwaysTrue", "$alwaysFalse":
		if n, ok := value.Integer(v); !ok || n != 1 {
			return nil, fault.New(fault.FailedToParse, "%s must be an integer value of 1", name)
		}
		return always(name == "$alwaysTrue"), nil
	case "$text", "$where", "$jsonSchema", "$sampleRate":
		return nil, fault.NotOffered("the query operator %s", name)
	}
	return nil, fault.New(fault.BadValue, "unknown top level operator: %s. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.", name)
}

func (p *parser) queries(name string, v value.Value) ([]node, error) {
	if v.Type != bson.TypeArray {
		return nil, fault.New(fault.BadValue, "%s argument must be an array", name)
	}
	var parts []node
	for _, item := range value.Items(v) {
		if item.Type != bson.TypeEmbeddedDocument {
			return nil, fault.New(fault.BadValue, "$or/$and/$nor entries need to be full objects")
		}
		n, err := p.query(value.Doc(item.Value))
		if err != nil {
			return nil, err
		}
		parts = append(parts, n)
	}
	if len(parts) == 0 {
		return nil, fault.New(fault.BadValue, "$and/$or/$nor must be a nonempty array")
	}
	return parts, nil
}

// split parses a path.
func split(path string) []part {
	names := strings.Split(path, ".")
	parts := make([]part, len(names))
	for i, name := range names {
		parts[i] = part{name, -1}
		if n, err := strconv.Atoi(name); err == nil && n >= 0 && strconv.Itoa(n) == name {
			parts[i].index = n
		}
	}
	return parts
}

// isOperators says that a value is a document of operators: its first name
// begins with $, and it is no DBRef.
func isOperators(v value.Value) bool {
	if v.Type != bson.TypeEmbeddedDocument {
		return false
	}
	name := first(v)
	return strings.HasPrefix(name, "$") && name != "$ref" && name != "$id" && name != "$db"
}

func first(v value.Value) string {
	for name := range value.Elements(value.Doc(v.Value)) {
		return name
	}
	return ""
}

// conditions parses what a query says of one path.
func (p *parser) conditions(path string, parts []part, v value.Value) (node, error) {
	at := func(t test, err error) (node, error) {
		if err != nil {
			return nil, err
		}
		return &field{path: path, parts: parts, test: t}, nil
	}
	switch {
	case v.Type == bson.TypeRegex:
		return at(newPattern(v, "", false))
	case !isOperators(v):
		return at(p.comparison("$eq", v))
	}
	var all and
	doc := value.Doc(v.Value)
	for name, operand := range value.Elements(doc) {
		var n node
		var err error
		switch name {
		case "$ne", "$nin":
			if name == "$ne" && operand.Type == bson.TypeRegex {
				return nil, fault.New(fault.BadValue, "Can't have regex as arg to $ne.")
			}
			n, err = at(p.test(doc, map[string]string{"$ne": "$eq", "$nin": "$in"}[name], operand))
			n = not{n}
		case "$not":
			n, err = p.negation(path, parts, operand)
		case "$all":
			n, err = p.all(path, parts, operand)
		case "$exists":
			n, err = at(exists{}, nil)
			if !value.Truthy(operand) {
				n = not{n}
			}
		case "$comment":
			continue
		case "$options":
			if value.Missing(value.Get(doc, "$regex")) {
				return nil, fault.New(fault.BadValue, "$options needs a $regex")
			}
			continue
		default:
			n, err = at(p.test(doc, name, operand))
			if f, ok := n.(*field); ok {
				f.whole = name == "$size" || name == "$elemMatch"
			}
		}
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (p *parser) negation(path string, parts []part, v value.Value) (node, error) {
	switch {
	case v.Type == bson.TypeRegex:
	case v.Type != bson.TypeEmbeddedDocument:
		return nil, fault.New(fault.BadValue, "$not needs a regex or a document")
	case first(v) == "":
		return nil, fault.New(fault.BadValue, "$not cannot be empty")
	case !isOperators(v):
		return nil, fault.New(fault.BadValue, "unknown operator: %s", first(v))
	}
	n, err := p.conditions(path, parts, v)
	return not{n}, err
}

func (p *parser) all(path string, parts []part, v value.Value) (node, error) {
	if v.Type != bson.TypeArray {
		return nil, fault.New(fault.BadValue, "$all needs an array")
	}
	items := value.Items(v)
	if len(items) == 0 {
		return always(false), nil
	}
	var every and
	nested := isOperators(items[0]) && first(items[0]) == "$elemMatch"
	for _, item := range items {
		f := &field{path: path, parts: parts}
		var err error
		switch {
		case nested:
			if item.Type != bson.TypeEmbeddedDocument || first(item) != "$elemMatch" {
				return nil, fault.New(fault.BadValue, "$all/$elemMatch has to be consistent")
			}
			f.whole = true
			f.test, err = p.elemMatch(value.Get(value.Doc(item.Value), "$elemMatch"))
		case item.Type == bson.TypeRegex:
			f.test, err = newPattern(item, "", false)
		case isOperators(item):
			return nil, fault.New(fault.BadValue, "no $ expressions in $all")
		default:
			f.test, err = p.comparison("$eq", item)
		}
		if err != nil {
			return nil, err
		}
		every = append(every, f)
	}
	if len(every) == 1 {
		return every[0], nil
	}
	return every, nil
}

// test parses an operator that asks one value.
func (p *parser) test(siblings value.Doc, name string, v value.Value) (test, error) {
	switch name {
	case "$eq", "$lt", "$lte", "$gt", "$gte":
		if v.Type == bson.TypeRegex && name != "$eq" {
			return nil, fault.New(fault.BadValue, "Can't have RegEx as arg to predicate over field")
		}
		return p.comparison(name, v)
	case "$in":
		return p.in(v)
	case "$regex":
		options := value.Get(siblings, "$options")
		text, ok := value.Text(options)
		if !ok && !value.Missing(options) {
			return nil, fault.New(fault.BadValue, "$options has to be a string")
		}
		return newPattern(v, text, ok)
	case "$type":
		return parseType(v)
	case "$size":
		return parseSize(v)
	case "$mod":
		return parseModulo(v)
	case "$elemMatch":
		return p.elemMatch(v)
	case "$bitsAllSet", "$bitsAllClear", "$bitsAnySet", "$bitsAnyClear":
		return parseBits(name, v)
	case "$geoWithin", "$geoIntersects", "$near", "$nearSphere", "$within", "$geoNear", "$maxDistance", "$minDistance":
		return nil, fault.NotOffered("the query operator %s", name)
	}
	return nil, fault.New(fault.BadValue, "unknown operator: %s", name)
}

func (p *parser) comparison(op string, v value.Value) (test, error) {
	if v.Type == bson.TypeUndefined {
		return nil, fault.New(fault.BadValue, "cannot compare to undefined")
	}
	t := &compared{op: op, operand: v, rank: value.Rank(v.Type), nan: isNaN(v)}
	if p.env != nil {
		t.by = p.env.Collation
	}
	return t, nil
}

func (p *parser) in(v value.Value) (test, error) {
	if v.Type != bson.TypeArray {
		return nil, fault.New(fault.BadValue, "$in needs an array")
	}
	t := &within{}
	if p.env != nil {
		t.by = p.env.Collation
	}
	items := value.Items(v)
	for _, item := range items {
		switch {
		case isOperators(item):
			return nil, fault.New(fault.BadValue, "cannot nest $ under $in")
		case item.Type == bson.TypeRegex:
			r, err := newPattern(item, "", false)
			if err != nil {
				return nil, err
			}
			t.patterns = append(t.patterns, r.(*pattern))
		case item.Type == bson.TypeUndefined:
			return nil, fault.New(fault.BadValue, "InMatchExpression equality cannot be undefined")
		case item.Type == bson.TypeNull:
			t.null = true
		default:
			t.values = append(t.values, item)
		}
	}
	if len(items) == 1 { // so that it counts as an equality
		if len(t.patterns) == 1 {
			return t.patterns[0], nil
		}
		return p.comparison("$eq", items[0])
	}
	slices.SortFunc(t.values, t.by.Compare)
	return t, nil
}

func (p *parser) elemMatch(v value.Value) (test, error) {
	if v.Type != bson.TypeEmbeddedDocument {
		return nil, fault.New(fault.BadValue, "$elemMatch needs an Object")
	}
	if isOperators(v) {
		switch first(v) {
		case "$and", "$or", "$nor", "$expr", "$where", "$text", "$comment", "$jsonSchema", "$alwaysTrue", "$alwaysFalse", "$sampleRate":
		default:
			n, err := p.conditions("", nil, v)
			return elemMatch{node: n}, err
		}
	}
	for name := range value.Elements(value.Doc(v.Value)) {
		if name == "$expr" {
			return nil, fault.New(fault.BadValue, "$expr can only be applied to the top-level document")
		}
	}
	n, err := p.query(value.Doc(v.Value))
	return elemMatch{n, true}, err
}
