package aggregate

import (
	"math"
	"math/rand/v2"
	"strings"

	"botwatch/integration/mongotest/internal/expr"
	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// mapping makes one document of each one.
type mapping struct {
	source    Iterator
	transform func(value.Doc) (value.Doc, error)
}

func (m *mapping) Next() (value.Doc, bool, error) {
	doc, ok, err := m.source.Next()
	if err != nil || !ok {
		return nil, false, err
	}
	if doc, err = m.transform(doc); err != nil {
		return nil, false, err
	}
	return doc, true, nil
}

func (c *compiler) compileMatch(v value.Value) (stage, error) {
	if !value.IsDocument(v) {
		return nil, fault.New(15959, "the match filter must be an expression in an object")
	}
	f, err := match.Compile(value.Doc(v.Value), c.Env.Env)
	if err != nil {
		return nil, err
	}
	if c.first {
		c.leading = f
	}
	return func(source Iterator) Iterator { return &matching{source, f} }, nil
}

type matching struct {
	source Iterator
	filter *match.Filter
}

func (m *matching) Next() (value.Doc, bool, error) {
	for {
		doc, ok, err := m.source.Next()
		if err != nil || !ok {
			return nil, false, err
		}
		if ok, err = m.filter.Match(doc); err != nil {
			return nil, false, err
		} else if ok {
			return doc, true, nil
		}
	}
}

// count reads the number of $limit and $skip.
func count(name string, v value.Value) (int64, error) {
	code := fault.Code(5107201)
	if name == "$skip" {
		code = 5107200
	}
	if !value.IsNumber(v) {
		return 0, fault.New(code, "invalid argument to %s stage: expected a number, not %s", name, value.TypeName(v.Type))
	}
	n, ok := value.Integer(v)
	switch {
	case !ok:
		return 0, fault.New(code, "invalid argument to %s stage: expected an integer", name)
	case n < 0:
		return 0, fault.New(code, "invalid argument to %s stage: expected a non-negative number", name)
	case n == 0 && name == "$limit":
		return 0, fault.New(15958, "the limit must be positive")
	}
	return n, nil
}

func compileLimit(v value.Value) (stage, error) {
	n, err := count("$limit", v)
	if err != nil {
		return nil, err
	}
	return func(source Iterator) Iterator { return &limiting{source, n} }, nil
}

type limiting struct {
	source Iterator
	left   int64
}

func (l *limiting) Next() (value.Doc, bool, error) {
	if l.left == 0 {
		return nil, false, nil
	}
	doc, ok, err := l.source.Next()
	if ok {
		l.left--
	}
	return doc, ok, err
}

func compileSkip(v value.Value) (stage, error) {
	n, err := count("$skip", v)
	if err != nil {
		return nil, err
	}
	return func(source Iterator) Iterator { return &skipping{source, n} }, nil
}

type skipping struct {
	source Iterator
	left   int64
}

func (s *skipping) Next() (value.Doc, bool, error) {
	for {
		doc, ok, err := s.source.Next()
		if err != nil || !ok || s.left == 0 {
			return doc, ok, err
		}
		s.left--
	}
}

// gathering draws its whole source when it is first asked.
type gathering struct {
	source Iterator
	gather func(Iterator) ([]value.Doc, error)
	done   bool
	list
}

func (g *gathering) Next() (value.Doc, bool, error) {
	if !g.done {
		docs, err := g.gather(g.source)
		if err != nil {
			return nil, false, err
		}
		g.done, g.docs, g.source = true, docs, nil
	}
	return g.list.Next()
}

func gather(f func(Iterator) ([]value.Doc, error)) stage {
	return func(source Iterator) Iterator { return &gathering{source: source, gather: f} }
}

func compileCount(v value.Value) (stage, error) {
	name, ok := value.Text(v)
	switch {
	case !ok:
		return nil, fault.New(40156, "the count field must be a non-empty string")
	case name == "":
		return nil, fault.New(40157, "the count field must be a non-empty string")
	case name[0] == '$':
		return nil, fault.New(40158, "the count field cannot be a $-prefixed path")
	case strings.ContainsRune(name, '.'):
		return nil, fault.New(40160, "the count field cannot contain '.'")
	}
	return gather(func(source Iterator) ([]value.Doc, error) {
		for n := int64(0); ; n++ {
			_, ok, err := source.Next()
			switch {
			case err != nil:
				return nil, err
			case !ok && n == 0:
				return nil, nil
			case !ok:
				return []value.Doc{value.D(name, value.Int(n))}, nil
			}
		}
	}), nil
}

func compileSample(v value.Value) (stage, error) {
	if !value.IsDocument(v) {
		return nil, fault.New(28745, "the $sample stage specification must be an object")
	}
	size := int64(-1)
	for name, e := range value.Elements(value.Doc(v.Value)) {
		if name != "size" {
			return nil, fault.New(28748, "unrecognized option to $sample: %s", name)
		}
		if !value.IsNumber(e) {
			return nil, fault.New(28746, "the size argument to $sample must be a number")
		}
		f, _ := value.Float(e)
		if !(f >= 1) {
			return nil, fault.New(28747, "the size argument to $sample must be a positive integer")
		}
		size = int64(min(f, math.MaxInt32))
	}
	if size < 0 {
		return nil, fault.New(28749, "the $sample stage must specify a size")
	}
	return gather(func(source Iterator) ([]value.Doc, error) { // each document is kept with the same chance
		var docs []value.Doc
		for n := int64(1); ; n++ {
			doc, ok, err := source.Next()
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			if int64(len(docs)) < size {
				docs = append(docs, doc)
			} else if i := rand.Int64N(n); i < size {
				docs[i] = doc
			}
		}
		rand.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
		return docs, nil
	}), nil
}

// compileDocuments compiles $documents, which is a source.
func (c *compiler) compileDocuments(v value.Value) error {
	if !c.first {
		return fault.New(40602, "$documents is only valid as the first stage in a pipeline")
	}
	e, err := expr.Compile(v, c.Env.Env)
	if err != nil {
		return err
	}
	c.source = func() Iterator {
		return &gathering{gather: func(Iterator) ([]value.Doc, error) {
			v, err := e.Eval(value.D())
			if err != nil {
				return nil, err
			}
			if !value.IsArray(v) {
				return nil, fault.New(5858203, "$documents must be an array of documents, not %s", value.TypeName(v.Type))
			}
			var docs []value.Doc
			for _, item := range value.Items(v) {
				if !value.IsDocument(item) {
					return nil, fault.New(40228, "each element of $documents must be an object, not %s", value.TypeName(item.Type))
				}
				docs = append(docs, value.Doc(item.Value))
			}
			return docs, nil
		}}
	}
	return nil
}
