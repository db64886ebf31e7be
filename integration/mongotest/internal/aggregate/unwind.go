package aggregate

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/value"
)

type unwind struct {
	path     []string
	index    []string // includeArrayIndex
	preserve bool
}

func compileUnwind(v value.Value) (stage, error) {
	u := &unwind{}
	path := v
	if value.IsDocument(v) {
		path = value.Value{}
		for name, e := range value.Elements(value.Doc(v.Value)) {
			switch name {
			case "path":
				path = e
			case "preserveNullAndEmptyArrays":
				if e.Type != bson.TypeBoolean {
					return nil, fault.New(28809, "expected a boolean for the preserveNullAndEmptyArrays option to $unwind stage, got %s", value.TypeName(e.Type))
				}
				u.preserve = value.Truthy(e)
			case "includeArrayIndex":
				text, ok := value.Text(e)
				if !ok || text == "" {
					return nil, fault.New(28810, "expected a non-empty string for the includeArrayIndex option to $unwind stage, got %s", value.TypeName(e.Type))
				}
				if text[0] == '$' {
					return nil, fault.New(28822, "includeArrayIndex option to $unwind stage should not be prefixed with a '$': %s", text)
				}
				var err error
				if u.index, err = fieldPath(text); err != nil {
					return nil, err
				}
			default:
				return nil, fault.New(28811, "unrecognized option to $unwind stage: %s", name)
			}
		}
		if value.Missing(path) {
			return nil, fault.New(28812, "no path specified to $unwind stage")
		}
	}
	text, ok := value.Text(path)
	switch {
	case !ok && value.IsDocument(v):
		return nil, fault.New(28808, "expected a string as the path for $unwind stage, got %s", value.TypeName(path.Type))
	case !ok:
		return nil, fault.New(15981, "expected either a string or an object as specification for $unwind stage, got %s", value.TypeName(v.Type))
	case text == "":
		return nil, fault.New(28812, "no path specified to $unwind stage")
	case text[0] != '$':
		return nil, fault.New(28818, "path option to $unwind stage should be prefixed with a '$': %s", text)
	}
	var err error
	if u.path, err = fieldPath(text[1:]); err != nil {
		return nil, err
	}
	return func(source Iterator) Iterator { return &unwinding{unwind: u, source: source} }, nil
}

// fieldPath splits a path of the aggregation language.
func fieldPath(text string) ([]string, error) {
	path := strings.Split(text, ".")
	for _, name := range path {
		switch {
		case text == "":
			return nil, fault.New(40352, "a field path must not be constructed with an empty string")
		case name == "":
			return nil, fault.New(15998, "the field path '%s' has an empty part", text)
		case name[0] == '$':
			return nil, fault.New(16410, "the field path '%s' has a part that starts with '$'", text)
		}
	}
	if len(path) > value.MaxDepth {
		return nil, fault.New(fault.Overflow, "the path has more than %d parts", value.MaxDepth)
	}
	return path, nil
}

type unwinding struct {
	*unwind
	source Iterator
	doc    value.Doc
	items  []value.Value // left of doc
	next   int64
}

func (u *unwinding) Next() (value.Doc, bool, error) {
	for {
		if len(u.items) > 0 {
			doc := u.with(u.doc, u.items[0], value.Int64(u.next))
			u.items = u.items[1:]
			u.next++
			return doc, true, nil
		}
		doc, ok, err := u.source.Next()
		if err != nil || !ok {
			return nil, false, err
		}
		v := at(value.Document(doc), u.path)
		switch {
		case value.IsArray(v):
			u.doc, u.items, u.next = doc, value.Items(v), 0
			if len(u.items) == 0 && u.preserve {
				return u.with(doc, value.Value{}, value.Null()), true, nil
			}
		case value.Nullish(v) && !u.preserve:
		default:
			if u.index != nil {
				doc = set(doc, u.index, value.Null())
			}
			return doc, true, nil
		}
	}
}

func (u *unwinding) with(doc value.Doc, v, index value.Value) value.Doc {
	doc = set(doc, u.path, v)
	if u.index != nil {
		doc = set(doc, u.index, index)
	}
	return doc
}

// at gives what is at a path of documents.
func at(v value.Value, path []string) value.Value {
	for _, name := range path {
		if !value.IsDocument(v) {
			return value.Value{}
		}
		v = value.Get(value.Doc(v.Value), name)
	}
	return v
}

// set puts a value at a path of documents, which are made where there are none;
// a missing value takes the field away.
func set(doc value.Doc, path []string, v value.Value) value.Doc {
	b := value.NewBuilder(make([]byte, 0, len(doc)+len(v.Value)+16))
	found := false
	inner := func(old value.Value) value.Value {
		if len(path) == 1 {
			return v
		}
		if !value.IsDocument(old) {
			if value.Missing(v) {
				return old
			}
			old = value.Document(value.D())
		}
		return value.Document(set(value.Doc(old.Value), path[1:], v))
	}
	for name, e := range value.Elements(doc) {
		if name == path[0] && !found {
			found = true
			e = inner(e)
		}
		b.Append(name, e)
	}
	if !found && !value.Missing(v) {
		b.Append(path[0], inner(value.Value{}))
	}
	return b.Doc()
}

// each calls f with every value that a path leads to, through arrays of
// documents and by positions in them; an array at its end as its elements and,
// if whole is set, as itself too.
func each(v value.Value, path []string, whole bool, f func(value.Value)) {
	if len(path) == 0 {
		if value.IsArray(v) {
			for _, item := range value.Items(v) {
				f(item)
			}
			if !whole {
				return
			}
		}
		if !value.Missing(v) {
			f(v)
		}
		return
	}
	switch {
	case value.IsDocument(v):
		each(value.Get(value.Doc(v.Value), path[0]), path[1:], whole, f)
	case value.IsArray(v):
		position := isPosition(path[0])
		for i, item := range value.Items(v) {
			if position && value.Index(i) == path[0] {
				each(item, path[1:], whole, f)
			}
			if value.IsDocument(item) {
				each(item, path, whole, f)
			}
		}
	}
}

func isPosition(name string) bool {
	return name != "" && strings.Trim(name, "0123456789") == ""
}
