package aggregate

import (
	"strings"

	"botwatch/integration/mongotest/internal/collation"
	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

// accumulator takes the values of one group.
type accumulator interface {
	add(v value.Value) error
	value() value.Value
}

// accumulators has what makes each accumulator.
var accumulators = map[string]func(c *collation.Collation) accumulator{
	"$sum":          func(*collation.Collation) accumulator { return &sum{} },
	"$avg":          func(*collation.Collation) accumulator { return &average{} },
	"$min":          func(c *collation.Collation) accumulator { return &extreme{collation: c, sign: -1} },
	"$max":          func(c *collation.Collation) accumulator { return &extreme{collation: c, sign: 1} },
	"$first":        func(*collation.Collation) accumulator { return &first{} },
	"$last":         func(*collation.Collation) accumulator { return &last{} },
	"$push":         func(*collation.Collation) accumulator { return &pushing{} },
	"$addToSet":     func(c *collation.Collation) accumulator { return &pushing{collation: c, seen: map[string]bool{}} },
	"$count":        func(*collation.Collation) accumulator { return &sum{} },
	"$mergeObjects": func(*collation.Collation) accumulator { return &merging{} },
}

var accumulatorsNotOffered = map[string]bool{
	"$accumulator": true, "$bottom": true, "$bottomN": true, "$firstN": true, "$lastN": true, "$maxN": true, "$median": true, "$minN": true,
	"$percentile": true, "$stdDevPop": true, "$stdDevSamp": true, "$top": true, "$topN": true, "$concatArrays": true, "$setUnion": true,
}

type groupField struct {
	name  string
	make  func(c *collation.Collation) accumulator
	value *expr.Expr
}

func (c *compiler) compileGroup(v value.Value) (stage, error) {
	if !value.IsDocument(v) {
		return nil, fault.New(15947, "a group's fields must be specified in an object")
	}
	var id *expr.Expr
	var fields []groupField
	for name, spec := range value.Elements(value.Doc(v.Value)) {
		if name == "_id" {
			if id != nil {
				return nil, fault.New(15948, "a group's _id may only be specified once")
			}
			e, err := expr.Compile(spec, c.Env.Env)
			if err != nil {
				return nil, err
			}
			id = e
			continue
		}
		f, err := c.compileGroupField(name, spec)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	if id == nil {
		return nil, fault.New(15955, "a group specification must include an _id")
	}
	return gather(func(source Iterator) ([]value.Doc, error) {
		return group(source, id, fields, c.Env.Env.Collation)
	}), nil
}

func (c *compiler) compileGroupField(name string, spec value.Value) (groupField, error) {
	switch {
	case strings.ContainsRune(name, '.'):
		return groupField{}, fault.New(40235, "the field name '%s' cannot contain '.'", name)
	case strings.HasPrefix(name, "$"):
		return groupField{}, fault.New(40236, "the field name '%s' cannot be an operator name", name)
	case !value.IsDocument(spec):
		return groupField{}, fault.New(40234, "the field '%s' must be an accumulator object", name)
	}
	operator, argument, err := stageOf(value.Doc(spec.Value))
	if err != nil {
		return groupField{}, fault.New(40238, "the field '%s' must specify one accumulator", name)
	}
	newAccumulator, ok := accumulators[operator]
	switch {
	case accumulatorsNotOffered[operator]:
		return groupField{}, fault.NotOffered("the accumulator %s", operator)
	case !ok:
		return groupField{}, fault.New(15952, "unknown group operator '%s'", operator)
	case value.IsArray(argument) && operator != "$count":
		return groupField{}, fault.New(40237, "the %s accumulator is a unary operator", operator)
	case operator == "$count":
		if !value.IsDocument(argument) || len(argument.Value) > 5 {
			return groupField{}, fault.New(fault.TypeMismatch, "$count takes no arguments, i.e. $count:{}")
		}
		argument = value.Int32(1)
	}
	e, err := expr.Compile(argument, c.Env.Env)
	if err != nil {
		return groupField{}, err
	}
	return groupField{name, newAccumulator, e}, nil
}

type groupState struct {
	id           value.Value
	accumulators []accumulator
}

// group gives one document for each _id, in the order in which they were first
// seen.
func group(source Iterator, id *expr.Expr, fields []groupField, c *collation.Collation) ([]value.Doc, error) {
	groups := map[string]*groupState{}
	var order []*groupState
	var key []byte
	for {
		doc, ok, err := source.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		v, err := id.Eval(doc)
		if err != nil {
			return nil, err
		}
		v = orNull(v)
		key = c.AppendKey(key[:0], v)
		g := groups[string(key)]
		if g == nil {
			g = &groupState{id: v, accumulators: make([]accumulator, len(fields))}
			for i, f := range fields {
				g.accumulators[i] = f.make(c)
			}
			groups[string(key)] = g
			order = append(order, g)
		}
		for i, f := range fields {
			v, err := f.value.Eval(doc)
			if err != nil {
				return nil, err
			}
			if err := g.accumulators[i].add(v); err != nil {
				return nil, err
			}
		}
	}
	docs := make([]value.Doc, len(order))
	for i, g := range order {
		b := value.NewBuilder(nil).Append("_id", g.id)
		for j, f := range fields {
			b.Append(f.name, orNull(g.accumulators[j].value()))
		}
		docs[i] = b.Doc()
		order[i] = nil
	}
	return docs, nil
}

func orNull(v value.Value) value.Value {
	if value.Missing(v) {
		return value.Null()
	}
	return v
}

func (c *compiler) compileSortByCount(v value.Value) (stage, error) {
	switch text, ok := value.Text(v); {
	case ok && !strings.HasPrefix(text, "$"):
		return nil, fault.New(40148, "the sortByCount field must be defined as a $-prefixed path or an expression inside an object")
	case !ok && !value.IsDocument(v):
		return nil, fault.New(40149, "the sortByCount field must be specified as a string or as an object")
	case !ok:
		for name := range value.Elements(value.Doc(v.Value)) {
			if !strings.HasPrefix(name, "$") {
				return nil, fault.New(40147, "the sortByCount field must be defined as a $-prefixed path or an expression inside an object")
			}
		}
	}
	id, err := expr.Compile(v, c.Env.Env)
	if err != nil {
		return nil, err
	}
	count, err := c.compileGroupField("count", value.Document(value.D("$sum", 1)))
	if err != nil {
		return nil, err
	}
	order, err := CompileOrder(value.D("count", -1), nil)
	if err != nil {
		return nil, err
	}
	return gather(func(source Iterator) ([]value.Doc, error) {
		docs, err := group(source, id, []groupField{count}, c.Env.Env.Collation)
		if err != nil {
			return nil, err
		}
		return order.Sort(Docs(docs...), int64(len(docs)))
	}), nil
}

type sum struct{ total expr.Sum }

func (s *sum) add(v value.Value) error { s.total.Add(v); return nil }

func (s *sum) value() value.Value { return s.total.Value() }

type average struct{ total expr.Sum }

func (a *average) add(v value.Value) error { a.total.Add(v); return nil }

func (a *average) value() value.Value { return a.total.Average() }

// extreme is $min and $max, for which null and what is missing do not count.
type extreme struct {
	collation *collation.Collation
	sign      int
	best      value.Value
}

func (e *extreme) add(v value.Value) error {
	if !value.Nullish(v) && (value.Missing(e.best) || e.collation.Compare(v, e.best)*e.sign > 0) {
		e.best = v
	}
	return nil
}

func (e *extreme) value() value.Value { return e.best }

type first struct {
	v    value.Value
	seen bool
}

func (f *first) add(v value.Value) error {
	if !f.seen {
		f.v, f.seen = v, true
	}
	return nil
}

func (f *first) value() value.Value { return f.v }

type last struct{ v value.Value }

func (l *last) add(v value.Value) error { l.v = v; return nil }

func (l *last) value() value.Value { return l.v }

// pushing is $push, and $addToSet where seen is not nil.
type pushing struct {
	collation *collation.Collation
	seen      map[string]bool
	values    []value.Value
}

func (p *pushing) add(v value.Value) error {
	if value.Missing(v) {
		return nil
	}
	if p.seen != nil {
		key := p.collation.Key(v)
		if p.seen[key] {
			return nil
		}
		p.seen[key] = true
	}
	p.values = append(p.values, v)
	return nil
}

func (p *pushing) value() value.Value { return value.Array(p.values...) }

type merging struct {
	names  []string
	values map[string]value.Value
}

func (m *merging) add(v value.Value) error {
	if value.Nullish(v) {
		return nil
	}
	if !value.IsDocument(v) {
		return fault.New(40400, "$mergeObjects requires object inputs, but an input is of type %s", value.TypeName(v.Type))
	}
	if m.values == nil {
		m.values = map[string]value.Value{}
	}
	for name, e := range value.Elements(value.Doc(v.Value)) {
		if _, ok := m.values[name]; !ok {
			m.names = append(m.names, name)
		}
		m.values[name] = e
	}
	return nil
}

func (m *merging) value() value.Value {
	b := value.NewBuilder(nil)
	for _, name := range m.names {
		b.Append(name, m.values[name])
	}
	return value.Document(b.Doc())
}
