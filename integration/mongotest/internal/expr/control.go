package expr

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func init() {
	compared := map[string]func(c int) value.Value{
		"$eq":  func(c int) value.Value { return value.Bool(c == 0) },
		"$ne":  func(c int) value.Value { return value.Bool(c != 0) },
		"$lt":  func(c int) value.Value { return value.Bool(c < 0) },
		"$lte": func(c int) value.Value { return value.Bool(c <= 0) },
		"$gt":  func(c int) value.Value { return value.Bool(c > 0) },
		"$gte": func(c int) value.Value { return value.Bool(c >= 0) },
		"$cmp": func(c int) value.Value { return value.Int32(int32(c)) },
	}
	for name, result := range compared {
		add(2, 2, map[string]function{name: func(s *scope, _ string, args []value.Value) (value.Value, error) {
			return result(s.compare(args[0], args[1])), nil
		}})
	}
	add(1, 1, map[string]function{
		"$not": func(_ *scope, _ string, args []value.Value) (value.Value, error) {
			return value.Bool(!value.Truthy(args[0])), nil
		},
		"$type": func(_ *scope, _ string, args []value.Value) (value.Value, error) {
			return value.String(value.TypeName(args[0].Type)), nil
		},
		"$isNumber": func(_ *scope, _ string, args []value.Value) (value.Value, error) {
			return value.Bool(value.IsNumber(args[0])), nil
		},
		"$bsonSize": func(_ *scope, name string, args []value.Value) (value.Value, error) {
			switch {
			case value.Nullish(args[0]):
				return value.Null(), nil
			case args[0].Type != bson.TypeEmbeddedDocument:
				return value.Value{}, fault.New(31393, "%s requires a document input, found: %s", name, typeName(args[0]))
			}
			return value.Int32(int32(len(args[0].Value))), nil
		},
	})
	operators["$and"], operators["$or"] = compileJunction, compileJunction
	operators["$cond"], operators["$switch"] = compileCond, compileSwitch
	operators["$ifNull"], operators["$let"] = compileIfNull, compileLet
	literal := func(_ *compiler, _ string, v value.Value) (node, error) { return constant(v), nil }
	operators["$literal"], operators["$const"] = literal, literal
}

func (s *scope) compare(a, b value.Value) int { return s.env.Collation.Compare(a, b) }

// typeName gives a type's name as errors have it.
func typeName(v value.Value) string { return value.TypeName(v.Type) }

// junction is $and or $or: it stops at the first value that decides.
type junction struct {
	nodes   []node
	decides bool
}

func compileJunction(c *compiler, name string, v value.Value) (node, error) {
	args, err := c.args(name, v, 0, -1)
	return junction{args, name == "$or"}, err
}

func (n junction) eval(s *scope) (value.Value, error) {
	for _, part := range n.nodes {
		v, err := part.eval(s)
		if err != nil {
			return v, err
		}
		if value.Truthy(v) == n.decides {
			return value.Bool(n.decides), nil
		}
	}
	return value.Bool(!n.decides), nil
}

// branches evaluates the first node whose condition holds.
type branches struct {
	conditions, results []node
	otherwise           node // nil: an error
}

func (n *branches) eval(s *scope) (value.Value, error) {
	for i, condition := range n.conditions {
		v, err := condition.eval(s)
		if err != nil {
			return v, err
		}
		if value.Truthy(v) {
			return n.results[i].eval(s)
		}
	}
	if n.otherwise == nil {
		return value.Value{}, fault.New(40066, "$switch could not find a matching branch for an input, and no default was specified.")
	}
	return n.otherwise.eval(s)
}

func compileCond(c *compiler, name string, v value.Value) (node, error) {
	var args []node
	var err error
	if v.Type == bson.TypeEmbeddedDocument {
		var values []value.Value
		values, err = named{17080, 17083, []string{"if", "then", "else"}, []fault.Code{17080, 17081, 17082}}.read(name, v)
		if err == nil {
			args, err = c.compileAll(values)
		}
	} else {
		args, err = c.args(name, v, 3, 3)
	}
	if err != nil {
		return nil, err
	}
	return &branches{args[:1], args[1:2], args[2]}, nil
}

func (c *compiler) compileAll(values []value.Value) ([]node, error) {
	nodes := make([]node, len(values))
	for i, v := range values {
		n, err := c.compile(v)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}

func compileSwitch(c *compiler, name string, v value.Value) (node, error) {
	values, err := named{40060, 40067, []string{"branches", "default"}, nil}.read(name, v)
	if err != nil {
		return nil, err
	}
	n := &branches{}
	switch {
	case values[0].Type == 0:
		return nil, fault.New(40068, "$switch requires at least one branch.")
	case values[0].Type != bson.TypeArray:
		return nil, fault.New(40061, "$switch expected an array for 'branches', found: %s", typeName(values[0]))
	}
	for _, branch := range value.Items(values[0]) {
		if branch.Type != bson.TypeEmbeddedDocument {
			return nil, fault.New(40062, "$switch expected each branch to be an object, found: %s", typeName(branch))
		}
		parts, err := named{40062, 40063, []string{"case", "then"}, []fault.Code{40064, 40065}}.read(name, branch)
		if err != nil {
			return nil, err
		}
		nodes, err := c.compileAll(parts)
		if err != nil {
			return nil, err
		}
		n.conditions, n.results = append(n.conditions, nodes[0]), append(n.results, nodes[1])
	}
	if len(n.conditions) == 0 {
		return nil, fault.New(40068, "$switch requires at least one branch.")
	}
	if values[1].Type != 0 {
		n.otherwise, err = c.compile(values[1])
	}
	return n, err
}

// ifNull gives the first value that is not null or missing, else the last one.
type ifNull []node

func compileIfNull(c *compiler, name string, v value.Value) (node, error) {
	if v.Type != bson.TypeArray || len(value.Items(v)) < 2 {
		return nil, fault.New(1257300, "%s needs at least two arguments", name)
	}
	args, err := c.args(name, v, 2, -1)
	return ifNull(args), err
}

func (n ifNull) eval(s *scope) (v value.Value, err error) {
	for _, part := range n {
		if v, err = part.eval(s); err != nil || !value.Nullish(v) {
			return v, err
		}
	}
	return v, nil
}

// let evaluates in with variables, none of which sees another.
type let struct {
	slots []int
	nodes []node
	in    node
}

func compileLet(c *compiler, name string, v value.Value) (node, error) {
	values, err := named{16874, 16875, []string{"vars", "in"}, []fault.Code{16876, 16877}}.read(name, v)
	if err != nil {
		return nil, err
	}
	if values[0].Type != bson.TypeEmbeddedDocument {
		return nil, fault.New(16873, "invalid parameter: expected an object (vars)")
	}
	n := &let{}
	var names []string
	for variable, v := range value.Elements(value.Doc(values[0].Value)) {
		if err := checkVariable(variable); err != nil {
			return nil, err
		}
		part, err := c.compile(v)
		if err != nil {
			return nil, err
		}
		names, n.nodes = append(names, variable), append(n.nodes, part)
	}
	for _, variable := range names {
		slot, unbind := c.bind(variable)
		defer unbind()
		n.slots = append(n.slots, slot)
	}
	n.in, err = c.compile(values[1])
	return n, err
}

func (n *let) eval(s *scope) (value.Value, error) {
	for i, part := range n.nodes {
		v, err := part.eval(s)
		if err != nil {
			return v, err
		}
		s.slots[n.slots[i]] = v
	}
	return n.in.eval(s)
}
