package expr

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

func init() {
	operators["$map"] = compileLoop(named{16878, 16879, []string{"input", "as", "in"}, []fault.Code{16880, 0, 16882}}, 16883)
	operators["$filter"] = compileLoop(named{28646, 28647, []string{"input", "as", "cond", "limit"}, []fault.Code{28648, 0, 28650, 0}}, 28651)
	operators["$reduce"] = compileReduce
}

// loop is $map and $filter.
type loop struct {
	name      string
	input, in node
	limit     node // of $filter; nil for none
	slot      int  // of the element
	filter    bool
	notArray  fault.Code
}

func compileLoop(p named, notArray fault.Code) func(c *compiler, name string, v value.Value) (node, error) {
	return func(c *compiler, name string, v value.Value) (node, error) {
		values, err := p.read(name, v)
		if err != nil {
			return nil, err
		}
		n := &loop{name: name, filter: name == "$filter", notArray: notArray}
		if n.input, err = c.compile(values[0]); err != nil {
			return nil, err
		}
		if n.filter && values[3].Type != 0 {
			if n.limit, err = c.compile(values[3]); err != nil {
				return nil, err
			}
		}
		variable := "this"
		if values[1].Type != 0 {
			text, ok := value.Text(values[1])
			if !ok {
				return nil, fault.New(fault.TypeMismatch, "%s: 'as' must be a string", name)
			}
			if err := checkVariable(text); err != nil {
				return nil, err
			}
			variable = text
		}
		slot, unbind := c.bind(variable)
		defer unbind()
		n.slot = slot
		n.in, err = c.compile(values[2])
		return n, err
	}
}

func compileReduce(c *compiler, name string, v value.Value) (node, error) {
	p := named{40075, 40076, []string{"input", "initialValue", "in"}, []fault.Code{40077, 40078, 40079}}
	values, err := p.read(name, v)
	if err != nil {
		return nil, err
	}
	n := &reduce{}
	if n.input, err = c.compile(values[0]); err != nil {
		return nil, err
	}
	if n.initial, err = c.compile(values[1]); err != nil {
		return nil, err
	}
	this, unbindThis := c.bind("this")
	defer unbindThis()
	total, unbindValue := c.bind("value")
	defer unbindValue()
	n.this, n.total = this, total
	n.in, err = c.compile(values[2])
	return n, err
}

func (n *loop) eval(s *scope) (value.Value, error) {
	input, err := n.input.eval(s)
	if err != nil {
		return input, err
	}
	if value.Nullish(input) {
		return value.Null(), nil
	}
	list, err := items(input, n.notArray, "input to %s must be an array not %s", n.name)
	if err != nil {
		return input, err
	}
	limit := len(list)
	if n.limit != nil {
		v, err := n.limit.eval(s)
		if err != nil {
			return v, err
		}
		if !value.Nullish(v) {
			m, err := whole32(v, 327391, 327391, n.name)
			if err != nil {
				return v, err
			}
			if m <= 0 {
				return v, fault.New(327392, "%s: limit must be greater than 0: %v", n.name, v)
			}
			limit = min(limit, int(m))
		}
	}
	b, count := value.NewBuilder(nil), 0
	for _, item := range list {
		if count == limit {
			break
		}
		s.slots[n.slot] = item
		v, err := n.in.eval(s)
		if err != nil {
			return v, err
		}
		if n.filter {
			if !value.Truthy(v) {
				continue
			}
			v = item
		}
		b.Append(value.Index(count), orNull(v))
		count++
		if err := checkSize(b.Len()); err != nil {
			return v, err
		}
	}
	return value.Value{Type: bson.TypeArray, Value: b.Doc()}, nil
}

// reduce is $reduce.
type reduce struct {
	input, initial, in node
	this, total        int
}

func (n *reduce) eval(s *scope) (value.Value, error) {
	input, err := n.input.eval(s)
	if err != nil {
		return input, err
	}
	if value.Nullish(input) {
		return value.Null(), nil
	}
	list, err := items(input, 40080, "%s requires that 'input' be an array, found: %s", "$reduce")
	if err != nil {
		return input, err
	}
	total, err := n.initial.eval(s)
	if err != nil {
		return total, err
	}
	for _, item := range list {
		s.slots[n.this], s.slots[n.total] = item, total
		if total, err = n.in.eval(s); err != nil {
			return total, err
		}
		// Each round may wrap the last one's value.
		if deeper(total, value.MaxDepth) {
			return total, fault.New(fault.Overflow, "a value nests deeper than %d levels", value.MaxDepth)
		}
	}
	return total, nil
}

// deeper says that a value nests by more than so many levels.
func deeper(v value.Value, levels int) bool {
	if v.Type != bson.TypeEmbeddedDocument && v.Type != bson.TypeArray {
		return false
	}
	if levels == 0 {
		return true
	}
	for rest := value.Fields(value.Doc(v.Value)); len(rest) > 0; {
		var item value.Value
		if _, item, rest = value.Next(rest); deeper(item, levels-1) {
			return true
		}
	}
	return false
}
