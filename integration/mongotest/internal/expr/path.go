package expr

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// path compiles "$a.b" and "$$name.a.b".
func (c *compiler) path(text string) (node, error) {
	if text == "$" {
		return nil, fault.New(16872, "'$' by itself is not a valid FieldPath")
	}
	if !strings.HasPrefix(text, "$$") {
		if err := CheckPath(text[1:]); err != nil {
			return nil, err
		}
		return fieldPath{c.document0(), strings.Split(text[1:], ".")}, nil
	}
	name, rest, dotted := strings.Cut(text[2:], ".")
	v, err := c.variable(name)
	if err != nil || !dotted {
		return v, err
	}
	if err := CheckPath(rest); err != nil {
		return nil, err
	}
	return fieldPath{v, strings.Split(rest, ".")}, nil
}

// document0 is what a path without a variable starts from.
func (c *compiler) document0() node {
	if c.current >= 0 {
		return slot(c.current)
	}
	return root{}
}

func (c *compiler) variable(name string) (node, error) {
	for i := len(c.locals) - 1; i >= 0; i-- {
		if c.locals[i].name == name {
			return slot(c.locals[i].slot), nil
		}
	}
	switch name {
	case "":
		return nil, fault.New(16869, "empty variable names are not allowed")
	case "ROOT":
		return root{}, nil
	case "CURRENT":
		return c.document0(), nil
	case "REMOVE":
		return constant{}, nil
	case "NOW":
		if c.env.Now.IsZero() {
			return nil, fault.New(51144, "Builtin variable '$$NOW' is not available")
		}
		return system(name), nil
	case "CLUSTER_TIME":
		if c.env.ClusterTime.IsZero() {
			return nil, fault.New(51144, "Builtin variable '$$CLUSTER_TIME' is not available")
		}
		return system(name), nil
	case "DESCEND", "PRUNE", "KEEP", "SEARCH_META", "USER_ROLES", "JS_SCOPE", "IS_MR":
		return nil, fault.NotOffered("the variable $$%s", name)
	}
	if _, ok := c.env.Let[name]; ok {
		return outer(name), nil
	}
	return nil, fault.New(17276, "Use of undefined variable: %s", name)
}

// bind opens a variable for what is compiled until the returned function is
// called.
func (c *compiler) bind(name string) (slot int, unbind func()) {
	slot = c.slots
	c.slots++
	c.locals = append(c.locals, local{name, slot})
	current := c.current
	if name == "CURRENT" {
		c.current = slot
	}
	return slot, func() {
		c.locals = c.locals[:len(c.locals)-1]
		c.current = current
	}
}

// checkVariable says what is wrong with the name of a variable of the user's.
func checkVariable(name string) error {
	if name == "" {
		return fault.New(16869, "empty variable names are not allowed")
	}
	if name == "CURRENT" {
		return nil
	}
	if c := name[0]; (c < 'a' || c > 'z') && c < 0x80 {
		return fault.New(16867, "'%s' starts with an invalid character for a user variable name", name)
	}
	for i := range len(name) {
		if c := name[i]; c < 0x80 && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return fault.New(16868, "'%s' contains an invalid character for a variable name: '%c'", name, c)
		}
	}
	return nil
}

type root struct{}

func (root) eval(s *scope) (value.Value, error) { return value.Document(s.root), nil }

// slot is a variable that the expression binds.
type slot int

func (n slot) eval(s *scope) (value.Value, error) { return s.slots[n], nil }

// outer is a variable of the operation.
type outer string

func (n outer) eval(s *scope) (value.Value, error) {
	if v, ok := s.vars[string(n)]; ok {
		return v, nil
	}
	return s.env.Let[string(n)], nil
}

type system string

func (n system) eval(s *scope) (value.Value, error) {
	if n == "NOW" {
		return value.Time(s.env.Now), nil
	}
	return value.Timestamp(s.env.ClusterTime), nil
}

// fieldPath gives what a path leads to: through an array on the way, the array
// of what its documents have there.
type fieldPath struct {
	from  node
	names []string
}

func (n fieldPath) eval(s *scope) (value.Value, error) {
	v, err := n.from.eval(s)
	if err != nil {
		return v, err
	}
	return Follow(v, n.names), nil
}

// Follow gives what names lead to from a value, as field paths of expressions
// do.
func Follow(v value.Value, names []string) value.Value {
	for i, name := range names {
		switch v.Type {
		case bson.TypeEmbeddedDocument:
			v = value.Get(value.Doc(v.Value), name)
		case bson.TypeArray:
			b, n := value.NewBuilder(nil), 0
			for _, item := range value.Elements(value.Doc(v.Value)) {
				if item.Type != bson.TypeEmbeddedDocument {
					continue
				}
				if found := Follow(item, names[i:]); found.Type != 0 {
					b.Append(value.Index(n), found)
					n++
				}
			}
			return value.Value{Type: bson.TypeArray, Value: b.Doc()}
		default:
			return value.Value{}
		}
	}
	return v
}

func splitPath(path string) []string { return strings.Split(path, ".") }
