package update

import (
	"regexp"
	"slices"
	"strings"

	"botwatch/integration/mongotest/internal/fault"
	"botwatch/integration/mongotest/internal/match"
	"botwatch/integration/mongotest/internal/value"
)

// node is a part of the paths that an update names. It is a leaf; or it has
// children by name, one of them perhaps the positional $; or children for the
// elements of an array ($[] and $[identifier]).
type node struct {
	leaf       *leaf
	children   []child // in the order of compareNames
	positional *node
	elements   []child // by identifier, empty for $[]
}

type child struct {
	name string
	node *node
}

// leaf is what is done at the end of a path.
type leaf struct {
	path     string
	operator operator
}

// compareNames orders as update operators take fields since 5.0: by name,
// numbers by value.
func compareNames(a, b string) int {
	if isIndex(a) && isIndex(b) {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
	}
	return strings.Compare(a, b)
}

// compileOperators compiles {$set: {…}, $inc: {…} …}.
func (u *Update) compileOperators(doc value.Doc, arrayFilters []value.Doc) error {
	if err := u.compileFilters(arrayFilters); err != nil {
		return err
	}
	u.tree = &node{}
	used := map[string]bool{}
	for modifier, fields := range value.Elements(doc) {
		parse, ok := operators[modifier]
		if !ok {
			return fault.New(fault.FailedToParse, "unknown modifier: %s. Expected a valid update modifier or pipeline-style update specified as an array", modifier)
		}
		if !value.IsDocument(fields) {
			return fault.New(fault.FailedToParse, "modifiers operate on fields but we found type %s instead. For example: {$mod: {<field>: ...}} not {%s: %s}",
				value.TypeName(fields.Type), modifier, show(fields))
		}
		for path, argument := range value.Elements(value.Doc(fields.Value)) {
			if modifier == "$rename" {
				if err := u.compileRename(path, argument, used); err != nil {
					return err
				}
				continue
			}
			op, err := parse(u, path, argument)
			if err != nil {
				return err
			}
			if err := u.insert(path, op, used); err != nil {
				return err
			}
			if strings.Count(path, ".")+2+depth(argument) > value.MaxDepth/2 {
				u.deep = true
			}
		}
	}
	for id := range u.filters {
		if !used[id] {
			return fault.New(fault.FailedToParse, "the array filter for identifier '%s' was not used in the update", id)
		}
	}
	return nil
}

// insert puts an operator at its path.
func (u *Update) insert(path string, op operator, used map[string]bool) error {
	parts, err := splitPath(path)
	if err != nil {
		return err
	}
	at := u.tree
	for i, name := range parts {
		var next **node
		id, elements := elementsOf(name)
		conflict := func() error {
			return fault.New(fault.ConflictingUpdateOperators, "updating the path '%s' would create a conflict at '%s'", path, strings.Join(parts[:max(i, 1)], "."))
		}
		if at.leaf != nil {
			return conflict()
		}
		switch {
		case name == "$":
			if i == 0 {
				return fault.New(fault.BadValue, "cannot have positional (i.e. '$') element in the first position in path '%s'", path)
			}
			if slices.Contains(parts[:i], "$") {
				return fault.New(fault.BadValue, "too many positional (i.e. '$') elements found in path '%s'", path)
			}
			u.positional = true
			next = &at.positional
		case elements:
			if i == 0 {
				return fault.New(fault.BadValue, "cannot have array filter identifier (i.e. '$[<id>]') element in the first position in path '%s'", path)
			}
			if id != "" && u.filters[id] == nil {
				return fault.New(fault.BadValue, "no array filter found for identifier '%s' in path '%s'", id, path)
			}
			used[id] = true
			next = place(&at.elements, id)
		case name[0] == '$' && (i == 0 || name != "$id" && name != "$ref" && name != "$db"):
			return fault.New(fault.DollarPrefixedFieldName, "the dollar ($) prefixed field '%s' in '%s' is not allowed in the context of an update with operators", name, path)
		default:
			next = place(&at.children, name)
		}
		if len(at.elements) > 0 && (len(at.children) > 0 || at.positional != nil) {
			return conflict()
		}
		last := i == len(parts)-1
		if *next == nil {
			*next = &node{}
		} else if last {
			return fault.New(fault.ConflictingUpdateOperators, "updating the path '%s' would create a conflict at '%s'", path, path)
		}
		at = *next
	}
	at.leaf = &leaf{path, op}
	return nil
}

