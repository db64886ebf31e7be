package update

import (
	"strings"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// seed is a field of the document that an upsert starts from.
type seed struct {
	name   string
	value  value.Value // of a leaf
	fields []*seed
}

// base makes the document that an upsert starts from. A replacement takes
// nothing but the _id from the query.
func (u *Update) base(equalities []match.Equality) (value.Doc, error) {
	root := &seed{}
	for _, e := range equalities {
		if u.replacement != nil && e.Path != "_id" {
			if strings.HasPrefix(e.Path, "_id.") {
				return nil, fault.New(fault.NotExactValueField, "the field '_id' must be exactly specified, but the query has '%s'", e.Path)
			}
			continue
		}
		if err := root.add(e); err != nil {
			return nil, err
		}
	}
	b := value.NewBuilder(nil)
	for _, s := range root.fields {
		if s.name == "_id" {
			s.append(b)
		}
	}
	for _, s := range root.fields {
		if s.name != "_id" {
			s.append(b)
		}
	}
	return b.Doc(), nil
}

func (s *seed) add(e match.Equality) error {
	twice := func() error {
		return fault.New(fault.NotSingleValueField, "cannot infer query fields to set, path '%s' is matched twice", e.Path)
	}
	parts := strings.Split(e.Path, ".")
	if len(parts) > value.MaxDepth {
		return fault.New(fault.Overflow, "the path has more than %d parts", value.MaxDepth)
	}
	for i, name := range parts {
		var next *seed
		for _, f := range s.fields {
			if f.name == name {
				next = f
			}
		}
		switch {
		case next == nil:
			next = &seed{name: name}
			s.fields = append(s.fields, next)
		case i == len(parts)-1 || !value.Missing(next.value):
			return twice()
		}
		s = next
	}
	s.value = e.Value
	return nil
}

func (s *seed) append(b *value.Builder) {
	if !value.Missing(s.value) {
		b.Append(s.name, s.value)
		return
	}
	b.Open(s.name, false)
	for _, f := range s.fields {
		f.append(b)
	}
	b.Close()
}