// place finds the child of a name, or the place for it.
func place(children *[]child, name string) **node {
	i, found := slices.BinarySearchFunc(*children, name, func(c child, name string) int { return compareNames(c.name, name) })
	if !found {
		*children = slices.Insert(*children, i, child{name: name})
	}
	return &(*children)[i].node
}

func splitPath(path string) ([]string, error) {
	if path == "" {
		return nil, fault.New(fault.EmptyFieldName, "an empty update path is not valid")
	}
	parts := strings.Split(path, ".")
	if len(parts) > value.MaxDepth {
		return nil, fault.New(fault.Overflow, "the path has more than %d parts", value.MaxDepth)
	}
	if slices.Contains(parts, "") {
		return nil, fault.New(fault.EmptyFieldName, "the update path '%s' contains an empty field name, which is not allowed", path)
	}
	return parts, nil
}

// elementsOf reads $[identifier].
func elementsOf(name string) (id string, ok bool) {
	if !strings.HasPrefix(name, "$[") || !strings.HasSuffix(name, "]") {
		return "", false
	}
	return name[2 : len(name)-1], true
}

// compileRename puts the taking away at the one path and the setting at the
// other.
func (u *Update) compileRename(from string, argument value.Value, used map[string]bool) error {
	to, ok := value.Text(argument)
	if !ok {
		return fault.New(fault.BadValue, "the 'to' field for $rename must be a string: %s: %s", from, show(argument))
	}
	source, err := splitPath(from)
	if err != nil {
		return err
	}
	target, err := splitPath(to)
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(source, target) {
		if _, elements := elementsOf(name); elements || name == "$" {
			return fault.New(fault.BadValue, "the source and target field for $rename may not be dynamic: %s", from)
		}
	}
	if from == to {
		return fault.New(fault.BadValue, "the source and target field for $rename must differ: %s: %s", from, show(argument))
	}
	if n := min(len(source), len(target)); slices.Equal(source[:n], target[:n]) {
		return fault.New(fault.BadValue, "the source and target field for $rename must not be on the same path: %s: %s", from, show(argument))
	}
	if len(target) > len(source) {
		u.deep = true
	}
	if err := u.insert(to, &rename{from: source, to: target}, used); err != nil {
		return err
	}
	return u.insert(from, unset{}, used)
}

var identifier = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)

// compileFilters compiles array filters. An element is matched as the value of
// a field that has the filter's identifier as its name.
func (u *Update) compileFilters(arrayFilters []value.Doc) error {
	u.filters = map[string]*match.Filter{}
	for _, doc := range arrayFilters {
		id := ""
		if err := filterName(doc, &id, 0); err != nil {
			return err
		}
		if id == "" {
			return fault.New(fault.FailedToParse, "cannot use an expression without a top-level field name in arrayFilters")
		}
		if !identifier.MatchString(id) {
			return fault.New(fault.BadValue, "error parsing array filter: the top-level field name must be an alphanumeric string beginning with a lowercase letter, found '%s'", id)
		}
		if u.filters[id] != nil {
			return fault.New(fault.FailedToParse, "found multiple array filters with the same top-level field name %s", id)
		}
		f, err := match.Compile(doc, u.env)
		if err != nil {
			return err
		}
		u.filters[id] = f
	}
	return nil
}

// filterName finds the one name that a filter's paths begin with.
func filterName(doc value.Doc, id *string, depth int) error {
	if depth > value.MaxDepth {
		return fault.New(fault.BadValue, "the array filter nests too deeply")
	}
	for name, v := range value.Elements(doc) {
		if strings.HasPrefix(name, "$") {
			if (name != "$and" && name != "$or" && name != "$nor") || !value.IsArray(v) {
				continue
			}
			for _, item := range value.Items(v) {
				if value.IsDocument(item) {
					if err := filterName(value.Doc(item.Value), id, depth+1); err != nil {
						return err
					}
				}
			}
			continue
		}
		first, _, _ := strings.Cut(name, ".")
		if *id != "" && *id != first {
			return fault.New(fault.FailedToParse, "error parsing array filter: expected a single top-level field name, found '%s' and '%s'", *id, first)
		}
		*id = first
	}
	return nil
}
